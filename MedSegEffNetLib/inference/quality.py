"""How far a segmentation can be trusted: measured on its probabilities, judged, and told in sentences.

Nothing here proves a result right: ``ok`` says that none of the known signs speaks against it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from MedSegEffNetLib.image import Image
from MedSegEffNetLib.inference.doubts import find_doubts
from MedSegEffNetLib.measures import doubt_all
from MedSegEffNetLib.models.bundle import Bundle
from MedSegEffNetLib.task import Region, SegmentationTask, VolumeRange, list_tasks

Measures = Mapping[str, Mapping[str, float]]  # name of the measure → region → value

LEAST_CONFIDENCE = 0.7
LEAST_AGREEMENT = 0.5
MOST_OUTSIDE = 0.1
_FEW_VOXELS = 50  # of a region: nearly all of them lie at its border, where every network is unsure


@dataclass(frozen=True)
class Quality:
    """What is known of a segmentation's quality.

    Parameters
    ----------
    reasons : sentences, each of which makes the result doubtful.
    measures : by name (``confidence``, ``outside``, ``agreement``) and region, each from 0 to 1; see :class:`Meter`.
    """

    reasons: tuple[str, ...] = ()
    measures: Measures = field(default_factory=dict)

    @property
    def flag(self) -> Literal["ok", "doubtful"]:
        """``doubtful`` if there is a reason."""
        return "doubtful" if self.reasons else "ok"

    def as_mapping(self) -> dict[str, Any]:
        """Ready for an event."""
        rounded = {
            name: {region: round(value, 4) for region, value in values.items()}
            for name, values in self.measures.items()
        }
        return {"flag": self.flag, "reasons": list(self.reasons), "measures": rounded}


def assess(
    bundle: Bundle,
    images: Mapping[str, Image],
    label_map: Image,
    measures: Measures,
    volumes_ml: Mapping[str, float],
    doubts: Sequence[str] = (),
) -> Quality:
    """The quality of a result of ``bundle``, judged by what its task declares.

    Parameters
    ----------
    images : ready for the network, by channel; of the result's grid.
    label_map : the result.
    volumes_ml : of each label by name.
    doubts : what made the result doubtful before there was one.
    """
    task = list_tasks().get(bundle.task_id)
    if not isinstance(task, SegmentationTask):
        return judge(measures, bundle.regions, {}, {}, doubts)
    grid = next(iter(images.values()))
    volumes = {}
    if grid.spacing_known and min(grid.shape) > 1:  # a slice has no volume to speak of
        of_value = {label.value: volumes_ml[label.name] for label in bundle.labels}
        volumes = {region.name: sum(of_value[value] for value in region.labels) for region in bundle.regions}
    all_doubts = [*find_doubts(task, images), *doubts, *doubt_all(task.measures, label_map, task.labels)]
    return judge(measures, bundle.regions, volumes, task.plausible_ml, all_doubts)


class Meter:
    """Measures what a model's probabilities say of themselves, part by part of a case.

    ``confidence`` is the Dice overlap of a region's mask with its own probabilities, ``2 Σ p·m / (Σ p + Σ m)``, where
    ``m`` is 1 from the region's threshold on: the Dice score to be expected if the probabilities are right (soft Dice
    confidence; Borges et al., arXiv:2402.10665). ``outside``: the share of a nested region's voxels outside of the region
    before it, which are cut away. ``agreement``: the mean Dice overlap of all pairs of networks that vote for a region,
    ``Σ c (c - 1) / ((n - 1) Σ c)`` with the number ``c`` of the ``n`` networks that see it at a voxel (sums over pairs
    before dividing); it foretells the true overlap (Roy et al., NeuroImage 195, 2019; Hann et al., Medical Image
    Analysis 71, 2021). Regions of less than 50 voxels are not measured.
    """

    def __init__(self, regions: Sequence[Region], thresholds: Sequence[float], nested: bool) -> None:
        self._names = [region.name for region in regions]
        self._thresholds = thresholds
        self._nested = nested
        # By region: voxels of the mask, probability in it and in all, voxels outside of the region before.
        self._sums = np.zeros((len(regions), 4))
        self._votes: dict[str, np.ndarray] = {}

    @classmethod
    def of(cls, bundle: Bundle) -> Meter:
        """For the outputs of a model."""
        nested = bundle.info["nested"] and bundle.info["activation"] == "sigmoid"
        return cls(bundle.regions, bundle.info["thresholds"], nested)

    def add(self, maps: np.ndarray, votes: Mapping[str, np.ndarray]) -> None:
        """A part of the case.

        Parameters
        ----------
        maps : (R, x, y, z) probabilities; a background before the regions is left out.
        votes : region → how many voxels 0, 1, … of the networks that vote for it see it in.
        """
        outer: np.ndarray | None = None
        for number, part in enumerate(maps[len(maps) - len(self._names) :]):
            flat = part.ravel(order="K")  # in the order in which it lies in memory: maps are views with turned axes
            mask = flat >= self._thresholds[number]
            beyond = np.count_nonzero(mask > outer) if outer is not None and self._nested else 0
            self._sums[number] += (np.count_nonzero(mask), flat[mask].sum(), flat.sum(), beyond)
            outer = mask
        for region, counts in votes.items():
            self._votes[region] = self._votes.get(region, 0) + counts

    def measures(self) -> Measures:
        """``confidence``, ``outside`` and ``agreement`` of what was added, where there is something to measure."""
        measured = [(name, *sums) for name, sums in zip(self._names, self._sums, strict=True) if sums[0] >= _FEW_VOXELS]
        found: dict[str, dict[str, float]] = {
            "confidence": {
                name: float(2 * inside / (everywhere + voxels)) for name, voxels, inside, everywhere, _ in measured
            },
            "outside": {name: float(beyond / voxels) for name, voxels, _, _, beyond in measured if self._nested},
            "agreement": {},
        }
        for region, counts in self._votes.items():
            numbers = np.arange(len(counts))
            total = (numbers * counts).sum()
            if total >= _FEW_VOXELS:
                together = (numbers * (numbers - 1) * counts).sum() / ((len(counts) - 2) * total)
                found["agreement"][region] = float(together)
        return found


def judge(
    measures: Measures,
    regions: Sequence[Region],
    volumes: Mapping[str, float],
    plausible: Mapping[str, VolumeRange],
    doubts: Sequence[str] = (),
) -> Quality:
    """The quality that follows from ``measures``, volumes and what the images made doubtful before (``doubts``).

    Parameters
    ----------
    volumes : mL of each region by name; empty: not known.
    plausible : the volumes that a region can have.
    """
    reasons = list(doubts)
    if volumes and not any(volumes.values()) and not any(limits.always for limits in plausible.values()):
        reasons.append(
            f"Nothing was found, no {regions[0].title} either. That is no proof that there is none: look at the images."
        )
    for region in regions:
        outside = measures.get("outside", {}).get(region.name, 0.0)
        together = measures.get("agreement", {}).get(region.name, 1.0)
        sure = measures.get("confidence", {}).get(region.name, 1.0)
        if together < LEAST_AGREEMENT:
            reasons.append(
                f"The networks disagree on the {region.title}: their masks overlap by {together:.0%} on average."
            )
        if sure < LEAST_CONFIDENCE:
            reasons.append(
                f"The {region.title} is uncertain: the model itself expects an overlap (Dice) of {sure:.2f} with the truth."
            )
        if outside > MOST_OUTSIDE:
            reasons.append(
                f"{outside:.0%} of what was taken for {region.title} lay outside of the region that contains it, and was "
                "cut away."
            )
        if region.name in volumes and region.name in plausible:
            reasons += _of_volume(region, volumes[region.name], plausible[region.name])
    return Quality(tuple(dict.fromkeys(reasons)), measures)


def _of_volume(region: Region, volume: float, plausible: VolumeRange) -> list[str]:
    usual = f"{plausible.low:g} to {plausible.high:g} mL are plausible"
    if volume == 0:
        return [f"No {region.title} was found, though every patient has it."] if plausible.always else []
    if not plausible.low <= volume <= plausible.high:
        return [f"The {region.title} measures {volume:.3g} mL; {usual}."]
    return []
