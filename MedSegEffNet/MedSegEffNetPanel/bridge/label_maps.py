"""Label maps: read from the file a model wrote, cut to what is labeled."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from slicer.i18n import tr as _

from MedSegEffNetLib import image as images
from MedSegEffNetLib.errors import InputError
from MedSegEffNetPanel import steps
from MedSegEffNetPanel.grid import Grid


@dataclass(frozen=True, eq=False)
class LabelMap:
    """What a model found.

    Attributes
    ----------
    values : (K, J, I) uint8, C order; the smallest box that holds every labeled voxel (one voxel if there is none).
    first : indices (i, j, k) of the box's first voxel in ``grid``. grid : the whole image's.
    """

    values: np.ndarray
    first: tuple[int, int, int]
    grid: Grid


def load_label_map(path: Path) -> Generator[None, None, LabelMap]:
    """Read a label map from a file of the library's formats, in a thread.

    Raises
    ------
    InputError
        It is damaged, or its values are no labels (whole numbers from 0 to 255).
    """
    return (yield from steps.in_thread(_read, path))


def _read(path: Path) -> LabelMap:
    image = images.read(path)
    array = image.array.T  # (K, J, I)
    if array.ndim != 3 or array.dtype.kind not in "ui" or array.min() < 0 or array.max() > 255:
        raise InputError(
            _("{file} holds no label map").format(file=path.name),
            expected=_("one volume of whole numbers from 0 to 255"),
        )
    return label_map_of(array, Grid(image.shape, image.affine))


def label_map_of(array: np.ndarray, grid: Grid) -> LabelMap:
    """The label map of an array (K, J, I) of whole numbers from 0 to 255 on ``grid``."""
    box = _box(array)
    k, j, i = (side.start for side in box)
    return LabelMap(np.ascontiguousarray(array[box], dtype=np.uint8), (i, j, k), grid)


def _box(array: np.ndarray) -> tuple[slice, slice, slice]:
    """The smallest box (k, j, i) that holds every voxel above 0; the first voxel where there is none."""
    planes = np.asarray(array.any(axis=(1, 2)))
    if not planes.any():
        return slice(0, 1), slice(0, 1), slice(0, 1)
    filled = array[planes]
    return _range(planes), _range(np.asarray(filled.any(axis=(0, 2)))), _range(np.asarray(filled.any(axis=(0, 1))))


def _range(hit: np.ndarray) -> slice:
    found = np.flatnonzero(hit)
    return slice(int(found[0]), int(found[-1]) + 1)
