"""Images with their place in space: reading, writing, comparing and resampling.

All arrays are indexed ``(i, j, k)`` or ``(i, j, k, channel)`` and an affine takes ``(i, j, k, 1)`` to millimeters along
the patient's right, anterior and superior directions (RAS+), as in NIfTI. Files that store left and posterior (DICOM,
NRRD, MetaImage) are turned on the way in and out.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from MedSegEffNetLib import formats
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.formats import marks
from MedSegEffNetLib.geometry import same_place

if TYPE_CHECKING:
    from MedSegEffNetLib.task import Label

# Affines that went through several programs differ in the last digits: a tenth of a voxel is no other grid.
GRID_TOLERANCE = 0.1
_READABLE = (
    "an image: .nii, .nii.gz, .nrrd, .mha, .mhd, .npy, .am, .png, .tif, .webp, a folder of slices or of DICOM files"
)


@dataclass(frozen=True)
class Image:
    """A volume (or a slice, with a third axis of length 1) on its grid.

    Parameters
    ----------
    array : (X, Y, Z), or (X, Y, Z, C) for C channels; any memory order.
    affine : (4, 4) float64, voxel index to mm, RAS+.
    notes : sentences for the user about what the file left open.
    spacing_known : whether the file stores a voxel size; otherwise 1 mm is assumed.
    orientation_known : whether the file stores how its axes lie in the patient; otherwise that is assumed, too.
    flat : whether the file stores a picture of two axes, and the third is ours.
    synthesised : the model that made the image, or the images that it was made from; empty: it comes from a scanner.
    """

    array: np.ndarray
    affine: np.ndarray
    notes: tuple[str, ...] = ()
    spacing_known: bool = True
    orientation_known: bool = True
    flat: bool = False
    synthesised: str = ""

    def __post_init__(self) -> None:
        if self.array.ndim not in (3, 4) or self.array.size == 0:
            raise ValueError(f"an image is (X, Y, Z) or (X, Y, Z, C) and not empty, not {self.array.shape}")
        affine = np.asarray(self.affine, dtype=np.float64)
        if affine.shape != (4, 4) or not np.isfinite(affine).all():
            raise ValueError("an affine has 4 x 4 finite numbers")
        object.__setattr__(self, "affine", affine)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of voxels along the three axes."""
        x, y, z = self.array.shape[:3]
        return x, y, z

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Distance of neighboring voxels along the three axes in mm."""
        x, y, z = np.linalg.norm(self.affine[:3, :3], axis=0).tolist()
        return x, y, z

    @property
    def n_channels(self) -> int:
        """Number of channels: 1 for an array of three axes."""
        return 1 if self.array.ndim == 3 else self.array.shape[3]

    def channels(self) -> list[Image]:
        """One image (X, Y, Z) a channel; views, nothing is copied."""
        if self.array.ndim == 3:
            return [self]
        return [self.with_array(self.array[..., channel]) for channel in range(self.n_channels)]

    def gray(self) -> Image:
        """The one channel of a grey picture that was saved in color; any other image as it is."""
        first, *others = self.channels()
        return first if len(others) == 2 and all(np.array_equal(first.array, part.array) for part in others) else self

    def with_array(self, array: np.ndarray) -> Image:
        """``array`` (X, Y, Z[, C]) on the grid of this image; ``ValueError`` if it has another shape."""
        if array.shape[:3] != self.shape:
            raise ValueError(f"an array {array.shape} does not fit on a grid {self.shape}")
        return replace(self, array=array)

    def non_finite(self) -> int:
        """How many values are NaN or infinite (0 for integers)."""
        if self.array.dtype.kind != "f":
            return 0
        return int(self.array.size - np.count_nonzero(np.isfinite(self.array)))


def read(path: str | Path) -> Image:
    """The image in a file or folder; :class:`InputError` says what is wrong with one that cannot be read.

    A folder holds slices (PNG, TIFF, WebP; in natural order of their names, files called ``*_mask`` or ``*_label`` are
    left out) or one DICOM series. Stored integer types are kept unless the file asks for scaling; scaled values are
    float32 (float64 where the stored numbers need it). Each format's own rules stand in its file in
    :mod:`MedSegEffNetLib.formats`.
    """
    return _read(Path(path), labels=False)


def read_several(paths: Mapping[str, Path]) -> dict[str, Image]:
    """The images by name, see :func:`read`; several at once, as unpacking is what takes the time."""
    with ThreadPoolExecutor() as pool:
        return dict(zip(paths, pool.map(read, paths.values()), strict=True))


def read_label_map(path: str | Path, labels: Sequence[Label] = ()) -> Image:
    """The label map (X, Y, Z) of whole numbers in a file or folder (there: the slices called ``*_mask``, ``*_label``).

    The segments of a ``.seg.nrrd`` and the materials of an ``.am`` get the values of the ``labels`` that have their
    names, if all have one, else the stored values; where Slicer stored overlapping segments in several layers, later
    segments cover earlier ones. Equal color channels count as one, whole floating-point numbers become integers.
    :class:`InputError` for anything else.
    """
    path = Path(path)
    named = formats.suffix_of(path, formats.NAMED_LABELS)
    if path.is_file() and named:
        module = formats.load(formats.NAMED_LABELS[named])
        image = _marked_by_name(path, _guarded(path, lambda: _as_image(module.read_label_map(path, labels))))
    else:
        image = _read(path, labels=True)
    array = image.array
    if array.ndim == 4:
        if not all(np.array_equal(array[..., 0], array[..., channel]) for channel in range(1, array.shape[3])):
            raise InputError(
                f"{path} has {array.shape[3]} channels that differ", expected="a label map: one whole number a voxel"
            )
        array = array[..., 0]
    return image.with_array(_whole_numbers(path, array))


def made_by(path: Path) -> str:
    """The model that made the image in a file or folder, by its header or name; empty: a scanner took it, for all it says.

    Quick: no voxels are read. A file that cannot be read says nothing: reading it tells why.
    """
    suffix = formats.suffix_of(path, formats.READERS)
    module = formats.READERS[suffix] if path.is_file() and suffix else "dicom"
    if path.is_dir() and formats.load("slices").files_of(path):
        module = "slices"
    read_mark = getattr(formats.load(module), "read_mark", None)
    found = ""
    if read_mark and path.exists():
        with contextlib.suppress(InputError, OSError):
            found = read_mark(path)
    return found or (marks.UNKNOWN if marks.named(path) else "")


def joined_marks(images: Iterable[Image]) -> str:
    """The models that made any of ``images``: what is made from these carries it as its own mark. Empty: none did."""
    return ", ".join(dict.fromkeys(image.synthesised for image in images if image.synthesised))


def write(path: str | Path, image: Image) -> None:
    """Write ``image``; the suffix chooses the format (.nii .nii.gz .nrrd .mha .mhd .npy .am; .png .tif .webp for a slice).

    The file appears whole or not at all. :class:`InputError` for a suffix that is not known or cannot hold the image
    (or the mark that a network made it), :class:`MedSegEffNetError` when the disk is full or may not be written.
    """
    path = Path(path)
    suffix = formats.suffix_of(path, formats.WRITERS)
    if not suffix:
        raise InputError(
            f"images cannot be written as '{path.name}'",
            expected="a name that ends in " + ", ".join(formats.WRITERS),
            hint="NIfTI (.nii.gz) suits most programs, .seg.nrrd suits Slicer.",
        )
    array = image.array
    if array.dtype.kind not in "buif" or array.dtype.itemsize > 8:
        raise InputError(f"images of type {array.dtype} cannot be written", expected="integers or real numbers")
    if array.dtype == np.float16:
        image = image.with_array(array.astype(np.float32))
    elif array.dtype == np.bool_:
        image = image.with_array(array.astype(np.uint8))
    if formats.WRITERS[suffix] in formats.WITHOUT_MARK:
        marks.refuse_unmarked(path, image.synthesised)
    formats.load(formats.WRITERS[suffix]).write(path, image)


def write_label_map(path: str | Path, label_map: Image, labels: Sequence[Label]) -> None:
    """Write a label map (values 0..255) as uint8; ``.seg.nrrd`` also stores the labels' names, colors and terminology.

    ``.am`` has names and colors. Every label becomes a segment, also one that no voxel has. ``ValueError`` if
    a voxel has none of the label values;
    other errors as in :func:`write`.
    """
    path = Path(path)
    array = label_map.array
    if array.ndim != 3 or array.dtype.kind not in "bui":
        raise ValueError(f"a label map is (X, Y, Z) of integers, not {array.shape} of {array.dtype}")
    unknown = sorted(count_values(array).keys() - {0, *(label.value for label in labels)})
    if unknown:
        raise ValueError(f"the label map has values that are no labels: {unknown}")
    label_map = label_map.with_array(array.astype(np.uint8, copy=False))
    named = formats.suffix_of(path, formats.NAMED_LABELS)
    if named:
        if formats.NAMED_LABELS[named] in formats.WITHOUT_MARK:
            marks.refuse_unmarked(path, label_map.synthesised)
        formats.load(formats.NAMED_LABELS[named]).write_label_map(path, label_map, labels)
    else:
        write(path, label_map)


def count_values(array: np.ndarray) -> dict[int, int]:
    """How many voxels have each value of a label map ``(X, Y, Z)``; bytes plane by plane, as a CT has very many."""
    if array.dtype != np.uint8:
        values, counts = np.unique(array, return_counts=True)
    else:
        counts = np.sum([np.bincount(plane.ravel(order="K"), minlength=256) for plane in array.T], axis=0)
        values = np.flatnonzero(counts)
        counts = counts[values]
    return dict(zip(values.tolist(), counts.tolist(), strict=True))


def same_grid(a: Image, b: Image, tolerance: float = 1e-3) -> bool:
    """Whether both images have the same shape and the same voxels in space.

    Each of the eight corner voxels may differ by ``tolerance`` times the smallest spacing of ``a``: affines that went
    through single precision or a few printed digits still count as the same.
    """
    return same_place(a.shape, a.affine, b.shape, b.affine, tolerance)


def resample(image: Image, like: Image, *, nearest: bool = False) -> Image:
    """``image`` on the grid of ``like``, interpolated linearly, or by the nearest voxel (label maps).

    Linear results are float32 (float64 from float64); nearest ones keep the type. Outside the image lies its smallest
    value or 0, whichever is less, so that air stays air in Hounsfield units; with ``nearest`` it is 0. Grids may be
    oblique, mirrored or sheared: the work is done in voxel indices, where only the product of the affines counts.
    """
    import SimpleITK as sitk

    array = image.array
    if not nearest:
        array = array.astype(np.float64 if array.dtype == np.float64 else np.float32, copy=False)
    kept = array.dtype
    if kept == np.bool_:
        array = array.view(np.uint8)
    elif kept == np.float16:
        array = array.astype(np.float32)
    index_to_index = np.linalg.inv(image.affine) @ like.affine
    transform = sitk.AffineTransform(3)
    transform.SetMatrix(index_to_index[:3, :3].ravel().tolist())
    transform.SetTranslation(index_to_index[:3, 3].tolist())
    resampler = sitk.ResampleImageFilter()
    resampler.SetSize(like.shape)
    resampler.SetTransform(transform)
    resampler.SetInterpolator(sitk.sitkNearestNeighbor if nearest else sitk.sitkLinear)
    resampler.SetDefaultPixelValue(0.0 if nearest else min(0.0, float(np.nanmin(array))))
    planes = [array] if array.ndim == 3 else [array[..., channel] for channel in range(array.shape[3])]
    done = [sitk.GetArrayFromImage(resampler.Execute(sitk.GetImageFromArray(plane.T))).T for plane in planes]
    result = done[0] if array.ndim == 3 else np.stack(done, axis=-1)
    return replace(image, array=result.astype(kept, copy=False), affine=like.affine, flat=like.flat)


def _read(path: Path, labels: bool) -> Image:
    if not path.exists():
        hint = "Check the spelling and that the disk is connected."
        raise InputError(f"there is no file or folder {path}", hint=hint)
    image = _guarded(path, lambda: _read_folder(path, labels) if path.is_dir() else _read_file(path, labels))
    return _marked_by_name(path, image)


def _marked_by_name(path: Path, image: Image) -> Image:
    return replace(image, synthesised=marks.UNKNOWN) if marks.named(path) and not image.synthesised else image


def _guarded(path: Path, reading: Callable[[], Image]) -> Image:
    """What ``reading`` returns, with the operating system's errors explained."""
    try:
        return reading()
    except MemoryError as error:
        raise InputError(
            f"{path} does not fit into this machine's memory",
            hint="Close other programs, or crop or resample the image first.",
        ) from error
    except OSError as error:
        raise InputError(
            f"{path} cannot be read: {error.strerror or error}", hint="Check that you may read it and that it is whole."
        ) from error


