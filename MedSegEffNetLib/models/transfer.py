"""Models come in and go out: import from a folder or zip, export as a zip, removal of the user's own.

Where a model comes from is not trusted: names, sizes and content are checked before it takes its place.
"""

from __future__ import annotations

import os
import re
import shutil
import time
import unicodedata
import uuid
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from io import FileIO
from pathlib import Path
from stat import S_IFMT, S_ISDIR, S_ISREG
from typing import IO

from MedSegEffNetLib import atomic
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.models.bundle import METADATA, Bundle
from MedSegEffNetLib.models.registry import list_models, user_folder

MAX_BYTES = 2 * 1000**3
MAX_FILES = 1000
MAX_RATIO = 100  # weights hardly shrink; texts about tenfold
_SMALL = 10 * 1000**2  # bytes up to which any ratio will do
_READ_WHOLE = (".json", ".md")  # files that a list of models reads, so they must be small
_MAX_PATH = 120  # characters of a file's path in a model: Windows allows 260 with the folders above it
_BLOCK = 1 << 20
_STAGING = ".import-"
_STALE = 24 * 3600.0  # seconds after which what a killed import left is removed
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
# https://learn.microsoft.com/windows/win32/fileio/naming-a-file
_RESERVED = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])(\..*)?", re.IGNORECASE)
_FORBIDDEN = re.compile(r'[<>:"\\|?*\x00-\x1f\x7f]')
_CLUTTER = {"__macosx", ".ds_store", "thumbs.db", "desktop.ini"}  # what file managers add

Told = Callable[[str, int, int], None]
"""Is called with a stage's name and how much of how many parts of it is done; may raise to stop."""


@dataclass(frozen=True)
class _File:
    """A file of a source: path in it with ``/``, size in bytes, and how to read it."""

    name: str
    size: int
    open: Callable[[], IO[bytes]]


def silent(stage: str, done: int, total: int) -> None:
    """A :data:`Told` that tells nobody."""


def import_model(source: Path, told: Told = silent) -> Bundle:
    """Install the model in ``source``, a bundle's folder or a zip of one, as ``<name>-<version>`` of the user's models.

    The same model that is there already is left as it is (put right if it is damaged). A failure leaves nothing.

    Raises
    ------
    InputError
        ``source`` is no model, is damaged, holds code, links, unusable names or too much, or another model has its name
        and version.
    MedSegEffNetError
        It could not be written.
    """
    with _files_of(source) as found, staging() as draft:
        files = _model_files(source, found)
        _copy(source, files, draft / "model", told)
        told("Check", 0, 1)
        bundle = _checked(source, draft / "model")
        told("Check", 1, 1)
        return _install(source, bundle)


def export_model(bundle: Bundle, output: Path, told: Told = silent) -> Path:
    """Write ``bundle`` as a zip with one folder inside; the same model always gives the same bytes.

    Raises
    ------
    InputError
        The model is damaged, or ``output`` is no ``.zip``, cannot be written or lies in the model's folder.
    """
    if output.suffix.lower() != ".zip":
        raise InputError(f"output {output.name}", expected="a name that ends in .zip")
    if bundle.folder.resolve() in output.resolve().parents:
        raise InputError(f"output {output} lies in the model's own folder", hint="choose another folder")
    atomic.check_writable(output)
    told("Check", 0, 1)
    bundle.verify()
    told("Check", 1, 1)
    names = sorted([METADATA.as_posix(), *bundle.info["files"]])
    with atomic.replacing(output) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
        for number, name in enumerate(names):
            told("Write", number, len(names))
            info = zipfile.ZipInfo(f"{bundle.name}-{bundle.version}/{name}", date_time=(1980, 1, 1, 0, 0, 0))
            info.create_system, info.external_attr = 3, 0o100644 << 16  # as on Unix, wherever it is written
            info.file_size = (bundle.folder / name).stat().st_size
            with open(bundle.folder / name, "rb") as file, archive.open(info, "w") as packed:
                shutil.copyfileobj(file, packed, _BLOCK)
    return output


def remove_model(folder: Path) -> None:
    """Remove a model of the user's by its folder, whole or broken; shipped ones and others are refused.

    Raises
    ------
    InputError
        It does not lie in the folder of the user's models.
    MedSegEffNetError
        It could not be removed, e.g. because a program reads it.
    """
    if not is_users(folder) or not (folder / METADATA).is_file():
        raise InputError(
            f"{folder} is none of your own models",
            expected=f"a model in {user_folder()}",
            hint="models that come with MedSegEffNet stay; a model elsewhere is removed by deleting its folder",
        )
    with staging() as draft:
        try:
            os.replace(folder, draft / "removed")
        except OSError as error:
            explained = atomic.write_error(folder, error)
            explained.hint = "wait until no program uses the model, and try again"
            raise explained from error


