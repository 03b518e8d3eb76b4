"""Which cases a synthesis training learns from, and on which it is chosen."""

from __future__ import annotations

from pathlib import Path

from MedSegEffNetLib.dataset.case import Case
from MedSegEffNetLib.dataset.splits import split_by_patient
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.synthesis.cases import read_cases
from MedSegEffNetLib.task import SynthesisTask
from MedSegEffNetLib.training.cases import learnt_from
from MedSegEffNetLib.training.gan_config import GanRecipe


def split_cases(data: Path, snapshot: str, task: SynthesisTask, recipe: GanRecipe) -> dict[str, list[Case]]:
    """The cases in ``data``, or in the folders in it, by split: ``train`` and ``val`` at least.

    Label maps are optional. Cases with images that a network made are left out unless the recipe has
    ``with_synthesised``. Where some cases have a split, those without one are trained on; where none has, splits are made
    by patient after the recipe's fraction and seed.

    Raises
    ------
    InputError
        The folder or the snapshot cannot be read, or there are too few patients.
    """
    asked = recipe.with_synthesised
    cases = learnt_from(data, snapshot, lambda: read_cases(data, task, synthesised=asked), with_synthesised=asked)
    if any(case.split for case in cases):
        parts = {name: [case for case in cases if (case.split or "train") == name] for name in ("train", "val", "test")}
    else:
        parts = {"train": cases, "val": []}
    if parts["train"] and not parts["val"]:
        fractions = {"train": 1 - recipe.validation_fraction, "val": recipe.validation_fraction}
        parts |= split_by_patient(parts["train"], fractions, recipe.seed)
    for name in ("train", "val"):
        if not parts[name]:
            raise InputError(
                f"{data} has no cases for '{name}'",
                expected="real images of at least one patient to train on and of another one to validate on",
            )
    return parts