def _read_file(path: Path, labels: bool) -> Image:
    if path.stat().st_size == 0:
        raise InputError(f"{path} is empty (0 bytes)", expected=_READABLE, hint="Copy or export the file again.")
    suffix = formats.suffix_of(path, formats.READERS)
    if suffix:
        return _as_image(formats.load(formats.READERS[suffix]).read(path, labels=labels))
    dicom = formats.load("dicom")
    if dicom.is_dicom(path):
        return _as_image(dicom.read(path, labels=labels))
    raise InputError(f"{path} is no image of a known kind", expected=_READABLE)


def _read_folder(folder: Path, labels: bool) -> Image:
    """Slices where there are any, otherwise a DICOM series."""
    slices = formats.load("slices")
    if slices.files_of(folder, labels):
        return _as_image(slices.read_folder(folder, labels=labels))
    return _as_image(formats.load("dicom").read_folder(folder))


def _as_image(image: Any) -> Image:
    if not isinstance(image, Image):
        raise TypeError(f"a format module returned {type(image).__name__}, not an Image")
    return image


def _whole_numbers(path: Path, array: np.ndarray) -> np.ndarray:
    """``array`` as integers: the type that is stored, or the smallest one that holds whole floating-point numbers."""
    if array.dtype == np.bool_:
        return array.view(np.uint8)
    if array.dtype.kind in "ui":
        return array
    low, high = float(array.min()), float(array.max())  # NaN and infinity come through
    if not (abs(low) < 2**31 and abs(high) < 2**31) or not np.array_equal(array, np.round(array)):
        raise InputError(
            f"{path} holds values that are not whole numbers (from {low:g} to {high:g})",
            expected="a label map: one whole number a voxel",
            hint="Was the label map resampled with linear interpolation, or is this an image?",
        )
    return array.astype(np.uint8 if low >= 0 and high <= 255 else np.int32)
