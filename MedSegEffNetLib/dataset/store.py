"""Curated data sets: a folder a data set, a folder a case, every saved label kept.

::

    dataset.json                 schema, task, labels, settings
    cases/<id>/case.json         state, patient, images, label versions, conflicts, history (see dataset.records)
    cases/<id>/images/           one file a channel (unless the images are referred to where they lie)
    cases/<id>/labels/           0001-1a2b3c4d.nii.gz …, every saved label, newest last
    splits.json                  split by patient (see dataset.splits)
    snapshots/<id>.json          lists that never change (see dataset.snapshots)
    trash/                       what `prune` moved away
    index.json                   a table made from the folders, to list quickly; may be deleted

Each JSON file is written to a temporary name and renamed, a case's only under its lock ``writing.lock``; a label file is
there whole before ``case.json`` names it. A program that is killed in between leaves a label file that no record names:
the next change of that case takes it up as a version of origin ``recovered``. Nothing is ever overwritten: a label saved
on an outdated base becomes a version beside the current one, and the conflict is recorded until somebody chooses.

For the panel (pure Python, NumPy and, to compare labels, SimpleITK; lists and records need neither)::

    from MedSegEffNetLib.dataset.store import Dataset
    data = Dataset.open(folder)                      # or Dataset.create(folder, "brain-tumor")
    data.list()                                      # [CaseSummary], 10,000 cases within a second
    record = data.read("case-1")                     # CaseRecord: state, images, labels, conflicts, history
    with data.open_case("case-1", author) as lock:   # "in use by …" if another annotator has it open
        lock.refresh()                               # every locks.REFRESH_EVERY seconds
        images, label = data.load("case-1")          # Images by channel, label map or None
        labels.save_label(data, "case-1", label_map, author=author, origin="corrected", base=record.current)
    data.set_state("case-1", "accepted", author)
    labels.choose(data, "case-1", 2, author)         # go back to a version, or settle a conflict
    data.flag / data.comment / data.paths            # flags, comment, files by channel

    labels.save_label, labels.choose                 (dataset.labels)       versions
    add_case, import_folder                          (dataset.importing)    new cases
    make_splits, add_patients, move, read_splits     (dataset.splits)       splits by patient
    take_snapshot, cases_of_snapshot                 (dataset.snapshots)    lists for training
    check_case, check_dataset                        (dataset.checks)       what looks wrong
    find_leaks                                       (dataset.leaks)        the same image in two splits
    compare_raters, consensus                        (dataset.raters)       labels against each other
    merge, prune                                     (dataset.upkeep)
    known_author, keep_author                        (dataset.author)       asked once
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from MedSegEffNetLib import atomic
from MedSegEffNetLib.dataset import index
from MedSegEffNetLib.dataset.locks import Holder, Lock, check_held, holder_of, locked, now
from MedSegEffNetLib.dataset.records import (
    SCHEMA,
    CaseRecord,
    LabelVersion,
    check_id,
    read_json,
    read_record,
    to_json,
)
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.formats import marks
from MedSegEffNetLib.task import SegmentationTask, get_segmentation_task

if TYPE_CHECKING:
    from MedSegEffNetLib.image import Image

INFO = "dataset.json"
CASES = "cases"
WRITING = "writing.lock"  # held for moments, while a case's files change
EDITING = "editing.lock"  # held while somebody has the case open
DRAFT = ".new-"  # a case's folder is called so until it is whole
WAIT = 30.0  # seconds to wait for another program that is writing
_ABANDONED = 24 * 3600.0  # seconds after which nobody is thought to work on a draft


@dataclass(frozen=True)
class Info:
    """What ``dataset.json`` says. ``settings``: of the whole data set, by name."""

    task: str
    title: str = ""
    created: str = ""
    labels: tuple[Mapping[str, Any], ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)


class Dataset:
    """A curated data set's folder. Holds nothing but the folder and ``dataset.json``: other programs may work on it too."""

    def __init__(self, folder: Path, info: Info) -> None:
        self.folder = folder
        self.info = info

    @classmethod
    def create(cls, folder: Path, task_id: str, *, title: str = "") -> Dataset:
        """A new, empty data set in ``folder``, which is made or empty.

        Raises
        ------
        InputError
            There is no such segmentation task, or the folder holds something.
        """
        task = get_segmentation_task(task_id)
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise InputError(f"{folder} is not empty", expected="a new or an empty folder", hint="name another one")
        labels = tuple({"value": label.value, "name": label.name} for label in task.labels)
        info = Info(task.id, title or folder.resolve().name, now(), labels)
        (folder / CASES).mkdir(parents=True, exist_ok=True)
        dataset = cls(folder, info)
        dataset._write_info()
        return dataset

    @classmethod
    def open(cls, folder: Path) -> Dataset:
        """The data set in ``folder``; an :class:`InputError` if there is none, or one of a newer version."""
        if not (folder / INFO).is_file():
            raise InputError(
                f"{folder} is no data set: it has no {INFO}",
                expected="the folder of a data set",
                hint="check the spelling, or make one: medsegeffnet dataset create FOLDER --task TASK",
            )
        content = read_json(folder / INFO, SCHEMA)
        try:
            info = Info(
                str(content["task"]), str(content["title"]), str(content["created"]),
                tuple(content["labels"]), dict(content["settings"]),
            )  # fmt: skip
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{folder / INFO} is damaged ({error})", hint="bring it back from a backup") from error
        return cls(folder, info)

    @property
    def task(self) -> SegmentationTask:
        """The data set's task; an :class:`InputError` if this program has none of that name or with other labels."""
        task = get_segmentation_task(self.info.task)
        there = {int(label["value"]): label["name"] for label in self.info.labels}
        if there != {label.value: label.name for label in task.labels}:
            raise InputError(
                f"the data set's labels {there} are not those of the task {task.id}",
                expected=str({label.value: label.name for label in task.labels}),
                hint="it was made by another version of this program: use that one",
            )
        return task

    def change_settings(self, **changes: Any) -> None:
        """Set settings of the data set by name."""
        with locked(self.folder / WRITING, "", WAIT):
            kept = Dataset.open(self.folder).info
            self.info = replace(kept, settings={**kept.settings, **changes})
            self._write_info()

    def ids(self) -> list[str]:
        """The ids of all cases."""
        return index.case_ids(self.folder / CASES)

    def list(self) -> list[index.CaseSummary]:
        """A row a case, by id; see :mod:`MedSegEffNetLib.dataset.index`."""
        return index.list_cases(self.folder / CASES, self.folder / "index.json", content_of)

    def case_folder(self, case_id: str) -> Path:
        """The folder of a case, which need not be there."""
        return self.folder / CASES / check_id(case_id)

    def read(self, case_id: str) -> CaseRecord:
        """The record of a case; an :class:`InputError` if there is none or it is damaged or newer."""
        path = self.case_folder(case_id) / index.CASE_FILE
        if not path.is_file():
            raise InputError(
                f"{self.folder} has no case '{case_id}'", hint=f"see `medsegeffnet dataset list {self.folder}`"
            )
        return read_record(path)

    def update(
        self,
        case_id: str,
        change: Callable[[CaseRecord], CaseRecord],
        author: str = "",
        then: Callable[[CaseRecord], None] = lambda record: None,
    ) -> CaseRecord:
        """Change a case's record under its lock: ``change`` gets it as it is now, what it returns is written, and ``then``
        is called with it before the lock is given back.

        Label files that no record names (of a program that was killed while it saved) become versions first.

        Raises
        ------
        InputError
            There is no such case, or another program is writing it and does not end; or what ``change`` raises.
        MedSegEffNetError
            It could not be written.
        """
        folder = self.case_folder(case_id)
        before = self.read(case_id)
        with locked(folder / WRITING, author, WAIT) as lock:
            before = self.read(case_id)
            after = change(with_recovered(before, folder))
            if after != before:
                check_held(lock)
                atomic.write_json(folder / index.CASE_FILE, to_json(after))
            then(after)
        return after

    def set_state(self, case_id: str, state: str, author: str) -> CaseRecord:
        """Bring a case into a state; errors as in :meth:`update` and :meth:`CaseRecord.with_state`."""
        return self.update(case_id, lambda record: record.with_state(state, author), author)

    def flag(self, case_id: str, name: str, author: str, *, on: bool = True) -> CaseRecord:
        """Put a flag (any short text) on a case, or take it off."""

        def change(record: CaseRecord) -> CaseRecord:
            if (name in record.flags) == on:
                return record
            flags = (*record.flags, name) if on else tuple(flag for flag in record.flags if flag != name)
            return record.noted(author, f"flag {name} {'set' if on else 'removed'}", flags=flags)

        return self.update(case_id, change, author)

    def comment(self, case_id: str, text: str, author: str) -> CaseRecord:
        """Set a case's comment; the one before stays in the history."""

        def change(record: CaseRecord) -> CaseRecord:
            if text == record.comment:
                return record
            return record.noted(author, f"comment: {text}", comment=text)

        return self.update(case_id, change, author)

    def open_case(self, case_id: str, author: str) -> Lock:
        """Take a case for editing; :class:`InputError` names who has it. Refresh the lock, and release it at the end.

        Who reads, or saves without it, is not hindered: saved labels never overwrite each other.
        """
        self.read(case_id)
        return Lock(self.case_folder(case_id) / EDITING, author).take()

    def editor(self, case_id: str) -> Holder | None:
        """Who has the case open now, or None."""
        holder = holder_of(self.case_folder(case_id) / EDITING)
        return None if holder is None or holder.stale else holder

    def paths(self, record: CaseRecord) -> dict[str, Path]:
        """The image files of a case by channel, in the order of the task's channels; without pruned ones."""
        folder = self.case_folder(record.id)
        names = [channel.name for channel in self.task.channels if channel.name in record.images]
        found = {
            name: Path(image.file) if image.referenced else folder / image.file
            for name, image in ((name, record.images[name]) for name in names)
        }
        return {name: path for name, path in found.items() if not record.images[name].pruned or path.is_file()}

    def label_path(self, record: CaseRecord, number: int = 0) -> Path | None:
        """The file of a version (0: the current one); None if the case has no label.

        Raises
        ------
        InputError
            There is no such version, or it was pruned; the message says where it lies.
        """
        if not number and not record.current:
            return None
        version = record.version(number or record.current)
        path = self.case_folder(record.id) / version.file
        if version.pruned and not path.is_file():
            raise InputError(
                f"version {version.number} of case {record.id} was pruned",
                expected=f"a version whose file is in {path.parent}",
                hint=f"move {path.name} back from {self.folder / 'trash'}",
            )
        return path

    def load(self, case_id: str, number: int = 0) -> tuple[dict[str, Image], Image | None]:
        """The images of a case by channel and its label map (version ``number``; 0: the current one; None: no label).

        Raises
        ------
        InputError
            A file is not there, or is not the one that was added.
        """
        record = self.read(case_id)
        return self.load_images(record), self.load_label(record, number)

    def load_images(self, record: CaseRecord) -> dict[str, Image]:
        """The images of a case by channel; errors as in :meth:`load`."""
        from MedSegEffNetLib.image import read

        loaded = {}
        for name, path in self.paths(record).items():
            check_file(path, record.images[name].sha256)
            image, there = read(path), record.images[name]
            made_by = image.synthesised or (marks.UNKNOWN if there.synthesised else "")
            loaded[name] = replace(image, spacing_known=there.spacing_known, synthesised=made_by)
        return loaded

    def load_label(self, record: CaseRecord, number: int = 0) -> Image | None:
        """The label map of a case; errors as in :meth:`load` and :meth:`label_path`."""
        from MedSegEffNetLib.image import read_label_map

        path = self.label_path(record, number)
        if path is None:
            return None
        check_file(path, record.version(number or record.current).sha256)
        label_map, there = read_label_map(path), record.version(number or record.current)
        made_by = label_map.synthesised or (marks.UNKNOWN if there.synthesised else "")
        return replace(label_map, spacing_known=record.spacing_known, synthesised=made_by)

    def _write_info(self) -> None:
        content = {
            "schema": SCHEMA, "task": self.info.task, "title": self.info.title, "created": self.info.created,
            "labels": [dict(label) for label in self.info.labels], "settings": dict(self.info.settings),
        }  # fmt: skip
        atomic.write_json(self.folder / INFO, content)


