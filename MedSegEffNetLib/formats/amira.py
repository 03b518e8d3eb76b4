"""AmiraMesh (.am): images and label fields on uniform grids, as Amira and Avizo save them.

Text, big- and little-endian binary, HxByteRLE and HxZip are read; little-endian binary is written, label fields with
HxByteRLE. A label field's values count the materials of its header, ``Exterior`` being 0. The bounding box runs from
the first voxel's center to the last one's. Amira's coordinates are taken as DICOM's (left, posterior, superior), which
Amira gives to DICOM series. Sources: the descriptions of the format at https://ahds.readthedocs.io and what Bio-Formats
(AmiraReader), Fiji (AmiraMeshEncoder) and Microscopy Image Browser (bitmap2amiraLabels2) read and write.
"""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from MedSegEffNetLib import atomic
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.formats.common import LPS_TO_RAS, check_affine, check_size, damaged
from MedSegEffNetLib.image import Image

if TYPE_CHECKING:
    from MedSegEffNetLib.task import Label

_TYPES = {"byte": "u1", "ubyte": "u1", "short": "i2", "ushort": "u2", "int": "i4", "uint": "u4", "int32": "i4",
          "uint32": "u4", "float": "f4", "double": "f8"}  # fmt: skip
_NAMES = {"u1": "byte", "i1": "short", "i2": "short", "u2": "ushort", "i4": "int", "u4": "uint", "f4": "float",
          "f8": "double", "i8": "int", "u8": "uint"}  # fmt: skip
_UNITS = {"nm": 1e-6, "um": 1e-3, "µm": 1e-3, "mm": 1.0, "cm": 10.0, "m": 1000.0}  # in mm
_HEADER_LIMIT = 1 << 24
_LONGEST_RUN = 127
_FIRST_LINE = re.compile(r"#\s*(?:AmiraMesh|Avizo)(?:\s+3D)?\s+(ASCII|BINARY-LITTLE-ENDIAN|BINARY)\b")
_LATTICE = re.compile(
    r"^\s*Lattice\s*\{\s*(\w+)(?:\[(\d+)\])?\s+([\w-]+)\s*\}\s*=?\s*@(\d+)(?:\((\w+)(?:\s*,\s*(\d+))?\s*\))?",
    re.MULTILINE,
)


@dataclass(frozen=True)
class _Field:
    """One value (or vector) a voxel: which type, and where and how its numbers are stored."""

    kind: str
    components: int
    name: str
    stream: int
    encoding: str
    stored: int


@dataclass(frozen=True)
class _Header:
    """What the text before the data tells. ``data`` is the position of the first stream's mark."""

    text: str
    form: str
    shape: tuple[int, int, int]
    fields: tuple[_Field, ...]
    data: int


def read(path: Path, labels: bool = False) -> Image:
    """The image or, with ``labels``, the label field of the file: the field called Labels if there is one."""
    header = _header(path)
    named = [field for field in header.fields if field.name.lower() == "labels"]
    field = named[0] if labels and named else header.fields[0]
    array = _numbers_of(path, header, field).reshape(*reversed(header.shape), field.components).transpose(2, 1, 0, 3)
    array = array[..., 0] if field.components == 1 else array
    affine, known, oriented = _affine(path, header)
    notes = () if known else (f"{path.name}: the file stores no voxel size; 1 mm is assumed",)
    return Image(array, check_affine(path, affine), notes, known, oriented)


def read_label_map(path: Path, labels: Sequence[Label] = ()) -> Image:
    """The label field (X, Y, Z); where its materials have the names of ``labels``, with their values.

    Raises
    ------
    InputError
        Some of the materials that voxels have are called like labels, and others are not.
    """
    image = read(path, labels=True)
    if image.array.dtype.kind not in "ui" or image.array.ndim != 3:
        return image
    found = [int(value) for value in np.unique(image.array) if value]
    names = _materials(_header(path).text, found)
    by_name = {plain(label.name): label.value for label in labels}
    matched = {value: by_name[plain(names[value])] for value in found if plain(names.get(value, "")) in by_name}
    if not matched:
        return image
    if len(matched) < len(found):
        strange = ", ".join(names.get(value, f"value {value}") for value in found if value not in matched)
        raise InputError(
            f"{path} has materials that are no labels of the task: {strange}",
            expected="materials called " + ", ".join(label.name for label in labels),
            hint="rename or remove them in Amira, or in the file's header",
        )
    result = np.zeros(image.shape, dtype=np.uint8, order="F")
    for value, wanted in matched.items():
        result[image.array == value] = wanted
    return image.with_array(result)


