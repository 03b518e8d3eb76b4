"""What the layouts with a volume a channel share."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from MedSegEffNetLib.dataset.case import Case
from MedSegEffNetLib.dataset.readers import check_label_values
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.image import GRID_TOLERANCE, Image, read, read_label_map, same_grid
from MedSegEffNetLib.task import SegmentationTask


def volume_case(
    folder: Path,
    images: Mapping[str, Path],
    label: Path | None,
    task: SegmentationTask,
    *,
    patient: str,
    split: str = "",
    values: Mapping[int, int] | None = None,
) -> Case:
    """A case whose files are known; ``values`` says which value of the file is which one of the task."""
    load = functools.partial(_load, dict(images), label, task, dict(values or {}))
    return Case(folder.name, patient, split, load)


def _load(
    images: Mapping[str, Path], label: Path | None, task: SegmentationTask, values: Mapping[int, int]
) -> tuple[dict[str, Image], Image | None]:
    loaded = {name: read(path) for name, path in images.items()}
    first = next(iter(loaded.values()))
    for name, image in loaded.items():
        if not same_grid(first, image, GRID_TOLERANCE):
            raise _other_grid(images[name], images)
    if label is None:
        return loaded, None
    label_map = read_label_map(label, task.labels)
    if not same_grid(first, label_map, GRID_TOLERANCE):
        raise _other_grid(label, images)
    table = np.arange(256, dtype=np.uint8)
    for old, new in values.items():
        table[old] = new
    if label_map.array.min() < 0 or label_map.array.max() > 255:
        raise InputError(f"{label} has label values outside 0..255")
    return loaded, check_label_values(label_map.with_array(table[label_map.array]), task, label)


def _other_grid(path: Path, images: Mapping[str, Path]) -> InputError:
    first = next(iter(images.values()))
    return InputError(
        f"{path} lies on another grid than {first}",
        expected="images and label map of a case with the same voxels (to a tenth of one)",
        hint=f"resample it onto the grid of {first.name}, or take the case out of the folder",
    )
