"""Volumes shown over another one in the slices, such as the map of uncertainty."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

import slicer
from slicer.i18n import tr as _

from MedSegEffNetLib.formats import nifti
from MedSegEffNetPanel import steps
from MedSegEffNetPanel.bridge.images import new_image
from MedSegEffNetPanel.bridge.looks import add_display
from MedSegEffNetPanel.bridge.slices import slice_views
from MedSegEffNetPanel.bridge.surfaces import show_contours, shows_contours
from MedSegEffNetPanel.bridge.transforms import matrix_of_array
from MedSegEffNetPanel.bridge.tree import new_node, put_beside
from MedSegEffNetPanel.bridge.volumes import OVERLAY, grid
from MedSegEffNetPanel.grid import Grid

_COLORS = ("Cividis", "Viridis", "Ocean")  # blue to yellow, unlike most labels; the first that Slicer has
_LOWEST = 0.05  # below, the image is seen alone
_OPACITY = 0.5
_BEFORE = "MedSegEffNet.Before."  # attribute: what a slice view showed in the foreground, and how strongly
_OUTLINED = "MedSegEffNet.Outlined"  # reference to the segmentation whose areas are hidden meanwhile


def overlay(path: Path, reference: Any, segmentation: Any = None) -> Any:
    """Show a map of values from 0 to 1 (``.nii``) in color over ``reference``; gives its volume node at once.

    Its voxels are read in the background and appear a moment later, with a legend of the colors. While it is shown,
    ``segmentation`` is drawn as outlines. The node is not saved with the scene and is offered by no selector.
    """
    node = new_node("vtkMRMLScalarVolumeNode", _("{volume} uncertainty").format(volume=reference.GetName()))
    node.SetAttribute(OVERLAY, "1")
    node.SetHideFromEditors(True)
    node.SetSaveWithScene(False)
    put_beside(node, reference)
    if segmentation is not None:
        node.SetNodeReferenceID(_OUTLINED, segmentation.GetID())
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
    if node.GetScene() is None:  # removed while it was read
        return node
    node.SetIJKToRASMatrix(matrix_of_array(place.affine))
    _add_colors(node)
    node.SetAndObserveImageData(image)
    return node


def _add_colors(node: Any) -> None:
    """A display from 0 to 1, made before the voxels come: else Slicer judges all of them in one go."""
    display = add_display(node, 0.0, 1.0)
    display.SetSaveWithScene(False)
    kind = "vtkMRMLColorTableNode"
    colors = (slicer.util.getFirstNodeByClassByName(kind, name) for name in _COLORS)
    display.SetAndObserveColorNodeID(next(color.GetID() for color in colors if color is not None))
    display.SetThreshold(_LOWEST, 1.0)
    display.SetApplyThreshold(True)


def _show(node: Any) -> None:
    if node.GetScene() is None:
        return
    _add_legend(node)
    _outline(node)
    for view in slice_views():
        before = f"{view.GetForegroundVolumeID() or ''} {view.GetForegroundOpacity()}"
        node.SetAttribute(_BEFORE + view.GetID(), before)
        view.SetForegroundVolumeID(node.GetID())
        view.SetForegroundOpacity(_OPACITY)


def remove_overlay(node: Any) -> None:
    """Take an overlay away; the slices show again what was in the foreground before, and areas of segments."""
    if node.GetScene() is None:
        return
    for view in slice_views():
        before = node.GetAttribute(_BEFORE + view.GetID())
        if before is not None and view.GetForegroundVolumeID() == node.GetID():
            volume, _space, opacity = before.rpartition(" ")
            view.SetForegroundVolumeID(volume or None)
            view.SetForegroundOpacity(float(opacity))
    segmentation = node.GetNodeReference(_OUTLINED)
    if segmentation is not None and node.GetAttribute(_OUTLINED) and shows_contours(segmentation):
        show_contours(segmentation, False)
    displays = [node.GetNthDisplayNode(number) for number in range(node.GetNumberOfDisplayNodes())]
    for each in (node, *displays):
        slicer.mrmlScene.RemoveNode(each)


def _outline(node: Any) -> None:
    segmentation = node.GetNodeReference(_OUTLINED)
    if segmentation is None or shows_contours(segmentation):
        return
    node.SetAttribute(_OUTLINED, "1")
    show_contours(segmentation, True)


def _add_legend(node: Any) -> None:
    """Beside the slices, where the logic of the module Colors can do it."""
    add = getattr(slicer.modules.colors.logic(), "AddDefaultColorLegendDisplayNode", None)
    legend = add(node) if add is not None else None
    if legend is not None:
        legend.SetTitleText(_("Uncertainty"))
        legend.SetSaveWithScene(False)
