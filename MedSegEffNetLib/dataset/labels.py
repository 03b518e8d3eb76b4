"""Versions of a case's label: saving one, choosing one. Nothing is overwritten."""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np

from MedSegEffNetLib import atomic
from MedSegEffNetLib.dataset.locks import now
from MedSegEffNetLib.dataset.records import (
    ACCEPTED,
    IN_REVIEW,
    NEW,
    PREDICTED,
    REJECTED,
    CaseRecord,
    Conflict,
    LabelVersion,
)
from MedSegEffNetLib.dataset.store import Dataset, sha256_of
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.geometry import same_place
from MedSegEffNetLib.image import GRID_TOLERANCE, Image, write_label_map
from MedSegEffNetLib.postprocessing import volumes_ml


def save_label(
    dataset: Dataset,
    case_id: str,
    label_map: Image,
    *,
    author: str,
    origin: str = "manual",
    base: int = 0,
    model: str = "",
    comment: str = "",
    minutes: float = 0.0,
    figures: Mapping[str, float] | None = None,
    regions: tuple[str, ...] = (),
) -> CaseRecord:
    """Save a label map (X, Y, Z) on the grid of the case's images as its newest version; returns the case as it is then.

    ``base`` is the version that it was made from (0: none). If the case's current version is another one by now, the new
    one is kept beside it, the conflict is recorded, and the current one stays until :func:`choose` settles it. A model's
    result never takes the place of a label that a person has saved, corrected or accepted: it is kept as a version.

    A label map made from images that a network made carries that mark; what is corrected from it inherits it.

    The case goes from ``new`` to ``predicted`` by a model's label; to ``in review`` by a person's, from any state.

    Raises
    ------
    InputError
        The label map does not lie on the images' grid, has values that are no labels, or the case cannot be written.
    MedSegEffNetError
        The disk is full, say.
    """
    folder = dataset.case_folder(case_id)
    labels = dataset.task.labels
    record = dataset.read(case_id)
    check_label_map(record, label_map, {label.value for label in labels})
    draft = folder / "labels" / f".new-{uuid.uuid4().hex[:12]}.nii.gz"
    try:
        write_label_map(draft, label_map, labels)
        version = LabelVersion(
            0, "", sha256_of(draft), author, now(), origin, model, base, comment, float(minutes),
            volumes_ml(label_map.array, labels, label_map.spacing), dict(figures or {}), regions,
            synthesised=bool(label_map.synthesised) or (origin == "corrected" and _is_made(record, base)),
        )  # fmt: skip

        def change(now_there: CaseRecord) -> CaseRecord:
            return _with_version(now_there, version, draft)

        return dataset.update(case_id, change, author)
    finally:
        with suppress(OSError):
            draft.unlink()


def choose(dataset: Dataset, case_id: str, number: int, author: str) -> CaseRecord:
    """Make version ``number`` the case's label: go back to it, or settle a conflict. An accepted case is re-opened.

    :class:`InputError` if there is no such version or it was pruned.
    """

    def change(record: CaseRecord) -> CaseRecord:
        dataset.label_path(record, number)
        if number == record.current and not record.conflicts:
            return record
        text = f"version {number} chosen (was {record.current or 'none'})"
        chosen = record.noted(author, text, current=number, conflicts=())
        return chosen if chosen.state in (PREDICTED, IN_REVIEW) else chosen.with_state(IN_REVIEW, author)

    return dataset.update(case_id, change, author)


def _is_made(record: CaseRecord, number: int) -> bool:
    return any(label.synthesised for label in record.labels if label.number == number)


def check_grid(record: CaseRecord, image: Image, what: str) -> None:
    """Raise :class:`InputError` unless ``image`` lies on the grid of the case's images; ``what`` names it."""
    for name, there in record.images.items():
        affine = np.vstack([np.reshape(there.affine, (3, 4)), [0, 0, 0, 1]])
        if not same_place(there.shape, affine, image.shape, image.affine, GRID_TOLERANCE):
            raise InputError(
                f"{what} ({' × '.join(map(str, image.shape))} voxels) lies on another grid than image {name} of case "
                f"{record.id} ({' × '.join(map(str, there.shape))})",
                expected="images and labels of a case with the same voxels (to a tenth of one)",
                hint="resample it onto the grid of that image",
            )


def check_label_map(record: CaseRecord, label_map: Image, values: set[int]) -> None:
    """Raise :class:`InputError` unless a label map lies on the grid of the case's images and has no value but ``values``."""
    check_grid(record, label_map, f"the label map of case {record.id}")
    unknown = sorted(set(np.unique(label_map.array).tolist()) - values - {0})
    if unknown:
        raise InputError(
            f"the label map of case {record.id} has the values {unknown}, which are no labels",
            expected=f"0 and {', '.join(map(str, sorted(values)))}",
            hint="map the values, or check that it belongs to this task",
        )


def _with_version(record: CaseRecord, version: LabelVersion, draft: Path) -> CaseRecord:
    """The record with the new version; the draft file gets its name. Called under the case's lock."""
    number = max((label.number for label in record.labels), default=0) + 1
    file = f"labels/{number:04d}-{version.sha256[:8]}.nii.gz"
    target = draft.parent.parent / file
    try:
        os.replace(draft, target)
    except OSError as error:
        raise atomic.write_error(target, error) from error
    version = replace(version, number=number, file=file)
    record = replace(record, labels=(*record.labels, version))
    if version.origin == "model":
        return _after_model(record, version)
    if record.current and version.base != record.current:
        conflict = Conflict(number, record.current, version.time)
        record = replace(record, conflicts=(*record.conflicts, conflict))
    else:
        record = replace(record, current=number)
    return record if record.state == IN_REVIEW else record.with_state(IN_REVIEW, version.author)


def _after_model(record: CaseRecord, version: LabelVersion) -> CaseRecord:
    by_person = record.label is not None and record.label.origin != "model"
    if by_person or record.state in (IN_REVIEW, ACCEPTED, REJECTED):
        return record if record.current else replace(record, current=version.number)
    record = replace(record, current=version.number)
    return record.with_state(PREDICTED, version.author) if record.state == NEW else record
