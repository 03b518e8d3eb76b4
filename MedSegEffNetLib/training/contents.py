"""Which regions the cases of a training have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from MedSegEffNetLib.dataset.case import Case
from MedSegEffNetLib.dataset.store import INFO, Dataset
from MedSegEffNetLib.job import Job
from MedSegEffNetLib.task import SegmentationTask

if TYPE_CHECKING:
    from MedSegEffNetLib.training.request import Request


@dataclass(frozen=True)
class Contents:
    """What a split holds.

    Parameters
    ----------
    regions : number of cases that have a region, by the region's name.
    fullest : id of the case with the most of every region; empty: no case has any.
    """

    regions: Mapping[str, int]
    fullest: str


def contents_of(request: Request, cases: Sequence[Case], split: str, job: Job) -> Contents:
    """Count the regions in ``cases``: by the records of a curated data set, else by reading every label map.

    A region that a case does not tell (:attr:`Case.regions`) is one that it does not have.
    """
    dataset = Dataset.open(request.data) if (request.data / INFO).is_file() else None
    names = [region.name for region in request.task.regions]
    sizes = np.zeros((len(cases), len(names)))
    for number, case in enumerate(cases):
        volumes = (_recorded(dataset, case, request.task) if dataset else None) or _counted(case, request.task)
        sizes[number] = [volumes[name] if not case.regions or name in case.regions else 0.0 for name in names]
        job.progress(f"Labels of {split}", number + 1, len(cases))
        job.check_stop()
    shares = (sizes / np.maximum(sizes.max(axis=0), 1e-12)).sum(axis=1)
    fullest = cases[int(shares.argmax())].id if shares.any() else ""
    return Contents(dict(zip(names, (sizes > 0).sum(axis=0).tolist(), strict=True)), fullest)


def _recorded(dataset: Dataset, case: Case, task: SegmentationTask) -> dict[str, float]:
    """Volumes of the regions as the data set's record of the label has them; empty if it has none."""
    record = dataset.read(case.id)
    for version in record.labels:
        if version.volumes_ml and case.label is not None and case.label.name == version.file.rpartition("/")[2]:
            volume = {label.value: version.volumes_ml.get(label.name, 0.0) for label in task.labels}
            return {region.name: sum(volume[value] for value in region.labels) for region in task.regions}
    return {}


def _counted(case: Case, task: SegmentationTask) -> dict[str, float]:
    """Voxels of the regions."""
    _, label = case.load()
    if label is None:
        return dict.fromkeys((region.name for region in task.regions), 0.0)
    values, counts = np.unique(label.array, return_counts=True)
    voxels = dict(zip(values.tolist(), counts.tolist(), strict=True))
    return {region.name: float(sum(voxels.get(value, 0) for value in region.labels)) for region in task.regions}