def is_label_field(path: Path) -> bool:
    """Whether the file holds a label field: one called Labels, or one with materials."""
    header = _header(path)
    return any(field.name.lower() == "labels" for field in header.fields) or bool(_block(header.text, "Materials"))


def plain(name: str) -> str:
    """A name as it is compared: lower case, without blanks, hyphens and underscores, which Amira does not keep."""
    return re.sub(r"[\s_\-]+", "", name.lower())


def write(path: Path, image: Image) -> None:
    """Write an image, (X, Y, Z) or (X, Y, Z, C); 64-bit integers only where 32 bits hold them."""
    kind = _NAMES[image.array.dtype.str[1:]]
    array = image.array.astype(f"<{_TYPES[kind]}")
    if not np.array_equal(array, image.array, equal_nan=image.array.dtype.kind == "f"):
        raise InputError(
            f"{path.name}: AmiraMesh holds whole numbers of 32 bits at most", hint="choose a name that ends in .nrrd"
        )
    vector = f"[{image.n_channels}]" if array.ndim == 4 else ""
    data = array.transpose(2, 1, 0, *range(3, array.ndim)).tobytes()
    _write(path, image, f"Lattice {{ {kind}{vector} Data }} @1", f"{kind}{vector}", "", data)


def write_label_map(path: Path, label_map: Image, labels: Sequence[Label]) -> None:
    """Write a uint8 label map (X, Y, Z) with one material a label, in the order of their values."""
    materials = ["    Materials {", "        Exterior {", "            Id 0", "        }"]
    table = np.zeros(256, dtype=np.uint8)
    for number, label in enumerate(sorted(labels, key=lambda one: one.value), start=1):
        color = " ".join(f"{channel / 255:.6g}" for channel in label.color)
        name = re.sub(r"[^\w-]+", "_", label.name)
        materials += [f"        {name} {{", f"            Id {number},", f"            Color {color}", "        }"]
        table[label.value] = number
    data = _run_lengths(table[label_map.array].transpose(2, 1, 0).ravel())
    lattice = f"Lattice {{ byte Labels }} @1(HxByteRLE,{len(data)})"
    _write(path, label_map, lattice, "byte", "\n".join([*materials, "    }"]) + "\n", data)


def _write(path: Path, image: Image, lattice: str, kind: str, materials: str, data: bytes) -> None:
    lps = LPS_TO_RAS @ image.affine
    spacing = np.array(image.spacing)
    turn = lps[:3, :3] / spacing
    straight = np.allclose(turn, np.eye(3), atol=1e-6)
    first = lps[:3, 3] if straight else np.zeros(3)
    # A single slice has no distance of centers: its box is one voxel thick.
    last = first + spacing * [max(1, length - 1) for length in image.shape]
    box = " ".join(f"{number:.9g}" for pair in zip(first, last, strict=True) for number in pair)
    matrix = ""
    if not straight or image.orientation_known:  # one that turns nothing says that the directions are known
        whole = np.eye(4)
        if not straight:
            whole[:3, :3], whole[:3, 3] = turn, lps[:3, 3]
        # Amira's matrices work on row vectors.
        matrix = "    TransformationMatrix " + " ".join(f"{number:.9g}" for number in whole.T.ravel()) + ",\n"
    size = " ".join(map(str, image.shape))
    header = (
        f"# AmiraMesh BINARY-LITTLE-ENDIAN 2.1\n\n\ndefine Lattice {size}\n\nParameters {{\n{materials}"
        f'    Units {{\n        Coordinates "mm"\n    }}\n'
        f'    Content "{size.replace(" ", "x")} {kind}, uniform coordinates",\n'
        f'{matrix}    BoundingBox {box},\n    CoordType "uniform"\n}}\n\n{lattice}\n\n# Data section follows\n@1\n'
    )
    atomic.write_bytes(path, header.encode("ascii") + data + b"\n")