def is_users(folder: Path) -> bool:
    """Whether the model in ``folder`` is one of the user's own, which may be removed."""
    return folder.resolve().parent == user_folder().resolve()


@contextmanager
def staging() -> Iterator[Path]:
    """A folder beside the user's models that no listing takes for a model; gone at the end."""
    folder = user_folder()
    draft = folder / f"{_STAGING}{uuid.uuid4().hex[:12]}"
    try:
        draft.mkdir(parents=True)
    except OSError as error:
        raise atomic.write_error(draft, error) from error
    try:
        for old in folder.glob(f"{_STAGING}*"):
            if time.time() - old.stat().st_mtime > _STALE:
                shutil.rmtree(old, ignore_errors=True)
        yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)


@contextmanager
def _files_of(source: Path) -> Iterator[list[_File]]:
    """The regular files of a folder or zip; anything else in it is refused."""
    if source.is_dir():
        yield _files_of_folder(source)
        return
    if not source.is_file():
        raise InputError(f"{source} is not there", expected="a model's folder, or a zip of one")
    try:
        archive = zipfile.ZipFile(source)
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise InputError(
            f"{source} cannot be opened as a zip ({error})",
            expected="a model's folder, or a zip of one",
            hint="if it was downloaded, download it again",
        ) from error
    with archive:
        yield _files_of_zip(source, archive)


def _files_of_folder(source: Path) -> list[_File]:
    files: list[_File] = []
    for path in sorted(source.rglob("*")):
        if len(files) > MAX_FILES:
            raise _too_much(source, f"more than {MAX_FILES} files")
        status = path.lstat()
        if S_ISREG(status.st_mode):
            name = path.relative_to(source).as_posix()
            files.append(_File(name, status.st_size, partial(FileIO, path)))
        elif not S_ISDIR(status.st_mode):
            raise _unsafe(source, path.name, "it is a link, or no regular file")
    return files


def _files_of_zip(source: Path, archive: zipfile.ZipFile) -> list[_File]:
    entries = archive.infolist()
    if len(entries) > MAX_FILES:
        raise _too_much(source, f"{len(entries)} files")
    files: list[_File] = []
    for entry in entries:
        name = entry.orig_filename.replace("\\", "/")  # old programs of Windows
        kind = S_IFMT(entry.external_attr >> 16)
        if kind and not (S_ISREG(kind) or S_ISDIR(kind)):
            raise _unsafe(source, name, "it is a link, or no regular file")
        if entry.flag_bits & 1:
            raise _unsafe(source, name, "it is encrypted")
        if entry.file_size > max(_SMALL, MAX_RATIO * entry.compress_size):
            raise _too_much(source, f"{name} would grow more than {MAX_RATIO}-fold")
        if not name.endswith("/"):
            files.append(_File(name, entry.file_size, partial(archive.open, entry)))
    return files


def _model_files(source: Path, files: Sequence[_File]) -> list[_File]:
    """The files of the model, named from its top: names and sizes checked, a single top folder and clutter left out."""
    total = sum(file.size for file in files)
    if total > MAX_BYTES:
        raise _too_much(source, f"{total / 1000**3:.1f} GB")
    for file in files:
        _check_name(source, file.name)
    kept = [file for file in files if not _is_clutter(file.name)]
    tops = {file.name.partition("/")[0] for file in kept}
    if METADATA.as_posix() not in {file.name for file in kept} and len(tops) == 1:
        kept = [replace(file, name=file.name.partition("/")[2]) for file in kept if "/" in file.name]
    if METADATA.as_posix() not in {file.name for file in kept}:
        raise InputError(
            f"{source} is no model: it has no {METADATA.as_posix()}",
            expected="a model's folder, or a zip with one model",
            hint="choose the folder that holds 'configs' and 'models', or a file made by Export",
        )
    for file in kept:
        if len(file.name) > _MAX_PATH:
            raise _unsafe(source, file.name, f"its path is longer than {_MAX_PATH} characters")
        if file.name.endswith(_READ_WHOLE) and file.size > _SMALL:
            raise _too_much(source, f"{file.name} has {file.size / 1000**2:.0f} MB")
    _check_collisions(source, kept)
    return kept


def _check_name(source: Path, name: str) -> None:
    """Refuse a path that leaves the folder it is put in, or that Windows or macOS cannot write."""
    for part in name.split("/"):
        if part in ("", ".", "..") or re.match(r"[A-Za-z]:", part):
            raise _unsafe(source, name, "it leads out of the model's folder")
        if _FORBIDDEN.search(part) or _RESERVED.fullmatch(part) or part != part.rstrip(". "):
            raise _unsafe(source, name, "not every system can write this name")


