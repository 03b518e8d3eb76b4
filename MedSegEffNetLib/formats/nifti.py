"""NIfTI-1 and NIfTI-2 in one file (.nii, .nii.gz), read and written as the standard says.

Written out here rather than left to ITK, which reads files that are cut short without a word, refuses sheared grids and
reports errors on the process's standard error; reading takes the same time.
Source: the standard's header files nifti1.h and nifti2.h (https://nifti.nimh.nih.gov).
"""

from __future__ import annotations

import gzip
import io
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np

from MedSegEffNetLib import atomic
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.formats import marks
from MedSegEffNetLib.formats.common import EXPANSION, check_affine, check_size, damaged
from MedSegEffNetLib.image import Image

_VERSION_1 = [
    ("sizeof_hdr", "i4"), ("unused1", "S35"), ("dim_info", "u1"), ("dim", "i2", 8), ("intent_p", "f4", 3),
    ("intent_code", "i2"), ("datatype", "i2"), ("bitpix", "i2"), ("slice_start", "i2"), ("pixdim", "f4", 8),
    ("vox_offset", "f4"), ("scl_slope", "f4"), ("scl_inter", "f4"), ("slice_end", "i2"), ("slice_code", "u1"),
    ("xyzt_units", "u1"), ("cal", "f4", 2), ("slice_duration", "f4"), ("toffset", "f4"), ("unused2", "i4", 2),
    ("descrip", "S80"), ("aux_file", "S24"), ("qform_code", "i2"), ("sform_code", "i2"), ("quatern", "f4", 3),
    ("qoffset", "f4", 3), ("srow", "f4", (3, 4)), ("intent_name", "S16"), ("magic", "S4"),
]  # fmt: skip
_VERSION_2 = [
    ("sizeof_hdr", "i4"), ("magic", "S8"), ("datatype", "i2"), ("bitpix", "i2"), ("dim", "i8", 8),
    ("intent_p", "f8", 3), ("pixdim", "f8", 8), ("vox_offset", "i8"), ("scl_slope", "f8"), ("scl_inter", "f8"),
    ("cal", "f8", 2), ("slice_duration", "f8"), ("toffset", "f8"), ("slice_range", "i8", 2), ("descrip", "S80"),
    ("aux_file", "S24"), ("qform_code", "i4"), ("sform_code", "i4"), ("quatern", "f8", 3), ("qoffset", "f8", 3),
    ("srow", "f8", (3, 4)), ("slice_code", "i4"), ("xyzt_units", "i4"), ("intent_code", "i4"), ("intent_name", "S16"),
    ("dim_info", "u1"), ("unused", "S15"),
]  # fmt: skip
_HEADERS = {348: np.dtype(_VERSION_1), 540: np.dtype(_VERSION_2)}

# datatype code -> (NumPy type, values a voxel)
_TYPES = {
    2: ("u1", 1), 4: ("i2", 1), 8: ("i4", 1), 16: ("f4", 1), 64: ("f8", 1), 128: ("u1", 3), 256: ("i1", 1),
    512: ("u2", 1), 768: ("u4", 1), 1024: ("i8", 1), 1280: ("u8", 1), 2304: ("u1", 4),
}  # fmt: skip
_TYPE_NAMES = {
    1: "one bit a voxel",
    32: "complex numbers",
    1536: "128-bit reals",
    1792: "complex numbers",
    2048: "complex",
}
_CODES = {name: code for code, (name, values) in _TYPES.items() if values == 1}
_UNITS = {1: 1000.0, 2: 1.0, 3: 0.001}  # meter, millimeter, micrometer -> mm
_COMMENT = 6  # code of an extension that holds plain text
_MOST_EXTENSIONS = 1 << 20  # bytes of them that are looked at


def read(path: Path, labels: bool = False) -> Image:
    """The image in a .nii or .nii.gz file; volumes of a 4D (or higher) file become channels.

    The sform is used where it is set and usable, else the qform, else the voxel size alone. With a scale slope other
    than 1 (or an intercept) the values are ``slope * stored + intercept``, float32 or, for 32-bit integers and above,
    float64. Compressed files are recognised by their content. ``labels`` changes nothing here.
    """
    with path.open("rb") as raw:
        compressed = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        stored = path.stat().st_size
        try:
            if compressed:
                with gzip.GzipFile(fileobj=raw) as stream:
                    return _parse(path, stream, stored, "gzip")
            return _parse(path, raw, stored, "raw")
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise damaged(path, f"its compressed data end early or are damaged ({error})") from error


