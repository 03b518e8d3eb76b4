"""Two label maps of one image, or two evaluations of the same cases, compared. Pure functions on arrays and rows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from MedSegEffNetLib import metrics
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.image import GRID_TOLERANCE, Image, same_grid
from MedSegEffNetLib.task import Code, Label, Region, SegmentationTask, Terminology

ONLY_A, ONLY_B, OTHER = 1, 2, 3
_FINDING = Terminology(Code("SCT", "85756007", "Tissue"), Code("SCT", "85756007", "Tissue"))
# Of a difference map of all labels; that of one label has the first two.
DIFFERENCES = (
    Label(ONLY_A, "only in A", (230, 159, 0), _FINDING),
    Label(ONLY_B, "only in B", (86, 180, 233), _FINDING),
    Label(OTHER, "other label", (204, 121, 167), _FINDING),
)
_METRICS = ("dice", "hd95", "assd")
_RESAMPLES = 10_000
_WORST = 5


@dataclass(frozen=True)
class LabelMaps:
    """Two label maps compared.

    Parameters
    ----------
    rows : one a part (label or region): ``part``, ``values``, ``dice``, ``hd95`` and ``assd`` in mm, ``voxels_a``,
        ``voxels_b``, ``ml_a``, ``ml_b`` (NaN where no voxel size is known).
    slices : one a slice along the third axis and part, where either map has any of it: ``slice`` (from 1), ``part``,
        ``dice``, ``voxels_a``, ``voxels_b``.
    difference : values of :data:`DIFFERENCES`: a label only in A, only in B, or another one in each.
    differences : by part: 1 only in A, 2 only in B.
    """

    rows: list[dict[str, Any]]
    slices: list[dict[str, Any]]
    difference: Image
    differences: dict[str, Image]


def parts_of(a: Image, b: Image, task: SegmentationTask | None = None) -> list[Region]:
    """What two label maps are compared by: the task's labels, and its regions of several; else the values they have.

    :class:`InputError` where neither map has a label and no task tells one.
    """
    if task is not None:
        labels = [Region(label.name, label.name, (label.value,), label.value) for label in task.labels]
        return [*labels, *(region for region in task.regions if len(region.labels) > 1)]
    values = sorted({*np.unique(a.array).tolist(), *np.unique(b.array).tolist()} - {0})
    if not values:
        raise InputError(
            "neither label map has a label: all voxels are 0",
            expected="at least one label to compare",
            hint="check the files, or name the task with --task",
        )
    return [Region(f"label {value}", f"label {value}", (value,), value) for value in values]


def check_one_grid(a: Image, b: Image) -> None:
    """Raise :class:`InputError` if the maps do not lie on one grid (to a tenth of a voxel)."""
    if not same_grid(a, b, GRID_TOLERANCE):
        raise InputError(
            f"the label maps lie on different grids: A {_grid(a)}, B {_grid(b)}",
            expected="two label maps of one image, with the same voxels",
            hint="resample one onto the grid of the other (nearest neighbor), or export both again from one image",
        )


def compare_label_maps(a: Image, b: Image, parts: Sequence[Region]) -> LabelMaps:
    """Compare two label maps (X, Y, Z) part by part; metrics as in :mod:`MedSegEffNetLib.metrics`.

    :class:`InputError` for label maps on different grids.
    """
    check_one_grid(a, b)
    masks_a, masks_b = metrics.region_masks(a.array, parts), metrics.region_masks(b.array, parts)
    ml = float(np.prod(a.spacing)) / 1000 if a.spacing_known or b.spacing_known else math.nan
    rows, slices, differences = [], [], {}
    for part in parts:
        in_a, in_b = masks_a[part.name], masks_b[part.name]
        counts = int(np.count_nonzero(in_a)), int(np.count_nonzero(in_b))
        rows.append(
            {
                "part": part.name,
                "values": " ".join(map(str, part.labels)),
                **metrics.case_metrics(in_a, in_b, a.spacing, _METRICS),
                "voxels_a": counts[0],
                "voxels_b": counts[1],
                "ml_a": counts[0] * ml,
                "ml_b": counts[1] * ml,
            }
        )
        slices += _slices(part.name, in_a, in_b)
        differences[part.name] = a.with_array(_only(in_a, in_b))
    return LabelMaps(rows, slices, a.with_array(difference_of(a.array, b.array)), differences)


def difference_of(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Values of :data:`DIFFERENCES` (uint8) where two arrays of labels of one shape differ, 0 elsewhere."""
    labeled_a, labeled_b = a > 0, b > 0
    found = _only(labeled_a, labeled_b)
    found[labeled_a & labeled_b & (a != b)] = OTHER
    return found


