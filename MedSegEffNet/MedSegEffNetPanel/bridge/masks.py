"""The voxels of segments, looked at in short steps."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import vtk
from vtk.util.numpy_support import vtk_to_numpy

from MedSegEffNetPanel.bridge.images import planes_a_step
from MedSegEffNetPanel.bridge.transforms import array_of_matrix, to_world

MASKS = "Binary labelmap"


@dataclass(frozen=True, eq=False)
class Mask:
    """A segment's voxels: those of a layer, which segments that do not overlap share, that have its value.

    Attributes
    ----------
    layer : (K, J, I) whole numbers; a view. value : the segment's. first : indices (i, j, k) of the layer's first voxel.
    place : (4, 4) from indices to mm in the space of the segmentation.
    """

    layer: np.ndarray
    value: int
    first: tuple[int, int, int]
    place: np.ndarray

    def counts(self) -> Generator[None, None, np.ndarray]:
        """Voxels in each plane, (K,)."""
        found = np.zeros(len(self.layer), dtype=np.int64)
        for planes in planes_a_step(self.layer):
            hit = self.layer[planes] == self.value
            found[planes] = np.count_nonzero(hit.reshape(len(hit), -1), axis=1)
            yield
        return found


def segments_of(segmentation: Any) -> Iterator[tuple[str, Any]]:
    """The segments (vtkSegment) and their ids, in their order."""
    segments = segmentation.GetSegmentation()
    ids = [segments.GetNthSegmentID(number) for number in range(segments.GetNumberOfSegments())]
    for segment_id in ids:
        segment = segments.GetSegment(segment_id)
        if segment is not None:  # not removed meanwhile
            yield segment_id, segment


def mask_of(segment: Any) -> Mask | None:
    """The mask of a vtkSegment; None without voxels."""
    image = segment.GetRepresentation(MASKS)
    scalars = image.GetPointData().GetScalars() if image is not None else None
    if scalars is None or not image.GetNumberOfPoints():
        return None
    i, j, k = image.GetDimensions()
    extent = image.GetExtent()
    matrix = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    layer = vtk_to_numpy(scalars).reshape(k, j, i)
    return Mask(layer, segment.GetLabelValue(), (extent[0], extent[2], extent[4]), array_of_matrix(matrix))


def segment_volumes(segmentation: Any) -> Generator[None, None, dict[str, float]]:
    """Volume in mL by segment name, counted in voxels; empty for a segmentation without masks."""
    if segmentation.GetSegmentation().GetSourceRepresentationName() != MASKS:
        return {}
    found: dict[str, float] = {}
    for _id, segment in segments_of(segmentation):
        mask = mask_of(segment)
        name, world = segment.GetName(), to_world(segmentation)
        found[name] = 0.0
        if mask is not None:
            place = mask.place if world is None else world @ mask.place
            voxels = int((yield from mask.counts()).sum())
            found[name] = float(voxels * abs(np.linalg.det(place[:3, :3])) / 1000.0)
    return found