def _header(path: Path) -> _Header:
    with path.open("rb") as stream:
        start = stream.read(_HEADER_LIMIT)
    first = _FIRST_LINE.match(start[:200].decode("latin-1"))
    mark = re.search(rb"^@1\b", start, re.MULTILINE)
    if first is None or mark is None:
        raise damaged(path, "it does not begin as an AmiraMesh file does")
    text = start[: mark.start()].decode("latin-1")
    size = re.search(r"^\s*define\s+Lattice\s+(\d+)\s+(\d+)\s+(\d+)\s*$", text, re.MULTILINE)
    fields = tuple(
        _Field(kind, int(components or 1), name, int(stream), encoding or "", int(stored or 0))
        for kind, components, name, stream, encoding, stored in _LATTICE.findall(text)
    )
    if size is None or not fields:
        raise InputError(
            f"{path} holds no volume",
            expected="an image or a label field of Amira (with a lattice); surfaces, lines and color maps are none",
            hint="In Amira, save the label field itself: Save Data As, type AmiraMesh.",
        )
    for field in fields:
        if field.kind not in _TYPES or field.encoding not in ("", "HxByteRLE", "HxZip"):
            raise InputError(
                f"{path} stores '{field.kind}' values{f' as {field.encoding}' * bool(field.encoding)}",
                expected=f"one of {', '.join(_TYPES)}; plain, HxByteRLE or HxZip",
                hint="In Amira, convert the field (Convert Image Type) or save it again as AmiraMesh.",
            )
    return _Header(text, first[1], (int(size[1]), int(size[2]), int(size[3])), fields, mark.start())


def _numbers_of(path: Path, header: _Header, field: _Field) -> np.ndarray:
    """The field's values in a row, components fastest, then x, y, z."""
    content = path.read_bytes()
    count = math.prod(header.shape) * field.components
    order = ">" if header.form == "BINARY" else "<"
    stored = _stream(path, content, header, field)
    kind = np.dtype(order + _TYPES[field.kind])
    if header.form == "ASCII":
        check_size(path, (*header.shape, field.components), 1, len(stored))
        words = stored.split(maxsplit=count)[:count]
        try:
            return np.array(words, dtype=np.float64).astype(kind.newbyteorder("="))[:count].reshape(count)
        except ValueError as error:
            raise damaged(path, f"its data are no {count:,} numbers") from error
    expansion = {"": "raw", "HxZip": "gzip", "HxByteRLE": "gzip"}[field.encoding]
    wanted = check_size(path, (*header.shape, field.components), kind.itemsize, len(stored), expansion)
    if field.encoding == "HxZip":
        try:
            stored = zlib.decompress(stored)
        except zlib.error as error:
            raise damaged(path, f"its compressed data are damaged ({error})") from error
    elif field.encoding == "HxByteRLE":
        stored = _expand(path, stored, wanted)
    if len(stored) < wanted:
        raise damaged(path, f"its data hold {len(stored):,} bytes instead of {wanted:,}")
    return np.frombuffer(stored, dtype=kind, count=count).astype(kind.newbyteorder("="))


def _stream(path: Path, content: bytes, header: _Header, field: _Field) -> bytes:
    """The stored bytes of ``field``: streams follow one another in the order of their numbers."""
    position = header.data
    for other in sorted(header.fields, key=lambda one: one.stream):
        mark = re.compile(rb"\s*@%d[^\n]*\n" % other.stream).match(content, position)
        if mark is None and header.form == "ASCII":
            mark = re.compile(rb"^@%d[^\n]*\n" % other.stream, re.MULTILINE).search(content, position)
        if mark is None:
            raise damaged(path, f"data stream @{other.stream} is missing")
        position = mark.end()
        length = other.stored or math.prod(header.shape) * other.components * np.dtype(_TYPES[other.kind]).itemsize
        if header.form == "ASCII":
            following = content.find(b"\n@", position)
            length = (following if following >= 0 else len(content)) - position
        if other is field:
            return content[position : position + length]
        position += length
    raise damaged(path, f"data stream @{field.stream} is missing")


