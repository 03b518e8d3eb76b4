"""What was edited since the last saved label, on disk within moments: a crash loses the last seconds at most.

A journal is one file to which records are appended, each with its length and checksum, so that one which was cut off
by a crash is known and left out. The first record names the label map that the edits start from.
"""

from __future__ import annotations

import errno
import json
import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from MedSegEffNetLib import atomic
from MedSegEffNetLib.errors import MedSegEffNetError
from MedSegEffNetLib.labelops import Box, whole_box

VERSION = 1
_FRAME = struct.Struct("<4sIII")  # mark, bytes of the header, bytes of the voxels, checksum of both
_MARK = b"MSEJ"


@dataclass(frozen=True)
class Start:
    """What a journal's edits start from.

    Parameters
    ----------
    base : SHA-256 of the label map's file; empty: an empty label map.
    shape : of the array that is edited.
    """

    base: str
    shape: tuple[int, int, int]


class Journal:
    """A journal that is written. One writer at a time: the holder of the case's lock."""

    def __init__(self, path: Path, start: Start, edited: np.ndarray | None = None) -> None:
        """Begin the file ``path`` anew; what was there is replaced once the new beginning is on disk.

        ``edited`` is the whole label map where it is not what the journal starts from any more.
        """
        self.path = path
        header = {"version": VERSION, "base": start.base, "shape": start.shape}
        first = b"" if edited is None else _edit_record(whole_box(edited.shape), edited)
        atomic.write_bytes(path, _record(header, b"") + first)
        self._file = path.open("ab", buffering=0)  # what a failed write left in a buffer would come again later

    def append(self, box: Box, voxels: np.ndarray) -> None:
        """Record that ``box`` of the label map is now ``voxels``; returns when it is on disk.

        Raises
        ------
        MedSegEffNetError
            It cannot be written (a full disk, say); the edits so far are kept.
        """
        record = _edit_record(box, voxels)
        start = os.fstat(self._file.fileno()).st_size
        try:
            if self._file.write(record) < len(record):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(self._file.fileno())
        except OSError as error:
            with suppress(OSError):
                self._file.truncate(start)  # half a record would hide the ones after it
            raise atomic.write_error(self.path, error) from error

    def close(self) -> None:
        """Close the file; it stays, until the label has been saved and :meth:`discard` is called."""
        self._file.close()

    def discard(self) -> None:
        """The edits are saved as a label: remove the file."""
        self._file.close()
        self.path.unlink(missing_ok=True)


@dataclass(frozen=True)
class Recovered:
    """What a journal holds: ``edits`` in their order, each a box and its voxels."""

    start: Start
    edits: Sequence[tuple[Box, np.ndarray]]

    def replay(self, labels: np.ndarray) -> None:
        """Do the edits in place; ``ValueError`` if ``labels`` has another shape than the journal's."""
        if labels.shape != self.start.shape:
            raise ValueError(f"the journal is of an array {self.start.shape}, not {labels.shape}")
        for box, voxels in self.edits:
            labels[box] = voxels


def recover(path: Path) -> Recovered | None:
    """What the journal ``path`` holds; None: there is none, or nothing was edited. A record that was cut off is left out.

    Raises
    ------
    MedSegEffNetError
        The journal is of a newer version.
    """
    if not path.is_file():
        return None
    records = _records(path.read_bytes())
    first = next(records, None)
    if first is None:
        return None
    header, _ = first
    if header["version"] > VERSION:
        raise MedSegEffNetError(
            f"{path} is a journal of version {header['version']}", hint="open it with a newer version of the extension"
        )
    edits = [_edit(header, payload) for header, payload in records]
    x, y, z = header["shape"]
    return Recovered(Start(header["base"], (x, y, z)), edits) if edits else None


def _edit_record(box: Box, voxels: np.ndarray) -> bytes:
    header = {"box": [[part.start, part.stop] for part in box], "type": voxels.dtype.str}
    return _record(header, zlib.compress(np.ascontiguousarray(voxels).data, 1))


def _record(header: dict[str, Any], payload: bytes) -> bytes:
    text = json.dumps(header).encode()
    return _FRAME.pack(_MARK, len(text), len(payload), zlib.crc32(text + payload)) + text + payload


def _edit(header: dict[str, Any], payload: bytes) -> tuple[Box, np.ndarray]:
    x, y, z = (slice(start, stop) for start, stop in header["box"])
    voxels = np.frombuffer(zlib.decompress(payload), dtype=header["type"])
    return (x, y, z), voxels.reshape([part.stop - part.start for part in (x, y, z)])


def _records(content: bytes) -> Iterator[tuple[dict[str, Any], bytes]]:
    place = 0
    while place + _FRAME.size <= len(content):
        mark, text, payload, checksum = _FRAME.unpack_from(content, place)
        place += _FRAME.size
        body = content[place : place + text + payload]
        if mark != _MARK or len(body) < text + payload or zlib.crc32(body) != checksum:
            return
        yield json.loads(body[:text]), body[text:]
        place += text + payload
