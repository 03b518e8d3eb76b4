"""NumPy arrays (.npy): a slice (rows, columns) or (rows, columns, up to 4 channels), else a volume (X, Y, Z[, C]).

An array of three axes is a slice with channels if its last axis has at most 4 entries and the others more. Slices lie
as pictures do: rows from anterior to posterior. Arrays store no spacing: 1 mm is assumed and said.
"""

from __future__ import annotations

import tokenize
from pathlib import Path

import numpy as np

from MedSegEffNetLib import atomic
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.formats.common import LPS_TO_RAS, damaged
from MedSegEffNetLib.image import Image

_MOST_CHANNELS = 4


def read(path: Path, labels: bool = False) -> Image:
    """The array as an image; pickled objects are refused. ``labels`` changes nothing here."""
    note = (f"{path.name}: arrays store no voxel size and position; 1 mm is assumed",)
    array = _load(path)
    if array.ndim == 2 or _is_color_slice(array.shape):
        picture = array.swapaxes(0, 1)[:, :, None]
        return Image(picture[..., 0] if array.shape[2:] == (1,) else picture, LPS_TO_RAS, note, False, False)
    if array.ndim in (3, 4):
        return Image(array[..., 0] if array.shape[3:] == (1,) else array, np.eye(4), note, False, False)
    raise InputError(
        f"{path} holds an array of {array.ndim} axes", expected="a slice (2 axes) or a volume (3, with channels 4)"
    )


def write(path: Path, image: Image) -> None:
    """Write the array alone so that :func:`read` gives it back; the geometry is lost."""
    array = image.array
    rows = array[:, :, 0].swapaxes(0, 1)
    if image.shape[2] == 1 and (rows.ndim == 2 or _is_color_slice(rows.shape)):
        array = rows
    elif array.ndim == 3 and _is_color_slice(array.shape):
        array = array[..., None]
    with atomic.replacing(path) as temporary, temporary.open("wb") as stream:
        np.lib.format.write_array(stream, array, allow_pickle=False)


def _is_color_slice(shape: tuple[int, ...]) -> bool:
    return len(shape) == 3 and shape[2] <= _MOST_CHANNELS < min(shape[:2])


def _load(path: Path) -> np.ndarray:
    try:
        # Mapping the file fails where it is shorter than its header says, before anything is allocated.
        array = np.array(np.lib.format.open_memmap(path, mode="r"))
    except (ValueError, EOFError, TypeError, SyntaxError, OverflowError, tokenize.TokenError) as error:
        raise damaged(path, str(error).splitlines()[0] if str(error) else type(error).__name__) from error
    if array.dtype.kind not in "buif" or array.dtype.itemsize > 8 or array.size == 0:
        raise InputError(
            f"{path} holds an array {array.shape} of type {array.dtype}", expected="integers or real numbers, not empty"
        )
    if array.dtype == np.bool_:
        return array.view(np.uint8)
    return array.astype(array.dtype.newbyteorder("="), copy=False)
