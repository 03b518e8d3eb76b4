"""The leak guard: a patient, or an image, that is in two splits makes every figure of a model look better than it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from MedSegEffNetLib.dataset.descriptors import COPY, fine_grid, likeness, maybe_copies
from MedSegEffNetLib.dataset.records import REJECTED, CaseRecord
from MedSegEffNetLib.dataset.splits import Splits
from MedSegEffNetLib.dataset.store import Dataset
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.image import read


@dataclass(frozen=True)
class Leak:
    """Cases that show the same. ``severity``: ``error`` if they are in two splits, else ``warning``; ``likeness``: 1 for the
    same voxels, else the correlation of what the images show."""

    cases: tuple[str, str]
    check: str
    severity: str
    text: str
    likeness: float = 1.0


def find_leaks(dataset: Dataset, splits: Splits | None) -> list[Leak]:
    """Pairs of cases (rejected ones left out) with the same image content, also as resampled or flipped copies.

    Patients are in one split each by the way that ``splits.json`` is written; two spellings of one name are told too.
    Images are read only of pairs that may be copies by their descriptors.
    """
    records = [dataset.read(row.id) for row in dataset.list() if not row.problem and row.state != REJECTED]
    found = {leak.cases: leak for leak in _same_voxels(records, splits)}
    for leak in _copies(dataset, records, splits):
        found.setdefault(leak.cases, leak)
    return [*found.values(), *_spellings(records, splits)]


def _same_voxels(records: list[CaseRecord], splits: Splits | None) -> Iterator[Leak]:
    first: dict[str, CaseRecord] = {}
    for record in records:
        for name, image in record.images.items():
            other = first.setdefault(image.voxels, record)
            if other is not record:
                yield _leak(other, record, splits, f"image {name} has the same voxels", 1.0)


def _copies(dataset: Dataset, records: list[CaseRecord], splits: Splits | None) -> Iterator[Leak]:
    grids: dict[tuple[str, str], np.ndarray | None] = {}

    def grid(record: CaseRecord, name: str) -> np.ndarray | None:
        key = (record.id, name)
        if key not in grids:
            try:
                grids[key] = fine_grid(read(dataset.paths(record)[name]))
            except InputError:  # the check of the files tells it
                grids[key] = None
        return grids[key]

    for channel in dataset.task.channels:
        name = channel.name
        having = [record for record in records if name in record.images]
        for one, other, _ in maybe_copies([record.images[name].descriptor for record in having]):
            if having[one].images[name].voxels == having[other].images[name].voxels:
                continue
            pair = grid(having[one], name), grid(having[other], name)
            if pair[0] is not None and pair[1] is not None:
                alike = likeness(pair[0], pair[1])
                if alike >= COPY:
                    text = f"image {name} looks like a resampled or flipped copy ({alike:.2f})"
                    yield _leak(having[one], having[other], splits, text, alike)


def _leak(one: CaseRecord, other: CaseRecord, splits: Splits | None, what: str, alike: float) -> Leak:
    parts = (splits.of(one.patient), splits.of(other.patient)) if splits else ("", "")
    across = all(parts) and parts[0] != parts[1]
    where = f", in {parts[0]} and {parts[1]}: take one of them out, or move a patient" if across else ""
    text = f"{one.id} and {other.id}: {what}{where}"
    return Leak((one.id, other.id), "leak" if across else "duplicate", "error" if across else "warning", text, alike)


def _spellings(records: list[CaseRecord], splits: Splits | None) -> Iterator[Leak]:
    """Patients whose names differ only in case and punctuation and that are in two splits."""
    first: dict[str, CaseRecord] = {}
    for record in records:
        plain = "".join(character for character in record.patient.casefold() if character.isalnum())
        other = first.setdefault(plain, record)
        if splits and other.patient != record.patient and splits.of(other.patient) != splits.of(record.patient):
            text = f"patients '{other.patient}' and '{record.patient}' may be one, and are in two splits"
            yield Leak((other.id, record.id), "patient", "warning", text)
