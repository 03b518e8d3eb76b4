"""How a segmentation is shown: surfaces in 3D views, outlines or areas in slices."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import slicer

from MedSegEffNetPanel import steps
from MedSegEffNetPanel.bridge.masks import MASKS, segments_of

_SURFACES = "Closed surface"

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
        _under_way[segmentation.GetID()] = steps.run(_made(segmentation), done=lambda nothing: None, failed=_failed)
    else:
        remove(segmentation)


def shows_3d(segmentation: Any) -> bool:
    """Whether the surfaces are shown in the 3D views, or are being made for them."""
    under_way = _under_way.get(segmentation.GetID())
    if under_way is not None and not under_way.over:
        return True
    display = segmentation.GetDisplayNode()
    return _have_surfaces(segmentation) and bool(display and display.GetVisibility() and display.GetVisibility3D())


def _failed(error: Exception) -> None:
    slicer.util.errorDisplay(str(error))


def _have_surfaces(segmentation: Any) -> bool:
    return bool(segmentation.GetSegmentation().ContainsRepresentation(_SURFACES))


def _made(segmentation: Any) -> Generator[None, None, None]:
    """Make the surfaces that are missing, a segment a step, and show them."""
    segments = segmentation.GetSegmentation()
    found = {}
    for segment_id, segment in segments_of(segmentation):
        if segment.GetRepresentation(_SURFACES) is None:
            found[segment_id] = _surface(segments, segment_id), segment.GetRepresentation(MASKS)
        yield
    if segmentation.GetScene() is None:  # removed meanwhile
        return
    for segment_id, (surface, mask) in found.items():
        segment = segments.GetSegment(segment_id)
        if surface is not None and segment is not None and segment.GetRepresentation(MASKS) is mask:
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
    if _have_surfaces(segmentation):
        segmentation.RemoveClosedSurfaceRepresentation()


def show_contours(segmentation: Any, on: bool) -> None:
    """Show outlines alone in the slices (``on``), or outlines and areas."""
    segmentation.CreateDefaultDisplayNodes()
    display = segmentation.GetDisplayNode()
    was = display.StartModify()
    display.SetVisibility(True)
    display.SetVisibility2DOutline(True)
    display.SetVisibility2DFill(not on)
    display.SetPreferredDisplayRepresentationName2D(MASKS)
    display.EndModify(was)


def shows_contours(segmentation: Any) -> bool:
    """Whether the slices show outlines alone."""
    display = segmentation.GetDisplayNode()
    return bool(display and display.GetVisibility2DOutline() and not display.GetVisibility2DFill())
