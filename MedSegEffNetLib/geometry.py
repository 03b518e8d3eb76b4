"""Turning, cropping and resampling of volumes, each with its way back. Arrays are ``(C, X, Y, Z)``; affines are RAS+."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

Box = tuple[slice, slice, slice]
Undo = Callable[[np.ndarray], np.ndarray]
_DIRECTIONS = {"R": (0, 1), "L": (0, -1), "A": (1, 1), "P": (1, -1), "S": (2, 1), "I": (2, -1)}


@dataclass(frozen=True)
class Volume:
    """What the steps work on.

    Parameters
    ----------
    array : ``(C, X, Y, Z)`` float32, one image a channel.
    affine : ``(4, 4)`` voxel index to mm, RAS+.
    label : ``(X, Y, Z)`` label map that geometric steps carry along (training), or None.
    extremes : smallest and largest value of the whole images of which this is a part; None where it is no part.
    """

    array: np.ndarray
    affine: np.ndarray
    label: np.ndarray | None = None
    extremes: tuple[float, float] | None = None

    @property
    def spacing(self) -> np.ndarray:
        """Voxel size in mm along x, y, z."""
        return spacing_of(self.affine)


def spacing_of(affine: np.ndarray) -> np.ndarray:
    """Voxel size in mm along x, y, z of an affine ``(4, 4)``."""
    return np.sqrt((affine[:3, :3] ** 2).sum(axis=0))


def axes_towards(affine: np.ndarray, axes: str) -> tuple[tuple[int, ...], tuple[bool, ...]]:
    """Which array axis runs along each of the named anatomical axes, and which of them must be flipped.

    The assignment maximizes the sum of cosines, so that oblique volumes are turned to the nearest axes.
    """
    cosines = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    wanted = [_DIRECTIONS[letter] for letter in axes]
    orders = [(i, j, k) for i in range(3) for j in range(3) for k in range(3) if len({i, j, k}) == 3]
    order = max(orders, key=lambda o: sum(abs(cosines[w[0], axis]) for w, axis in zip(wanted, o, strict=True)))
    flips = tuple(bool(cosines[w[0], axis] * w[1] < 0) for w, axis in zip(wanted, order, strict=True))
    return order, flips


def turn(array: np.ndarray, order: Sequence[int], flips: Sequence[bool]) -> np.ndarray:
    """``array`` ``(C, X, Y, Z)`` with its spatial axes in ``order``, then flipped: a view."""
    turned = array.transpose(0, *(axis + 1 for axis in order))
    return turned[(slice(None), *(slice(None, None, -1 if flip else None) for flip in flips))]


def turn_back(array: np.ndarray, order: Sequence[int], flips: Sequence[bool]) -> np.ndarray:
    """The inverse of :func:`turn`: a view."""
    flipped = array[(slice(None), *(slice(None, None, -1 if flip else None) for flip in flips))]
    return flipped.transpose(0, *(axis + 1 for axis in np.argsort(order)))


def turned_affine(affine: np.ndarray, shape: Sequence[int], order: Sequence[int], flips: Sequence[bool]) -> np.ndarray:
    """The affine of a volume of spatial ``shape`` after :func:`turn`."""
    to_old = np.zeros((4, 4))
    to_old[3, 3] = 1
    for new, (old, flip) in enumerate(zip(order, flips, strict=True)):
        to_old[old, new] = -1 if flip else 1
        to_old[old, 3] = shape[old] - 1 if flip else 0
    result: np.ndarray = affine @ to_old
    return result


def bounding_box(mask: np.ndarray, margin: Sequence[int] = (0, 0, 0)) -> Box:
    """The smallest box around the true voxels of ``mask`` ``(X, Y, Z)``, widened by ``margin``; all of it if none is."""
    box = []
    for axis in range(3):
        inside = np.flatnonzero(mask.any(axis=tuple(other for other in range(3) if other != axis)))
        if inside.size == 0:
            return (slice(0, mask.shape[0]), slice(0, mask.shape[1]), slice(0, mask.shape[2]))
        start = max(0, int(inside[0]) - int(margin[axis]))
        box.append(slice(start, min(mask.shape[axis], int(inside[-1]) + 1 + int(margin[axis]))))
    return (box[0], box[1], box[2])


def stack_starts(slices: int, depth: int) -> list[int]:
    """First slices of the fewest stacks of ``depth`` that cover ``slices``, evenly spread."""
    count = max(1, -(-slices // depth))
    return [round(number * (slices - depth) / max(1, count - 1)) for number in range(count)]


def crop(volume: Volume, box: Box) -> tuple[Volume, Undo]:
    """Cut ``box`` out; the way back puts the maps into zeros of the old size."""
    affine = volume.affine.copy()
    affine[:3, 3] += volume.affine[:3, :3] @ [part.start for part in box]
    label = None if volume.label is None else volume.label[box]
    cropped = replace(volume, array=volume.array[(slice(None), *box)], affine=affine, label=label)
    return cropped, functools.partial(_paste, box=box, shape=volume.array.shape[1:])


def _paste(maps: np.ndarray, box: Box, shape: tuple[int, ...]) -> np.ndarray:
    whole = np.zeros((len(maps), *shape), dtype=maps.dtype)
    whole[(slice(None), *box)] = maps
    return whole


def resample(volume: Volume, spacing: np.ndarray, size: Sequence[int | None]) -> tuple[Volume, Undo]:
    """Bring ``volume`` to ``spacing`` around the same center; ``size`` fixes the number of voxels along an axis.

    Channels are interpolated linearly (smoothed first where the resolution drops), labels by nearest neighbor; outside
    of the volume the edge is repeated. The way back interpolates linearly, 0 outside.
    """
    old_shape = volume.array.shape[1:]
    old_spacing = volume.spacing
    extent = np.asarray(old_shape) * old_spacing
    shape = tuple(
        wanted if wanted is not None else max(1, round(length / step))
        for wanted, length, step in zip(size, extent, spacing, strict=True)
    )
    scale = spacing / old_spacing
    # Voxel index on the new grid -> on the old one, the centers of both grids being the same point.
    shift = (np.asarray(old_shape) - 1) / 2 - scale * (np.asarray(shape) - 1) / 2
    to_old = np.diag([*scale, 1.0])
    to_old[:3, 3] = shift
    array = np.stack([_interpolate(_smooth(image, scale), shape, scale, shift) for image in volume.array])
    label = None
    if volume.label is not None:
        label = _interpolate(volume.label, shape, scale, shift, nearest=True)
    back = functools.partial(_resample_back, shape=old_shape, scale=1 / scale, shift=-shift / scale)
    return replace(volume, array=array, affine=volume.affine @ to_old, label=label), back


def _resample_back(maps: np.ndarray, shape: tuple[int, ...], scale: np.ndarray, shift: np.ndarray) -> np.ndarray:
    return np.stack([_interpolate(part, shape, scale, shift, outside_zero=True) for part in maps])


def _interpolate(
    array: np.ndarray,
    shape: Sequence[int],
    scale: np.ndarray,
    shift: np.ndarray,
    nearest: bool = False,
    outside_zero: bool = False,
) -> np.ndarray:
    """``array`` ``(X, Y, Z)`` at the points ``scale * index + shift`` of a grid of ``shape``."""
    import SimpleITK as sitk

    image = sitk.GetImageFromArray(np.ascontiguousarray(array.T))
    resampler = sitk.ResampleImageFilter()
    resampler.SetSize([int(length) for length in shape])
    resampler.SetOutputSpacing([float(step) for step in scale])
    resampler.SetOutputOrigin([float(start) for start in shift])
    resampler.SetInterpolator(sitk.sitkNearestNeighbor if nearest else sitk.sitkLinear)
    if not outside_zero:
        resampler.SetUseNearestNeighborExtrapolator(True)
    result: np.ndarray = sitk.GetArrayFromImage(resampler.Execute(image)).T
    return result


def _smooth(image: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Gaussian smoothing along axes whose resolution drops by more than 20 %, against aliasing."""
    import SimpleITK as sitk

    sigmas = np.where(scale > 1.2, np.sqrt(np.maximum(scale**2 - 1, 0)) / 2.355, 0.0)
    if not sigmas.any():
        return image
    smoothed = sitk.GetImageFromArray(np.ascontiguousarray(image.T))
    for axis, sigma in enumerate(sigmas):
        if sigma > 0 and image.shape[axis] >= 4:
            smoothed = sitk.RecursiveGaussian(
                smoothed, float(sigma), False, sitk.RecursiveGaussianImageFilter.ZeroOrder, axis
            )
    result: np.ndarray = sitk.GetArrayFromImage(smoothed).T
    return result


