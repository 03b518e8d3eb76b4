"""Volumes shown over another one in the slices, such as the map of uncertainty."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import slicer
from slicer.i18n import tr as _

from MedSegEffNetLib.formats import nifti
from MedSegEffNetPanel import steps
from MedSegEffNetPanel.bridge.images import new_image
from MedSegEffNetPanel.bridge.transforms import matrix_of_array
from MedSegEffNetPanel.bridge.tree import new_node, put_beside
from MedSegEffNetPanel.bridge.volumes import OVERLAY, grid
from MedSegEffNetPanel.grid import Grid

_COLORS = "vtkMRMLColorTableNodeIron"
_LOWEST = 0.05  # below, the image is seen alone
_OPACITY = 0.5
_BEFORE = "MedSegEffNet.Before."  # attribute: what a slice view showed in the foreground, and how strongly


def overlay(path: Path, reference: Any) -> Any:
    """Show a map of values from 0 to 1 (``.nii``) in color over ``reference``; gives its volume node at once.

    Its voxels are read in the background and appear a moment later. The node is not saved with the scene and is offered
    by no selector.
    """
    node = new_node("vtkMRMLScalarVolumeNode", _("{volume} uncertainty").format(volume=reference.GetName()))
    node.SetAttribute(OVERLAY, "1")
    node.SetHideFromEditors(True)
    node.SetSaveWithScene(False)
    put_beside(node, reference)
    steps.run(_filled(node, path, grid(reference)), done=_show, failed=lambda error: _failed(node, error))
    return node


def _failed(node: Any, error: Exception) -> None:
    remove_overlay(node)
    slicer.util.errorDisplay(str(error))


def _filled(node: Any, path: Path, expected: Grid | None) -> Generator[None, None, Any]:
    read = yield from steps.in_thread(nifti.read, path)
    image = yield from new_image(read.array.T)
    place = Grid(read.shape, read.affine)
    if expected is not None and place.same(expected):
        place = expected
    node.SetIJKToRASMatrix(matrix_of_array(place.affine))
    node.SetAndObserveImageData(image)
    return node


def _show(node: Any) -> None:
    if node.GetScene() is None:  # removed while it was read
        return
    node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    display.SetSaveWithScene(False)
    display.SetAndObserveColorNodeID(_COLORS)
    display.SetAutoWindowLevel(False)
    display.SetWindowLevelMinMax(0.0, 1.0)
    display.SetAutoThreshold(False)
    display.SetThreshold(_LOWEST, 1.0)
    display.SetApplyThreshold(True)
    for view in _slice_views():
        before = f"{view.GetForegroundVolumeID() or ''} {view.GetForegroundOpacity()}"
        node.SetAttribute(_BEFORE + view.GetID(), before)
        view.SetForegroundVolumeID(node.GetID())
        view.SetForegroundOpacity(_OPACITY)


def remove_overlay(node: Any) -> None:
    """Take an overlay away; the slices show again what was in the foreground before."""
    if node.GetScene() is None:
        return
    for view in _slice_views():
        before = node.GetAttribute(_BEFORE + view.GetID())
        if before is not None and view.GetForegroundVolumeID() == node.GetID():
            volume, _space, opacity = before.rpartition(" ")
            view.SetForegroundVolumeID(volume or None)
            view.SetForegroundOpacity(float(opacity))
    slicer.mrmlScene.RemoveNode(node)


def _slice_views() -> Iterator[Any]:
    kind = "vtkMRMLSliceCompositeNode"
    for number in range(slicer.mrmlScene.GetNumberOfNodesByClass(kind)):
        yield slicer.mrmlScene.GetNthNodeByClass(number, kind)
