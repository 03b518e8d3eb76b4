"""A curated data set of this program (see :mod:`MedSegEffNetLib.dataset.store`): its accepted cases, with their splits."""

from __future__ import annotations

from pathlib import Path

from MedSegEffNetLib.dataset.case import Case
from MedSegEffNetLib.dataset.snapshots import accepted, case_of
from MedSegEffNetLib.dataset.splits import read_splits
from MedSegEffNetLib.dataset.store import INFO, Dataset
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.task import SegmentationTask

LAYOUT = "a data set of this program: dataset.json and cases/CASE/case.json (its accepted cases)"


def detect(folder: Path, task: SegmentationTask) -> bool:
    """Whether the folder is a data set of this program."""
    return (folder / INFO).is_file() and (folder / "cases").is_dir()


def read(folder: Path, task: SegmentationTask) -> list[Case]:
    """The accepted cases without synthesised images.

    Raises
    ------
    InputError
        The data set is of another task, or no case is accepted.
    """
    return _read(folder, task, synthesised=False)


def read_all(folder: Path, task: SegmentationTask) -> list[Case]:
    """The accepted cases; errors as in :func:`read`."""
    return _read(folder, task, synthesised=True)


def _read(folder: Path, task: SegmentationTask, *, synthesised: bool) -> list[Case]:
    dataset = Dataset.open(folder)
    if dataset.info.task != task.id:
        raise InputError(
            f"{folder} is a data set of the task {dataset.info.task}",
            expected=f"one of {task.id}",
            hint="choose the task of the data set, or another data set",
        )
    splits = read_splits(dataset)
    records = accepted(dataset, synthesised=synthesised)
    cases = [case_of(dataset, record, splits.of(record.patient) if splits else "", 0) for record in records]
    if not cases:
        raise InputError(f"{folder} has no accepted case", hint="accept cases first; others are not used for training")
    return cases