def write(path: Path, image: Image) -> None:
    """Write NIfTI-1 (NIfTI-2 above 32,767 voxels a side), compressed for ``.gz``; the affine goes into the sform.

    The qform is given too unless the grid is sheared, which it cannot express. A slice that came from a file of two axes
    gets two again. An image that a network made says so in its description and in a comment.
    """
    array = image.array
    extensions = _comment(marks.sentence(image.synthesised)) if image.synthesised else b"\0\0\0\0"
    order = array.dtype.newbyteorder("<")
    header = np.zeros((), dtype=_HEADERS[348 if max(array.shape) <= 32767 else 540].newbyteorder("<"))
    size = header.dtype.itemsize
    header["sizeof_hdr"] = size
    header["magic"] = b"n+1" if size == 348 else b"n+2\0\r\n\x1a\n"
    axes = 2 if image.flat and array.shape[2:] == (1,) else array.ndim
    header["dim"] = [axes, *array.shape, *[1] * (7 - array.ndim)]
    header["datatype"], header["bitpix"] = _CODES[order.str[1:]], 8 * array.dtype.itemsize
    header["vox_offset"] = size + len(extensions)
    if image.synthesised:
        header["descrip"] = marks.sentence(image.synthesised).encode("ascii", "replace")[:79]
    header["scl_slope"] = 1
    header["xyzt_units"] = 2
    header["sform_code"], header["srow"] = 1, image.affine[:3]
    qfac, quaternion, sheared = _quaternion(image.affine)
    header["qform_code"] = 0 if sheared else 1
    header["quatern"], header["qoffset"] = quaternion, image.affine[:3, 3]
    header["pixdim"] = [qfac, *image.spacing, *[1] * 4]
    with atomic.replacing(path) as temporary, temporary.open("wb") as raw:
        if path.name.lower().endswith(".gz"):
            with gzip.GzipFile(filename="", fileobj=raw, mode="wb", compresslevel=1, mtime=0) as stream:
                _write_body(stream, header.tobytes() + extensions, array, order)
        else:
            _write_body(raw, header.tobytes() + extensions, array, order)


def _write_body(
    stream: BinaryIO | gzip.GzipFile | io.BufferedWriter, start: bytes, array: np.ndarray, order: np.dtype
) -> None:
    stream.write(start)
    for volume in [array] if array.ndim == 3 else np.moveaxis(array, 3, 0):
        for plane in volume.transpose(2, 1, 0):
            stream.write(np.ascontiguousarray(plane, dtype=order).data)


def _parse(path: Path, stream: BinaryIO | gzip.GzipFile, stored: int, encoding: str) -> Image:
    header = _read_header(path, stream)
    code = int(header["datatype"])
    if code not in _TYPES:
        raise InputError(
            f"{path} stores {_TYPE_NAMES.get(code, f'an unknown type of values ({code})')}",
            expected="integers, real numbers or RGB colors",
            hint="Convert it, e.g. save the magnitude of a complex image.",
        )
    name, values = _TYPES[code]
    dtype = np.dtype(f"{header.dtype['datatype'].str[0]}{name}")
    shape = _shape(path, header)
    size = check_size(path, (*shape, values), dtype.itemsize, stored, encoding)
    offset = float(header["vox_offset"])
    start = header.dtype.itemsize
    if not (start <= offset <= stored * EXPANSION[encoding]):
        raise damaged(path, f"its header says that the voxels begin at byte {offset:g}")
    extensions = stream.read(min(int(offset) - start, _MOST_EXTENSIONS))
    _skip(stream, int(offset) - start - len(extensions))
    buffer = np.empty(size, dtype=np.uint8)
    got = _fill(stream, buffer)
    if got < size:
        raise damaged(path, f"it holds {got:,} of {size:,} bytes of voxels: it is cut short")
    if encoding == "gzip":
        _skip(stream, size)  # on to the check sum at the end
    data = buffer.view(dtype)
    spatial, rest = shape[:3], int(np.prod(shape[3:], dtype=np.int64))
    if values > 1:
        if rest > 1:
            raise InputError(f"{path} holds a series of {rest} color volumes", expected="one color volume")
        array = data.reshape((values, *spatial), order="F").transpose(1, 2, 3, 0)
    else:
        array = data.reshape((*spatial, rest) if rest > 1 else spatial, order="F")
    affine, notes, known = _affine(path, header)
    oriented = bool(header["sform_code"] > 0 or header["qform_code"] > 0)
    flat = int(header["dim"][0]) == 2
    made_by = _made_by(header, extensions)
    return Image(_scaled(path, array, header), check_affine(path, affine), notes, known, oriented, flat, made_by)


