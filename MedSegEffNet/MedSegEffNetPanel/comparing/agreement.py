"""How much of a label map another one says, label by label: quick enough to follow every edit. Works in a thread."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from MedSegEffNetLib.metrics import Counts, confusion_matrix, dice
from MedSegEffNetLib.task import SegmentationTask


@dataclass(frozen=True)
class Agreement:
    """One label, or a region of several.

    Parameters
    ----------
    value : of the label; 0: a region.
    dice : 1 where both are empty. here, there : voxels.
    """

    title: str
    value: int
    dice: float
    here: int
    there: int


def agreement(here: np.ndarray, there: np.ndarray, task: SegmentationTask) -> list[Agreement]:
    """Dice of two label maps of one shape with the task's values, of its labels and of its regions of several.

    Raises
    ------
    ValueError
        A value is no label of the task.
    """
    values = [label.value for label in task.labels]
    matrix = confusion_matrix(here, there, values)  # rows are there, columns here
    parts: list[tuple[str, int, tuple[int, ...]]]
    parts = [(label.name, label.value, (label.value,)) for label in task.labels]
    parts += [(region.name, 0, region.labels) for region in task.regions if len(region.labels) > 1]
    rows = []
    for title, value, labels in parts:
        places = [values.index(label) + 1 for label in labels]
        both = int(matrix[np.ix_(places, places)].sum())
        in_here, in_there = int(matrix[:, places].sum()), int(matrix[places].sum())
        counts = Counts(both, in_here - both, in_there - both, 0)
        rows.append(Agreement(title, value, dice(counts), in_here, in_there))
    return rows
