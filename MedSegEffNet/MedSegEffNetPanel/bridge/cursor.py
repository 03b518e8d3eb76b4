"""Where the mouse points in the slice views."""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer

from MedSegEffNetPanel.bridge.transforms import to_world
from MedSegEffNetPanel.bridge.volumes import picture

Voxel = tuple[int, int, int]


def voxel_under_mouse(volume: Any) -> Voxel | None:
    """The voxel (k, j, i) of ``volume`` that the mouse points at; None: it points beside it, or at no slice."""
    crosshair = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLCrosshairNode")
    position = [0.0, 0.0, 0.0]
    if crosshair is None or not crosshair.GetCursorPositionRAS(position):
        return None
    seen, world = picture(volume), to_world(volume)
    if world is None:
        return None
    index = np.linalg.solve(world @ seen.ijk_to_ras, [*position, 1.0])[:3]
    voxel = np.round(index).astype(int)
    if (voxel < 0).any() or (voxel >= seen.image.GetDimensions()).any():
        return None
    i, j, k = (int(place) for place in voxel)
    return k, j, i


def axis_across(volume: Any, view: str = "Red") -> int:
    """The axis of the array (K, J, I) of ``volume`` that runs across the slices of a view, as nearly as any does."""
    node = slicer.mrmlScene.GetNodeByID(f"vtkMRMLSliceNode{view}")
    if node is None:
        return 0
    matrix = node.GetSliceToRAS()
    normal = np.array([matrix.GetElement(row, 2) for row in range(3)])
    world = to_world(volume)
    affine = picture(volume).ijk_to_ras if world is None else world @ picture(volume).ijk_to_ras
    directions = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    return 2 - int(np.abs(directions.T @ normal).argmax())


def view_under_mouse() -> str:
    """The name of the slice view that the mouse is in, or was in last; "Red" before it was in any."""
    crosshair = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLCrosshairNode")
    view = crosshair.GetCursorPositionXYZ([0.0, 0.0, 0.0]) if crosshair is not None else None
    return view.GetLayoutName() if view is not None else "Red"


def slice_shown(volume: Any, view: str = "Red") -> int | None:
    """The index, along :func:`axis_across`, of the slice of ``volume`` that a view shows; None: it shows none."""
    node, world = slicer.mrmlScene.GetNodeByID(f"vtkMRMLSliceNode{view}"), to_world(volume)
    if node is None or world is None:
        return None
    matrix = node.GetSliceToRAS()
    middle = [matrix.GetElement(row, 3) for row in range(4)]
    axis = axis_across(volume, view)
    place = round(float(np.linalg.solve(world @ picture(volume).ijk_to_ras, middle)[2 - axis]))
    return place if 0 <= place < picture(volume).image.GetDimensions()[2 - axis] else None
