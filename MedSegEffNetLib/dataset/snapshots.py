"""Snapshots: lists of cases that never change (case, label and its hash, split), named by their own hash.

A training is given one, and a model card cites it: the same id always means the same images and labels.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from MedSegEffNetLib import atomic
from MedSegEffNetLib.dataset.case import Case
from MedSegEffNetLib.dataset.locks import now
from MedSegEffNetLib.dataset.records import ACCEPTED, SCHEMA, CaseRecord, read_json
from MedSegEffNetLib.dataset.splits import read_splits
from MedSegEffNetLib.dataset.store import Dataset
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.image import Image

FOLDER = "snapshots"
_DIGITS = 12


@dataclass(frozen=True)
class Snapshot:
    """What a snapshot's file says. ``cases``: ``{case, patient, split, label, sha256, images {channel: sha256},
    synthesised}`` each, by case."""

    id: str
    task: str
    created: str
    author: str
    comment: str
    cases: tuple[Mapping[str, Any], ...]


def take_snapshot(dataset: Dataset, author: str, comment: str = "", *, synthesised: bool = False) -> Snapshot:
    """Write down the accepted cases as they are now; the same state again gives the same snapshot.

    Synthesised images are left out unless asked for.

    Raises
    ------
    InputError
        No case is accepted, or two of them show the same image in two splits. (Resampled and flipped copies are found by
        :func:`MedSegEffNetLib.dataset.leaks.find_leaks`, which has to read images.)
    """
    splits = read_splits(dataset)
    cases: list[dict[str, Any]] = []
    first: dict[str, dict[str, Any]] = {}  # case by the voxels of its images
    for record in accepted(dataset, synthesised=synthesised):
        label = record.version(record.current)
        cases.append({
            "case": record.id, "patient": record.patient, "split": splits.of(record.patient) if splits else "",
            "label": label.number, "sha256": label.sha256,
            "images": {name: image.sha256 for name, image in sorted(record.images.items())},
            "synthesised": record.synthesised,
        })  # fmt: skip
        for image in record.images.values():
            _refuse_leak(first.setdefault(image.voxels, cases[-1]), cases[-1])
    if not cases:
        raise InputError(
            f"{dataset.folder} has no accepted case", hint="accept cases first: a snapshot holds nothing else"
        )
    snapshot_id = _id(dataset.info.task, cases)
    path = dataset.folder / FOLDER / f"{snapshot_id}.json"
    if not path.exists():
        content = {
            "schema": SCHEMA, "id": snapshot_id, "task": dataset.info.task, "created": now(), "author": author,
            "comment": comment, "cases": cases,
        }  # fmt: skip
        atomic.write_json(path, content)
    return read_snapshot(dataset, snapshot_id)


def list_snapshots(dataset: Dataset) -> list[Snapshot]:
    """The snapshots of a data set, oldest first; errors as in :func:`read_snapshot`."""
    found = [read_snapshot(dataset, path.stem) for path in sorted((dataset.folder / FOLDER).glob("[0-9a-f]*.json"))]
    return sorted(found, key=lambda snapshot: snapshot.created)


def read_snapshot(dataset: Dataset, snapshot_id: str) -> Snapshot:
    """The snapshot of this id (or whose id begins so).

    Raises
    ------
    InputError
        There is none, or several, or its file was changed.
    """
    paths = [path for path in (dataset.folder / FOLDER).glob("*.json") if path.stem.startswith(snapshot_id)]
    if len(paths) != 1 or not snapshot_id:
        there = ", ".join(sorted(path.stem for path in (dataset.folder / FOLDER).glob("*.json"))) or "none"
        found = f"{len(paths)} snapshots that begin with" if paths else "no snapshot"
        raise InputError(
            f"{dataset.folder} has {found} '{snapshot_id}'",
            expected=f"one of: {there}",
            hint=f"take one: medsegeffnet dataset snapshot {dataset.folder}",
        )
    content = read_json(paths[0], SCHEMA)
    if content.get("id") != paths[0].stem or _id(str(content.get("task")), content.get("cases", [])) != paths[0].stem:
        raise InputError(
            f"{paths[0]} was changed after it was taken",
            expected="a snapshot as it was written: its name is the hash of its cases",
            hint="bring it back from a backup, or take a new one",
        )
    named = {name: str(content[name]) for name in ("id", "task", "created", "author", "comment")}
    return Snapshot(**named, cases=tuple(content["cases"]))


def cases_of_snapshot(dataset: Dataset, snapshot_id: str) -> list[Case]:
    """The cases of a snapshot, ready to be loaded, each with the label version that was current then.

    Raises
    ------
    InputError
        As in :func:`read_snapshot`; or a case, an image or a label is no longer the one of the snapshot (the hashes of
        images and labels are compared when a case is loaded).
    """
    snapshot = read_snapshot(dataset, snapshot_id)
    cases = []
    for entry in snapshot.cases:
        record = dataset.read(entry["case"])
        version = record.version(entry["label"])
        images = {name: image.sha256 for name, image in record.images.items()}
        if version.sha256 != entry["sha256"] or images != entry["images"]:
            raise InputError(
                f"case {record.id} is no longer the one of snapshot {snapshot.id}",
                expected="the images and the label that the snapshot names",
                hint="bring the data set back from a backup, or take a new snapshot",
            )
        cases.append(case_of(dataset, record, entry["split"], version.number))
    return cases


def case_of(dataset: Dataset, record: CaseRecord, split: str, number: int) -> Case:
    """A case of the data set as readers give it, with the label version ``number`` (0: the current one)."""
    version = record.version(number) if number else record.label
    return Case(
        record.id, record.patient, split, functools.partial(_load, dataset, record, number),
        regions=version.regions if version else (), synthetic=record.synthesised, labelled=version is not None,
        images=dataset.paths(record), label=dataset.label_path(record, number),
    )  # fmt: skip


def accepted(dataset: Dataset, *, synthesised: bool = False) -> Iterator[CaseRecord]:
    """The records of all accepted cases; those with synthesised images only if asked for."""
    for row in dataset.list():
        if row.state == ACCEPTED and (synthesised or not row.synthesised):
            yield dataset.read(row.id)


def protected_versions(dataset: Dataset) -> dict[str, set[int]]:
    """The label versions that snapshots name, by case."""
    found: dict[str, set[int]] = {}
    for snapshot in list_snapshots(dataset):
        for entry in snapshot.cases:
            found.setdefault(entry["case"], set()).add(entry["label"])
    return found


def _refuse_leak(one: Mapping[str, Any], other: Mapping[str, Any]) -> None:
    """Two cases with the same image: :class:`InputError` if they are in two splits."""
    if one["split"] and other["split"] and one["split"] != other["split"]:
        raise InputError(
            f"cases {one['case']} ({one['split']}) and {other['case']} ({other['split']}) have the same image",
            expected="every image in one split: a model must not be tested on what it has learnt",
            hint="reject one of the cases, or move a patient (`medsegeffnet dataset split FOLDER --move PATIENT=SPLIT`)",
        )


def _load(dataset: Dataset, record: CaseRecord, number: int) -> tuple[dict[str, Image], Image | None]:
    return dataset.load_images(record), dataset.load_label(record, number)


def _id(task: str, cases: Any) -> str:
    told = json.dumps([task, cases], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(told.encode()).hexdigest()[:_DIGITS]