@dataclass(frozen=True)
class Paired:
    """One metric of one region in two evaluations of the same cases.

    Parameters
    ----------
    n : cases that have a value in both.
    mean_a, mean_b : means over those.
    difference, low, high : mean of B − A with the 95 % interval of :func:`bootstrap_interval`.
    p : two-sided, of :func:`wilcoxon`.
    values : (case, A, B) of those cases, where B loses most against A first.
    """

    region: str
    metric: str
    n: int
    mean_a: float
    mean_b: float
    difference: float
    low: float
    high: float
    p: float
    values: tuple[tuple[str, float, float], ...]

    @property
    def worst(self) -> tuple[tuple[str, float, float], ...]:
        """The up to five of :attr:`values` in which B loses most."""
        sign = _sign(self.metric)
        return tuple(value for value in self.values[:_WORST] if sign * (value[2] - value[1]) < 0)

    def figures(self) -> dict[str, Any]:
        """All but the values, by name."""
        return {setting.name: getattr(self, setting.name) for setting in fields(self) if setting.name != "values"}


def compare_evaluations(rows_a: Sequence[Mapping[str, Any]], rows_b: Sequence[Mapping[str, Any]]) -> list[Paired]:
    """Compare rows of two evaluations (as of :func:`MedSegEffNetLib.metrics.summarize`) case by case.

    Raises
    ------
    InputError
        They are of different cases (the message names them), or share no region and metric.
    """
    by_a, by_b = ({(str(row["case"]), str(row["region"])): row for row in rows} for rows in (rows_a, rows_b))
    cases_a, cases_b = ({case for case, _ in rows} for rows in (by_a, by_b))
    if cases_a != cases_b:
        sides = (("A", cases_a - cases_b), ("B", cases_b - cases_a))
        lone = [f"only in {name}: {_listed(cases)}" for name, cases in sides if cases]
        raise InputError(
            f"the evaluations are of different cases; {'; '.join(lone)}",
            expected="two evaluations of the same cases",
            hint="evaluate both models on the same data and split",
        )
    found = []
    both = [key for key in by_a if key in by_b]
    for region in dict.fromkeys(name for _, name in both):
        keys = [key for key in both if key[1] == region]
        for metric in (name for name in by_a[keys[0]] if name in metrics.METRICS and name in by_b[keys[0]]):
            values = [(case, float(by_a[case, region][metric]), float(by_b[case, region][metric])) for case, _ in keys]
            found.append(_paired(region, metric, values))
    if not found:
        regions = [", ".join(dict.fromkeys(region for _, region in rows)) for rows in (by_a, by_b)]
        raise InputError(
            f"the evaluations share no region and metric (A: {regions[0]}; B: {regions[1]})",
            expected="two evaluations of one task",
        )
    return found


def cases_with_other_truth(rows_a: Sequence[Mapping[str, Any]], rows_b: Sequence[Mapping[str, Any]]) -> list[str]:
    """Cases whose true label maps differ in size (``true_voxels``): there not the models alone are compared."""
    of_a = {(row["case"], row["region"]): row.get("true_voxels", math.nan) for row in rows_a}
    other = [
        str(row["case"])
        for row in rows_b
        if abs(row.get("true_voxels", math.nan) - of_a.get((row["case"], row["region"]), math.nan)) > 0
    ]
    return list(dict.fromkeys(other))


