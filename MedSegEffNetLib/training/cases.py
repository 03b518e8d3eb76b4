"""Which cases a training learns from, and on which it is chosen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from MedSegEffNetLib.dataset.case import Case
from MedSegEffNetLib.dataset.readers import read_folder
from MedSegEffNetLib.dataset.snapshots import cases_of_snapshot
from MedSegEffNetLib.dataset.splits import split_by_patient
from MedSegEffNetLib.dataset.store import Dataset
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.task import SegmentationTask
from MedSegEffNetLib.training.config import Recipe


def split_cases(data: Path, snapshot: str, task: SegmentationTask, recipe: Recipe) -> dict[str, list[Case]]:
    """The cases in ``data`` (of ``snapshot``, if it names one of a curated data set) by split, ``train`` and ``val`` at least.

    Cases with images that a network made are left out unless the recipe has ``with_synthesised``. Where the layout says
    nothing of splits, they are made by patient after the recipe's fractions and seed.

    Raises
    ------
    InputError
        The folder or the snapshot cannot be read, or there are too few patients.
    """
    asked = recipe.with_synthesised
    cases = learnt_from(data, snapshot, lambda: read_folder(data, task, synthesised=asked), with_synthesised=asked)
    if any(case.split for case in cases):
        parts = {name: [case for case in cases if case.split == name] for name in ("train", "val", "test")}
        if not parts["val"]:
            fractions = {"train": 1 - recipe.validation_fraction, "val": recipe.validation_fraction}
            parts |= split_by_patient(parts["train"], fractions, recipe.seed)
    else:
        held_out = recipe.validation_fraction + recipe.test_fraction
        fractions = {"train": 1 - held_out, "val": recipe.validation_fraction}
        if recipe.test_fraction:
            fractions["test"] = recipe.test_fraction
        parts = split_by_patient(cases, fractions, recipe.seed)
    for name in ("train", "val"):
        if not parts.get(name):
            raise InputError(
                f"{data} has no cases for '{name}'",
                expected="at least one patient to train on and another one to validate on",
            )
    return parts


def learnt_from(data: Path, snapshot: str, read: Callable[[], list[Case]], *, with_synthesised: bool) -> list[Case]:
    """The cases of ``snapshot``, or those that ``read`` finds in ``data``; without those that a network had a part in.

    ``with_synthesised`` keeps them; ``read`` has to find them then.

    Raises
    ------
    InputError
        The folder or the snapshot cannot be read, or no case is left.
    """
    cases = cases_of_snapshot(Dataset.open(data), snapshot) if snapshot else read()
    kept = [case for case in cases if with_synthesised or not case.synthesised()]
    if not kept:
        raise InputError(
            f"all cases of {data} have images that a network made",
            expected="images that were taken of patients",
            hint="set with_synthesised=true to train on them all the same; the model will say so",
        )
    return kept
