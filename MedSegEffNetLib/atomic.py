"""Files that are there whole or not at all: written under a temporary name in the same folder, then renamed."""

from __future__ import annotations

import errno
import json
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from MedSegEffNetLib.errors import InputError, MedSegEffNetError

_FULL = 1 << 20  # bytes; a disk with less is full
_HINTS = {
    errno.ENOSPC: "Free some space on that disk, or choose an output folder on another one.",
    errno.EDQUOT: "Your quota on that disk is used up: delete something there, or choose another output folder.",
    errno.EFBIG: "The disk or its settings allow no file of this size: choose an output folder on another disk.",
    errno.EACCES: "Choose a folder that you may write to, or ask for the right to write to this one.",
    errno.EPERM: "Choose a folder that you may write to, or ask for the right to write to this one.",
    errno.EROFS: "The disk is read-only: choose a folder on another one.",
    errno.ENAMETOOLONG: "Choose a shorter name.",
}


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary path to write to (file or folder) that takes the place of ``path`` when the block ends well.

    The temporary path lies in the same folder and ends in the same suffixes, for writers that look at them. When the
    block fails, whatever was written is removed and ``path`` is as it was. Missing parent folders are made.

    Raises :class:`MedSegEffNetError` for every ``OSError`` of the block or the renaming (full disk, no permission ...),
    so the block should do nothing but write.
    """
    target = Path(path)
    suffixes = "".join(target.suffixes[-2:])
    temporary = target.with_name(f".tmp-{uuid.uuid4().hex[:12]}{suffixes}")
    aside = target.with_name(f".old-{temporary.name}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        _flush_to_disk(temporary)
        if target.is_dir() and temporary.is_dir():
            # A folder cannot be renamed over another one: the old one steps aside first.
            os.replace(target, aside)
        os.replace(temporary, target)
    except OSError as error:
        raise write_error(target, error) from error
    finally:
        if aside.exists() and not target.exists():
            os.replace(aside, target)
        _remove(temporary)
        _remove(aside)


@contextmanager
def foreign_writer(path: str | os.PathLike[str]) -> Iterator[None]:
    """For a block in which a library in C++ (torch, OpenVINO) writes to ``path``.

    It tells a full disk as a ``RuntimeError`` that does not say so; here that is an ``OSError``, as :func:`replacing` wants it.
    """
    try:
        yield
    except RuntimeError as error:
        if shutil.disk_usage(Path(path).parent).free < _FULL:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
        raise OSError(errno.EIO, str(error).partition("\n")[0]) from error


def write_bytes(path: str | os.PathLike[str], content: bytes) -> None:
    """Write ``content`` to ``path`` at once; errors as in :func:`replacing`."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write ``text`` (UTF-8, lines end in LF) to ``path`` at once; errors as in :func:`replacing`."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Write ``value`` as indented JSON to ``path`` at once; ``ValueError`` for NaN and infinity, which JSON lacks."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def check_writable(path: str | os.PathLike[str]) -> None:
    """Raise :class:`InputError` if a file could not be written to ``path``; to be called before long work.

    Nothing is left behind: the nearest folder that exists is probed with an empty file.
    """
    target = Path(path)
    folder = target.parent
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    probe = folder / f".tmp-{uuid.uuid4().hex[:12]}"
    try:
        if target.is_dir():
            raise IsADirectoryError(errno.EISDIR, "it is a folder")
        probe.touch(exist_ok=False)
    except OSError as error:
        explained = write_error(target, error)
        raise InputError(explained.found, expected="a file that can be written", hint=explained.hint) from error
    finally:
        _remove(probe)


def write_error(path: Path, error: OSError) -> MedSegEffNetError:
    """The explained form of an ``OSError`` met while ``path`` was written."""
    hint = _HINTS.get(error.errno or 0, "Check that the folder exists and that you may write to it.")
    return MedSegEffNetError(f"{path} could not be written: {error.strerror or error}", hint=hint)


def _flush_to_disk(path: Path) -> None:
    """Force a file's content out before it is renamed, so that a power cut cannot leave an empty file in its place."""
    if path.is_file():
        with path.open("rb+") as stream:
            os.fsync(stream.fileno())


def _remove(path: Path) -> None:
    """Remove a file or folder if it is there; a failure here must not hide the error that led to it."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()
