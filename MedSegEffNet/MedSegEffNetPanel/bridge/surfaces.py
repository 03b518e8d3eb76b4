"""How a segmentation is shown: surfaces in 3D views, outlines or areas in slices."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import slicer

from MedSegEffNetPanel import steps

_MASKS, _SURFACES = "Binary labelmap", "Closed surface"


_under_way: dict[str, steps.Steps] = {}  # by the segmentation's id


def show_3d(segmentation: Any, on: bool) -> None:
    """Show the surfaces in the 3D views, or not; surfaces that are not shown are not kept, as each edit renews them.

    They are made in the background, a segment a step. VTK makes a surface in one go: that of a segment of 270,000
    voxels takes 0.15 s with Slicer's usual smoothing, so the window stands still for that long.
    """
    before = _under_way.pop(segmentation.GetID(), None)
    if before is not None:
        before.cancel()
    if on:
        _under_way[segmentation.GetID()] = steps.run(made(segmentation), done=lambda nothing: None, failed=_failed)
    else:
        remove(segmentation)


def _failed(error: Exception) -> None:
    slicer.util.errorDisplay(str(error))


def shown(segmentation: Any) -> bool:
    """Whether the segmentation has surfaces."""
    return bool(segmentation.GetSegmentation().ContainsRepresentation(_SURFACES))


def made(segmentation: Any) -> Generator[None, None, None]:
    """Make the surfaces that are missing, a segment a step, and show them."""
    segments = segmentation.GetSegmentation()
    ids = [segments.GetNthSegmentID(number) for number in range(segments.GetNumberOfSegments())]
    found = {}
    for segment_id in ids:
        segment = segments.GetSegment(segment_id)
        if segment is not None and segment.GetRepresentation(_SURFACES) is None:
            found[segment_id] = _surface(segments, segment_id), segment.GetRepresentation(_MASKS)
        yield
    if segmentation.GetScene() is None:  # removed meanwhile
        return
    for segment_id, (surface, mask) in found.items():
        segment = segments.GetSegment(segment_id)
        if surface is not None and segment is not None and segment.GetRepresentation(_MASKS) is mask:
            segment.AddRepresentation(_SURFACES, surface)
    segmentation.CreateClosedSurfaceRepresentation()  # what came meanwhile, and the event that views wait for
    segmentation.CreateDefaultDisplayNodes()
    display = segmentation.GetDisplayNode()
    display.SetPreferredDisplayRepresentationName3D(_SURFACES)
    display.SetVisibility(True)
    display.SetVisibility3D(True)


def _surface(segments: Any, segment_id: str) -> Any:
    """The surface of one segment, made in a segmentation of its own with the same settings."""
    alone = slicer.vtkSegmentation()
    alone.SetSourceRepresentationName(segments.GetSourceRepresentationName())
    alone.CopyConversionParameters(segments)
    alone.CopySegmentFromSegmentation(segments, segment_id)
    alone.CreateRepresentation(_SURFACES)
    return alone.GetSegment(segment_id).GetRepresentation(_SURFACES)


def remove(segmentation: Any) -> None:
    """Take the surfaces away."""
    if shown(segmentation):
        segmentation.RemoveClosedSurfaceRepresentation()


def show_contours(segmentation: Any, on: bool) -> None:
    """Show outlines alone in the slices (``on``), or outlines and areas."""
    segmentation.CreateDefaultDisplayNodes()
    display = segmentation.GetDisplayNode()
    was = display.StartModify()
    display.SetVisibility(True)
    display.SetVisibility2DOutline(True)
    display.SetVisibility2DFill(not on)
    display.SetPreferredDisplayRepresentationName2D(_MASKS)
    display.EndModify(was)