def read_mark(path: Path) -> str:
    """The model that made the image in ``path``, by its header; empty: none is named."""
    with path.open("rb") as raw:
        compressed = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        with gzip.GzipFile(fileobj=raw) if compressed else raw as stream:
            try:
                header = _read_header(path, stream)
                offset = float(header["vox_offset"])
                beyond = offset - header.dtype.itemsize if np.isfinite(offset) else 0
                return _made_by(header, stream.read(max(0, min(int(beyond), _MOST_EXTENSIONS))))
            except (EOFError, zlib.error, gzip.BadGzipFile) as error:
                raise damaged(path, f"its compressed data end early or are damaged ({error})") from error


def _comment(text: str) -> bytes:
    """The four bytes after a header that announce extensions, and one with ``text``, a multiple of 16 bytes in all."""
    data = text.encode("utf-8")
    size = -(-(len(data) + 8) // 16) * 16
    numbers = np.array([size, _COMMENT], dtype="<i4").tobytes()
    return b"\1\0\0\0" + numbers + data.ljust(size - 8, b"\0")


def _made_by(header: np.ndarray, extensions: bytes) -> str:
    """The model that the comments or, where there are none, the description name as the one that made the image."""
    order = header.dtype["datatype"].str[0]
    place = 4 if extensions[:1] not in (b"", b"\0") else len(extensions)
    while place + 8 <= len(extensions):
        size, code = np.frombuffer(extensions, f"{order}i4", 2, place).tolist()
        if size < 8:
            break
        found = (
            marks.model_in(extensions[place + 8 : place + size].decode("utf-8", "replace")) if code == _COMMENT else ""
        )
        if found:
            return found
        place += size
    return marks.model_in(bytes(header["descrip"]).decode("utf-8", "replace"))


def _read_header(path: Path, stream: BinaryIO | gzip.GzipFile) -> np.ndarray:
    start = stream.read(4)
    for order in "<>":
        size = int(np.frombuffer(start, f"{order}i4")[0]) if len(start) == 4 else 0
        if size in _HEADERS:
            content = start + stream.read(size - 4)
            if len(content) < size:
                break
            layout = _HEADERS[size].newbyteorder(">" if order == ">" else "<")
            header: np.ndarray = np.frombuffer(content, layout).reshape(())
            magic = header["magic"].tobytes()[:3]
            if magic in (b"n+1", b"n+2"):
                return header
            if magic in (b"ni1", b"ni2"):
                raise InputError(
                    f"{path} is the header of an image in two files (.hdr, .img)",
                    expected="NIfTI in one file (.nii, .nii.gz)",
                    hint="Open the pair in another program, such as Slicer, and save it as .nii.gz.",
                )
            break
    raise damaged(path, "it does not begin as a NIfTI file does")


def _shape(path: Path, header: np.ndarray) -> tuple[int, ...]:
    dimensions = int(header["dim"][0])
    if not 1 <= dimensions <= 7:
        raise damaged(path, f"its header gives {dimensions} dimensions")
    lengths = [int(n) for n in header["dim"][1 : dimensions + 1]]
    return (*lengths, *[1] * (3 - len(lengths)))


def _affine(path: Path, header: np.ndarray) -> tuple[np.ndarray, tuple[str, ...], bool]:
    """Affine in mm, notes, and whether the voxel size is stored."""
    unit = _UNITS.get(int(header["xyzt_units"]) & 7, 1.0)
    pixdim = header["pixdim"].astype(np.float64)
    sizes = np.abs(pixdim[1:4])
    known = bool(np.isfinite(sizes).all() and sizes.min() > 0)
    sizes = np.where(np.isfinite(sizes) & (sizes > 0), sizes, 1.0)
    affine = np.eye(4)
    notes: list[str] = []
    if header["sform_code"] > 0:
        affine[:3] = header["srow"]
        if _usable(affine):
            affine[:3] *= unit
            return affine, (), True
        notes.append(f"{path.name}: the orientation in the sform is unusable and was left out")
    if not known:
        notes.append(f"{path.name}: the file stores no voxel size; 1 mm is assumed")
    affine[:3, :3] = np.diag(sizes)
    if header["qform_code"] > 0:
        rotation = _rotation(header["quatern"].astype(np.float64))
        rotation[:, 2] *= -1.0 if pixdim[0] < 0 else 1.0
        affine[:3, :3] = rotation * sizes
        affine[:3, 3] = header["qoffset"]
    else:
        notes.append(f"{path.name}: the file stores no orientation; the axes are taken as right, anterior, superior")
    affine[:3] *= unit
    return affine, tuple(notes), known


def _usable(affine: np.ndarray) -> bool:
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    return bool(np.isfinite(affine).all() and lengths.min() > 0 and abs(np.linalg.det(affine[:3, :3] / lengths)) > 1e-4)


def _rotation(quaternion: np.ndarray) -> np.ndarray:
    """Rotation matrix of the quaternion whose last three numbers are stored (nifti1.h, section on method 2)."""
    b, c, d = quaternion
    a = np.sqrt(max(0.0, 1.0 - (b * b + c * c + d * d)))
    return np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - c * c - b * b],
        ]
    )