def bootstrap_interval(differences: np.ndarray, seed: int = 0) -> tuple[float, float]:
    """95 % percentile interval of the mean of ``differences`` (n,), by 10,000 resamples of the cases.

    Efron, Tibshirani: An Introduction to the Bootstrap, 1993, chapter 13. NaN for fewer than two values.
    """
    if differences.size < 2:
        return math.nan, math.nan
    draw = np.random.default_rng(seed)
    means = [float(draw.choice(differences, differences.size).mean()) for _ in range(_RESAMPLES)]
    low, high = np.percentile(means, (2.5, 97.5))
    return float(low), float(high)


def wilcoxon(differences: np.ndarray) -> float:
    """Exact two-sided p of the signed-rank test for ``differences`` (n,) symmetric around 0.

    Wilcoxon, Biometrics Bulletin 1, 1945: zeros are dropped, equal sizes share the mean of their ranks. The distribution
    of the rank sum over all 2^n changes of sign is counted exactly, ties included, by adding one rank after the other.
    NaN without a difference that is not 0.
    """
    kept = differences[differences != 0]
    if not kept.size:
        return math.nan
    _, inverse, counts = np.unique(np.abs(kept), return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    doubled = (2 * last - counts + 1)[inverse]  # twice the mean rank, a whole number also for ties
    chances = np.ones(1)
    for rank in doubled.tolist():
        chances = (np.pad(chances, (0, rank)) + np.pad(chances, (rank, 0))) / 2
    positive = int(doubled[kept > 0].sum())
    tails = float(chances[: positive + 1].sum()), float(chances[positive:].sum())
    return min(1.0, 2 * min(tails))


def _paired(region: str, metric: str, values: Sequence[tuple[str, float, float]]) -> Paired:
    known = [value for value in values if math.isfinite(value[1]) and math.isfinite(value[2])]
    a, b = (np.array([value[place] for value in known]) for place in (1, 2))
    # Rounded, so that sums of the same numbers in another order do not count as a difference.
    differences = np.round(b - a, 12)
    ordered = tuple(sorted(known, key=lambda value: _sign(metric) * (value[2] - value[1])))
    if not known:
        unknown = math.nan
        return Paired(region, metric, 0, unknown, unknown, unknown, unknown, unknown, unknown, ())
    low, high = bootstrap_interval(differences)
    means = float(a.mean()), float(b.mean()), float(differences.mean())
    return Paired(region, metric, len(known), *means, low, high, wilcoxon(differences), ordered)


def _sign(metric: str) -> int:
    """1 where more is better, -1 where less is."""
    return -1 if metric in metrics.DISTANCES else 1


def _slices(part: str, in_a: np.ndarray, in_b: np.ndarray) -> list[dict[str, Any]]:
    both = np.count_nonzero(in_a & in_b, axis=(0, 1))
    a, b = np.count_nonzero(in_a, axis=(0, 1)), np.count_nonzero(in_b, axis=(0, 1))
    return [
        {
            "slice": int(index) + 1,
            "part": part,
            "dice": float(2 * both[index] / (a[index] + b[index])),
            "voxels_a": int(a[index]),
            "voxels_b": int(b[index]),
        }
        for index in np.flatnonzero(a + b)
    ]


def _only(in_a: np.ndarray, in_b: np.ndarray) -> np.ndarray:
    found = np.zeros(in_a.shape, dtype=np.uint8)
    found[in_a & ~in_b] = ONLY_A
    found[in_b & ~in_a] = ONLY_B
    return found


def _grid(image: Image) -> str:
    shape, steps = " × ".join(map(str, image.shape)), " × ".join(f"{step:.4g}" for step in image.spacing)
    origin = ", ".join(f"{place:.1f}" for place in image.affine[:3, 3])
    return f"{shape} voxels of {steps} mm from ({origin})"


def _listed(cases: set[str], most: int = 5) -> str:
    shown = ", ".join(sorted(cases)[:most])
    return shown + (f" and {len(cases) - most} more" if len(cases) > most else "")
