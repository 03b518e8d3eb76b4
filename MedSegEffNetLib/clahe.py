"""Contrast-limited adaptive histogram equalization of slices, in NumPy: the same numbers on every machine."""

from __future__ import annotations

import numpy as np

_LEVELS = 256


def equalize(volume: np.ndarray, clip_limit: float, tiles: int) -> np.ndarray:
    """Equalize each slice of ``volume`` by itself.

    A slice is cut into ``tiles`` × ``tiles`` tiles. In each the histogram of 256 levels is cut at ``clip_limit`` times its
    mean, what was cut off is spread over all levels, and the sum of it maps old levels to new ones. Between the centers
    of tiles the maps are interpolated, bilinearly. Method: Zuiderveld, Contrast limited adaptive histogram
    equalization, Graphics Gems IV, 1994.

    Parameters
    ----------
    volume : ``(X, Y, Z)`` of values from 0 to 255.
    clip_limit : 1 leaves the contrast about as it is; infinity is plain equalization of the tiles.
    tiles : along either side of a slice.

    Returns
    -------
    ``(X, Y, Z)`` float32 from 0 to 255.
    """
    # Slices in one piece of memory, whatever the order of the volume's axes.
    result = np.empty(volume.shape[::-1], dtype=np.float32)
    width, height = volume.shape[:2]
    places = [_Places.along(length, tiles) for length in (height, width)]
    for picture, equalized in zip(volume.T, result, strict=True):
        equalized[...] = _equalize_slice(np.round(picture).astype(np.uint8), clip_limit, tiles, places[0], places[1])
    return result.T


class _Places:
    """Where the pixels of an axis lie between the centers of its tiles."""

    def __init__(self, width: int, before: np.ndarray, after: np.ndarray, weight: np.ndarray) -> None:
        self.width = width  # pixels a tile
        self.before, self.after, self.weight = before, after, weight

    @classmethod
    def along(cls, length: int, tiles: int) -> _Places:
        width = -(-length // tiles)
        place = (np.arange(length) + 0.5) / width - 0.5
        before = np.floor(place).astype(np.intp)
        weight = (place - before).astype(np.float32)
        return cls(width, before.clip(0, tiles - 1), (before + 1).clip(0, tiles - 1), weight)


def _equalize_slice(picture: np.ndarray, clip_limit: float, tiles: int, rows: _Places, columns: _Places) -> np.ndarray:
    maps = _maps(picture, clip_limit, tiles, rows.width, columns.width).ravel()

    def mapped(row: np.ndarray, column: np.ndarray) -> np.ndarray:
        tile = row[:, None] * tiles + column[None, :]
        return maps.take(tile * _LEVELS + picture)

    upper = mapped(rows.before, columns.before)
    upper += columns.weight * (mapped(rows.before, columns.after) - upper)
    lower = mapped(rows.after, columns.before)
    lower += columns.weight * (mapped(rows.after, columns.after) - lower)
    upper += rows.weight[:, None] * (lower - upper)
    return upper


def _maps(picture: np.ndarray, clip_limit: float, tiles: int, height: int, width: int) -> np.ndarray:
    """New levels ``(tiles², 256)`` float32 of the old ones in each tile; a tile beyond the edge mirrors the picture."""
    missing = (height * tiles - picture.shape[0], width * tiles - picture.shape[1])
    whole = np.pad(picture, ((0, missing[0]), (0, missing[1])), mode="symmetric")
    pixels = whole.reshape(tiles, height, tiles, width).transpose(0, 2, 1, 3).reshape(tiles**2, -1)
    offsets = np.arange(tiles**2)[:, None] * _LEVELS
    counts = np.bincount((pixels + offsets).ravel(), minlength=tiles**2 * _LEVELS).reshape(-1, _LEVELS)
    limit = max(1.0, clip_limit * pixels.shape[1] / _LEVELS)
    kept = np.minimum(counts, limit)
    kept += (pixels.shape[1] - kept.sum(axis=1, keepdims=True)) / _LEVELS
    levels = kept.cumsum(axis=1) * ((_LEVELS - 1) / pixels.shape[1])
    return levels.astype(np.float32)
