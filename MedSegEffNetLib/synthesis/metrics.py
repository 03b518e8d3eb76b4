"""How close a synthesised image comes to the real one: NMAE, PSNR, SSIM, VIF, and how natural it looks: NIQE.

Both images are compared in normalized units (after N4, clipping and z-score), brought to 0..1 by the *range of the real
image inside of the head* (of the brain where the images are skull-stripped; its smallest and largest value there, which
the clipping has put at the 1st and 99th percentile): the data range of every metric is 1. Outside both are 0. Volumes are
``(X, Y, Z)`` with axial slices along the last axis; metrics of pictures are taken slice by slice.

SSIM is that of scikit-image, VIF that of torchmetrics; NIQE has no well-kept implementation and is written out here. The
packages are loaded when they are first used (extra ``train``); NMAE and PSNR need none.
"""

from __future__ import annotations

import functools
import importlib
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from MedSegEffNetLib.errors import MissingPackage
from MedSegEffNetLib.resources import resources_folder

NAMES = ("nmae", "psnr", "ssim", "vif", "niqe")
LOWER_IS_BETTER = frozenset({"nmae", "niqe"})
_LEAST_VIF = 41  # pixels a side that the four scales of VIF take
_LEAST_SLICE = 64  # pixels of a region in a slice, below which the slice has no VIF or NIQE
PATCH = 48  # pixels a side of NIQE's patches; 96 in the original, of pictures far larger than a brain
_COVERED = 0.6  # of a patch that must be inside
_SHARP = 0.75  # of the sharpest patch: duller ones teach nothing of natural pictures
_C = 1 / 255  # keeps flat parts from being divided by 0: 1 in the original, of pictures up to 255
_ENHANCES = 1.0  # standard deviations by which contrast agent brightens a voxel that counts as enhancing
_LEAST_ENHANCING = 30  # voxels
_SHAPES = np.arange(0.2, 10.001, 0.001)


def compare(
    real: np.ndarray, made: np.ndarray, mask: np.ndarray, head: np.ndarray, target: str = ""
) -> dict[str, float]:
    """All metrics of ``made`` against ``real`` in the region ``mask``, NaN where one is undefined.

    Parameters
    ----------
    real, made : ``(X, Y, Z)`` in the same units.
    mask : ``(X, Y, Z)`` boolean, the voxels that count. head : those that set the data range; outside all is 0.
    target : channel, for NIQE's reference; empty: NIQE is left out.
    """
    one, other = scaled(real, made, head)
    figures = {
        "nmae": nmae(one, other, mask),
        "psnr": psnr(one, other, mask),
        "ssim": ssim(one, other, mask),
        "vif": vif(one, other, mask),
    }
    if target:
        figures["niqe"] = niqe(other, mask, references().get(target))
    return figures


