"""Labels of one case against each other: agreement of raters, differences, consensus."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from MedSegEffNetLib import metrics
from MedSegEffNetLib.dataset.labels import save_label
from MedSegEffNetLib.dataset.records import CaseRecord, LabelVersion
from MedSegEffNetLib.dataset.store import Dataset
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.image import Image, joined_marks
from MedSegEffNetLib.task import SegmentationTask

_FIRST = 0.99999  # sensitivity and specificity that STAPLE begins with
_MOST_ITERATIONS = 100
_SETTLED = 1e-9  # probability: when a step changes less, STAPLE ends


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
    """The consensus (X, Y, Z) uint8 of label maps of one grid; see :func:`consensus`.

    :class:`InputError` if half of them or more have a region, and no two of them a voxel of it in common: what they mean
    then cannot be told from their labels.
    """
    for region in task.regions:
        _refuse_apart([np.isin(image.array, region.labels) for image in maps], region.title)
    result = np.zeros(maps[0].shape, np.uint8)
    outer: np.ndarray | None = None
    for region in task.regions:
        agreed = _estimated([np.isin(image.array, region.labels) for image in maps])
        if task.nested and outer is not None:
            agreed = agreed & outer
        result[agreed] = region.writes
        outer = agreed
    return replace(maps[0].with_array(result), synthesised=joined_marks(maps))


def _refuse_apart(masks: Sequence[np.ndarray], region: str) -> None:
    having = sum(bool(mask.any()) for mask in masks)
    if having and 2 * having >= len(masks) and np.add.reduce(masks, dtype=np.uint8).max() < 2:
        raise InputError(
            f"no two of the {len(masks)} labels have a voxel of {region} in common",
            expected="labels that overlap: there is no consensus of others",
            hint="compare them with --output FOLDER, correct one, or choose one: "
            "medsegeffnet dataset add FOLDER CASE --choose NUMBER",
        )


def _estimated(masks: Sequence[np.ndarray]) -> np.ndarray:
    """Where the STAPLE probability of what ``masks`` (boolean, one shape) show is above one half.

    Voxels at which all raters decide alike are alike to STAPLE, so it counts the patterns of decisions instead of
    visiting the voxels: seconds for a head. Prior (mean share of the volume), first sensitivity and specificity are those
    of ``itk::STAPLEImageFilter``.
    """
    shown = np.logical_or.reduce(masks)
    codes = np.zeros(int(shown.sum()), np.int64)
    for mask in masks:  # numbered anew each time, so that any number of raters fits
        codes = np.unique(2 * codes + mask[shown], return_inverse=True)[1]
    _, first, numbers, counts = np.unique(codes, return_index=True, return_inverse=True, return_counts=True)
    decided = np.array([mask[shown][first] for mask in masks]).T  # (patterns, raters)
    decided = np.vstack([decided, np.zeros((1, len(masks)), bool)])
    of_each = np.append(counts, shown.size - codes.size).astype(np.float64)
    result = np.zeros(shown.shape, bool)
    result[shown] = (_probabilities(decided, of_each) > 0.5)[numbers]
    return result


def _probabilities(decided: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """The probability of the truth by pattern: EM of Warfield et al. ``decided`` (patterns, raters), ``counts`` of voxels."""
    prior = float(counts @ decided.mean(axis=1) / counts.sum())
    sensitivity = specificity = np.full(decided.shape[1], _FIRST)
    found = np.zeros(len(counts))
    for _ in range(_MOST_ITERATIONS):
        inside = prior * np.where(decided, sensitivity, 1 - sensitivity).prod(axis=1)
        outside = (1 - prior) * np.where(decided, 1 - specificity, specificity).prod(axis=1)
        before, found = found, inside / np.maximum(inside + outside, np.finfo(float).tiny)
        if np.abs(found - before).max() < _SETTLED:
            break
        true, false = found * counts, (1 - found) * counts
        sensitivity = true @ decided / max(float(true.sum()), np.finfo(float).tiny)
        specificity = false @ ~decided / max(float(false.sum()), np.finfo(float).tiny)
    return found


def _maps(dataset: Dataset, record: CaseRecord, numbers: Sequence[int], *, models: bool = True) -> dict[int, Image]:
    maps = {}
    for version in chosen_versions(record, numbers, models=models):
        label_map = dataset.load_label(record, version.number)
        if label_map is not None:
            maps[version.number] = label_map
    return maps
