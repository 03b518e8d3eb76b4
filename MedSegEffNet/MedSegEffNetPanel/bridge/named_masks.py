"""Masks by name, on the grid of others. Pure functions on arrays: they work in threads."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from slicer.i18n import tr as _

from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.labelops import Box, Selection
from MedSegEffNetPanel.grid import Grid


def plain(name: str) -> str:
    """A label's name as it is compared with others: case and blanks at its ends do not matter."""
    return name.strip().casefold()


@dataclass(frozen=True, eq=False)
class Piece:
    """Voxels of a layer (K, J, I) that have ``value``; ``first``: indices (k, j, i) of the layer's first voxel."""

    layer: np.ndarray
    value: int
    first: tuple[int, int, int]

    @property
    def box(self) -> Box:
        """Where the layer lies; indices may be less than 0."""
        k, j, i = (slice(start, start + length) for start, length in zip(self.first, self.layer.shape, strict=True))
        return k, j, i


@dataclass(frozen=True, eq=False)
class Masks:
    """A segmentation's masks, copied.

    Parameters
    ----------
    title : what the user calls it.
    affine : (4, 4) from indices (i, j, k) to mm in the world; None where nothing tells: it has no voxels.
    pieces : by the segments' names, in their order; a name may have none (an empty segment) or several.
    """

    title: str
    affine: np.ndarray | None
    pieces: Mapping[str, tuple[Piece, ...]]

    @property
    def names(self) -> dict[str, str]:
        """The labels as they are written, by their plain names."""
        return {plain(name): name for name in self.pieces}

    @property
    def box(self) -> Box | None:
        """The smallest box that holds all layers; None without any."""
        return _around(piece.box for pieces in self.pieces.values() for piece in pieces)

    def mask(self, names: Collection[str], box: Box) -> np.ndarray:
        """The voxels, bool, in ``box`` that are in any of the labels with these plain names."""
        found = np.zeros([part.stop - part.start for part in box], dtype=bool)
        for name, pieces in self.pieces.items():
            for piece in pieces if plain(name) in names else ():
                _draw(found, box, piece)
        return found


def common_box(*masks: Masks) -> Box:
    """The smallest box that holds the layers of all; one voxel where there are none."""
    one = slice(0, 1)
    return _around(found.box for found in masks if found.box is not None) or (one, one, one)


def on_grid_of(masks: Masks, affine: np.ndarray) -> tuple[Masks, bool]:
    """The masks with indices of another grid, whose voxel (0, 0, 0) need not be the same; nothing is copied then.

    Where the voxels lie elsewhere (by more than a tenth of one) each takes the label of the nearest one.

    Returns
    -------
    The masks, and whether they were resampled.
    """
    box = masks.box
    if masks.affine is None or box is None:
        return Masks(masks.title, affine, masks.pieces), False
    to_other = np.linalg.inv(affine) @ masks.affine
    shift = np.round((to_other @ _corner(box))[:3]).astype(int) - _corner(box)[:3].astype(int)
    if _grid(masks.affine, box).same(_grid(affine, _shifted(box, shift))):
        pieces = {name: tuple(_moved(piece, shift) for piece in parts) for name, parts in masks.pieces.items()}
        return Masks(masks.title, affine, pieces), False
    pieces = {name: tuple(_nearest(piece, to_other) for piece in parts) for name, parts in masks.pieces.items()}
    return Masks(masks.title, affine, pieces), True


def label_map_on(masks: Masks, grid: Grid, values: Mapping[str, int]) -> tuple[np.ndarray, bool]:
    """Masks as a label map on ``grid``, and whether they were resampled onto it.

    Parameters
    ----------
    values : label value by plain name; what else there is is left out.

    Returns
    -------
    (K, J, I) uint8.

    Raises
    ------
    InputError
        No mask has one of the names.
    """
    if not values.keys() & masks.names.keys():
        raise InputError(
            _("{name} has none of the labels").format(name=masks.title),
            expected=", ".join(values),
            hint=_("name its segments like the labels of the case"),
        )
    placed, resampled = on_grid_of(masks, grid.affine)
    i, j, k = grid.shape
    labels = np.zeros((k, j, i), dtype=np.uint8)
    whole = (slice(0, k), slice(0, j), slice(0, i))
    for name, value in values.items():
        if name in placed.names:
            labels[placed.mask([name], whole)] = value
    return labels, resampled


