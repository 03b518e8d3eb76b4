"""Where the own packages lie, what is installed there, and how one installation takes the place of another.

``py312`` holds the packages for Python 3.12 with :data:`STAMP`; ``setup/0001-install`` is the job that made it, with its
log; ``py312-old-…`` is being deleted. An installation is whole or not there: it is made in its job's folder and renamed.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from MedSegEffNetLib import atomic
from MedSegEffNetLib.errors import MedSegEffNetError
from MedSegEffNetLib.job import running_process
from MedSegEffNetLib.models.registry import data_folder

STAMP = "medsegeffnet.json"
SETUP = "setup"
PACKAGES, TEMPORARY, CACHE = "packages", "tmp", "pip-cache"
SCHEMA = 1
_LOGS = 10  # of former setup jobs that are kept
_TRIES = 6  # of a renaming that Windows refuses while a virus scanner looks into the folder


@dataclass(frozen=True)
class Installed:
    """What an installation says of itself; an instance with an empty ``size`` stands for "nothing".

    ``python`` is its Python (e.g. ``3.12``), ``requirements`` what was asked for, ``packages`` version by name.
    """

    size: str = ""
    python: str = ""
    requirements: tuple[str, ...] = ()
    packages: dict[str, str] = field(default_factory=dict)
    megabytes: int = 0


def root() -> Path:
    """The user's folder of this program; short, because Windows counts the letters of a path."""
    return data_folder()


def python_version() -> str:
    """Of this Python, e.g. ``3.12``."""
    return f"{sys.version_info[0]}.{sys.version_info[1]}"


def packages_folder() -> Path:
    """Where the packages for this Python belong."""
    return root() / f"py{python_version().replace('.', '')}"


def installed(target: Path) -> Installed:
    """What is installed in ``target``; a missing or damaged stamp means nothing."""
    try:
        content: dict[str, Any] = json.loads((target / STAMP).read_text(encoding="utf-8"))
        return Installed(
            size=str(content["size"]),
            python=str(content["python"]),
            requirements=tuple(content["requirements"]),
            packages=dict(content["packages"]),
            megabytes=int(content["megabytes"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return Installed()


def write_stamp(folder: Path, found: Installed) -> None:
    """Say in ``folder`` what is installed there."""
    atomic.write_json(folder / STAMP, {"schema": SCHEMA, **vars(found), "requirements": list(found.requirements)})


def other_pythons(target: Path) -> list[str]:
    """The Pythons of installations beside ``target``, e.g. of a Slicer before its update."""
    beside = [path for path in target.parent.glob("py3*") if path != target and "-" not in path.name]
    return sorted(found.python for found in map(installed, beside) if found.size)


def running_setup(target: Path) -> Path | None:
    """The folder of a setup job that runs now, of this Slicer or another one."""
    jobs = (target.parent / SETUP).glob("*/lock.json")
    return next((lock.parent for lock in jobs if running_process(lock.parent) is not None), None)


def recover(target: Path) -> None:
    """Give back the installation that stepped aside for one that never came (its process was killed between)."""
    if not target.exists():
        for aside in target.parent.glob(f"{target.name}-old-*"):
            if (aside / STAMP).is_file():
                with suppress(OSError):
                    os.replace(aside, target)
                return


def leftovers(target: Path) -> list[Path]:
    """What killed setup jobs left and nobody uses."""
    found = list(target.parent.glob(f"{target.name}-old-*"))
    for run in (target.parent / SETUP).glob("*"):
        if running_process(run) is None:
            found += [run / name for name in (PACKAGES, TEMPORARY) if (run / name).exists()]
    return found


def old_jobs(target: Path) -> list[Path]:
    """The folders of setup jobs that ended long ago; the last ones stay for their logs."""
    ended = [run for run in sorted((target.parent / SETUP).glob("[0-9]*")) if running_process(run) is None]
    return ended[:-_LOGS]


def swap(new: Path, target: Path) -> None:
    """Put ``new`` in the place of ``target``.

    Raises
    ------
    MedSegEffNetError
        ``target`` is in use (Windows) or cannot be written; it is as it was.
    """
    aside = _step_aside(target)
    try:
        _rename(new, target)
    except MedSegEffNetError:
        if aside is not None:
            os.replace(aside, target)
        raise
    if aside is not None:
        discard(aside)


def remove(target: Path) -> None:
    """Delete the installation in ``target``; errors as in :func:`swap`."""
    aside = _step_aside(target)
    if aside is not None:
        discard(aside)


def discard(folder: Path) -> None:
    """Delete a folder, its stamp first: what is half deleted must never pass for an installation."""
    with suppress(OSError):
        (folder / STAMP).unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)


def megabytes(folder: Path) -> int:
    """What the files in ``folder`` hold, in 10^6 bytes."""
    return round(sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6)


def _step_aside(target: Path) -> Path | None:
    if not target.exists():
        return None
    aside = target.with_name(f"{target.name}-old-{uuid.uuid4().hex[:6]}")
    _rename(target, aside)
    return aside


def _rename(source: Path, target: Path) -> None:
    for attempt in range(_TRIES):
        try:
            os.replace(source, target)
            return
        except OSError as error:
            if attempt == _TRIES - 1:
                raise MedSegEffNetError(
                    f"The packages in {target.parent} are in use or cannot be written: {error.strerror or error}.",
                    hint="Wait until no job runs, close other Slicer windows, and press the button again.",
                ) from error
            time.sleep(0.2 * 2**attempt)
