"""nnU-Net v2: ``DatasetNNN_Name`` with ``imagesTr/CASE_0000.nii.gz``, ``labelsTr/CASE.nii.gz`` and ``dataset.json``.

Channels and labels are found by the names that ``dataset.json`` gives them; with labels that are regions (a list of
values each) a value is the label that lies in the task's regions of these names. ``imagesTs`` are the cases of the
split ``test``. Source of the format: documentation/dataset_format.md of https://github.com/MIC-DKFZ/nnUNet.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from MedSegEffNetLib.dataset.case import Case
from MedSegEffNetLib.dataset.readers._names import values_by_name
from MedSegEffNetLib.dataset.readers._volumes import ALL_CHANNELS, volume_case
from MedSegEffNetLib.dataset.series_names import channel_of
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.formats.amira import plain
from MedSegEffNetLib.task import SegmentationTask

LAYOUT = (
    "nnU-Net v2: [DatasetNNN_Name/]dataset.json, imagesTr/CASE_0000.nii.gz, labelsTr/CASE.nii.gz, imagesTs, labelsTs"
)
_PARTS = (("", "imagesTr", "labelsTr"), ("test", "imagesTs", "labelsTs"))


def detect(folder: Path, task: SegmentationTask) -> bool:
    """Whether there is a ``dataset.json`` with nnU-Net's keys, here or in the only folder ``DatasetNNN_…``."""
    return _root(folder) is not None


def read(folder: Path, task: SegmentationTask) -> list[Case]:
    """A case for each name in ``imagesTr`` and ``imagesTs``.

    Raises
    ------
    InputError
        ``dataset.json`` does not tell which channel of the task a file is, or names labels that the task does not know.
    """
    root = _root(folder)
    if root is None:
        return []
    about = _about(root)
    ending = str(about["file_ending"])
    channels = _channels(about["channel_names"], task, root)
    values = _values(about["labels"], task, root)
    cases = []
    for split, images, labels in _PARTS:
        files: dict[str, dict[str, Path]] = {}
        for path in sorted((root / images).glob(f"*{ending}")):
            named = re.fullmatch(r"(.+)_(\d{4})", path.name.removesuffix(ending))
            if named and int(named[2]) in channels:
                files.setdefault(named[1], {})[channels[int(named[2])]] = path
        for name, found in files.items():
            label = root / labels / f"{name}{ending}"
            known = label if label.is_file() else None
            cases.append(volume_case(name, found, known, task, split=split, values=values))
    return cases


def _root(folder: Path) -> Path | None:
    roots = [folder, *sorted(folder.glob("Dataset[0-9][0-9][0-9]_*"))]
    known = [root for root in roots if {"channel_names", "file_ending", "labels"} <= _about(root).keys()]
    return known[0] if len(known) == 1 else None


def _about(root: Path) -> dict[str, Any]:
    try:
        about = json.loads((root / "dataset.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return about if isinstance(about, dict) else {}


def _channels(names: Mapping[str, str], task: SegmentationTask, root: Path) -> dict[int, str]:
    """Channel of the task for each number of a file."""
    if len(names) == len(task.channels) == 1:
        return {int(number): task.channels[0].name for number in names}
    found = {int(number): channel_of(name, "", task.channels) for number, name in names.items()}
    told = {number: name for number, name in found.items() if name}
    if not told and len(names) == 1:
        return {int(next(iter(names))): ALL_CHANNELS}  # pictures in color
    if not told or len(set(told.values())) < len(told):
        raise InputError(
            f"{root / 'dataset.json'} calls the channels {', '.join(names.values())}",
            expected="names of the task's channels: " + ", ".join(channel.name for channel in task.channels),
            hint="correct channel_names in that file",
        )
    return told


def _values(labels: Mapping[str, Any], task: SegmentationTask, root: Path) -> dict[int, int] | None:
    source = root / "dataset.json"
    listed = {name: value if isinstance(value, list) else [value] for name, value in labels.items()}
    if all(len(values) == 1 for values in listed.values()):
        return values_by_name({int(values[0]): name for name, values in listed.items()}, task, source)
    regions = {plain(spelling): region.name for region in task.regions for spelling in (region.name, region.title)}
    inside: dict[int, set[str]] = {int(value): set() for values in listed.values() for value in values if value}
    for name, values in listed.items():
        for value in values:
            if value and plain(name) in regions:
                inside[int(value)].add(regions[plain(name)])
    wanted = {
        label.value: {region.name for region in task.regions if label.value in region.labels} for label in task.labels
    }
    found = {old: new for old, names in inside.items() for new, members in wanted.items() if names == members}
    if len(found) < len(inside):
        raise InputError(
            f"{source} has the regions {', '.join(labels)}",
            expected="the task's regions: " + ", ".join(f"{region.name} ({region.title})" for region in task.regions),
            hint="correct labels in that file",
        )
    return found