def _expand(path: Path, stored: bytes, wanted: int) -> bytes:
    """HxByteRLE: a count and the byte to repeat, or a count with the highest bit set and as many bytes as they are."""
    result = bytearray()
    position = 0
    while position + 1 < len(stored) and len(result) < wanted:
        count = stored[position]
        if count > _LONGEST_RUN:
            count -= _LONGEST_RUN + 1
            result += stored[position + 1 : position + 1 + count]
            position += 1 + count
        else:
            result += stored[position + 1 : position + 2] * count
            position += 2
    if len(result) != wanted:
        raise damaged(path, f"its run-length data give {len(result):,} bytes instead of {wanted:,}")
    return bytes(result)


def _run_lengths(values: np.ndarray) -> bytes:
    """HxByteRLE of uint8 ``values`` (N,), runs only."""
    starts = np.concatenate([[0], np.flatnonzero(np.diff(values)) + 1])
    lengths = np.diff(np.append(starts, len(values)))
    blocks = -(-lengths // _LONGEST_RUN)
    pairs = np.empty((int(blocks.sum()), 2), dtype=np.uint8)
    pairs[:, 0] = _LONGEST_RUN
    pairs[np.cumsum(blocks) - 1, 0] = lengths - (blocks - 1) * _LONGEST_RUN
    pairs[:, 1] = np.repeat(values[starts], blocks)
    return pairs.tobytes()


def _affine(path: Path, header: _Header) -> tuple[np.ndarray, bool, bool]:
    """The RAS+ affine, and whether the file stores a voxel size and directions of the axes."""
    coordinates = re.search(r'CoordType\s+"?(\w+)', header.text)
    if coordinates and coordinates[1] != "uniform":
        raise InputError(
            f"{path} lies on a grid of the kind '{coordinates[1]}'",
            expected="a uniform grid",
            hint="In Amira, resample the field onto a uniform grid.",
        )
    box = _parameter(path, header, "BoundingBox", 6)
    if box is None:
        return LPS_TO_RAS.copy(), False, False
    low, high = box[0::2], box[1::2]
    spacing = (high - low) / [max(1, length - 1) for length in header.shape]
    spacing[np.logical_and(spacing == 0, np.array(header.shape) == 1)] = 1.0
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = low
    matrix = _parameter(path, header, "TransformationMatrix", 16)
    if matrix is not None:
        affine = matrix.reshape(4, 4).T @ affine
    unit = re.search(r'Coordinates\s+"([^"]+)"', _block(header.text, "Units"))
    affine[:3] *= _UNITS.get(unit[1], 1.0) if unit else 1.0
    return LPS_TO_RAS @ affine, True, matrix is not None


def _parameter(path: Path, header: _Header, name: str, count: int) -> np.ndarray | None:
    found = re.search(rf"^\s*{name}\s+([^\n]+)", header.text, re.MULTILINE)
    if found is None:
        return None
    words = found[1].replace(",", " ").split()[:count]
    try:
        return np.array([float(word) for word in words]).reshape(count)
    except ValueError as error:
        raise damaged(path, f"its {name} is no {count} numbers: {found[1].strip()}") from error


def _block(text: str, name: str) -> str:
    """The text between the braces after ``name``; empty if there is none."""
    start = re.search(rf"\b{name}\s*\{{", text)
    if start is None:
        return ""
    depth = 1
    for brace in re.finditer(r"[{}]", text[start.end() :]):
        depth += 1 if brace[0] == "{" else -1
        if depth == 0:
            return text[start.end() : start.end() + brace.start()]
    return text[start.end() :]


def _materials(text: str, found: Sequence[int]) -> dict[int, str]:
    """Name of each value: the materials in their order or, where that leaves a value without one, by their Ids."""
    listed = re.findall(r'("[^"]+"|[^\s{}",]+)\s*\{([^{}]*)\}', _block(text, "Materials"))
    order = {number: name.strip('"') for number, (name, _) in enumerate(listed)}
    if set(found) <= order.keys():
        return order
    ids = {int(number[1]): name.strip('"') for name, inner in listed if (number := re.search(r"\bId\s+(\d+)", inner))}
    return ids if set(found) <= ids.keys() else order
