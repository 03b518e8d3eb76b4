"""What a made image is worth to a segmentation: Dice with the real image, without it, and with the one that was made."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from MedSegEffNetLib import metrics
from MedSegEffNetLib.dataset.case import Case
from MedSegEffNetLib.image import Image
from MedSegEffNetLib.inference.options import Options
from MedSegEffNetLib.inference.predict import segment_case
from MedSegEffNetLib.job import Job
from MedSegEffNetLib.models.bundle import Bundle
from MedSegEffNetLib.synthesis.predict import Synthesis
from MedSegEffNetLib.task import Region

REAL, MISSING, MADE = "dice_real", "dice_missing", "dice_synthesised"


@dataclass
class Downstream:
    """A segmentation model that is given real images of a case, and one that was made from them.

    Parameters
    ----------
    segmenter : the model. task_id : of the task whose values the cases' label maps have; where the model is of another
        one, only the outermost region is compared: all labels together.
    """

    segmenter: Bundle
    task_id: str
    options: Options
    _case: str = ""
    _known: dict[frozenset[str], np.ndarray] = field(default_factory=dict)

    def rows(self, case: Case, images: Mapping[str, Image], label: Image, made: Synthesis) -> list[dict[str, Any]]:
        """A row a region, with Dice from the inputs that ``made`` was made from and the real image, from these inputs
        alone (NaN where the model needs the image), and from them and ``made``.

        None where the model does not take the image, or needs another one that is not among the inputs.
        """
        channels = {channel.name: channel for channel in self.segmenter.channels}
        target = made.target
        given = {name: images[name] for name in made.inputs if name in channels}
        needed = {name for name, channel in channels.items() if channel.required} - {target}
        if target not in channels or not needed <= set(given):
            return []
        if self._case != case.id:
            self._case, self._known = case.id, {}
        found = {
            REAL: self._of_real({**given, target: images[target]}),
            MISSING: None if channels[target].required or not given else self._of_real(given),
            MADE: self._segmented({**given, target: made.image}),
        }
        return [
            {
                "region": f"segmented {region.title}",
                **{name: _dice(labels, label.array, region.labels) for name, labels in found.items()},
            }
            for region in self._regions(case)
        ]

    def _regions(self, case: Case) -> Sequence[Region]:
        """Those whose true extent is known; all labels of another task's map are taken for the outermost one."""
        regions = self.segmenter.regions
        if self.segmenter.task_id == self.task_id:
            return [region for region in regions if not case.regions or region.name in case.regions]
        outermost = max(regions, key=lambda region: len(region.labels))
        return [Region(outermost.name, outermost.title, (), outermost.writes)]

    def _of_real(self, images: Mapping[str, Image]) -> np.ndarray:
        key = frozenset(images)
        if key not in self._known:
            self._known[key] = self._segmented(images)
        return self._known[key]

    def _segmented(self, images: Mapping[str, Image]) -> np.ndarray:
        return segment_case(images, self.segmenter, self.options, Job.open(None, {})).label_map.array


def _dice(found: np.ndarray | None, true: np.ndarray, values: Sequence[int]) -> float:
    """Dice of the labels ``values``, or of all of them (none named); NaN where nothing was segmented."""
    if found is None:
        return math.nan
    masks = [np.isin(array, values) if values else array > 0 for array in (found, true)]
    return metrics.dice(metrics.count(*masks))
