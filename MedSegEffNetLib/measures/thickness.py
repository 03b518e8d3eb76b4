"""How thick layers are that lie on each other, e.g. those of the skin: slice by slice, from border to border.

The border above a layer is the edge of everything from that layer inward, so that a thin layer's two borders are found
independently of each other. It lies where that mask, smoothed by a Gaussian of one pixel, is one half: between pixels,
without the stairs of a label map. From each point of a border a straight ray runs to the next one along the layers'
normal, which is the gradient of both masks smoothed more. That is the distance "t-normal" of MacDonald et al.
(NeuroImage 12, 2000, doi:10.1006/nimg.1999.0534); the direction shared by both borders is what the PDE of Jones et al.
(Human Brain Mapping 11, 2000) aims at. Rays run both ways and count by the width of the layer that they stand for. For
parallel layers, flat or curved, that is their thickness; unlike the distance of nearest points it does not shrink where
a border undulates.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from MedSegEffNetLib.image import Image
from MedSegEffNetLib.measures import Map, Row
from MedSegEffNetLib.task import Label

_BORDER_SIGMA = 1.0  # pixels
_NORMAL_SIGMA = 6.0
_MARGIN = 3  # pixels at the image's edge, where borders are not known well
_STEP = 0.5  # of a pixel, along a ray
_THINNEST = 0.5  # of a pixel: what is less is no layer
_MOST_WRONG = 0.05  # of a layer's contacts: single pixels are wrong in every label map


def measure(label_map: Image, labels: Sequence[Label], *, layers: Sequence[str]) -> list[Row]:
    """Mean and standard deviation of each layer's thickness, in mm, or in pixels where the spacing is not known.

    Parameters
    ----------
    label_map : ``(X, Y, Z)`` of the values of ``labels``; slices lie along Z.
    layers : names of labels from the surface inward. The last one is what the others lie on: it is not measured.

    What is cut by the image's edge is left out, and so are places where the layer is missing. Without any place to
    measure a value is NaN. ``ValueError`` for a name that no label has, or fewer than two layers.
    """
    order, unit = _order(labels, layers), _unit(label_map)
    slices = [_rays(plane, order, _spacing(label_map)) for _, plane in _planes(label_map)]
    rows = []
    for number, name in enumerate(layers[:-1]):
        lengths = np.concatenate([np.empty(0), *(rays[number].lengths for rays in slices)])
        weights = np.concatenate([np.empty(0), *(rays[number].weights for rays in slices)])
        mean = float(np.average(lengths, weights=weights)) if lengths.size else math.nan
        spread = math.sqrt(np.average((lengths - mean) ** 2, weights=weights)) if lengths.size else math.nan
        rows += [Row(f"{name}, thickness", mean, unit), Row(f"{name}, SD of the thickness", spread, unit)]
    return rows


def maps(label_map: Image, labels: Sequence[Label], *, layers: Sequence[str]) -> list[Map]:
    """The thickness at each voxel of the layers measured, in the unit of :func:`measure`; NaN elsewhere."""
    order = _order(labels, layers)
    values = np.full(label_map.shape, np.nan, dtype=np.float32)
    for index, plane in _planes(label_map):
        for value, rays in zip(order, _rays(plane, order, _spacing(label_map)), strict=False):
            layer = plane == value
            values[..., index][layer] = _spread(rays, plane.shape)[layer]
    return [Map("layer thickness", values, _unit(label_map))]


def doubts(label_map: Image, labels: Sequence[Label], *, layers: Sequence[str]) -> list[str]:
    """Sentences about layers that are missing or lie in another order; empty if nothing is wrong.

    Layers must touch none but their neighbors in the order; the background may lie beyond the first and the last one.
    """
    order = _order(labels, layers)
    contacts = sum((_contacts(plane, order) for _, plane in _planes(label_map)), np.zeros((len(order) + 1,) * 2))
    there = [value in label_map.array for value in order]
    found = [f"No {name} was found." for name, is_there in zip(layers, there, strict=True) if not is_there]
    names = ["background", *layers]
    for inner in range(1, len(names)):
        for outer in range(inner - 1):
            beyond_last = outer == 0 and inner == len(names) - 1 and contacts[0, 1] >= contacts[0, inner]
            share = contacts[outer, inner] / max(1.0, contacts[inner].sum())
            between = names[outer + 1 : inner]
            if share > _MOST_WRONG and not beyond_last and all(there[outer : inner - 1]):
                found.append(
                    f"The {names[inner]} touches the {names[outer]} along {share:.0%} of its border, where "
                    f"{_enumeration(between)} should lie between them: check the order of the layers."
                )
    return found


def _enumeration(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


@dataclass(frozen=True)
class _Rays:
    """Rays across a layer of one slice.

    Parameters
    ----------
    starts : ``(N, 2)`` pixel indices.
    ways : ``(N, 2)`` from the start to the end, in pixels.
    lengths : ``(N,)`` in mm, or pixels where the spacing is not known.
    weights : ``(N,)`` width of the layer, in the same unit, that each of them stands for.
    """

    starts: np.ndarray
    ways: np.ndarray
    lengths: np.ndarray
    weights: np.ndarray


def _order(labels: Sequence[Label], layers: Sequence[str]) -> list[int]:
    values = {label.name: label.value for label in labels}
    unknown = [name for name in layers if name not in values]
    if unknown:
        raise ValueError(f"no label is called {', '.join(unknown)}")
    if len(layers) < 2:
        raise ValueError(f"{len(layers)} layer, at least 2 are needed: one, and what it lies on")
    return [values[name] for name in layers]


def _planes(label_map: Image) -> Iterator[tuple[int, np.ndarray]]:
    """Index and labels ``(X, Y)`` of the slices with a label."""
    for index in range(label_map.shape[2]):
        plane = label_map.array[:, :, index]
        if plane.any() and min(plane.shape) > 2 * _MARGIN:
            yield index, plane


def _spacing(label_map: Image) -> np.ndarray:
    return np.asarray(label_map.spacing[:2] if label_map.spacing_known else (1.0, 1.0))


def _unit(label_map: Image) -> str:
    return "mm" if label_map.spacing_known else "pixels"


def _rays(plane: np.ndarray, order: Sequence[int], spacing: np.ndarray) -> list[_Rays]:
    """The rays across each layer of the labels ``plane`` ``(X, Y)``, but for the last one's."""
    solids = [_solid(np.isin(plane, order[first:])) for first in range(len(order))]
    softs = [_smooth(solid, _BORDER_SIGMA) for solid in solids]
    slopes = [np.stack(np.gradient(_smooth(solid, _NORMAL_SIGMA)), axis=-1) for solid in solids]
    found = []
    for upper in range(len(order) - 1):
        above, below = softs[upper : upper + 2]
        slope = slopes[upper] + slopes[upper + 1]
        down, up = _cast(above, below, slope, spacing), _cast(1 - below, 1 - above, -slope, spacing)
        parts = ((getattr(down, name), getattr(up, name)) for name in ("starts", "ways", "lengths", "weights"))
        found.append(_Rays(*(np.concatenate(both) for both in parts)))
    return found


