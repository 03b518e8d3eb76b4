"""Splits by patient. A data set's are in ``splits.json``, which may be edited: nothing but what is asked for changes it."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from MedSegEffNetLib import atomic
from MedSegEffNetLib.dataset.case import Case
from MedSegEffNetLib.dataset.index import CaseSummary
from MedSegEffNetLib.dataset.locks import Lock, locked
from MedSegEffNetLib.dataset.records import REJECTED, SCHEMA, read_json
from MedSegEffNetLib.dataset.store import WAIT, WRITING, Dataset
from MedSegEffNetLib.dataset.wording import plural
from MedSegEffNetLib.errors import InputError

SPLITS = "splits.json"
FRACTIONS = {"train": 0.7, "val": 0.15, "test": 0.15}
_EXPECTED = "a file as MedSegEffNet wrote it: fractions, seed, and the split of each patient"
_MEND = "correct it, bring it back from a backup, or delete it and split again"


@dataclass(frozen=True)
class Splits:
    """What ``splits.json`` says: the split of each patient, and how it was drawn (fractions, seed)."""

    patients: Mapping[str, str]
    fractions: Mapping[str, float] = field(default_factory=lambda: dict(FRACTIONS))
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.fractions or min(self.fractions.values()) <= 0 or abs(sum(self.fractions.values()) - 1) > 1e-6:
            raise ValueError(f"fractions {dict(self.fractions)} are not positive numbers that sum to 1")

    @property
    def names(self) -> tuple[str, ...]:
        """The splits that a patient can be in: those that were drawn, and train, val and test."""
        return tuple(dict.fromkeys((*self.fractions, *FRACTIONS)))

    def of(self, patient: str) -> str:
        """The split of a patient; empty: none yet."""
        return self.patients.get(patient, "")


def read_splits(dataset: Dataset) -> Splits | None:
    """The splits of a data set, or None where there are none.

    Raises
    ------
    InputError
        The file is damaged, names a patient in two splits or one in a split that there is not, or is of a newer version.
    """
    path = dataset.folder / SPLITS
    if not path.is_file():
        return None
    content = read_json(path, SCHEMA, _MEND)
    _refuse_doubles(path)
    try:
        patients = {str(patient): str(split) for patient, split in content["patients"].items()}
        splits = Splits(patients, dict(content["fractions"]), int(content["seed"]))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{path} is damaged ({error})", expected=_EXPECTED, hint=_MEND) from error
    strange = {patient: split for patient, split in patients.items() if split not in splits.names}
    if strange:
        told = ", ".join(f"{patient} in '{split}'" for patient, split in list(strange.items())[:5])
        raise InputError(
            f"{path} puts {plural(len(strange), 'patient')} into a split that there is not: {told}",
            expected="one of " + ", ".join(splits.names),
            hint="correct it in that file; a patient in no split would be in no training",
        )
    return splits


def make_splits(dataset: Dataset, fractions: Mapping[str, float], seed: int) -> Splits:
    """Divide the patients into new splits, alike in label volumes and sites; the same cases and seed give the same.

    Raises
    ------
    InputError
        There are splits already (they are never drawn anew silently), or fewer patients than splits.
    """
    _refuse_existing(dataset)
    patients = _strata(dataset.list())
    if len(patients) < len(fractions):
        raise InputError(
            f"{len(patients)} patient(s) cannot be split into {', '.join(fractions)}",
            expected=f"{len(fractions)} patients at least",
            hint="add more cases; cases of one patient must not be in two splits",
        )
    drawn = _assigned(patients, fractions, seed, {})
    for name in fractions:
        if name not in drawn.values():  # with few patients a small split may get none
            largest = max(fractions, key=lambda split: sum(part == split for part in drawn.values()))
            drawn[next(patient for patient in reversed(drawn) if drawn[patient] == largest)] = name
    with _changing(dataset):
        _refuse_existing(dataset)  # another program may have made them meanwhile
        return _write(dataset, Splits(drawn, dict(fractions), seed))


def add_patients(dataset: Dataset) -> dict[str, str]:
    """Give the patients that have no split yet one, by the same fractions and seed; nobody else's changes. Returns them."""
    rows = dataset.list()
    with _changing(dataset):
        splits = _known(dataset)
        new = {patient: key for patient, key in _strata(rows).items() if patient not in splits.patients}
        drawn = _assigned(new, splits.fractions, splits.seed, splits.patients)
        added = {patient: split for patient, split in drawn.items() if patient in new}
        if added:
            _write(dataset, replace(splits, patients={**splits.patients, **added}))
    return added


def move(dataset: Dataset, patient: str, split: str) -> Splits:
    """Put one patient into another split; an :class:`InputError` if the data set has no such patient or split."""
    patients = {row.patient for row in dataset.list()}
    with _changing(dataset):
        splits = _known(dataset)
        if patient not in patients | set(splits.patients):
            raise InputError(f"the data set has no patient '{patient}'", hint="see `medsegeffnet dataset list FOLDER`")
        if split not in splits.names:
            raise InputError(f"there is no split '{split}'", expected="one of " + ", ".join(splits.names))
        return _write(dataset, replace(splits, patients={**splits.patients, patient: split}))


