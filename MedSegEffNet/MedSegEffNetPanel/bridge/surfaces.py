"""How a segmentation is shown: surfaces in 3D views, outlines or areas in slices."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np
import slicer
import vtk

from MedSegEffNetPanel import steps
from MedSegEffNetPanel.bridge.masks import MASKS, Mask, mask_of, segments_of
from MedSegEffNetPanel.environment import clean_variables, slicer_python

_SURFACES = "Closed surface"
_SMALL = 20_000  # voxels whose surface is made faster than a process is started

_under_way: dict[str, steps.Steps] = {}  # by the segmentation's id


def show_3d(segmentation: Any, on: bool) -> None:
    """Show the surfaces in the 3D views, or not; surfaces that are not shown are not kept, as each edit renews them.

    They are made in the background. VTK makes a surface in one go, which takes 0.15 s for a segment of 270,000 voxels:
    large ones are made in a process of their own, and the window only reads them.
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
            mask = segment.GetRepresentation(MASKS)
            found[segment_id] = (yield from _surface(segments, segment_id)), mask
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


def _surface(segments: Any, segment_id: str) -> Generator[None, None, Any]:
    """The surface of one segment with the settings of its segmentation."""
    mask = mask_of(segments.GetSegment(segment_id))
    voxels = (yield from mask.counts()).sum() if mask is not None else 0
    if mask is not None and voxels > _SMALL and segments.GetConversionParameter("Joint smoothing") != "1":
        with tempfile.TemporaryDirectory(dir=slicer.app.temporaryPath, ignore_cleanup_errors=True) as folder:
            made = Path(folder) / "surface.vtp"
            numbers = [float(segments.GetConversionParameter(f"{name} factor")) for name in ("Smoothing", "Decimation")]
            if (yield from steps.in_thread(_compute, mask, numbers, made)):
                reader = vtk.vtkXMLPolyDataReader()
                reader.SetFileName(str(made))
                reader.Update()
                return reader.GetOutput()
    return _surface_at_once(segments, segment_id)


def _compute(mask: Mask, numbers: list[float], surface: Path) -> bool:
    """Let a process write the surface; False: it could not, which Slicer's own way will tell."""
    inside = mask.layer == mask.value
    box = tuple(slice(*np.flatnonzero(inside.any(axis=axes))[[0, -1]] + (0, 1)) for axes in ((1, 2), (0, 2), (0, 1)))
    first = np.array(mask.first) + [side.start for side in reversed(box)]
    file = surface.with_name("mask.npz")
    smoothing, decimation = numbers
    np.savez(
        file,
        mask=inside[box].astype(np.uint8),
        first=first,
        place=mask.place,
        smoothing=smoothing,
        decimation=decimation,
    )
    words = [slicer_python(), str(Path(__file__).with_name("surface_worker.py")), str(file), str(surface)]
    flags = getattr(subprocess, "CREATE_NO_WINDOW", 0)
    done = subprocess.run(words, env=clean_variables(), capture_output=True, creationflags=flags)
    return done.returncode == 0 and surface.is_file()


def _surface_at_once(segments: Any, segment_id: str) -> Any:
    """Slicer's own way, in a segmentation of its own with the same settings."""
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
