"""NumPy slices: ``images/NAME.npy`` with ``masks/NAME.npy``, or ``NAME.npy`` with ``NAME_mask.npy``.

Slices whose names end in a number and agree before it are one patient's: ``p03_012.npy`` is slice 12 of ``p03``. Where
all slices share one word without a number (``img_0.npy``, ``img_1.npy`` …) it names no patient: each slice is one.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from MedSegEffNetLib.dataset.case import Case
from MedSegEffNetLib.dataset.channels import split_components
from MedSegEffNetLib.dataset.readers import check_label_values
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.image import Image, read_label_map
from MedSegEffNetLib.image import read as read_image
from MedSegEffNetLib.task import SegmentationTask

LAYOUT = "NumPy slices: images/NAME.npy with masks/NAME.npy, or NAME.npy with NAME_mask.npy"
Pair = tuple[Path, Path]


def detect(folder: Path, task: SegmentationTask) -> bool:
    """Whether there is any slice with a mask."""
    return task.dimensions == 2 and bool(_pairs(folder))


def read(folder: Path, task: SegmentationTask) -> list[Case]:
    """A case for each patient that the names tell, or for each slice."""
    slices = {pair[0].stem: pair for pair in _pairs(folder)}
    patients: dict[str, list[Pair]] = {}
    for name, patient in patients_of(list(slices)).items():
        patients.setdefault(patient, []).append(slices[name])
    return [
        Case(patient, patient, "", functools.partial(_load, pairs, task)) for patient, pairs in sorted(patients.items())
    ]


def patients_of(names: Sequence[str]) -> dict[str, str]:
    """The patient that each slice's name tells; where all share one word without a number, the name itself."""
    patients = {name: _patient(name) for name in names}
    told = set(patients.values())
    if len(told) == 1 and not any(character.isdigit() for character in told.pop()):
        return {name: name for name in names}
    return patients


def _pairs(folder: Path) -> list[Pair]:
    if (folder / "images").is_dir() and (folder / "masks").is_dir():
        candidates = [(path, folder / "masks" / path.name) for path in sorted((folder / "images").glob("*.npy"))]
    else:
        candidates = [(path, path.with_name(f"{path.stem}_mask.npy")) for path in sorted(folder.glob("*.npy"))]
    return [pair for pair in candidates if pair[1].is_file()]


def _patient(name: str) -> str:
    named = re.fullmatch(r"(.*[^\d_\-])[_\-]?(?:slice[_\-]?)?\d+|(.+?)[_\-](?:slice[_\-]?)?\d+", name)
    return (named.group(1) or named.group(2)) if named else name


def _slice_number(pair: Pair) -> tuple[int, str]:
    number = re.search(r"(\d+)$", pair[0].stem)
    return (int(number.group(1)) if number else 0, pair[0].stem)


def _load(pairs: list[Pair], task: SegmentationTask) -> tuple[dict[str, Image], Image | None]:
    pictures, masks = [], []
    for picture, mask in sorted(pairs, key=_slice_number):
        image, label = read_image(picture), read_label_map(mask, task.labels)
        if image.shape != label.shape:
            raise InputError(f"{picture} has {image.shape} pixels and {mask} has {label.shape}")
        pictures.append(image)
        masks.append(check_label_values(label, task, mask).array)
    if len({image.shape for image in pictures}) > 1:
        raise InputError(
            f"the slices of {_patient(pairs[0][0].stem)} have several sizes", expected="one size a patient"
        )
    joined = Image(
        np.concatenate([image.array for image in pictures], axis=2), pictures[0].affine, pictures[0].notes, False
    )
    images = split_components(joined, task.channels, str(pairs[0][0]))
    return images, Image(np.concatenate(masks, axis=2), joined.affine, (), False)