def _changing(dataset: Dataset) -> AbstractContextManager[Lock]:
    """Held from reading the splits to writing them, so that two programs which change them lose nothing."""
    return locked(dataset.folder / WRITING, "", WAIT)


def _refuse_existing(dataset: Dataset) -> None:
    if (dataset.folder / SPLITS).exists():
        raise InputError(
            f"{dataset.folder} has splits already",
            expected="a data set without splits",
            hint="add new patients with --add, move one with --move PATIENT=SPLIT, or edit "
            f"{SPLITS}; to draw all of them anew, rename that file first",
        )


def _known(dataset: Dataset) -> Splits:
    splits = read_splits(dataset)
    if splits is None:
        raise InputError(
            f"{dataset.folder} has no splits yet", hint=f"make them: medsegeffnet dataset split {dataset.folder}"
        )
    return splits


def _write(dataset: Dataset, splits: Splits) -> Splits:
    content = {"schema": SCHEMA, "fractions": dict(splits.fractions), "seed": splits.seed,
               "patients": dict(sorted(splits.patients.items()))}  # fmt: skip
    atomic.write_json(dataset.folder / SPLITS, content)
    return splits


def _strata(rows: Sequence[CaseSummary]) -> dict[str, tuple[str, float]]:
    """Site and mean labelled volume (mL) of each patient who has a case that is not rejected."""
    found: dict[str, list[CaseSummary]] = {}
    for row in rows:
        if not row.problem and row.state != REJECTED:
            found.setdefault(row.patient, []).append(row)
    return {
        patient: (of[0].site, sum(sum(row.volumes_ml.values()) for row in of) / len(of))
        for patient, of in sorted(found.items())
    }


def _assigned(
    patients: Mapping[str, tuple[str, float]], fractions: Mapping[str, float], seed: int, before: Mapping[str, str]
) -> dict[str, str]:
    """``before`` with a split for each of ``patients``: in blocks of like patients (site, then volume), each in an order
    drawn by the seed, the next patient goes to the split that lacks most."""
    draw = random.Random(seed)
    ordered = sorted(patients, key=lambda patient: (*patients[patient], patient))
    size = min(20, max(len(fractions), round(1 / min(fractions.values()))))
    assigned = dict(before)
    counts = {name: sum(split == name for split in before.values()) for name in fractions}
    for start in range(0, len(ordered), size):
        block = ordered[start : start + size]
        draw.shuffle(block)
        for patient in block:
            whole = sum(counts.values()) + 1
            split = max(fractions, key=lambda name: fractions[name] * whole - counts[name])
            assigned[patient] = split
            counts[split] += 1
    return assigned


def _refuse_doubles(path: Path) -> None:
    """JSON lets a name come twice and keeps the last: by hand, a patient is easily put into two splits."""

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        known: dict[str, Any] = {}
        for name, value in found:
            if name in known and known[name] != value:
                raise InputError(
                    f"{path} names '{name}' twice: {known[name]} and {value}",
                    expected="every patient in one split",
                    hint="delete one of the two lines",
                )
            known[name] = value
        return known

    json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=pairs)


def split_by_patient(cases: Sequence[Case], fractions: Mapping[str, float], seed: int) -> dict[str, list[Case]]:
    """Parts of ``cases`` of about these fractions (they sum to 1); all cases of a patient go to the same part.

    The same cases and seed give the same parts, in whatever order the cases come. Each part gets a patient at least.

    Raises
    ------
    InputError
        There are fewer patients than parts.
    """
    if abs(sum(fractions.values()) - 1) > 1e-6 or min(fractions.values()) <= 0:
        raise ValueError(f"fractions {dict(fractions)} are not positive numbers that sum to 1")
    patients = sorted({case.patient for case in cases})
    if len(patients) < len(fractions):
        raise InputError(
            f"{len(patients)} patient(s) cannot be split into {', '.join(fractions)}",
            expected=f"{len(fractions)} patients at least",
            hint="give more cases; cases of one patient must not be in two parts",
        )
    random.Random(seed).shuffle(patients)
    names = list(fractions)
    counts = {name: max(1, round(fractions[name] * len(patients))) for name in names[1:]}
    while sum(counts.values()) >= len(patients):
        counts[max(counts, key=lambda name: counts[name])] -= 1
    parts: dict[str, list[Case]] = {}
    start = len(patients) - sum(counts.values())
    chosen = {names[0]: set(patients[:start])}
    for name, count in counts.items():
        chosen[name] = set(patients[start : start + count])
        start += count
    for name in names:
        parts[name] = [case for case in cases if case.patient in chosen[name]]
    return parts
