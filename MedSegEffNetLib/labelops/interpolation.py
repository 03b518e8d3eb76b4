"""Slices between drawn slices."""

from __future__ import annotations

import itertools

import numpy as np

from MedSegEffNetLib.labelops.selection import Selection


def interpolate(selection: Selection, axis: int) -> Selection:
    """The selection with the empty slices between drawn ones filled in.

    Shape-based interpolation of the borders' signed distances (Raya, Udupa, IEEE TMI 1990), in coordinates that follow
    the shapes' centers, so that shapes which do not overlap are joined too. Drawn slices stay as they are.
    """
    filled = np.moveaxis(selection.mask.copy(), axis, 0)
    drawn = np.flatnonzero(filled.any(axis=(1, 2)))
    for first, last in itertools.pairwise(drawn):
        if last - first > 1:
            filled[first + 1 : last] = _between(filled[first], filled[last], int(last - first))
    return Selection(selection.shape, selection.box, np.moveaxis(filled, 0, axis))


def _between(first: np.ndarray, last: np.ndarray, steps: int) -> np.ndarray:
    """Masks ``(steps - 1, rows, columns)`` from one shape to another."""
    distances = [_signed_distance(mask) for mask in (first, last)]
    centers = [np.argwhere(mask).mean(axis=0) for mask in (first, last)]
    masks = []
    for number in range(1, steps):
        share = number / steps
        center = (1 - share) * centers[0] + share * centers[1]
        blend = sum(
            part * _shifted(distance, center - own)
            for part, distance, own in zip((1 - share, share), distances, centers, strict=True)
        )
        masks.append(np.asarray(blend) <= 0)
    return np.stack(masks)


def _signed_distance(mask: np.ndarray) -> np.ndarray:
    """Distance in pixels to the border, negative inside; half a pixel lies between the border and a pixel's center."""
    import SimpleITK as sitk

    image = sitk.GetImageFromArray(np.pad(np.ascontiguousarray(mask), 1).view(np.uint8))
    outside = sitk.SignedMaurerDistanceMap(image, squaredDistance=False, useImageSpacing=False)
    inside = sitk.SignedMaurerDistanceMap(1 - image, squaredDistance=False, useImageSpacing=False)
    both: np.ndarray = sitk.GetArrayFromImage(outside - inside)[1:-1, 1:-1] / 2
    return both


def _shifted(distance: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """``distance`` moved by ``shift`` pixels, between pixels too; beyond the edge it grows."""
    import SimpleITK as sitk

    margin = int(np.ceil(np.abs(shift).max())) + 1
    padded = np.pad(distance, margin, mode="linear_ramp", end_values=float(distance.max()) + margin)
    image = sitk.GetImageFromArray(padded.astype(np.float32))
    move = sitk.TranslationTransform(2, [-float(shift[1]), -float(shift[0])])
    moved = sitk.GetArrayFromImage(sitk.Resample(image, move, sitk.sitkLinear, float(padded.max())))
    cropped: np.ndarray = moved[margin:-margin, margin:-margin]
    return cropped