def _solid(mask: np.ndarray) -> np.ndarray:
    """The largest piece of ``mask`` ``(X, Y)`` without its holes, as float32: stray pixels have no thickness."""
    import SimpleITK as sitk

    pieces = sitk.ConnectedComponent(sitk.GetImageFromArray(mask.astype(np.uint8)))
    largest = sitk.RelabelComponent(pieces, sortByObjectSize=True) == 1
    return np.asarray(sitk.GetArrayFromImage(sitk.BinaryFillhole(largest)), dtype=np.float32)


def _smooth(array: np.ndarray, sigma: float) -> np.ndarray:
    """``array`` ``(X, Y)`` smoothed by a Gaussian of ``sigma`` pixels, its edges continued."""
    import SimpleITK as sitk

    smooth: np.ndarray = sitk.GetArrayFromImage(sitk.SmoothingRecursiveGaussian(sitk.GetImageFromArray(array), sigma))
    return smooth


def _cast(near: np.ndarray, far: np.ndarray, slope: np.ndarray, spacing: np.ndarray) -> _Rays:
    """Rays from where ``near`` rises through one half to where ``far`` does, along ``slope`` (all ``(X, Y[, 2])``)."""
    starts, axes = _crossings(near)
    normals = np.stack([_at(slope[..., axis], starts) for axis in (0, 1)], axis=-1) / spacing
    size = np.linalg.norm(normals, axis=1)
    normals = np.divide(normals, size[:, None], out=np.zeros_like(normals), where=size[:, None] > 0)
    step = _STEP * spacing.min()
    lengths = step * _march(far, starts, normals * step / spacing)
    kept = lengths >= _THINNEST * spacing.min()
    # A border met along one axis is as wide as a pixel along the other; across the ray that is by the cosine less.
    weights = np.abs(normals[np.arange(len(axes)), axes]) * spacing[1 - axes]
    return _Rays(starts[kept], (normals * lengths[:, None] / spacing)[kept], lengths[kept], weights[kept])