def scaled(real: np.ndarray, made: np.ndarray, head: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both images (float32) with the real one's range inside of ``head`` at 0..1, ``made`` cut to it, and 0 outside.

    ``ValueError`` if ``head`` is empty or the real image has no contrast in it.
    """
    values = real[head]
    if not values.size or not values.max() > values.min():
        raise ValueError("the real image has no contrast inside of the head")
    low, span = float(values.min()), float(values.max() - values.min())
    one = np.where(head, (real - low) / span, 0).astype(np.float32)
    other = np.where(head, np.clip((made - low) / span, 0, 1), 0).astype(np.float32)
    return one, other


def nmae(real: np.ndarray, made: np.ndarray, mask: np.ndarray) -> float:
    """Normalized mean absolute error: the mean of ``|real - made|`` over ``mask``, by the data range (1). 0 is best."""
    return float(np.abs(real - made)[mask].mean()) if mask.any() else math.nan


def psnr(real: np.ndarray, made: np.ndarray, mask: np.ndarray) -> float:
    """Peak signal-to-noise ratio in dB, ``10 log10(1 / MSE)`` with the MSE over ``mask``; infinite for equal images."""
    if not mask.any():
        return math.nan
    error = float(np.square(real[mask].astype(np.float64) - made[mask]).mean())
    return 10 * math.log10(1 / error) if error else math.inf


def enhancement(native: np.ndarray, real: np.ndarray, made: np.ndarray, mask: np.ndarray, head: np.ndarray) -> float:
    """Share of the contrast enhancement in ``mask`` that a made T1 post-contrast shows: 1 all of it, 0 none.

    It is the mean brightening of the voxels that enhance, made by real; brightening is the difference to ``native``, the T1
    without contrast agent, less its median over ``head``. All in normalized units ``(X, Y, Z)``. A voxel enhances where the
    real brightening is above 1; NaN where fewer than 30 in ``mask`` do.
    """
    truly, shown = (image - native - np.median((image - native)[head]) for image in (real, made))
    enhancing = mask & (truly > _ENHANCES)
    if np.count_nonzero(enhancing) < _LEAST_ENHANCING:
        return math.nan
    return float(shown[enhancing].mean() / truly[enhancing].mean())


def ssim(real: np.ndarray, made: np.ndarray, mask: np.ndarray) -> float:
    """Structural similarity, 1 at best: the mean over ``mask`` of each slice's SSIM map.

    Gaussian window of sigma 1.5, K1 = 0.01, K2 = 0.03, as Wang et al., IEEE TIP 13(4), 2004; data range 1. Windows at the
    edge of ``mask`` see what lies beyond it.
    """
    structural_similarity = _package("skimage.metrics").structural_similarity
    total, count = 0.0, 0
    for index in _slices(mask, 1):
        _, similar = structural_similarity(
            real[..., index], made[..., index],
            data_range=1.0, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, full=True,
        )  # fmt: skip
        total += float(similar[mask[..., index]].sum())
        count += int(np.count_nonzero(mask[..., index]))
    return total / count if count else math.nan


def vif(real: np.ndarray, made: np.ndarray, mask: np.ndarray) -> float:
    """Visual information fidelity in the pixel domain (Sheikh and Bovik, IEEE TIP 15(2), 2006), the mean over slices.

    1 for equal images. VIF has no data range of its own but a noise variance of 2 for pictures up to 255, to which the
    images are brought. It is taken of the box around ``mask``, widened to 41 pixels where it is smaller: pictures have
    windows, not voxels. Slices in which ``mask`` has less than 64 pixels do not count.
    """
    indices = _slices(mask, _LEAST_SLICE)
    if not indices or min(mask.shape[:2]) < _LEAST_VIF:
        return math.nan
    torch, functional = _package("torch"), _package("torchmetrics.functional.image")
    found = []
    for index in indices:
        box = _box(mask[..., index], _LEAST_VIF)
        one, other = (
            torch.from_numpy(np.ascontiguousarray(image[..., index][box]) * np.float32(255))[None, None]
            for image in (real, made)
        )
        found.append(float(functional.visual_information_fidelity(other, one, sigma_n_sq=2.0)))
    return float(np.mean(found))


def niqe(image: np.ndarray, mask: np.ndarray, reference: tuple[np.ndarray, np.ndarray] | None) -> float:
    """Natural image quality evaluator (Mittal et al., IEEE SPL 20(3), 2013), the mean over slices; less is better.

    The distance of the slice's patches (48 pixels, at least 60 % of them in ``mask``) to those of real slices of the same
    channel, ``reference``, by 36 statistics of normalized luminance. NaN without a reference or a patch. Not comparable
    with published values: those stand on another reference, of photographs mostly, and other patches.
    """
    if reference is None:
        return math.nan
    mean, covariance = reference
    found = []
    for index in _slices(mask, PATCH * PATCH // 2):
        features = niqe_features(image[..., index], mask[..., index])
        if len(features):
            difference = features.mean(axis=0) - mean
            own = np.cov(features, rowvar=False) if len(features) > 1 else np.zeros_like(covariance)
            found.append(math.sqrt(max(0.0, float(difference @ np.linalg.pinv((covariance + own) / 2) @ difference))))
    return float(np.mean(found)) if found else math.nan


def niqe_features(picture: np.ndarray, mask: np.ndarray, sharpest: bool = False) -> np.ndarray:
    """The 36 statistics of each patch of a picture ``(X, Y)`` in 0..1 that lies in ``mask``, ``(patches, 36)``.

    Parameters
    ----------
    sharpest : keep only patches at least three quarters as sharp as the sharpest one, as a reference does.
    """
    starts = _patches(mask)
    if not starts:
        return np.zeros((0, 36))
    halves = _halved(picture)
    levels = [(_normalized(picture), 1), (_normalized(halves), 2)]
    sharpness = [levels[0][0][1][x : x + PATCH, y : y + PATCH].mean() for x, y in starts]
    if sharpest:
        starts = [start for start, own in zip(starts, sharpness, strict=True) if own >= _SHARP * max(sharpness)]
    rows = []
    for x, y in starts:
        row: list[float] = []
        for (normalized, _), factor in levels:
            side = PATCH // factor
            row += _statistics(normalized[x // factor :, y // factor :][:side, :side])
        rows.append(row)
    return np.array(rows)


@functools.cache
def references() -> Mapping[str, tuple[np.ndarray, np.ndarray]]:
    """NIQE's reference of each channel that there is one for (``Resources/Metrics/niqe.json`` tells of which data)."""
    path = reference_file()
    stored: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["channels"] if path.is_file() else {}
    return {name: (np.array(fit["mean"]), np.array(fit["covariance"])) for name, fit in stored.items()}


def reference_file() -> Path:
    """Where the references lie."""
    return resources_folder() / "Metrics" / "niqe.json"


def _slices(mask: np.ndarray, least: int) -> list[int]:
    """The slices in which ``mask`` has ``least`` voxels or more."""
    return np.flatnonzero(np.count_nonzero(mask, axis=(0, 1)) >= least).tolist()  # type: ignore[no-any-return]


def _box(mask: np.ndarray, least: int) -> tuple[slice, slice]:
    """The smallest box around ``mask`` (X, Y) of at least ``least`` pixels a side."""
    sides = []
    for axis in range(2):
        found = np.flatnonzero(mask.any(axis=1 - axis))
        first, last = int(found[0]), int(found[-1]) + 1
        length = max(least, last - first)
        start = min(max(0, (first + last - length) // 2), mask.shape[axis] - length)
        sides.append(slice(start, start + length))
    return sides[0], sides[1]


def _patches(mask: np.ndarray) -> list[tuple[int, int]]:
    """First pixels of the patches, side by side from the corner of the box around ``mask``, that are mostly in it."""
    if not mask.any() or min(mask.shape) < PATCH:
        return []
    box = _box(mask, PATCH)
    return [
        (x, y)
        for x in range(box[0].start // 2 * 2, box[0].stop - PATCH + 1, PATCH)
        for y in range(box[1].start // 2 * 2, box[1].stop - PATCH + 1, PATCH)
        if mask[x : x + PATCH, y : y + PATCH].mean() >= _COVERED
    ]


def _halved(picture: np.ndarray) -> np.ndarray:
    """Half as many pixels a side, each the mean of four."""
    x, y = (length // 2 * 2 for length in picture.shape)
    halved: np.ndarray = picture[:x, :y].reshape(x // 2, 2, y // 2, 2).mean(axis=(1, 3))
    return halved


def _normalized(picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Luminance less its local mean, by its local deviation, and that deviation; Gaussian window of 7 pixels."""
    gaussian = functools.partial(_package("scipy.ndimage").gaussian_filter, sigma=7 / 6, truncate=2.6, mode="nearest")
    picture = picture.astype(np.float64)
    mean = gaussian(picture)
    deviation = np.sqrt(np.abs(gaussian(picture * picture) - mean * mean))
    return (picture - mean) / (deviation + _C), deviation


def _statistics(patch: np.ndarray) -> list[float]:
    """18 statistics of a normalized patch: of its values, and of the products of neighbors in four directions."""
    shape, left, right, _ = _asymmetric_gaussian(patch)
    found = [shape, (left + right) / 2]
    for step in ((0, 1), (1, 0), (1, 1), (1, -1)):
        shape, left, right, mean = _asymmetric_gaussian(patch * np.roll(patch, step, axis=(0, 1)))
        found += [shape, mean, left, right]
    return found


def _asymmetric_gaussian(values: np.ndarray) -> tuple[float, float, float, float]:
    """Shape, left and right scale, and mean of an asymmetric generalized Gaussian fitted by moments (Lasmar, ICIP 2009)."""
    below, above = values[values < 0], values[values > 0]
    left = math.sqrt(np.square(below).mean()) if below.size else 1e-6
    right = math.sqrt(np.square(above).mean()) if above.size else 1e-6
    ratio = left / right
    spread = np.abs(values).mean() ** 2 / max(float(np.square(values).mean()), 1e-12)
    wanted = spread * (ratio**3 + 1) * (ratio + 1) / (ratio**2 + 1) ** 2
    shape = float(_SHAPES[int(np.abs(_moment_ratios() - wanted).argmin())])
    one, two, three = (math.gamma(order / shape) for order in (1, 2, 3))
    left, right = (scale * math.sqrt(one / three) for scale in (left, right))
    return shape, left, right, (right - left) * two / one


@functools.cache
def _moment_ratios() -> np.ndarray:
    """Squared mean absolute value by variance of a generalized Gaussian, for each of the shapes."""
    return np.array([math.gamma(2 / s) ** 2 / (math.gamma(1 / s) * math.gamma(3 / s)) for s in _SHAPES])


def _package(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing = (error.name or name).replace("skimage", "scikit-image")
        raise MissingPackage("measuring synthesised images", missing) from error


def summarize(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, dict[str, dict[str, float]]]]:
    """``{task: {region: {metric: {mean, std, median, n}}}}`` of rows with ``task``, ``region`` and metrics.

    Undefined and infinite values do not count; std is that of a sample (n - 1).
    """
    found: dict[str, dict[str, dict[str, dict[str, float]]]] = {}
    for row in rows:
        found.setdefault(str(row["task"]), {}).setdefault(str(row["region"]), {})
    for task, regions in found.items():
        for region, columns in regions.items():
            chosen = [row for row in rows if row["task"] == task and row["region"] == region]
            for metric in dict.fromkeys(name for row in chosen for name in row if isinstance(row[name], float)):
                values = np.array([row[metric] for row in chosen if math.isfinite(row.get(metric, math.nan))])
                columns[metric] = {
                    "mean": float(values.mean()) if values.size else math.nan,
                    "std": float(values.std(ddof=1)) if values.size > 1 else math.nan,
                    "median": float(np.median(values)) if values.size else math.nan,
                    "n": int(values.size),
                }
    return found
