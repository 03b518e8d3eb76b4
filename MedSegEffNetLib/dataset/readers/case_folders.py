"""A folder a case with a file a channel, called after it, and a label map (``…_seg``, ``…_label``, ``…_mask`` …)."""

from __future__ import annotations

from pathlib import Path

from MedSegEffNetLib.dataset.case import Case
from MedSegEffNetLib.dataset.channels import image_files, match_channels
from MedSegEffNetLib.dataset.readers import brats, brats2013, lgg
from MedSegEffNetLib.dataset.readers._volumes import COLLECTIONS, is_label_file, volume_case
from MedSegEffNetLib.dataset.series_names import channel_of, words
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.formats import suffix_of
from MedSegEffNetLib.task import SegmentationTask

LAYOUT = "case folders: [train|val|test/]CASE/NAME_CHANNEL.nii.gz (.nrrd, .mha, .am) with NAME_seg.nii.gz or labels.am"
_VOLUMES = dict.fromkeys((".nii", ".nii.gz", ".nrrd", ".mha", ".mhd", ".am"), "")
_SPLITS = ("train", "val", "test")


def detect(folder: Path, task: SegmentationTask) -> bool:
    """Whether a folder holds volumes that are channels by their names, and is none of BraTS."""
    if any(other.detect(folder, task) for other in (brats, brats2013, lgg)):
        return False
    return any(_images(case, task) for _, case in _cases(folder))


def read(folder: Path, task: SegmentationTask) -> list[Case]:
    """A case for each folder with images; an :class:`InputError` names folders with several label maps."""
    cases = []
    for split, case in _cases(folder):
        images = _images(case, task)
        if images:
            cases.append(volume_case(case.name, images, _label(case), task, split=split))
    return cases


def _cases(folder: Path) -> list[tuple[str, Path]]:
    roots = [(split, folder / split) for split in _SPLITS if (folder / split).is_dir()]
    return [
        (split, path)
        for split, root in [("", folder), *roots]
        for path in sorted(root.iterdir())
        if path.is_dir() and path.name.lower() not in COLLECTIONS and not path.name.startswith((".", "sub-"))
    ]


def _volumes(case: Path) -> list[Path]:
    return [path for path in image_files(case) if suffix_of(path, _VOLUMES)]


def _images(case: Path, task: SegmentationTask) -> dict[str, Path]:
    files = [path for path in _volumes(case) if not is_label_file(path)]
    if len(files) == 1 and len(task.channels) == 1:
        return {task.channels[0].name: files[0]}
    if any(channel_of(path.name, "", task.channels) for path in files):
        return match_channels(files, task.channels)
    return {}


def _label(case: Path) -> Path | None:
    files = [path for path in _volumes(case) if is_label_file(path) and "brain" not in "".join(words(path))]
    if len(files) > 1:
        raise InputError(
            f"{case} has {len(files)} files that may be its label map: {', '.join(path.name for path in files)}",
            expected="one label map a case",
            hint="take the others out of the folder",
        )
    return files[0] if files else None
