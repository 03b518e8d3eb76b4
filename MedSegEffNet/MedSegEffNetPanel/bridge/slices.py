"""What the slice views show, and where they are."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any

import numpy as np
import slicer

from MedSegEffNetPanel import steps
from MedSegEffNetPanel.bridge.masks import Mask, mask_of, segments_of


def slice_views() -> Iterator[Any]:
    """The nodes that say which volumes the slice views show."""
    kind = "vtkMRMLSliceCompositeNode"
    for number in range(slicer.mrmlScene.GetNumberOfNodesByClass(kind)):
        yield slicer.mrmlScene.GetNthNodeByClass(number, kind)


def show_volume(node: Any, fit: bool = True) -> None:
    """Show a volume in the background of all slice views, as large as fits; else where they are."""
    slicer.util.setSliceViewerLayers(background=node, fit=fit)


def reference_of(segmentation: Any) -> Any:
    """The volume node whose voxels the segmentation lies on; None: it has none, or that is gone."""
    return segmentation.GetNodeReference(segmentation.GetReferenceImageGeometryReferenceRole())


def jump_to(segmentation: Any, name: str | None = None) -> None:
    """Move all slices to the middle of the segment ``name`` (None: the largest); they stay if it has no voxels.

    It is looked for in the background, in short steps.
    """
    steps.run(_jump(segmentation, name), done=lambda nothing: None, failed=_failed)


def _failed(error: Exception) -> None:
    slicer.util.errorDisplay(str(error))


def _jump(segmentation: Any, name: str | None) -> Generator[None, None, None]:
    most, largest, plane = 0, None, 0
    for _id, segment in segments_of(segmentation):
        mask = mask_of(segment) if name is None or segment.GetName() == name else None
        if mask is None:
            continue
        counts = yield from mask.counts()
        if counts.sum() > most:
            most, largest, plane = int(counts.sum()), mask, int(counts.argmax())
    if largest is None or segmentation.GetScene() is not slicer.mrmlScene:
        return
    world = [0.0, 0.0, 0.0]
    segmentation.TransformPointToWorld(_inside(largest, plane).tolist(), world)
    slicer.vtkMRMLSliceNode.JumpAllSlices(slicer.mrmlScene, *world, slicer.vtkMRMLSliceNode.OffsetJumpSlice)


def _inside(mask: Mask, plane: int) -> np.ndarray:
    """The voxel of the mask in a plane that is nearest to the middle of these, in mm in the space of the segmentation."""
    hits = np.argwhere(mask.layer[plane] == mask.value)
    j, i = hits[np.square(hits - hits.mean(axis=0)).sum(axis=1).argmin()]
    return (mask.place @ [*np.add(mask.first, (i, j, plane)), 1.0])[:3]


def hide_other_segmentations(segmentation: Any) -> None:
    """Let the slices show this segmentation alone: another patient's would lie over the image like its own."""
    for node in slicer.util.getNodesByClass("vtkMRMLSegmentationNode"):
        if node is not segmentation and node.GetDisplayNode() is not None:
            node.GetDisplayNode().SetVisibility(False)
