"""Label maps that are only looked at: outlines under the labels that are edited, and where two label maps differ.

Their nodes are temporary: no selector offers them, no scene keeps them.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any

import slicer

from MedSegEffNetLib.task import Label
from MedSegEffNetPanel.bridge.images import new_image
from MedSegEffNetPanel.bridge.label_maps import LabelMap
from MedSegEffNetPanel.bridge.masks import MASKS
from MedSegEffNetPanel.bridge.surfaces import show_contours
from MedSegEffNetPanel.grid import Grid

_THICK = 2  # pixels of an outline


def underlay(
    node: Any, name: str, label_map: LabelMap, labels: Sequence[Label], *, outline: bool
) -> Generator[None, None, Any]:
    """Show a label map in the colors of ``labels``, as outlines alone or as areas; gives the segmentation node.

    ``node`` is what a former call gave, and shows this one from now on; None, or one that was removed: a new one.
    """
    image = yield from new_image(label_map.values, label_map.grid.affine, label_map.first, slicer.vtkOrientedImageData)
    if not _there(node):
        node = _new(name, outline)
    was = node.StartModify()
    try:
        _fill(node, image, labels)
    finally:
        node.EndModify(was)
    node.GetDisplayNode().SetVisibility(True)
    return node


def hide_underlay(node: Any) -> None:
    """Show it no more, until :func:`underlay` does again; None and one that is gone are welcome."""
    if _there(node):
        node.GetDisplayNode().SetVisibility(False)


def remove_underlay(node: Any) -> None:
    """Take it out of the scene; None and one that is gone already are welcome."""
    if not _there(node):
        return
    displays = [node.GetNthDisplayNode(number) for number in range(node.GetNumberOfDisplayNodes())]
    for each in (node, *displays):
        slicer.mrmlScene.RemoveNode(each)


def jump_to_voxel(grid: Grid, voxel: Sequence[int]) -> None:
    """Move all slices to the voxel (k, j, i) of a grid."""
    k, j, i = (float(place) for place in voxel)
    world = (grid.affine @ [i, j, k, 1.0])[:3].tolist()
    slicer.vtkMRMLSliceNode.JumpAllSlices(slicer.mrmlScene, *world, slicer.vtkMRMLSliceNode.OffsetJumpSlice)


def _there(node: Any) -> bool:
    return node is not None and node.GetScene() is slicer.mrmlScene


def _new(name: str, outline: bool) -> Any:
    """Hidden before it comes into the scene, or selectors would choose it."""
    node = slicer.mrmlScene.CreateNodeByClass("vtkMRMLSegmentationNode")
    node.UnRegister(None)
    node.SetName(name)
    node.SetHideFromEditors(True)
    node.SetSaveWithScene(False)
    slicer.mrmlScene.AddNode(node)
    node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    display.SetSaveWithScene(False)
    display.SetVisibility3D(False)
    if outline:
        show_contours(node, True)
        display.SetSliceIntersectionThickness(_THICK)
    return node


def _fill(node: Any, image: Any, labels: Sequence[Label]) -> None:
    segments = node.GetSegmentation()
    segments.SetSourceRepresentationName(MASKS)
    for label in labels:
        segment_id = str(label.value)
        known = segments.GetSegment(segment_id)
        segment = known if known is not None else slicer.vtkSegment()
        segment.SetName(label.name)
        segment.SetColor(*(value / 255 for value in label.color))
        segment.SetLabelValue(label.value)
        segment.AddRepresentation(MASKS, image)
        if known is None:
            segments.AddSegment(segment, segment_id)