def _draw(target: np.ndarray, box: Box, piece: Piece) -> None:
    """Set what ``piece`` has in ``box``."""
    parts = [
        slice(max(a.start, b.start), min(a.stop, b.stop)) for a, b in zip(box, piece.box, strict=True)
    ]  # in common
    if all(part.start < part.stop for part in parts):
        k, j, i = (
            slice(part.start - whole.start, part.stop - whole.start) for part, whole in zip(parts, box, strict=True)
        )
        c, b, a = (slice(part.start - start, part.stop - start) for part, start in zip(parts, piece.first, strict=True))
        target[k, j, i] |= piece.layer[c, b, a] == piece.value


def _around(boxes: Iterable[Box | None]) -> Box | None:
    there = [box for box in boxes if box is not None]
    if not there:
        return None
    k, j, i = (
        slice(min(part.start for part in axis), max(part.stop for part in axis)) for axis in zip(*there, strict=True)
    )
    return k, j, i


def _corner(box: Box) -> np.ndarray:
    """Indices (i, j, k, 1) of the first voxel."""
    return np.array([*(part.start for part in reversed(box)), 1.0])


def _shifted(box: Box, shift: np.ndarray) -> Box:
    k, j, i = (slice(part.start + int(by), part.stop + int(by)) for part, by in zip(box, reversed(shift), strict=True))
    return k, j, i


def _grid(affine: np.ndarray, box: Box) -> Grid:
    first = affine.copy()
    first[:, 3] = affine @ _corner(box)
    k, j, i = (part.stop - part.start for part in box)
    return Grid((i, j, k), first)


def _moved(piece: Piece, shift: np.ndarray) -> Piece:
    k, j, i = (start + int(by) for start, by in zip(piece.first, reversed(shift), strict=True))
    return Piece(piece.layer, piece.value, (k, j, i))


def _nearest(piece: Piece, to_other: np.ndarray) -> Piece:
    """``piece`` on the voxels that ``to_other`` (4, 4) leads to from its own indices (i, j, k)."""
    import SimpleITK as sitk  # takes a tenth of a second: the panel opens without it

    inside = Selection.of(piece.layer == piece.value)
    if inside.empty:
        return piece
    start = [part.start + first for part, first in zip(inside.box, piece.first, strict=True)][::-1]
    ends = np.array([start, np.add(start, inside.mask.shape[::-1]) - 1], dtype=float)
    corners = np.array([[ends[a, 0], ends[b, 1], ends[c, 2], 1.0] for a in (0, 1) for b in (0, 1) for c in (0, 1)])
    reach = 0.5 * np.abs(to_other[:3, :3]).sum(axis=1)  # of half a voxel
    there = (to_other @ corners.T)[:3]
    low = np.floor(there.min(axis=1) - reach).astype(int)
    high = np.ceil(there.max(axis=1) + reach).astype(int)
    back = np.linalg.inv(to_other)
    image = sitk.GetImageFromArray(inside.mask.view(np.uint8))
    image.SetOrigin([float(place) for place in start])
    transform = sitk.AffineTransform(back[:3, :3].ravel().tolist(), back[:3, 3].tolist())
    size = [int(length) for length in high - low + 1]
    unit = np.eye(3).ravel().tolist()
    moved = sitk.Resample(image, size, transform, sitk.sitkNearestNeighbor, low.astype(float).tolist(), [1.0] * 3, unit)
    i, j, k = (int(place) for place in low)
    return Piece(sitk.GetArrayFromImage(moved), 1, (k, j, i))
