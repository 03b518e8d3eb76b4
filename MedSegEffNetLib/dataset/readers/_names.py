"""The labels of a foreign file as labels of a task, by their names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.formats.amira import plain
from MedSegEffNetLib.task import SegmentationTask

# Names that public data sets give to what a task of ours calls otherwise.
_SYNONYMS = {
    "necrotic and non-enhancing core": (
        "necrosis", "necrotic core", "necrotic tumor core", "non-enhancing tumor", "non-enhancing tumor core", "NCR",
        "NETC", "NCR/NET", "necrotic and non-enhancing tumor", "necrotic and non-enhancing tumor core",
    ),
    "edema": ("oedema", "peritumoral edema", "ED", "SNFH"),
    "enhancing tumor": ("ET", "GD-enhancing tumor", "enhancing", "active tumor"),
    "lung": ("left lung", "right lung", "lungs"),
    "infection": ("COVID-19 infection", "COVID-19", "lesion", "lesions"),
}  # fmt: skip
_BACKGROUND = {"background", "exterior", "clear", "bg", "0"}


def values_by_name(names: Mapping[int, str], task: SegmentationTask, source: Path) -> dict[int, int] | None:
    """The task's value for each value of a file that calls it by a name; None where it knows none of the names.

    Raises
    ------
    InputError
        The task knows some of the names.
    """
    known = {}
    for label in task.labels:
        for name in (label.name, *_SYNONYMS.get(label.name, ())):
            known[_spelled(name)] = label.value
    named = {value: name for value, name in names.items() if value and _spelled(name) not in _BACKGROUND}
    matched = {value: known[_spelled(name)] for value, name in named.items() if _spelled(name) in known}
    if matched and len(matched) < len(named):
        strange = ", ".join(f"{value} {name}" for value, name in named.items() if value not in matched)
        raise InputError(
            f"{source} names labels that {task.id} does not know: {strange}",
            expected="labels called " + ", ".join(label.name for label in task.labels),
            hint="rename the labels in that file, or take those away that do not belong to the task",
        )
    return matched or None


def _spelled(name: str) -> str:
    return plain(name).replace("tumour", "tumor")
