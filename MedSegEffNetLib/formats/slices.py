"""Pictures as slices (PNG, TIFF, WebP, JPEG): one file, a TIFF of several pages, or a folder that makes a volume.

Rows run from anterior to posterior and columns from the patient's right to left, as a radiologist sees an axial slice;
a folder's slices lie from inferior to superior in natural order of their names. Pictures store no voxel size: 1 mm is
assumed and said. Color pictures have three channels, also where all are equal. Files called ``*_mask``, ``*_label`` or
``*_seg`` are label maps, not images.
"""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from MedSegEffNetLib import atomic
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.formats import marks
from MedSegEffNetLib.formats.common import LPS_TO_RAS, check_size, damaged, quiet
from MedSegEffNetLib.image import Image

if TYPE_CHECKING:
    from PIL import Image as Pillow

_SUFFIXES = (".png", ".tif", ".tiff", ".webp", ".jpg", ".jpeg")
_LABEL_NAME = re.compile(r"[_\-.](mask|label|seg)$", re.IGNORECASE)
_LARGEST = 1 << 28  # pixels of one slice
_DESCRIPTION = 0x010E  # EXIF tag


def read(path: Path, labels: bool = False) -> Image:
    """One picture as (X, Y, 1[, 3]), or the pages of a TIFF as a volume.

    With ``labels`` a palette's indices are the values, otherwise palettes become colors. Transparency is left out.
    """
    return _stack([path], path, labels)


def read_folder(folder: Path, labels: bool = False) -> Image:
    """The volume (X, Y, Z[, 3]) made of the folder's slices, which must be of one size and kind."""
    return _stack(files_of(folder, labels), folder, labels)


def files_of(folder: Path, labels: bool = False) -> list[Path]:
    """The folder's images, or its label maps, in natural order: 2 before 10.

    Where no picture's name says that it is a label map, the label maps are all pictures. Pictures and their label maps
    come in the same order.
    """
    pictures = [
        path
        for path in folder.iterdir()
        if path.suffix.lower() in _SUFFIXES and not path.name.startswith(".") and path.is_file()
    ]
    named = [path for path in pictures if _LABEL_NAME.search(path.stem)]
    if not labels:
        pictures = [path for path in pictures if path not in named]
    elif named:
        pictures = named
    return sorted(pictures, key=_natural)


def picture_name(path: Path) -> str:
    """The name that a picture and its label map share: ``012`` of ``012.png`` and ``012_mask.png``."""
    return _LABEL_NAME.sub("", path.stem)


def write(path: Path, image: Image) -> None:
    """Write a slice (X, Y, 1) of 8 or 16 bits, or of three 8-bit channels; :class:`InputError` for anything else."""
    from PIL import Image as Pillow

    array = image.array
    sixteen = array.dtype == np.uint16 and image.n_channels == 1 and path.suffix.lower() != ".webp"
    if image.shape[2] != 1 or image.n_channels not in (1, 3) or not (array.dtype == np.uint8 or sixteen):
        raise InputError(
            f"{' x '.join(map(str, array.shape))} values of type {array.dtype} do not fit into {path.name}",
            expected="one slice of 8-bit values (16 bits in PNG and TIFF), grey or with three channels",
            hint="Choose a name that ends in .nii.gz.",
        )
    rows = np.ascontiguousarray(array[:, :, 0].swapaxes(0, 1))
    options: dict[str, Any] = {"lossless": True} if path.suffix.lower() == ".webp" else {}
    if image.synthesised:
        options["exif"] = Pillow.Exif()
        options["exif"][_DESCRIPTION] = marks.sentence(image.synthesised)
    with atomic.replacing(path) as temporary:
        Pillow.fromarray(rows[..., 0] if rows.ndim == 3 and rows.shape[2] == 1 else rows).save(temporary, **options)


def _stack(files: list[Path], source: Path, labels: bool) -> Image:
    planes: list[np.ndarray] = []
    notes = [f"{source.name}: pictures store no voxel size and position; 1 mm and an axial view are assumed"]
    for file in files:
        for plane, note in _pages(file, labels):
            if planes and (plane.shape != planes[0].shape or plane.dtype != planes[0].dtype):
                raise InputError(
                    f"{file} is {_kind(plane)}, while the slices before it are {_kind(planes[0])}",
                    expected="slices of one size and kind",
                    hint="Keep each patient's slices in a folder of their own, without other pictures.",
                )
            planes.append(plane)
            if note and note not in notes:
                notes.append(note)
    array = np.stack(planes)  # (z, y, x[, channel])
    axes = (2, 1, 0) if array.ndim == 3 else (2, 1, 0, 3)
    return Image(array.transpose(axes), LPS_TO_RAS, tuple(notes), False, False, synthesised=_made_by(files))


def read_mark(path: Path) -> str:
    """The model that made the picture in ``path``, or the first marked one in the folder; empty: none is named."""
    return _made_by(files_of(path) if path.is_dir() else [path])


def _made_by(files: list[Path]) -> str:
    from PIL import Image as Pillow

    for file in files:
        try:
            with quiet(), warnings.catch_warnings(), Pillow.open(file) as picture:
                warnings.simplefilter("ignore")
                found = marks.model_in(str(picture.getexif().get(_DESCRIPTION, "")))
        except Exception as error:  # as in :func:`_pages`
            raise damaged(file, type(error).__name__) from error
        if found:
            return found
    return ""


def _pages(file: Path, labels: bool) -> list[tuple[np.ndarray, str]]:
    """The pages of a picture file, (y, x) or (y, x, 3), each with a note or an empty string."""
    from PIL import Image as Pillow
    from PIL import ImageSequence

    try:
        with quiet(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Pillow.open(file) as picture:
                pages = ImageSequence.Iterator(picture) if picture.format == "TIFF" else [picture]
                return [_values(file, page, labels) for page in pages]
    except (InputError, MemoryError):
        raise
    except Exception as error:  # Pillow's decoders raise whatever a broken file leads them to
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise damaged(file, "it is no picture" if "cannot identify" in reason else reason) from error


def _values(file: Path, picture: Pillow.Image, labels: bool) -> tuple[np.ndarray, str]:
    """The picture's values, refused by its announced size before they are decoded, and a note."""
    if picture.width * picture.height > _LARGEST:
        raise damaged(file, f"its header gives the size {picture.width} x {picture.height}")
    if file.suffix.lower() != ".webp":  # a blank WebP of any size takes a few bytes
        check_size(file, picture.size, 1, file.stat().st_size, "picture")
    note = "the pictures' transparency is left out" if picture.mode in ("LA", "PA", "RGBA", "RGBa", "La") else ""
    if picture.mode in ("LA", "La"):
        picture = picture.convert("L")
    elif not (
        picture.mode in ("1", "L", "I", "F", "RGB")
        or picture.mode.startswith("I;16")
        or (picture.mode == "P" and labels)
    ):
        picture = picture.convert("RGB")
    pixels = np.asarray(picture)
    if pixels.dtype == np.bool_:
        pixels = pixels.astype(np.uint8)
    return pixels.astype(pixels.dtype.newbyteorder("="), copy=False), note


def _kind(plane: np.ndarray) -> str:
    color = "grey" if plane.ndim == 2 else "color"
    return f"{plane.shape[1]} x {plane.shape[0]} pixels, {color}, {plane.dtype}"


def _natural(path: Path) -> list[tuple[int, int, str]]:
    parts = re.split(r"(\d+)", picture_name(path).lower())
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts]