def _check_collisions(source: Path, files: Sequence[_File]) -> None:
    """Refuse two paths that are one on a system that ignores case or composes letters, and a file used as a folder."""
    places = [unicodedata.normalize("NFC", file.name).casefold() for file in files]
    taken = set(places)
    for file, place in zip(files, places, strict=True):
        parts = place.split("/")
        folders = {"/".join(parts[:depth]) for depth in range(1, len(parts))}
        if places.count(place) > 1 or folders & taken:
            raise _unsafe(source, file.name, "another file in it has the same name")


def _is_clutter(name: str) -> bool:
    parts = name.lower().split("/")
    return parts[0] in _CLUTTER or parts[-1] in _CLUTTER or parts[-1].startswith("._")


def _copy(source: Path, files: Sequence[_File], folder: Path, told: Told) -> None:
    total, done = max(1, sum(file.size for file in files)), 0
    for file in files:
        path = folder / file.name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with open(path, "xb") as copy:
                for block in _blocks(source, file):
                    told("Copy", done, total)
                    copy.write(block)
                    done += len(block)
        except OSError as error:
            raise atomic.write_error(path, error) from error
    told("Copy", total, total)


def _blocks(source: Path, file: _File) -> Iterator[bytes]:
    """The content of ``file``; it is held to the size that was declared."""
    left = file.size
    try:
        with file.open() as stream:
            while block := stream.read(_BLOCK):
                left -= len(block)
                if left < 0:
                    raise zipfile.BadZipFile(f"{file.name} is longer than declared")
                yield block
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError) as error:
        raise InputError(
            f"{source} is damaged: {file.name} cannot be read ({error})",
            expected="a zip as it was made by Export",
            hint="copy or download it again; nothing was installed",
        ) from error


def _checked(source: Path, folder: Path) -> Bundle:
    """The model in ``folder``, whole; errors name the source."""
    try:
        bundle = Bundle.open(folder)
        bundle.verify()
    except InputError as error:
        raise InputError(
            error.found.replace(str(folder), str(source)),
            expected=error.expected,
            hint="get the model again from where it comes; nothing was installed",
        ) from error
    for word in (bundle.name, bundle.version):
        if not is_usable_name(word):
            raise InputError(
                f"{source}: the model calls itself '{bundle.name}', version '{bundle.version}'",
                expected="a name and a version of letters, digits, '.', '-' and '_' (64 at most)",
            )
    return bundle


def is_usable_name(word: str) -> bool:
    """Whether a model's name or version is one that every system can write: it becomes a folder's name."""
    return bool(_NAME.fullmatch(word)) and not _RESERVED.fullmatch(word) and not word.endswith(".")


def _install(source: Path, new: Bundle) -> Bundle:
    target = user_folder() / f"{new.name}-{new.version}"
    for old in list_models():
        if (old.name, old.version) != (new.name, new.version):
            continue
        if old.metadata != new.metadata:
            raise InputError(
                f"another model {new.name}@{new.version} is installed in {old.folder}",
                expected="a version of its own for every model",
                hint="remove the installed one first" if is_users(old.folder) else "ask its maker for another version",
            )
        try:
            old.verify()
            return old
        except InputError:
            if not is_users(old.folder):
                raise
            target = old.folder
    _check_free(target, new)
    _move(new.folder, target)
    return Bundle.open(target)


def _check_free(target: Path, new: Bundle) -> None:
    """Refuse to replace anything but a model of the same name and version, or a broken one."""
    if not target.exists():
        return
    try:
        old = Bundle.open(target)
        replaceable = (old.name, old.version) == (new.name, new.version)
    except InputError:
        replaceable = (target / METADATA).is_file()
    if not replaceable:
        raise InputError(f"{target} is there and is something else", hint="move it away, and import the model again")


def _move(new: Path, target: Path) -> None:
    """Put ``new`` in the place of ``target``, which is as it was if that fails."""
    aside = new.with_name("replaced")
    try:
        if target.exists():
            os.replace(target, aside)
        os.replace(new, target)
    except OSError as error:
        if aside.exists():
            os.replace(aside, target)
        raise atomic.write_error(target, error) from error


def _unsafe(source: Path, name: str, why: str) -> InputError:
    return InputError(
        f"{source} is refused because of {name[-_MAX_PATH:]!a}: {why}",
        expected="a model as it was made by Export",
        hint="nothing was installed; do not use a model from a source that you do not trust",
    )


def _too_much(source: Path, what: str) -> InputError:
    return InputError(
        f"{source} is refused: {what}",
        expected=f"a model of at most {MAX_BYTES / 1000**3:.0f} GB in {MAX_FILES} files",
        hint="nothing was installed; choose the folder or zip of one model",
    )
