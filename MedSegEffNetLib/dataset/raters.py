"""Labels of one case against each other: agreement of raters, differences, consensus."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from MedSegEffNetLib import metrics
from MedSegEffNetLib.dataset.labels import save_label
from MedSegEffNetLib.dataset.records import CaseRecord, LabelVersion
from MedSegEffNetLib.dataset.store import Dataset
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.image import Image
from MedSegEffNetLib.task import SegmentationTask


@dataclass(frozen=True)
class Agreement:
    """Two versions compared in one region of the task. ``hd95`` in mm; NaN where only one of them has the region."""

    first: int
    second: int
    region: str
    dice: float
    hd95: float


def latest_by_author(record: CaseRecord, *, models: bool = True) -> list[LabelVersion]:
    """The newest label of each author (and of each model, if ``models``), oldest first; others are drafts of theirs."""
    newest: dict[str, LabelVersion] = {}
    left_out = {"consensus", "recovered"} if models else {"consensus", "recovered", "model"}
    for label in record.labels:
        if not label.pruned and label.origin not in left_out:
            newest[label.model if label.origin == "model" else label.author] = label
    return sorted(newest.values(), key=lambda label: label.number)


def chosen_versions(record: CaseRecord, numbers: Sequence[int], *, models: bool = True) -> list[LabelVersion]:
    """The versions of these numbers, or without any those of :func:`latest_by_author`.

    :class:`InputError` unless there are two or more.
    """
    versions = [record.version(number) for number in dict.fromkeys(numbers)] or latest_by_author(record, models=models)
    if len(versions) < 2:
        raise InputError(
            f"case {record.id} has {len(versions)} label(s) to compare",
            expected="labels of two authors, or two versions that are named",
            hint="name versions with --versions 1 2, see `medsegeffnet dataset show`",
        )
    return versions


def compare_raters(dataset: Dataset, case_id: str, numbers: Sequence[int] = ()) -> list[Agreement]:
    """Dice and HD95 of each pair of versions (see :func:`chosen_versions`), a row a region of the task."""
    record = dataset.read(case_id)
    maps = _maps(dataset, record, numbers)
    found = []
    for first, second in itertools.combinations(maps, 2):
        found += agreement(maps[first], maps[second], dataset.task, first, second)
    return found


def agreement(one: Image, other: Image, task: SegmentationTask, first: int = 1, second: int = 2) -> list[Agreement]:
    """Two label maps (X, Y, Z) of one grid compared in each region; conventions as in :mod:`MedSegEffNetLib.metrics`."""
    pairs = [metrics.region_masks(image.array, task.regions) for image in (one, other)]
    rows = []
    for region in task.regions:
        values = metrics.case_metrics(pairs[0][region.name], pairs[1][region.name], one.spacing, ("dice", "hd95"))
        rows.append(Agreement(first, second, region.name, values["dice"], values["hd95"]))
    return rows


def difference_map(one: Image, other: Image) -> Image:
    """Where two label maps of one grid differ: 0 where they agree, the value of ``one`` there where ``one`` has a label, else
    the value of ``other`` plus 100 (up to 255)."""
    differs = one.array != other.array
    marked = np.where(one.array > 0, one.array, np.minimum(other.array.astype(np.uint16) + 100, 255))
    return one.with_array(np.where(differs, marked, 0).astype(np.uint8))


def differences(dataset: Dataset, case_id: str, numbers: Sequence[int] = ()) -> dict[tuple[int, int], Image]:
    """The :func:`difference_map` of each pair of versions, by their numbers."""
    maps = _maps(dataset, dataset.read(case_id), numbers)
    pairs = itertools.combinations(maps, 2)
    return {(first, second): difference_map(maps[first], maps[second]) for first, second in pairs}


def consensus(dataset: Dataset, case_id: str, author: str, numbers: Sequence[int] = ()) -> CaseRecord:
    """The STAPLE consensus of versions (none named: the newest of each person), saved as a new version.

    Each region of the task is estimated by STAPLE (Warfield et al., IEEE TMI 23(7), 2004) and kept where its probability
    is above one half; an inner region is cut to the outer one and written over it. The new version becomes the case's
    label: a conflict between its raters is settled by it.
    """
    record = dataset.read(case_id)
    maps = _maps(dataset, record, numbers, models=False)
    merged = staple(list(maps.values()), dataset.task)
    names = ", ".join(str(number) for number in maps)
    saved = save_label(
        dataset, case_id, merged, author=author, origin="consensus", base=record.current,
        comment=f"STAPLE of versions {names}",
    )  # fmt: skip
    if {part.version for part in saved.conflicts} <= set(maps) and saved.labels[-1].number == saved.current:
        saved = dataset.update(case_id, lambda there: there.noted(author, "conflicts settled", conflicts=()), author)
    return saved


def staple(maps: Sequence[Image], task: SegmentationTask) -> Image:
    """The consensus (X, Y, Z) uint8 of label maps of one grid; see :func:`consensus`."""
    import SimpleITK as sitk

    result = np.zeros(maps[0].shape, np.uint8)
    outer: np.ndarray | None = None
    for region in task.regions:
        masks = [np.isin(image.array, region.labels) for image in maps]
        agreed = np.logical_and.reduce(masks)
        if any(not np.array_equal(mask, agreed) for mask in masks):
            images = [sitk.GetImageFromArray(np.ascontiguousarray(mask.T).astype(np.uint8)) for mask in masks]
            agreed = sitk.GetArrayFromImage(sitk.STAPLE(images, 1.0)).T > 0.5
        if task.nested and outer is not None:
            agreed = agreed & outer
        result[agreed] = region.writes
        outer = agreed
    return maps[0].with_array(result)


def _maps(dataset: Dataset, record: CaseRecord, numbers: Sequence[int], *, models: bool = True) -> dict[int, Image]:
    maps = {}
    for version in chosen_versions(record, numbers, models=models):
        label_map = dataset.load_label(record, version.number)
        if label_map is not None:
            maps[version.number] = label_map
    return maps
