"""From probabilities to an exclusive label map, with clean-up of each region on the way.

A clean-up step is a frozen dataclass in :data:`STEPS`; models name steps by key with arguments, as
``{"name": "remove_small_islands", "arguments": {"min_voxels": 20}}``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.geometry import bounding_box
from MedSegEffNetLib.image import count_values
from MedSegEffNetLib.task import Label, Region

CleanUp = Callable[[np.ndarray, Sequence[float]], np.ndarray]


@dataclass(frozen=True)
class RemoveSmallIslands:
    """Remove small connected pieces (face, edge or corner neighbors).

    Parameters
    ----------
    min_mm3, min_voxels : the size of the smallest piece that stays, in cubic mm or voxels.
    min_share : the same as a share of the largest piece, which is as good for small structures as for large ones.
    """

    min_mm3: float = 0.0
    min_voxels: int = 0
    min_share: float = 0.0

    def __post_init__(self) -> None:
        limits = (self.min_mm3, self.min_voxels, self.min_share)
        if min(limits) < 0 or not any(limits) or self.min_share > 1:
            raise ValueError("remove_small_islands needs min_mm3, min_voxels or min_share (at most 1) above 0")

    def __call__(self, mask: np.ndarray, spacing: Sequence[float]) -> np.ndarray:
        voxel = float(np.prod(spacing))
        least = max(self.min_voxels, int(np.ceil(self.min_mm3 / voxel - 1e-9)))

        def large_pieces(box: Any, sitk: Any) -> Any:
            order = sitk.RelabelComponentImageFilter()
            order.SortByObjectSizeOn()
            pieces = order.Execute(sitk.ConnectedComponent(box, True))
            sizes = np.array(order.GetSizeOfObjectsInPixels())
            stay = np.count_nonzero(sizes >= max(least, self.min_share * sizes[0]))
            return sitk.BinaryThreshold(pieces, 1, float(stay)) if stay else pieces * 0

        return _in_box(mask, large_pieces)


@dataclass(frozen=True)
class KeepLargest:
    """Keep only the largest connected piece (face, edge or corner neighbors)."""

    def __call__(self, mask: np.ndarray, spacing: Sequence[float]) -> np.ndarray:
        return _in_box(mask, lambda box, sitk: sitk.RelabelComponent(sitk.ConnectedComponent(box, True)) == 1)


@dataclass(frozen=True)
class FillHoles:
    """Fill cavities that no path over voxel faces connects with the outside (a slice: within the slice)."""

    def __call__(self, mask: np.ndarray, spacing: Sequence[float]) -> np.ndarray:
        return _in_box(mask, lambda box, sitk: sitk.BinaryFillhole(box, fullyConnected=False, foregroundValue=1))


STEPS: dict[str, type[RemoveSmallIslands] | type[KeepLargest] | type[FillHoles]] = {
    "remove_small_islands": RemoveSmallIslands,
    "keep_largest": KeepLargest,
    "fill_holes": FillHoles,
}


def clean_ups(entries: Sequence[Mapping[str, Any]]) -> list[CleanUp]:
    """The steps of ``[{"name", "arguments"}, …]``, ready to be called with a mask (X, Y, Z) and a spacing in mm.

    :class:`InputError` for an unknown step or arguments that it does not take.
    """
    found: list[CleanUp] = []
    for entry in entries:
        name, arguments = entry["name"], entry.get("arguments", {})
        if name not in STEPS:
            raise InputError(f"there is no clean-up step '{name}'", expected="one of " + ", ".join(STEPS))
        try:
            found.append(STEPS[name](**arguments))
        except (TypeError, ValueError) as error:
            raise InputError(f"the clean-up step '{name}' cannot be set to {dict(arguments)}: {error}") from error
    return found


def regions_to_label_map(
    probabilities: np.ndarray,
    regions: Sequence[Region],
    thresholds: Sequence[float],
    activation: Literal["sigmoid", "softmax"] = "sigmoid",
    nested: bool = True,
    steps: Sequence[Mapping[str, Any]] = (),
    spacing: Sequence[float] = (1.0, 1.0, 1.0),
) -> np.ndarray:
    """Label map (X, Y, Z) uint8 from ``probabilities``; regions run from the outermost to the innermost.

    ``sigmoid``: probabilities (R, X, Y, Z), a region is where its own is at least its threshold (one a region), and
    where ``nested`` it is cut to the region before it. ``softmax``: probabilities (R + 1, X, Y, Z), background first,
    the greatest wins (the earlier one of equals; thresholds play no part). ``steps`` then clean each region
    (``spacing`` in mm), a nested one is cut again, and each region writes its label over those before it.

    ``ValueError`` for numbers of maps, thresholds and regions that do not fit; :class:`InputError` for a bad step.
    """
    softmax = activation == "softmax"
    expected = len(regions) + softmax
    if probabilities.ndim != 4 or probabilities.shape[0] != expected:
        raise ValueError(f"{activation} of {len(regions)} regions takes {expected} maps, not {probabilities.shape}")
    if not softmax and len(thresholds) != len(regions):
        raise ValueError(f"{len(regions)} regions need as many thresholds, not {len(thresholds)}")
    cleaning = clean_ups(steps)
    winner = _greatest(probabilities) if softmax else None
    label_map = np.zeros_like(probabilities[0], dtype=np.uint8)
    outer: np.ndarray | None = None
    for number, region in enumerate(regions):
        mask = probabilities[number] >= thresholds[number] if winner is None else winner == number + 1
        if outer is not None:
            mask &= outer
        for step in cleaning:
            mask = step(mask, spacing)
        if outer is not None:
            mask &= outer
        label_map[mask] = region.writes
        if nested and not softmax:
            outer = mask
    return label_map


def volumes_ml(label_map: np.ndarray, labels: Sequence[Label], spacing: Sequence[float]) -> dict[str, float]:
    """Volume in mL of each label by name; ``spacing`` (3,) in mm."""
    voxel = float(np.prod(spacing)) / 1000
    counts = count_values(label_map)
    return {label.name: counts.get(label.value, 0) * voxel for label in labels}


def uncertainty(probabilities: np.ndarray) -> np.ndarray:
    """How unsure the prediction is, (X, Y, Z) float32 from 0 (sure) to 1 (an even chance), from regions (R, X, Y, Z).

    The largest binary entropy of a region's probability in bits, ``-p log2 p - (1 - p) log2 (1 - p)`` (Shannon, 1948).
    Of a mean over networks or flips it is the predictive entropy of the ensemble, which rises where they disagree as well
    as where each is unsure (Lakshminarayanan et al., NeurIPS 2017). It grows with the nearness of ``p`` to 0.5, so that the
    entropy of the region nearest to 0.5 is the largest one.
    """
    nearest = np.abs(probabilities[0] - np.float32(0.5))
    for part in probabilities[1:]:
        np.minimum(nearest, np.abs(part - np.float32(0.5)), out=nearest)
    p = np.clip(np.float32(0.5) + nearest, 0.5, 1)
    entropy = -p * np.log2(p)
    rest = 1 - p
    np.subtract(entropy, rest * np.log2(np.maximum(rest, np.float32(1e-12))), out=entropy)
    clipped: np.ndarray = np.clip(entropy, 0, 1).astype(np.float32, copy=False)
    return clipped


def _greatest(maps: np.ndarray) -> np.ndarray:
    """Number of the greatest map (uint8) at each voxel: ``argmax`` without its 8 bytes a voxel."""
    best = np.array(maps[0])
    winner = np.zeros_like(best, dtype=np.uint8)
    for number in range(1, len(maps)):
        better = maps[number] > best
        winner[better] = number
        np.copyto(best, maps[number], where=better)
    return winner


def _in_box(mask: np.ndarray, work: Callable[[Any, Any], Any]) -> np.ndarray:
    """``work(box, sitk)`` on the bounding box of a boolean mask (X, Y, Z), as an ITK image, in a mask of the old size.

    An axis on which the whole volume has length 1 is left out: a slice is two-dimensional.
    """
    import SimpleITK as sitk

    if not mask.any():
        return mask
    box = bounding_box(mask)
    lengths = mask[box].shape
    kept = [n for n, whole in zip(lengths, mask.shape, strict=True) if whole > 1]
    flat = mask[box].reshape(kept + [1] * (2 - len(kept)))
    image = sitk.GetImageFromArray(np.ascontiguousarray(flat.T).view(np.uint8))
    done = sitk.GetArrayFromImage(work(image, sitk)).T
    result = np.zeros_like(mask)
    result[box] = done.reshape(lengths).astype(bool)
    return result
