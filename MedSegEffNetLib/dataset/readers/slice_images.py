"""Slices as pictures: a folder a patient, ``001.webp`` with its mask ``001_mask.png`` or ``001_label.png`` beside it.

The patients' folders lie in the data folder itself or in folders called train, val and test. A ``split.csv`` with the
patient in its first column and a column ``split`` has the last word.
"""

from __future__ import annotations

import csv
import functools
from pathlib import Path

import numpy as np

from MedSegEffNetLib.dataset.case import Case
from MedSegEffNetLib.dataset.channels import split_components
from MedSegEffNetLib.dataset.readers import check_label_values
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.formats.slices import files_of, picture_name
from MedSegEffNetLib.image import Image, read_label_map
from MedSegEffNetLib.image import read as read_image
from MedSegEffNetLib.task import SegmentationTask

LAYOUT = "slices as pictures: [train|val|test/]PATIENT/001.png (or .webp, .tif) with 001_mask.png or 001_label.png"
_SPLITS = ("train", "val", "test")
_PICTURES = (".png", ".webp", ".tif", ".tiff")


def detect(folder: Path, task: SegmentationTask) -> bool:
    """Whether some patient's folder has a picture with a mask."""
    return task.dimensions == 2 and any(_has_masks(patient) for _, patient in _patients(folder))


def read_split_file(folder: Path) -> dict[str, str]:
    """Split by patient from ``split.csv``; empty where there is none."""
    path = folder / "split.csv"
    if not path.is_file():
        return {}
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    if rows and "split" not in rows[0]:
        raise InputError(f"{path} has no column 'split'", expected="columns patient and split")
    return {next(iter(row.values())): row["split"] for row in rows}


def read(folder: Path, task: SegmentationTask) -> list[Case]:
    """A case for each patient's folder; an :class:`InputError` names pictures without a mask and masks without one."""
    splits = read_split_file(folder)
    patients = [(split, patient) for split, patient in _patients(folder) if _has_masks(patient)]
    for _, patient in patients:
        _check_pairs(patient)
    return [
        Case(patient.name, patient.name, splits.get(patient.name, split), functools.partial(_load, patient, task))
        for split, patient in patients
    ]


def _patients(folder: Path) -> list[tuple[str, Path]]:
    found = [("", path) for path in sorted(folder.iterdir()) if path.is_dir() and path.name not in _SPLITS]
    for split in _SPLITS:
        if (folder / split).is_dir():
            found += [(split, path) for path in sorted((folder / split).iterdir()) if path.is_dir()]
    return found


def _has_masks(patient: Path) -> bool:
    return any(path.stem.endswith(("_mask", "_label")) and path.suffix in _PICTURES for path in patient.iterdir())


def _check_pairs(patient: Path) -> None:
    """Pictures and masks are put together in the order of their names, so that each name must have one of either."""
    pictures, masks = files_of(patient), files_of(patient, labels=True)
    names = [[picture_name(path) for path in files] for files in (pictures, masks)]
    lone = [path.name for path in pictures if names[1].count(picture_name(path)) != 1]
    lone += [path.name for path in masks if names[0].count(picture_name(path)) != 1]
    if lone:
        raise InputError(
            f"{patient} has pictures and masks that do not belong to each other: {', '.join(lone)}",
            expected="one mask for every picture, called like it: 012.png and 012_mask.png",
            hint="add what is missing, or take these files out of the folder",
        )


def _load(patient: Path, task: SegmentationTask) -> tuple[dict[str, Image], Image | None]:
    images = split_components(read_image(patient), task.channels, str(patient))
    label = read_label_map(patient, task.labels)
    pictures = next(iter(images.values()))
    if label.shape != pictures.shape:
        raise InputError(
            f"{patient} has {pictures.shape[2]} slices of {pictures.shape[:2]} pixels and masks of {label.shape}",
            expected="a mask of the same size for every slice",
        )
    if len(task.labels) == 1:
        # A mask of one label is drawn as 0 and 1, or as 0 and 255.
        label = label.with_array((label.array > 0).astype(np.uint8) * task.labels[0].value)
    return images, check_label_values(label, task, patient)
