"""Selections made larger, smaller, smoother or whole.

With ``axis`` an operation works slice by slice across that axis, in two dimensions; without, in three.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from MedSegEffNetLib.labelops.selection import Selection


def grow(selection: Selection, axis: int | None = None) -> Selection:
    """One voxel more at every face."""
    wide = selection.widened(1, axis)
    return Selection.of(_dilated(wide.mask, axis), wide.box, wide.shape)


def shrink(selection: Selection, axis: int | None = None) -> Selection:
    """One voxel less at every face; the edge of the volume counts as selected beyond it where the selection touches it."""
    wide = selection.widened(1, axis)
    return Selection.of(~_dilated(~wide.mask, axis), wide.box, wide.shape)


def smooth(selection: Selection, axis: int | None = None) -> Selection:
    """Each voxel follows the majority of itself and its neighbors (a median of 3 voxels a side)."""
    wide = selection.widened(1, axis)
    votes = wide.mask.astype(np.uint8)
    axes = _axes(axis)
    for number in axes:
        votes = _sum_of_three(votes, number)
    return Selection.of(votes * 2 > 3 ** len(axes), wide.box, wide.shape)


def fill_holes(selection: Selection, axis: int | None = None) -> Selection:
    """Everything that no path of unselected voxels (through faces) joins to the outside of the selection's box."""
    import SimpleITK as sitk

    if selection.empty:
        return selection
    mask = selection.mask
    if axis is not None:
        # Full planes between the slices keep their outsides apart.
        mask = np.ones((2 * mask.shape[axis] + 1, *np.delete(mask.shape, axis)), dtype=bool)
        mask[1::2] = np.moveaxis(selection.mask, axis, 0)
    image = sitk.GetImageFromArray(np.ascontiguousarray(mask).view(np.uint8))
    filled = sitk.GetArrayFromImage(sitk.BinaryFillhole(image, foregroundValue=1)).view(bool)
    if axis is not None:
        filled = np.moveaxis(filled[1::2], 0, axis)
    return Selection(selection.shape, selection.box, filled)


def island_at(selection: Selection, voxel: Sequence[int], axis: int | None = None) -> Selection:
    """The part of the selection that is joined (through faces) to ``voxel``; empty where that is not selected.

    With ``axis`` only the island of the voxel's slice.
    """
    import SimpleITK as sitk

    seed = [int(place) - part.start for place, part in zip(voxel, selection.box, strict=True)]
    outside = any(place < 0 or place >= length for place, length in zip(seed, selection.mask.shape, strict=True))
    if outside or not selection.mask[tuple(seed)]:
        return Selection.nothing(selection.shape)
    cut = [slice(None)] * 3
    if axis is not None:
        cut[axis] = slice(seed[axis], seed[axis] + 1)
        seed[axis] = 0
    mask = np.zeros_like(selection.mask)
    part = np.ascontiguousarray(selection.mask[tuple(cut)])
    image = sitk.GetImageFromArray(part.view(np.uint8))
    joined = sitk.ConnectedThreshold(image, [seed[::-1]], lower=1, upper=1, replaceValue=1)
    mask[tuple(cut)] = sitk.GetArrayFromImage(joined).view(bool)
    return Selection.of(mask, selection.box, selection.shape)


def _axes(axis: int | None) -> tuple[int, ...]:
    return tuple(number for number in range(3) if number != axis)


def _dilated(mask: np.ndarray, axis: int | None) -> np.ndarray:
    """``mask`` with the neighbors of its voxels through faces."""
    grown = mask.copy()
    for number in _axes(axis):
        low, high = [slice(None)] * 3, [slice(None)] * 3
        low[number], high[number] = slice(None, -1), slice(1, None)
        grown[tuple(low)] |= mask[tuple(high)]
        grown[tuple(high)] |= mask[tuple(low)]
    return grown


def _sum_of_three(votes: np.ndarray, axis: int) -> np.ndarray:
    total = votes.copy()
    low, high = [slice(None)] * 3, [slice(None)] * 3
    low[axis], high[axis] = slice(None, -1), slice(1, None)
    total[tuple(low)] += votes[tuple(high)]
    total[tuple(high)] += votes[tuple(low)]
    return total
