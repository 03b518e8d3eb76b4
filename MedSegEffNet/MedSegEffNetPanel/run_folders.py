"""The folders of runs: made with short names, and deleted when they are old, as they hold a patient's images."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from MedSegEffNetLib import atomic
from MedSegEffNetLib.job import running_process
from MedSegEffNetLib.models.registry import data_folder
from MedSegEffNetPanel import steps

INPUTS = "in"  # copies of a patient's images; needed only while the run's process reads them
PROBABILITIES = "probabilities"  # maps that the user asked to keep
KEPT = 20  # runs whose reports and label maps can still be opened
# Nobody goes on with these; a batch or a training is never deleted.
_SHORT = ("segment", "script", "sample", "dataset", "check")
_DAY = 24 * 3600.0  # s; a younger run may belong to another Slicer that is just writing it


def runs_folder() -> Path:
    """Where the panel's runs lie: in the user's own folder, a short path, for Windows."""
    return data_folder() / "runs"


def discard_inputs(folder: Path) -> None:
    """Leave no copies of a patient's images in a run's folder. A thread deletes them: large files take their time."""
    work = steps.in_thread(shutil.rmtree, folder / INPUTS, ignore_errors=True)
    steps.run(work, done=lambda nothing: None, failed=lambda error: None)


def new_folder(base: Path, name: str) -> Path:
    """Make ``base/0001-name``, with the next number that is free: paths stay short, as Windows wants them.

    Raises
    ------
    MedSegEffNetError
        The folder could not be made.
    """
    try:
        base.mkdir(parents=True, exist_ok=True)
        numbers = [int(path.name[:4]) for path in base.iterdir() if path.name[:4].isdigit()]
        number = max(numbers, default=0) % 9999 + 1
        while True:
            folder = base / f"{number:04d}-{name}"
            try:
                folder.mkdir()
                return folder
            except FileExistsError:
                number += 1
    except OSError as error:
        raise atomic.write_error(base / name, error) from error


def tidy(base: Path) -> Iterator[None]:
    """Delete the copied images of short runs that have ended, and all but the last :data:`KEPT` of these runs.

    Runs of the last day are left alone; of one that keeps probability maps only the copied images are deleted.
    """
    found = [path for path in base.iterdir() if path.name[5:] in _SHORT] if base.is_dir() else []
    folders = sorted(found, key=_age)
    yield
    for number, folder in enumerate(folders):
        if _age(folder) > _DAY and running_process(folder) is None:
            kept = number < KEPT or _keeps_probabilities(folder)
            old = folder / INPUTS if kept else folder
            yield from steps.in_thread(shutil.rmtree, old, ignore_errors=True)


def _keeps_probabilities(folder: Path) -> bool:
    """Whether there are probability maps, also in the folder of a time point."""
    return any(path.is_dir() for path in (folder / PROBABILITIES, *folder.glob(f"*/*/{PROBABILITIES}")))


def _age(folder: Path) -> float:
    """Seconds since something was made or deleted in the folder."""
    try:
        return time.time() - folder.stat().st_mtime
    except OSError:  # another Slicer has just deleted it
        return 0.0
