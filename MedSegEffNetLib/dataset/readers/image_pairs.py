"""Image files with label maps of the same name: NIfTI, NRRD, MetaImage, AmiraMesh or pictures, volumes or slices.

They lie in two folders (``images/NAME.nii.gz`` and ``labels/NAME.nii.gz``) or side by side (``NAME_label.nii.gz``). A
task of several channels has a file a channel, ``NAME_t1.nii.gz``, or one file with the channels as its components.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from pathlib import Path

from MedSegEffNetLib.dataset.case import Case
from MedSegEffNetLib.dataset.channels import match_channels
from MedSegEffNetLib.dataset.readers._volumes import ALL_CHANNELS, is_label_file, volume_case
from MedSegEffNetLib.dataset.readers.npy_pairs import patients_of
from MedSegEffNetLib.dataset.series_names import channel_of
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.formats import suffix_of
from MedSegEffNetLib.task import SegmentationTask

LAYOUT = (
    "image files with label maps: [train|val|test/]images/NAME.nii.gz (.nrrd, .mha, .am, .png …) with labels/NAME.nii.gz "
    "(or masks/), or NAME.nii.gz with NAME_label.nii.gz (_mask, _seg; NAME.labels.am)"
)
_SPLITS = ("", "train", "val", "test")
_LABELS = ("labels", "masks", "segmentations", "annotations")
_VOLUMES = dict.fromkeys((".nii", ".nii.gz", ".nrrd", ".mha", ".mhd", ".am"), "")
_PICTURES = dict.fromkeys((".png", ".tif", ".tiff", ".webp", ".jpg", ".jpeg"), "")
_ENDING = re.compile(r"[_\-.](?:mask|label|labels|seg|segm|segmentation|gt)$", re.IGNORECASE)


def detect(folder: Path, task: SegmentationTask) -> bool:
    """Whether there are image files in a folder ``images``, or in the folder itself."""
    return any(_files(root)[0] for _, root in _roots(folder))


def read(folder: Path, task: SegmentationTask) -> list[Case]:
    """A case for each name; pictures whose names tell it are several of one patient.

    Raises
    ------
    InputError
        Label maps without an image, or two label maps of one name.
    """
    cases = []
    for split, root in _roots(folder):
        images, labels = _files(root)
        by_name = _by_name(labels, root)
        groups = _grouped(images, by_name, task)
        lone = [path.name for name, path in by_name.items() if name not in groups]
        if lone:
            raise InputError(
                f"{root} has label maps without an image of the same name: {', '.join(lone[:5])}",
                expected="images/NAME.nii.gz for labels/NAME.nii.gz",
                hint="rename the files, or take them out of the folder; if it is the folder of one case, give the folder that "
                "holds the case folders",
            )
        patients = patients_of([name for name, paths in groups.items() if suffix_of(paths[0], _PICTURES)])
        for name, paths in sorted(groups.items()):
            found = _channels(paths, task)
            patient = patients.get(name, name)
            cases.append(volume_case(name, found, by_name.get(name), task, patient=patient, split=split))
    return cases


def _roots(folder: Path) -> list[tuple[str, Path]]:
    roots = [(split, folder / split) for split in _SPLITS if (folder / split / "images").is_dir()]
    return roots or [("", folder)]


def _files(root: Path) -> tuple[list[Path], list[Path]]:
    """Image files and label files of a root."""
    if (root / "images").is_dir():
        folder = next((root / name for name in _LABELS if (root / name).is_dir()), None)
        return _readable(root / "images"), _readable(folder) if folder else []
    files = _readable(root)
    labels = [path for path in files if is_label_file(path)]
    images = [path for path in files if path not in labels]
    # Slices that have numbers alone for names are all of one patient: a folder a patient is another layout.
    if all(suffix_of(path, _PICTURES) and _stem(path).isdigit() for path in images):
        return [], []
    return images, labels


def _readable(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in folder.iterdir()
        if path.is_file() and not path.name.startswith(".") and suffix_of(path, {**_VOLUMES, **_PICTURES})
    )


def _stem(path: Path) -> str:
    return path.name[: -len(suffix_of(path, {**_VOLUMES, **_PICTURES}))]


def _by_name(labels: Sequence[Path], root: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in labels:
        name = _ENDING.sub("", _stem(path))
        if name in found:
            raise InputError(
                f"{root} has two label maps for {name}: {found[name].name} and {path.name}",
                expected="one label map a case",
                hint="take one of them out of the folder",
            )
        found[name] = path
    return found


def _grouped(images: Sequence[Path], labels: Collection[str], task: SegmentationTask) -> dict[str, list[Path]]:
    """The image files of each case: those that begin with a label map's name, or have their own without a channel."""
    groups: dict[str, list[Path]] = {}
    for path in images:
        stem = _stem(path)
        beginnings = [stem, *(stem[: mark.start()] for mark in reversed(list(re.finditer(r"[_\-. ]", stem))))]
        name = next((beginning for beginning in beginnings if beginning in labels), "")
        if not name:
            several = len(task.channels) > 1 and channel_of(path.name, "", task.channels) is not None
            name = re.sub(r"[_\-.][^_\-.]+$", "", stem) if several else stem
        groups.setdefault(name, []).append(path)
    return groups


def _channels(paths: Sequence[Path], task: SegmentationTask) -> dict[str, Path]:
    if len(paths) == 1 and len(task.channels) == 1:
        return {task.channels[0].name: paths[0]}
    if len(paths) == 1 and channel_of(paths[0].name, "", task.channels) is None:
        return {ALL_CHANNELS: paths[0]}
    return match_channels(paths, task.channels)
