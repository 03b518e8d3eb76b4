"""NRRD (.nrrd) and MetaImage (.mha, .mhd): read with SimpleITK, written here so that a full disk is noticed."""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from MedSegEffNetLib import atomic
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.formats import marks
from MedSegEffNetLib.formats.common import LPS_TO_RAS, check_affine, check_size, damaged, itk_reason, quiet
from MedSegEffNetLib.image import Image

_HEADER_LIMIT = 1 << 20
_NRRD_TYPES = {
    "u1": "uchar", "i1": "signed char", "u2": "ushort", "i2": "short", "u4": "uint", "i4": "int",
    "u8": "uint64", "i8": "int64", "f4": "float", "f8": "double",
}  # fmt: skip
_META_TYPES = {
    "u1": "MET_UCHAR", "i1": "MET_CHAR", "u2": "MET_USHORT", "i2": "MET_SHORT", "u4": "MET_UINT", "i4": "MET_INT",
    "u8": "MET_ULONG_LONG", "i8": "MET_LONG_LONG", "f4": "MET_FLOAT", "f8": "MET_DOUBLE",
}  # fmt: skip


def read(path: Path, labels: bool = False) -> Image:
    """The image in the file; vector components and the volumes of a 4D file become channels.

    ``labels`` changes nothing here.
    """
    return read_with_fields(path)[0]


def read_with_fields(path: Path) -> tuple[Image, dict[str, str]]:
    """The image and the fields of its header, as text."""
    import SimpleITK as sitk

    fields = _read_fields(path)
    stored, encoding = _stored(path, fields)
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        with quiet():
            reader.ReadImageInformation()
            check_type(path, reader.GetPixelID())
            size = reader.GetSize()
            values = reader.GetNumberOfComponents()
            check_size(path, (*size, values), bytes_of(reader.GetPixelID()), stored, encoding)
            itk_image = reader.Execute()
    except RuntimeError as error:
        raise damaged(path, itk_reason(error)) from error
    array = array_of(path, sitk.GetArrayFromImage(itk_image), len(size), values)
    affine = affine_of(itk_image.GetDirection(), itk_image.GetSpacing(), itk_image.GetOrigin())
    known = any(key in fields for key in ("spacings", "space directions", "ElementSpacing", "ElementSize"))
    oriented = any(key in fields for key in ("space directions", "TransformMatrix", "Rotation", "Orientation"))
    notes = () if known else (f"{path.name}: the file stores no voxel size; 1 mm is assumed",)
    made_by = marks.model_of_fields(fields)
    return Image(array, check_affine(path, affine), notes, known, oriented, synthesised=made_by), fields


def read_mark(path: Path) -> str:
    """The model that made the image in ``path``, by its header; empty: none is named."""
    return marks.model_of_fields(_read_fields(path))


def write(path: Path, image: Image) -> None:
    """Write NRRD or, for .mha and .mhd, MetaImage; both compressed, .mhd with its voxels in a .zraw file beside it."""
    if path.suffix.lower() == ".nrrd":
        write_nrrd(path, image, {})
    else:
        _write_meta(path, image)


def write_nrrd(path: Path, image: Image, fields: Mapping[str, str]) -> None:
    """Write a gzip-compressed NRRD with ``fields`` as its key/value pairs (line ends in values become blanks).

    An image that a network made says so in one more of them.

    Source: https://teem.sourceforge.net/nrrd/format.html.
    """
    lps = LPS_TO_RAS @ image.affine
    axes = [_vector(lps[:3, axis]) for axis in range(3)]
    sizes, kinds = list(image.shape), ["domain"] * 3
    fields = {**marks.fields_of(image.synthesised), **fields}
    if image.array.ndim == 4:
        sizes, axes, kinds = [image.n_channels, *sizes], ["none", *axes], ["list", *kinds]
    lines = [
        "NRRD0005",
        f"type: {_NRRD_TYPES[image.array.dtype.str[1:]]}",
        f"dimension: {len(sizes)}",
        "space: left-posterior-superior",
        f"sizes: {' '.join(map(str, sizes))}",
        f"space directions: {' '.join(axes)}",
        f"kinds: {' '.join(kinds)}",
        "endian: little",
        "encoding: gzip",
        f"space origin: {_vector(lps[:3, 3])}",
        *(f"{key}:={_escaped(value)}" for key, value in fields.items()),
    ]
    with atomic.replacing(path) as temporary, temporary.open("wb") as stream:
        stream.write(("\n".join(lines) + "\n\n").encode("utf-8"))
        for block in _compressed(image.array, gzip_wrapped=True):
            stream.write(block)


def _write_meta(path: Path, image: Image) -> None:
    """Source: https://itk.org/Wiki/ITK/MetaIO/Documentation."""
    data = b"".join(_compressed(image.array, gzip_wrapped=False))
    lps = LPS_TO_RAS @ image.affine
    local = path.suffix.lower() == ".mha"
    voxels = path.with_suffix(".zraw")
    header = {
        "ObjectType": "Image",
        "NDims": "3",
        "BinaryData": "True",
        "BinaryDataByteOrderMSB": "False",
        "CompressedData": "True",
        "CompressedDataSize": str(len(data)),
        "TransformMatrix": _numbers((lps[:3, :3] / image.spacing).T.ravel()),
        "Offset": _numbers(lps[:3, 3]),
        "CenterOfRotation": "0 0 0",
        "ElementSpacing": _numbers(np.array(image.spacing)),
        "DimSize": " ".join(map(str, image.shape)),
        "ElementNumberOfChannels": str(image.n_channels),
        "ElementType": _META_TYPES[image.array.dtype.str[1:]],
        **marks.fields_of(image.synthesised),
        "ElementDataFile": "LOCAL" if local else voxels.name,
    }
    text = "".join(f"{key} = {value}\n" for key, value in header.items()).encode("utf-8")
    if not local:
        atomic.write_bytes(voxels, data)
    atomic.write_bytes(path, text + data if local else text)


