"""TCGA-LGG slices (Buda et al.) as volumes, for tasks in 3D: ``TCGA_CS_4941_19960909/001.webp`` with ``001_mask.png``.

The pictures' red, green and blue are T1, FLAIR and T1 post-contrast. The masks tell the whole tumor alone, so that the
inner regions of a task are not known. Pictures store no voxel size; 1 x 1 x 5 mm is typical of the set and assumed.
"""

from __future__ import annotations

import functools
from dataclasses import replace
from pathlib import Path

import numpy as np

from MedSegEffNetLib.dataset.case import Case
from MedSegEffNetLib.dataset.readers.slice_images import (
    has_masks,
    load_masks,
    patients_in,
    read_split_file,
    sources_of,
)
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.image import Image
from MedSegEffNetLib.image import read as read_image
from MedSegEffNetLib.task import SegmentationTask, Task

LAYOUT = "TCGA-LGG as volumes: [train|val|test/]TCGA_…/001.webp (or .tif; T1, FLAIR, T1ce) with 001_mask.png"
_COMPONENTS = ("t1", "flair", "t1ce")
_NAME = "TCGA_"
_SLICE_DISTANCE = 5.0  # mm


def detect(folder: Path, task: SegmentationTask) -> bool:
    """Whether the task is one in 3D of these channels and there is a patient's folder called after TCGA."""
    return _fits(task) and bool(_patients(folder))


def is_patient(folder: Path, task: Task) -> bool:
    """Whether ``folder`` is that of one patient of the set, for a task as above."""
    return _fits(task) and folder.resolve().name.startswith(_NAME)


def read_images(patient: Path) -> dict[str, Image]:
    """The images of a patient's folder by channel; an :class:`InputError` if its pictures have other components."""
    image = read_image(patient)
    if image.n_channels != len(_COMPONENTS):
        raise InputError(
            f"{patient} has {image.n_channels} component(s) a pixel",
            expected="pictures of three: T1, FLAIR and T1 post-contrast",
        )
    note = f"{patient.name}: {_SLICE_DISTANCE:g} mm from slice to slice are assumed"
    affine = image.affine @ np.diag([1.0, 1.0, _SLICE_DISTANCE, 1.0])
    image = replace(image, affine=affine, notes=(*image.notes, note))
    return dict(zip(_COMPONENTS, image.channels(), strict=True))


def read(folder: Path, task: SegmentationTask) -> list[Case]:
    """A case for each patient's folder; of its regions the outermost is known."""
    splits = read_split_file(folder)
    return [
        Case(
            patient.name,
            patient.name,
            splits.get(patient.name, split),
            functools.partial(_load, patient, task),
            regions=(task.regions[0].name,),
            labelled=has_masks(patient),
            sources=sources_of(patient),
        )
        for split, patient in _patients(folder)
    ]


def _fits(task: Task) -> bool:
    known = {channel.name for channel in task.channels}
    return isinstance(task, SegmentationTask) and task.dimensions == 3 and known >= set(_COMPONENTS)


def _patients(folder: Path) -> list[tuple[str, Path]]:
    return [(split, path) for split, path in patients_in(folder) if path.name.startswith(_NAME)]


def _load(patient: Path, task: SegmentationTask) -> tuple[dict[str, Image], Image | None]:
    images = read_images(patient)
    return images, load_masks(patient, task, images["t1"], task.regions[0].writes) if has_masks(patient) else None