def _crossings(soft: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Points ``(N, 2)`` on the lines between neighboring pixels where ``soft`` ``(X, Y)`` is one half; the lines' axes."""
    points, axes = [], []
    for axis in (0, 1):
        field = soft if axis == 0 else soft.T
        first, second = field[:-1], field[1:]
        along, aside = np.nonzero((first < 0.5) != (second < 0.5))
        low, high = first[along, aside], second[along, aside]
        point = np.stack([along + (0.5 - low) / (high - low), aside.astype(float)], axis=-1)
        points.append(point if axis == 0 else point[:, ::-1])
        axes.append(np.full(len(point), axis))
    found, of_lines = np.concatenate(points), np.concatenate(axes)
    inside = ((found >= _MARGIN) & (found <= np.asarray(soft.shape) - 1 - _MARGIN)).all(axis=1)
    return found[inside], of_lines[inside]


def _march(field: np.ndarray, starts: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """How many ``steps`` ``(N, 2)`` it takes from ``starts`` until ``field`` rises through one half.

    NaN where it does not before the image's edge, or is above it already: there is no layer to cross.
    """
    found = np.full(len(starts), np.nan)
    before = _at(field, starts)
    running = before < 0.5
    for count in range(1, math.ceil(sum(field.shape) / _STEP)):
        now = _at(field, starts + count * steps)
        hit = running & (now >= 0.5)
        found[hit] = count - 1 + (0.5 - before[hit]) / (now[hit] - before[hit])
        running &= now < 0.5
        if not running.any():
            break
        before = now
    return found


def _at(field: np.ndarray, points: np.ndarray) -> np.ndarray:
    """``field`` ``(X, Y)`` at ``points`` ``(N, 2)``, linear between pixels; NaN at the image's edge and beyond."""
    last = np.asarray(field.shape) - 1
    inside = ((points >= _MARGIN) & (points <= last - _MARGIN)).all(axis=1)
    whole = np.clip(np.floor(points), 0, last - 1).astype(np.intp)
    x, y = (points - whole).T
    i, j = whole.T
    near = field[i, j] * (1 - y) + field[i, j + 1] * y
    far = field[i + 1, j] * (1 - y) + field[i + 1, j + 1] * y
    return np.where(inside, near * (1 - x) + far * x, np.nan)


def _spread(rays: _Rays, shape: tuple[int, ...]) -> np.ndarray:
    """Mean length of the rays through each pixel of a slice of ``shape``, and near them; NaN far from any."""
    total, count = np.zeros(shape), np.zeros(shape)
    longest = np.abs(rays.ways).max(initial=0)
    for place in np.linspace(0, 1, math.ceil(2 * longest) + 1):
        x, y = np.rint(rays.starts + place * rays.ways).astype(np.intp).T
        np.add.at(total, (x, y), rays.lengths)
        np.add.at(count, (x, y), 1)
    total, count = _smooth(total, 1.5), _smooth(count, 1.5)
    return np.divide(total, count, out=np.full(shape, np.nan), where=count > 1e-3)


def _contacts(plane: np.ndarray, order: Sequence[int]) -> np.ndarray:
    """How many neighboring pixels belong to each two of background (0) and layers (from 1): ``(L + 1, L + 1)``."""
    places = np.zeros(256, dtype=np.intp)
    places[list(order)] = np.arange(1, len(order) + 1)
    numbers = places[plane]
    count = np.zeros((len(order) + 1,) * 2)
    for first, second in ((numbers[:-1], numbers[1:]), (numbers[:, :-1], numbers[:, 1:])):
        np.add.at(count, (first, second), 1)
    np.fill_diagonal(count, 0)
    both: np.ndarray = count + count.T
    return both