def with_recovered(record: CaseRecord, folder: Path) -> CaseRecord:
    """The record with a version for each label file of the case that it does not name. The current label stays."""
    from MedSegEffNetLib.image import made_by

    named = {Path(label.file).name for label in record.labels}
    for path in unnamed_labels(record, folder):
        number = max([int(path.name[:4]), *(label.number + 1 for label in record.labels)])
        version = LabelVersion(
            number, f"labels/{path.name}", sha256_of(path), "", now(), "recovered", synthesised=bool(made_by(path))
        )  # fmt: skip
        named.add(path.name)
        record = record.noted("", f"label file {path.name} recovered", labels=(*record.labels, version))
    return record


def unnamed_labels(record: CaseRecord, folder: Path) -> list[Path]:
    """The label files in a case's folder that its record does not name, oldest first."""
    named = {Path(label.file).name for label in record.labels}
    return sorted(path for path in (folder / "labels").glob("[0-9][0-9][0-9][0-9]-*.nii.gz") if path.name not in named)


def abandoned(dataset: Dataset) -> list[Path]:
    """The folders of cases that a program was making when it was killed: drafts of more than a day."""
    drafts = (dataset.folder / CASES).glob(f"{DRAFT}*")
    return sorted(path for path in drafts if path.is_dir() and time.time() - path.stat().st_mtime > _ABANDONED)


def content_of(record: CaseRecord) -> str:
    """A hash of the voxels of all images: two cases with the same images have the same one."""
    told = ",".join(f"{name}:{image.voxels}" for name, image in sorted(record.images.items()))
    return hashlib.sha256(told.encode()).hexdigest()


def sha256_of(path: Path) -> str:
    """SHA-256 of a file; an :class:`InputError` if it cannot be read."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(
            f"{path} cannot be read: {error.strerror or error}", hint="check that its disk is connected"
        ) from error


def check_file(path: Path, sha256: str) -> None:
    """Raise :class:`InputError` unless ``path`` is the file that was added, by its hash."""
    if sha256_of(path) != sha256:
        raise InputError(
            f"{path} was changed since it was added",
            expected=f"a file with SHA-256 {sha256[:12]}…",
            hint="bring the file back, or add the changed one as a new case",
        )
