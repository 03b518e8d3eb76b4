"""Strokes of the segment editor's brush, for tests: what a user does with the mouse in a slice."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import vtk

from harness.effects import array_of


def paint(editor: Any, points: Iterable[Any], radius: float) -> None:
    """Paint a stroke into the current segment, or erase one if that is the active effect, as one step of the undo.

    Parameters
    ----------
    points : (x, y, z) in mm of the world (RAS); the middle of the brush, which is a ball, at places along the stroke.
    radius : mm.

    Raises
    ------
    RuntimeError
        In Slicer the brush could not be used now: no segment or no source volume is chosen, or it may only be read.
    """
    active = editor.activeEffect()
    erase = active is not None and active.name == "Erase"
    effect = active if erase else editor.effectByName("Paint")
    if editor.sourceVolumeNode() is None or not editor.currentSegmentID() or editor.readOnly:
        raise RuntimeError("the brush needs a source volume and a segment, in an editor that is not read-only")
    effect.saveStateForUndo()
    image = effect.defaultModifierLabelmap()
    places = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(places)
    segmentation = editor.segmentationNode()
    if segmentation.GetParentTransformNode() is not None:
        world = vtk.vtkMatrix4x4()
        segmentation.GetParentTransformNode().GetMatrixTransformToWorld(world)
        vtk.vtkMatrix4x4.Multiply4x4(world, places, places)
    matrix = np.array([[places.GetElement(row, column) for column in range(4)] for row in range(4)])
    for point in points:
        _ball(image, matrix, np.asarray(point, float), radius)
    image.Modified()
    mode = effect.ModificationModeRemove if erase else effect.ModificationModeAdd
    effect.modifySelectedSegmentByLabelmap(image, mode)


def _ball(image: Any, matrix: np.ndarray, middle: np.ndarray, radius: float) -> None:
    """Set the voxels whose middle is in the ball; ``matrix``: (4, 4) from voxels to the world."""
    first, last = np.array(image.GetExtent()).reshape(3, 2).T
    place = np.linalg.inv(matrix) @ np.append(middle, 1)
    reach = radius * np.linalg.norm(np.linalg.inv(matrix[:3, :3]), axis=1)  # of the ball along i, j and k
    low = np.maximum(np.ceil(place[:3] - reach).astype(int), first)
    high = np.minimum(np.floor(place[:3] + reach).astype(int), last) + 1
    if (low >= high).any():
        return
    voxels = np.stack(np.meshgrid(*map(np.arange, low, high), indexing="ij"), axis=-1)
    away = np.linalg.norm(voxels @ matrix[:3, :3].T + matrix[:3, 3] - middle, axis=-1)
    (i, j, k), (i_end, j_end, k_end) = low - first, high - first
    array_of(image)[k:k_end, j:j_end, i:i_end][(away <= radius).T] = 1
