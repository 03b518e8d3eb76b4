"""Slices as pictures: a folder a patient, ``001.webp`` with its mask ``001_mask.png`` or ``001_label.png`` beside it.

The patients' folders lie in the data folder itself or in folders called train, val and test. A ``split.csv`` with the
patient in its first column and a column ``split`` has the last word.
"""

from __future__ import annotations

import csv
import functools
from dataclasses import replace
from pathlib import Path

import numpy as np

from MedSegEffNetLib.dataset.case import Case
from MedSegEffNetLib.dataset.channels import split_components
from MedSegEffNetLib.dataset.readers import check_label_values
from MedSegEffNetLib.dataset.readers._volumes import COLLECTIONS
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.formats.slices import files_of, picture_name
from MedSegEffNetLib.image import Image, count_values, read_label_map
from MedSegEffNetLib.image import read as read_image
from MedSegEffNetLib.task import SegmentationTask

LAYOUT = "slices as pictures: [train|val|test/]PATIENT/001.png (or .webp, .tif) with 001_mask.png or 001_label.png"
_SPLITS = ("train", "val", "test")
_PICTURES = (".png", ".webp", ".tif", ".tiff")


def detect(folder: Path, task: SegmentationTask) -> bool:
    """Whether some patient's folder has pictures."""
    return task.dimensions == 2 and bool(patients_in(folder))


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
    """A case for each patient's folder.

    Where some of its pictures have a mask, an :class:`InputError` names those without one and masks without a picture.
    """
    splits = read_split_file(folder)
    return [
        Case(
            patient.name,
            patient.name,
            splits.get(patient.name, split),
            functools.partial(_load, patient, task),
            labelled=has_masks(patient),
            sources=sources_of(patient),
        )
        for split, patient in patients_in(folder)
    ]


def patients_in(folder: Path) -> list[tuple[str, Path]]:
    """Split and folder of each patient with pictures."""
    found = [("", path) for path in sorted(folder.iterdir()) if path.name.lower() not in COLLECTIONS]
    for split in _SPLITS:
        if (folder / split).is_dir():
            found += [(split, path) for path in sorted((folder / split).iterdir())]
    return [(split, path) for split, path in found if path.is_dir() and any(_pictures(path))]


def has_masks(patient: Path) -> bool:
    """Whether the patient's pictures have masks; :class:`InputError` where only some have, or a mask has no picture.

    Pictures and masks are put together in the order of their names, so that each name must have one of either.
    """
    if not _masks(patient):
        return False
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
    return True


def sources_of(patient: Path) -> tuple[Path, ...]:
    """Where it stands whether a network made a picture or a mask: the folder, which tells of its pictures, and its masks."""
    return (patient, *_masks(patient))


def load_masks(patient: Path, task: SegmentationTask, like: Image, value: int = 0) -> Image:
    """The patient's masks as a volume on the grid of ``like``.

    With ``value`` they are of one label, drawn as any one number (1, say, or 255), and have that value then.
    :class:`InputError` if they have another size than the pictures, or several numbers where there is one label.
    """
    label = read_label_map(patient, task.labels)
    if label.shape != like.shape:
        raise InputError(
            f"{patient} has {like.shape[2]} slices of {like.shape[:2]} pixels and masks of {label.shape}",
            expected="a mask of the same size for every slice",
        )
    drawn = [number for number in count_values(label.array) if number]
    if value and len(drawn) > 1:
        numbers = ", ".join(map(str, drawn[:8])) + (" …" if len(drawn) > 8 else "")
        raise InputError(
            f"the masks of {patient} have the values {numbers}, and {task.id} has one label in such masks",
            expected="0 and one other value",
            hint="check that the folder belongs to this task; masks with soft edges must be saved without smoothing",
        )
    array = (label.array > 0).astype(np.uint8) * value if value else label.array
    return replace(like.with_array(array), synthesised=label.synthesised)


def _pictures(patient: Path) -> list[Path]:
    return [path for path in patient.iterdir() if path.suffix.lower() in _PICTURES and not path.name.startswith(".")]


def _masks(patient: Path) -> list[Path]:
    return [path for path in _pictures(patient) if path.stem.endswith(("_mask", "_label"))]


def _load(patient: Path, task: SegmentationTask) -> tuple[dict[str, Image], Image | None]:
    images = split_components(read_image(patient), task.channels, str(patient))
    if not has_masks(patient):
        return images, None
    # A mask of one label is drawn as 0 and 1, or as 0 and 255.
    value = task.labels[0].value if len(task.labels) == 1 else 0
    label = load_masks(patient, task, next(iter(images.values())), value)
    return images, check_label_values(label, task, patient)
