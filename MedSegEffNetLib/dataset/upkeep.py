"""Merging two data sets, and moving what is no longer needed into the trash. Nothing is deleted here."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from MedSegEffNetLib import atomic
from MedSegEffNetLib.dataset.importing import AlreadyThere, Known, placed
from MedSegEffNetLib.dataset.locks import now
from MedSegEffNetLib.dataset.records import (
    IN_REVIEW,
    REJECTED,
    CaseRecord,
    Conflict,
    LabelVersion,
)
from MedSegEffNetLib.dataset.snapshots import protected_versions
from MedSegEffNetLib.dataset.store import CASES, DRAFT, Dataset, abandoned, check_file, with_recovered
from MedSegEffNetLib.errors import InputError

TRASH = "trash"
Told = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Merged:
    """Ids of cases that were added, of those that got labels, of those with a conflict now, and of those that had all."""

    added: tuple[str, ...]
    relabelled: tuple[str, ...]
    conflicts: tuple[str, ...]
    known: tuple[str, ...]


@dataclass(frozen=True)
class Superfluous:
    """A file that :func:`prune` moves: of which case, which label version (0: an image), how many bytes."""

    case: str
    file: str
    version: int
    size: int


def merge(target: Dataset, other: Dataset, author: str, told: Told) -> Merged:
    """Take the cases of ``other`` over into ``target``; ``other`` stays as it is.

    Cases with the same images are one: labels that ``target`` has not yet become versions of it. Where both have a
    current label and these differ, the target's stays and the conflict is recorded. A case with other images under an id
    that is taken gets a number. Splits and snapshots of ``other`` are not taken over.

    Raises
    ------
    InputError
        The tasks differ, or both are the same folder, or a file of ``other`` is missing or was changed.
    """
    if target.folder.resolve() == other.folder.resolve():
        raise InputError(f"{target.folder} cannot be merged with itself", hint="name two data sets")
    if target.info.task != other.info.task:
        raise InputError(
            f"{target.folder} is of the task {target.info.task} and {other.folder} of {other.info.task}",
            expected="two data sets of one task",
        )
    known = Known(target)
    rows = other.list()
    broken = [row for row in rows if row.problem]
    if broken:
        raise InputError(f"{other.folder} has cases that cannot be read: {broken[0].problem}", hint="mend them first")
    added, relabelled, conflicts, there = [], [], [], []
    for number, row in enumerate(rows):
        told("Merge", number, len(rows))
        record = with_recovered(other.read(row.id), other.case_folder(row.id))
        found = known.case(row.content)
        if found is None:
            try:
                added.append(_copied(target, other, record, author, known))
                continue
            except AlreadyThere as error:  # of another program meanwhile, or twice in the other data set
                found = error.case_id
        before = target.read(found)
        after = _joined(target, before.id, other, record, author)
        if len(after.conflicts) > len(before.conflicts):
            conflicts.append(after.id)
        elif len(after.labels) > len(before.labels):
            relabelled.append(after.id)
        else:
            there.append(after.id)
    told("Merge", len(rows), len(rows))
    return Merged(tuple(added), tuple(relabelled), tuple(conflicts), tuple(there))


def superfluous(dataset: Dataset, keep: int, *, rejected_images: bool = False) -> list[Superfluous]:
    """What :func:`prune` would move: label versions before the ``keep`` newest of each case, and, if asked for, the copied
    images of rejected cases. Never a current label, one in a conflict or in a snapshot, nor images of a snapshot's case.
    """
    if keep < 1:
        raise InputError(f"{keep} versions cannot be kept", expected="1 or more")
    protected = protected_versions(dataset)
    found = []
    for row in dataset.list():
        if not row.problem:
            record = dataset.read(row.id)
            files = [(label.file, label.number) for label in _old_versions(record, keep, protected.get(row.id, set()))]
            if rejected_images and record.state == REJECTED and row.id not in protected:
                files += [(image.file, 0) for image in record.images.values() if not image.referenced]
            folder = dataset.case_folder(row.id)
            found += [
                Superfluous(row.id, file, number, (folder / file).stat().st_size)
                for file, number in files
                if (folder / file).is_file()
            ]
    return found


def prune(dataset: Dataset, files: Iterable[Superfluous], author: str) -> Path:
    """Move files of :func:`superfluous`, and what a killed import left (:func:`abandoned`), into a new folder in ``trash``,
    under the same names; returns that folder.

    The records stay, marked as pruned; a file that is moved back counts again. Nothing is deleted: who needs the space
    deletes the folder.
    """
    trash = dataset.folder / TRASH / f"{now()[:19].replace(':', '')}-{uuid.uuid4().hex[:4]}"
    by_case: dict[str, set[str]] = {}
    for file in files:
        by_case.setdefault(file.case, set()).add(file.file)
    protected = protected_versions(dataset)
    for case_id, names in by_case.items():
        _prune_case(dataset, case_id, names, protected.get(case_id, set()), trash / CASES / case_id, author)
    for draft in abandoned(dataset):
        _move(draft, trash / CASES / draft.name)
    return trash


def _prune_case(
    dataset: Dataset, case_id: str, names: set[str], protected: set[int], target: Path, author: str
) -> None:
    """Mark first, then move: a program killed in between leaves files that are marked and still count."""
    folder = dataset.case_folder(case_id)
    going: list[str] = []

    def change(record: CaseRecord) -> CaseRecord:
        kept = {record.version(number).file for number in _needed(record, protected)}
        going[:] = sorted(name for name in names - kept if (folder / name).is_file())
        labels = tuple(replace(label, pruned=label.pruned or label.file in going) for label in record.labels)
        images = {
            name: replace(image, pruned=image.pruned or image.file in going) for name, image in record.images.items()
        }
        return record.noted(author, f"moved to the trash: {', '.join(going)}", labels=labels, images=images)

    def move(record: CaseRecord) -> None:
        for name in going:
            _move(folder / name, target / name)

    dataset.update(case_id, change, author, move)


def _old_versions(record: CaseRecord, keep: int, protected: set[int]) -> list[LabelVersion]:
    needed = _needed(record, protected)
    return [label for label in record.labels[:-keep] if label.number not in needed]


def _needed(record: CaseRecord, protected: set[int]) -> set[int]:
    """The versions that must stay: of snapshots, the current one, and those of unsettled conflicts."""
    conflicts = {number for part in record.conflicts for number in (part.version, part.current)}
    return (protected | conflicts | {record.current}) - {0}


def _move(source: Path, target: Path) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(source, target)
    except OSError as error:
        raise atomic.write_error(target, error) from error


def _copied(target: Dataset, other: Dataset, record: CaseRecord, author: str, known: Known) -> str:
    """Copy a whole case; returns its id in ``target``."""
    draft = target.folder / CASES / f"{DRAFT}{uuid.uuid4().hex[:12]}"
    folder = other.case_folder(record.id)
    try:
        images = [image for image in record.images.values() if not image.referenced]
        hashes = {image.file: image.sha256 for image in images if not image.pruned}
        hashes |= {label.file: label.sha256 for label in record.labels if not label.pruned}
        for file, sha256 in hashes.items():
            check_file(folder / file, sha256)
            (draft / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(folder / file, draft / file)
        noted = record.noted(author, f"merged from the data set {other.info.title}")
        return placed(target, draft, noted, known).id
    except OSError as error:
        raise atomic.write_error(draft, error) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _joined(target: Dataset, case_id: str, other: Dataset, record: CaseRecord, author: str) -> CaseRecord:
    """Append the labels of ``record`` that the target's case has not yet."""
    source, folder = other.case_folder(record.id), target.case_folder(case_id)

    def change(there: CaseRecord) -> CaseRecord:
        known = {label.sha256: label.number for label in there.labels}
        numbers: dict[int, int] = {}
        labels = list(there.labels)
        for label in record.labels:
            if label.sha256 in known or label.pruned:
                numbers[label.number] = known.get(label.sha256, 0)
                continue
            number = max((part.number for part in labels), default=0) + 1
            file = f"labels/{number:04d}-{label.sha256[:8]}.nii.gz"
            check_file(source / label.file, label.sha256)
            with atomic.replacing(folder / file) as temporary:
                shutil.copyfile(source / label.file, temporary)
            labels.append(replace(label, number=number, file=file, base=numbers.get(label.base, 0)))
            numbers[label.number] = number
        if len(labels) == len(there.labels):
            return there
        merged = there.noted(author, f"labels merged from the data set {other.info.title}", labels=tuple(labels))
        return _with_current(merged, numbers.get(record.current, 0), record.state, author)

    return target.update(case_id, change, author)


def _with_current(record: CaseRecord, theirs: int, state: str, author: str) -> CaseRecord:
    """Settle which label is current after a merge: theirs where there was none, else a conflict if they differ."""
    if not theirs or theirs == record.current:
        return record
    if not record.current:
        return replace(record, current=theirs, state=state)
    conflicts = (*record.conflicts, Conflict(theirs, record.current, now()))
    record = replace(record, conflicts=conflicts)
    return record if record.state == IN_REVIEW else record.with_state(IN_REVIEW, author)