def n4(image: np.ndarray, mask: np.ndarray, shrink: int) -> np.ndarray:
    """``image`` ``(X, Y, Z)`` divided by its bias field, estimated within ``mask`` on every ``shrink``-th voxel."""
    import SimpleITK as sitk

    whole = sitk.GetImageFromArray(np.ascontiguousarray(image.T, dtype=np.float32))
    inside = sitk.GetImageFromArray(np.ascontiguousarray(mask.T).astype(np.uint8))
    factors = [max(1, min(shrink, length // 4)) for length in image.shape]
    corrector = sitk.N4BiasFieldCorrectionImageFilter()
    corrector.Execute(sitk.Shrink(whole, factors), sitk.Shrink(inside, factors))
    field: np.ndarray = sitk.GetArrayFromImage(corrector.GetLogBiasFieldAsImage(whole)).T
    del whole, inside  # images are large, and several are corrected at once
    np.exp(field, out=field)
    return np.divide(image, field, out=field)


def filled(mask: np.ndarray) -> np.ndarray:
    """``mask`` ``(X, Y, Z)`` without holes: what cannot be reached from the edge of its slice, along z, is part of it."""
    import SimpleITK as sitk

    # An empty border joins what lies outside on either side of a mask that touches the edges.
    slices = np.pad(np.ascontiguousarray(mask.T).astype(np.uint8), ((0, 0), (1, 1), (1, 1)))
    result = [sitk.GetArrayFromImage(sitk.BinaryFillhole(sitk.GetImageFromArray(one))) for one in slices]
    return np.stack(result)[:, 1:-1, 1:-1].astype(bool).T


def deep(mask: np.ndarray, spacing: np.ndarray, depth: float) -> np.ndarray:
    """What of ``mask`` ``(X, Y, Z)`` lies more than ``depth`` mm below its surface; voxels are of ``spacing`` mm."""
    import SimpleITK as sitk

    image = sitk.GetImageFromArray(np.ascontiguousarray(mask.T).astype(np.uint8))
    image.SetSpacing([float(length) for length in spacing])
    distance = sitk.SignedMaurerDistanceMap(image, insideIsPositive=True, squaredDistance=False, useImageSpacing=True)
    return np.asarray(depth < sitk.GetArrayFromImage(distance).T)


def store(path: Path, array: Any) -> None:
    """Keep ``array`` as ``path`` (.npy), written whole or not at all."""
    from MedSegEffNetLib import atomic

    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic.replacing(path) as temporary:
        np.save(temporary, array)


def same_place(
    shape: Sequence[int], affine: np.ndarray, other_shape: Sequence[int], other_affine: np.ndarray, tolerance: float
) -> bool:
    """Whether two grids have as many voxels at the same places.

    Each of the eight corner voxels may lie ``tolerance`` times the smallest spacing of the first grid off.
    """
    if tuple(shape) != tuple(other_shape):
        return False
    corners = np.array([(*corner, 1) for corner in itertools.product(*((0, length - 1) for length in shape))]).T
    distances = np.linalg.norm(((affine - other_affine) @ corners)[:3], axis=0)
    return bool(distances.max() <= tolerance * np.linalg.norm(affine[:3, :3], axis=0).min())