def _compressed(array: np.ndarray, gzip_wrapped: bool) -> Iterator[bytes]:
    """The voxels, channels fastest, then x, y, z, as little-endian deflated blocks."""
    compressor = zlib.compressobj(level=1, wbits=31 if gzip_wrapped else 15)
    dtype = array.dtype.newbyteorder("<")
    for plane in np.moveaxis(array, 2, 0):
        yield compressor.compress(np.ascontiguousarray(plane.swapaxes(0, 1), dtype=dtype).data)
    yield compressor.flush()


def _read_fields(path: Path) -> dict[str, str]:
    """The fields of the text header: up to a blank line (NRRD) or to the line ElementDataFile (MetaImage)."""
    fields: dict[str, str] = {}
    nrrd = path.suffix.lower() == ".nrrd"
    with path.open("rb") as stream:
        if nrrd and not re.fullmatch(rb"NRRD000[1-9]", stream.readline(64).rstrip(b"\r\n")):
            raise damaged(path, "it does not begin as an NRRD file does")
        while stream.tell() < _HEADER_LIMIT:
            line = stream.readline(_HEADER_LIMIT).decode("utf-8", errors="replace").strip()
            if not line:
                break
            if nrrd and line.startswith("#"):
                continue
            key, _, value = line.partition(":" if nrrd else "=")
            fields[key.strip()] = value.removeprefix("=").strip()
            if key.strip() == "ElementDataFile":
                break
    if not nrrd and "ElementDataFile" not in fields:
        raise damaged(path, "its header does not say where the voxels are")
    return fields


def _stored(path: Path, fields: Mapping[str, str]) -> tuple[int, str]:
    """How many bytes hold the voxels (at most), and how they are encoded."""
    apart = fields.get("data file", fields.get("datafile", ""))
    if "ElementDataFile" in fields and fields["ElementDataFile"].upper() != "LOCAL":
        apart = fields["ElementDataFile"]
    stored = path.stat().st_size
    if apart:
        data = path.parent / apart
        if "%" in apart or not data.is_file():
            raise InputError(
                f"{path} keeps its voxels in '{apart}', which is not a file beside it",
                expected="a header and its data file in one folder",
                hint="Copy both files together, or save the image as one file (.nii.gz, .nrrd).",
            )
        stored = data.stat().st_size
    encoding = fields.get("encoding", "").lower()
    if encoding in ("gz", "gzip") or fields.get("CompressedData", "").lower() in ("true", "1", "t"):
        return stored, "gzip"
    return stored, "bzip2" if encoding in ("bz2", "bzip2") else "raw"


def check_type(path: Path, pixel: int) -> None:
    """Refuse ITK's pixel types that are no images here: complex numbers, run-length label maps, unknown ones."""
    import SimpleITK as sitk

    name = sitk.GetPixelIDValueAsString(pixel)
    if "complex" in name or "label" in name or "unknown" in name.lower():
        raise InputError(
            f"{path} stores values of type '{name}'",
            expected="integers, real numbers or vectors of them",
            hint="Convert it, e.g. save the magnitude of a complex image.",
        )


def bytes_of(pixel: int) -> int:
    """Bytes a component of ITK's pixel type, whose name tells them, e.g. ``vector of 16-bit signed integer``."""
    import SimpleITK as sitk

    bits = re.search(r"(\d+)-bit", sitk.GetPixelIDValueAsString(pixel))
    return int(bits[1]) // 8 if bits else 1


def array_of(path: Path, array: np.ndarray, dimensions: int, components: int) -> np.ndarray:
    """ITK's array, (..., z, y, x[, component]), as (X, Y, Z) or (X, Y, Z, C); transposed, not copied."""
    if dimensions > 4 or (dimensions == 4 and components > 1):
        raise InputError(
            f"{path} has {dimensions} dimensions" + (f" of {components} components" if components > 1 else ""),
            expected="a volume, or a series of volumes",
            hint="Split it into files of one volume each.",
        )
    if components > 1:
        axes = array.ndim - 1
        array = array.transpose(*reversed(range(axes)), axes)
        return array[:, :, None] if dimensions == 2 else array
    array = array.T
    if dimensions == 2:
        return array[:, :, None]
    return array[..., 0] if dimensions == 4 and array.shape[3] == 1 else array


def affine_of(direction: tuple[float, ...], spacing: tuple[float, ...], origin: tuple[float, ...]) -> np.ndarray:
    """RAS+ affine of ITK's geometry; a missing third axis has spacing 1, a fourth one is left out."""
    n = math.isqrt(len(direction))
    used = min(n, 3)
    affine = np.eye(4)
    affine[:used, :used] = (np.reshape(direction, (n, n)) * spacing)[:used, :used]
    affine[:used, 3] = origin[:used]
    return LPS_TO_RAS @ affine


def _escaped(value: str) -> str:
    return " ".join(value.split()).replace("\\", "\\\\")


def _vector(numbers: np.ndarray) -> str:
    return "(" + ",".join(repr(float(number)) for number in numbers) + ")"


def _numbers(numbers: np.ndarray) -> str:
    return " ".join(repr(float(number)) for number in numbers)
