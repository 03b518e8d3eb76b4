"""What keeps an image that a network made from passing for one of a scanner: text in its corner, and no file replaced.

What its header and its name say is in :mod:`MedSegEffNetLib.formats.marks`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.formats import marks
from MedSegEffNetLib.geometry import axes_towards, turn
from MedSegEffNetLib.image import Image, made_by

TEXT = "SYNTHESISED"
_WIDTH = 0.5  # of a slice's width, at most
_LEAST_PIXELS = 8  # of the letters' height


def refuse_to_replace(path: Path) -> None:
    """Raise an :class:`InputError` if a file is there that does not say in its header that a network made it."""
    if path.is_file() and made_by(path) in ("", marks.UNKNOWN):
        raise InputError(
            f"{path} is there already, and is not marked as made by a network",
            expected="a new file, or one that an earlier run made",
            hint="choose another name, or move the file away",
        )


def burnt_in(image: Image) -> Image:
    """``image`` (X, Y, Z) with :data:`TEXT` in the lower left corner of every axial slice, in its brightest value.

    The voxels beneath the letters are lost. A slice too small for legible letters gets them as large as fit.
    """
    order, flips = axes_towards(image.affine, "LPS")
    array = image.array.copy(order="K")
    shown = turn(array[np.newaxis], order, flips)[0]  # a view: x to the patient's left, y to posterior
    width, height = shown.shape[:2]
    letters = _letters(max(_LEAST_PIXELS, height // 12), round(_WIDTH * width))[:height, :width]
    rows, columns = letters.shape
    corner = shown[:columns, height - rows :]
    corner[letters.T] = array.max()
    return image.with_array(array)


def _letters(pixels: int, most: int) -> np.ndarray:
    """The text as a mask (rows, columns), with an empty row and column before and after it; ``most`` columns wide."""
    from PIL import Image as Pillow
    from PIL import ImageDraw, ImageFont

    def drawn(size: int) -> np.ndarray:
        font = ImageFont.load_default(size)
        left, top, right, bottom = font.getbbox(TEXT)
        picture = Pillow.new("1", (round(right - left) + 4, round(bottom - top) + 4))
        ImageDraw.Draw(picture).text((2 - left, 2 - top), TEXT, font=font, fill=1)
        return np.asarray(picture)

    while (mask := drawn(pixels)).shape[1] > most and pixels > _LEAST_PIXELS:
        pixels -= 1
    return mask
