"""How well a predicted mask agrees with a true one, by plain counting of voxels and distances in mm.

Conventions for empty masks (a case without the region is no failure of the model, and no metric is made up):

==========================  ==========  ============  ============  ==============
metric                      both empty  only true     only pred.    no background
                                        has voxels    has voxels    (true is full)
==========================  ==========  ============  ============  ==============
dice, f1, iou               1           0             0             as computed
sensitivity                 NaN         0             NaN           as computed
precision                   NaN         NaN           0             as computed
specificity                 as computed as computed   as computed   NaN
accuracy                    as computed as computed   as computed   as computed
hd95, assd                  NaN         NaN           NaN           as computed
==========================  ==========  ============  ============  ==============

Dice of two empty masks is that of the BraTS evaluation. As HD95 BraTS counts 0 mm where both masks are empty and
373.13 mm (the diagonal of its grid) where one is; the first flatters a mean and the second means nothing on another
grid, so here a distance to an empty mask is undefined: NaN, an empty cell in tables, left out of mean, standard
deviation and median, and not counted in their ``n``. Dice 1 or 0 tells such cases apart. A region whose true extent a
data set does not know has NaN for every metric.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.geometry import bounding_box
from MedSegEffNetLib.task import Region

Spacing = Sequence[float]
Summary = dict[str, dict[str, dict[str, float]]]


@dataclass(frozen=True)
class Counts:
    """Numbers of voxels: true and false positives (``tp``, ``fp``), false and true negatives (``fn``, ``tn``)."""

    tp: int
    fp: int
    fn: int
    tn: int


def count(predicted: np.ndarray, true: np.ndarray) -> Counts:
    """Count two boolean masks of one shape; ``ValueError`` for other types or shapes."""
    if predicted.dtype != np.bool_ or true.dtype != np.bool_ or predicted.shape != true.shape:
        raise ValueError(
            f"masks must be boolean and of one shape, "
            f"not {predicted.dtype} {predicted.shape} and {true.dtype} {true.shape}"
        )
    tp = int(np.count_nonzero(predicted & true))
    fp = int(np.count_nonzero(predicted)) - tp
    fn = int(np.count_nonzero(true)) - tp
    return Counts(tp, fp, fn, predicted.size - tp - fp - fn)


def dice(counts: Counts) -> float:
    """Dice coefficient, 2·TP / (2·TP + FP + FN); 1 if both masks are empty."""
    return _ratio(2 * counts.tp, 2 * counts.tp + counts.fp + counts.fn, empty=1.0)


def iou(counts: Counts) -> float:
    """Intersection over union (Jaccard), TP / (TP + FP + FN); 1 if both masks are empty."""
    return _ratio(counts.tp, counts.tp + counts.fp + counts.fn, empty=1.0)


def accuracy(counts: Counts) -> float:
    """Pixel accuracy, (TP + TN) / all voxels."""
    return _ratio(counts.tp + counts.tn, counts.tp + counts.fp + counts.fn + counts.tn)


def sensitivity(counts: Counts) -> float:
    """Sensitivity (recall), TP / (TP + FN); NaN if the true mask is empty."""
    return _ratio(counts.tp, counts.tp + counts.fn)


def specificity(counts: Counts) -> float:
    """Specificity, TN / (TN + FP); NaN if the true mask fills the image."""
    return _ratio(counts.tn, counts.tn + counts.fp)


def precision(counts: Counts) -> float:
    """Precision, TP / (TP + FP); NaN if the predicted mask is empty."""
    return _ratio(counts.tp, counts.tp + counts.fp)


def hd95(predicted: np.ndarray, true: np.ndarray, spacing: Spacing) -> float:
    """95 % Hausdorff distance in mm of two boolean masks (X, Y, Z) with ``spacing`` (3,) in mm.

    The result is ``max(P95(d(A, B)), P95(d(B, A)))`` of :func:`surface_distances` with linearly interpolated
    percentiles: the definition of Metrics Reloaded (Maier-Hein et al., Nat Methods 21, 2024) and of MONAI's
    ``compute_hausdorff_distance``. A mask is empty: NaN.
    """
    if not (predicted.any() and true.any()):
        return math.nan
    return float(max(np.percentile(distances, 95) for distances in surface_distances(predicted, true, spacing)))


def assd(predicted: np.ndarray, true: np.ndarray, spacing: Spacing) -> float:
    """Average symmetric surface distance in mm of two boolean masks (X, Y, Z) with ``spacing`` (3,) in mm.

    The mean over all voxels of both surfaces of :func:`surface_distances` (Heimann et al., IEEE Trans Med Imaging 28,
    2009). A mask is empty: NaN.
    """
    if not (predicted.any() and true.any()):
        return math.nan
    return float(np.concatenate(surface_distances(predicted, true, spacing)).mean())


def surface_distances(a: np.ndarray, b: np.ndarray, spacing: Spacing) -> tuple[np.ndarray, np.ndarray]:
    """``d(A, B)`` and ``d(B, A)`` in mm of two boolean masks (X, Y, Z) that are not empty; ``spacing`` (3,) in mm.

    The surface of a mask are its voxels with a face neighbor outside the mask; outside the image counts as outside, and
    an axis of length 1 is no axis (a slice has an outline). ``d(A, B)`` holds the distance from each surface voxel of A
    to the nearest one of B, center to center.
    """
    axes = [axis for axis in range(3) if a.shape[axis] > 1]
    box = bounding_box(a | b)
    surfaces = [_surface(mask[box], axes) for mask in (a, b)]
    steps = [float(length) for length in spacing]
    return _distances(surfaces[0], surfaces[1], steps), _distances(surfaces[1], surfaces[0], steps)


_FROM_COUNTS: dict[str, Callable[[Counts], float]] = {
    "dice": dice,
    "iou": iou,
    "accuracy": accuracy,
    "sensitivity": sensitivity,
    "specificity": specificity,
    "precision": precision,
    "f1": dice,  # the harmonic mean of precision and sensitivity is the Dice coefficient
}
_FROM_SURFACES: dict[str, Callable[[np.ndarray, np.ndarray, Spacing], float]] = {"assd": assd, "hd95": hd95}
METRICS: tuple[str, ...] = (*_FROM_COUNTS, *_FROM_SURFACES)
DISTANCES = frozenset(_FROM_SURFACES)  # in mm; the less the better


def check_names(names: Iterable[str]) -> None:
    """Raise :class:`InputError` for the first name that is no metric."""
    for name in names:
        if name not in METRICS:
            raise InputError(f"there is no metric '{name}'", expected="one of " + ", ".join(METRICS))


def case_metrics(
    predicted: np.ndarray, true: np.ndarray, spacing: Spacing, names: Sequence[str] = METRICS
) -> dict[str, float]:
    """The named metrics of two boolean masks (X, Y, Z); ``spacing`` (3,) in mm. NaN where one is undefined.

    :class:`InputError` for an unknown name, ``ValueError`` for masks that are not boolean or differ in shape.
    """
    check_names(names)
    counts = count(predicted, true)
    return {
        name: _FROM_COUNTS[name](counts) if name in _FROM_COUNTS else _FROM_SURFACES[name](predicted, true, spacing)
        for name in names
    }


def region_masks(label_map: np.ndarray, regions: Sequence[Region]) -> dict[str, np.ndarray]:
    """Boolean masks of the regions, by name, from a label map of integers (any shape)."""
    return {region.name: np.isin(label_map, region.labels) for region in regions}


def summarize(rows: Iterable[Mapping[str, Any]]) -> Summary:
    """``{region: {metric: {mean, std, median, n}}}`` of rows ``{"case": …, "region": …, metric: value, …}``.

    ``std`` is the sample standard deviation (divisor n - 1; NaN for one value). NaN are left out; ``n`` says how many
    values were there. Columns that hold no metric are ignored. Regions and metrics come in the order of the rows.
    """
    values: dict[str, dict[str, list[float]]] = {}
    for row in rows:
        region = values.setdefault(row["region"], {})
        for name in row:
            if name in METRICS:
                region.setdefault(name, []).append(float(row[name]))
    return {
        region: {name: _statistics(np.array(column)) for name, column in columns.items()}
        for region, columns in values.items()
    }


def count_missed(rows: Iterable[Mapping[str, Any]]) -> int:
    """How many rows (as of :func:`summarize`) have Dice 0 although the true mask is not empty (``true_voxels``)."""
    return sum(row.get("dice") == 0 and row.get("true_voxels", 1) > 0 for row in rows)


def confusion_matrix(predicted: np.ndarray, true: np.ndarray, values: Sequence[int]) -> np.ndarray:
    """Voxel counts (n + 1, n + 1), int64: rows are true, columns predicted; background 0 first, then ``values``.

    Both label maps hold integers of one shape; ``ValueError`` for a value that is neither 0 nor one of ``values``.
    """
    if predicted.shape != true.shape:
        raise ValueError(f"label maps of shapes {predicted.shape} and {true.shape} cannot be compared")
    wanted = (0, *values)
    masks = [predicted == value for value in wanted]
    matrix = np.array(
        [[np.count_nonzero(column & (true == row)) for column in masks] for row in wanted], dtype=np.int64
    )
    if int(matrix.sum()) != true.size:
        found = sorted({*np.unique(predicted).tolist(), *np.unique(true).tolist()} - set(wanted))
        raise ValueError(f"a label map has values that are no labels: {found}")
    return matrix


def _ratio(part: int, whole: int, empty: float = math.nan) -> float:
    return part / whole if whole else empty


def _statistics(column: np.ndarray) -> dict[str, float]:
    known = column[np.isfinite(column)]
    n = int(known.size)
    return {
        "mean": float(known.mean()) if n else math.nan,
        "std": float(known.std(ddof=1)) if n > 1 else math.nan,
        "median": float(np.median(known)) if n else math.nan,
        "n": n,
    }


def _surface(mask: np.ndarray, axes: Sequence[int]) -> np.ndarray:
    """The voxels of ``mask`` with a face neighbor outside it along one of ``axes``; outside the array is outside."""
    interior = np.array(mask)
    for axis in axes:
        inner, along = np.moveaxis(interior, axis, 0), np.moveaxis(mask, axis, 0)
        inner[1:] &= along[:-1]
        inner[:-1] &= along[1:]
        inner[0] = inner[-1] = False
    surface: np.ndarray = mask & ~interior
    return surface


def _distances(from_surface: np.ndarray, to_surface: np.ndarray, spacing: list[float]) -> np.ndarray:
    """Distance in mm of each voxel of one surface to the nearest voxel of the other (exact, by Maurer's transform)."""
    import SimpleITK as sitk

    target = sitk.GetImageFromArray(np.ascontiguousarray(to_surface.T).view(np.uint8))
    target.SetSpacing(spacing)
    signed = sitk.SignedMaurerDistanceMap(target, insideIsPositive=False, squaredDistance=False, useImageSpacing=True)
    distances: np.ndarray = sitk.GetArrayFromImage(signed).T[from_surface]
    nearest: np.ndarray = np.maximum(distances, 0)
    return nearest