def _quaternion(affine: np.ndarray) -> tuple[float, np.ndarray, bool]:
    """(qfac, (b, c, d), whether the grid is sheared): the quaternion is the eigenvector of Bar-Itzhack's matrix.

    Source: I. Y. Bar-Itzhack, J. Guidance, Control and Dynamics 23(6), 2000.
    """
    matrix = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    sheared = not np.allclose(matrix.T @ matrix, np.eye(3), atol=1e-5)
    qfac = 1.0 if np.linalg.det(matrix) > 0 else -1.0
    r = matrix * [1.0, 1.0, qfac]
    k = np.array(
        [
            [r[0, 0] - r[1, 1] - r[2, 2], 0, 0, 0],
            [r[0, 1] + r[1, 0], r[1, 1] - r[0, 0] - r[2, 2], 0, 0],
            [r[0, 2] + r[2, 0], r[1, 2] + r[2, 1], r[2, 2] - r[0, 0] - r[1, 1], 0],
            [r[2, 1] - r[1, 2], r[0, 2] - r[2, 0], r[1, 0] - r[0, 1], r[0, 0] + r[1, 1] + r[2, 2]],
        ]
    )
    b, c, d, a = np.linalg.eigh(k / 3)[1][:, -1]  # eigh reads the lower triangle
    return qfac, np.array([b, c, d]) * (-1.0 if a < 0 else 1.0), sheared


def _scaled(path: Path, array: np.ndarray, header: np.ndarray) -> np.ndarray:
    slope, intercept = float(header["scl_slope"]), float(header["scl_inter"])
    if not np.isfinite(slope) or slope == 0 or (slope == 1 and intercept == 0):
        return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))
    if not np.isfinite(intercept):
        raise damaged(path, f"its header gives the scale intercept {intercept}")
    wide = array.dtype.itemsize > 4 or (array.dtype.kind in "ui" and array.dtype.itemsize == 4)
    scaled = array.astype(np.float64 if wide else np.float32)
    np.multiply(scaled, slope, out=scaled)
    np.add(scaled, intercept, out=scaled)
    return scaled


def _fill(stream: BinaryIO | gzip.GzipFile, buffer: np.ndarray) -> int:
    view, got = buffer.data, 0
    while got < len(view):
        n = stream.readinto(view[got : got + (1 << 22)])  # type: ignore[union-attr]
        if not n:
            break
        got += n
    return got


def _skip(stream: BinaryIO | gzip.GzipFile, count: int) -> None:
    """Read past up to ``count`` bytes, a little at a time."""
    while count > 0 and (block := stream.read(min(count, 1 << 20))):
        count -= len(block)
