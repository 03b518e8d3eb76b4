"""Medical Segmentation Decathlon (``dataset.json``) and data lists of MONAI: JSON with a list ``training``.

Each entry has ``image`` (a file, one of several components, or a list with a file a channel) and ``label``; paths are
relative to the JSON file. ``modality`` names the components (without it: the task's channels in their order) and
``labels`` the values. Source: http://medicaldecathlon.com and ``monai.data.load_decathlon_datalist``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from MedSegEffNetLib.dataset.case import Case
from MedSegEffNetLib.dataset.readers._names import values_by_name
from MedSegEffNetLib.dataset.readers._volumes import ALL_CHANNELS, volume_case
from MedSegEffNetLib.dataset.series_names import channel_of
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.formats import READERS, suffix_of
from MedSegEffNetLib.task import SegmentationTask

LAYOUT = (
    "Medical Segmentation Decathlon or MONAI data list: dataset.json with a list 'training' of image and label files"
)
_SPLITS = {"training": "train", "validation": "val", "test": "test", "testing": "test"}


def detect(folder: Path, task: SegmentationTask) -> bool:
    """Whether a JSON file in the folder has a list ``training`` and is none of nnU-Net's."""
    return _list_in(folder) is not None


def read(folder: Path, task: SegmentationTask) -> list[Case]:
    """A case for each entry. Without a list ``validation`` the training cases have no split yet.

    Raises
    ------
    InputError
        A file of the list is missing, an entry has no image, or the modalities or labels are none of the task's.
    """
    found = _list_in(folder)
    if found is None:
        return []
    source, about = found
    names = about.get("labels")
    values = None
    if isinstance(names, dict) and all(str(number).isdigit() for number in names):
        values = values_by_name({int(number): str(name) for number, name in names.items()}, task, source)
    components = _components(about.get("modality"), task, source)
    cases = []
    for key, split in _SPLITS.items():
        for entry in about.get(key) or []:
            if key == "training" and not about.get("validation"):
                split = ""
            entry = entry if isinstance(entry, dict) else {"image": entry}
            images = _images(entry, components, task, source)
            label = _file(entry["label"], source) if entry.get("label") else None
            first = next(iter(images.values())) if len(images) == 1 else (label or next(iter(images.values())))
            name = str(entry.get("id") or first.name[: -len(suffix_of(first, READERS)) or None])
            patient = str(entry.get("patient") or "")
            cases.append(
                volume_case(
                    name, images, label, task, patient=patient, split=split, values=values, components=components
                )
            )
    return cases


def _list_in(folder: Path) -> tuple[Path, dict[str, Any]] | None:
    for path in sorted(folder.glob("*.json")):
        try:
            about = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if isinstance(about, dict) and isinstance(about.get("training"), list) and "channel_names" not in about:
            return path, about
    return None


def _components(modality: Any, task: SegmentationTask, source: Path) -> list[str]:
    """Channel of each component, in their order."""
    names = [channel.name for channel in task.channels]
    if not isinstance(modality, dict) or (len(modality) == 1 == len(names)):
        return names
    texts = [str(modality[number]) for number in sorted(modality, key=int)]
    found = [channel_of(text, "", task.channels) for text in texts]
    told = [name for name in found if name is not None]
    if len(told) < len(found) or len(set(told)) < len(told):
        raise InputError(
            f"{source} calls the modalities {', '.join(texts)}",
            expected="names of the task's channels: " + ", ".join(names),
            hint="correct modality in that file",
        )
    return told


def _images(
    entry: Mapping[str, Any], components: Sequence[str], task: SegmentationTask, source: Path
) -> dict[str, Path]:
    given = entry.get("image")
    if isinstance(given, list) and len(given) == len(components):
        return {name: _file(path, source) for name, path in zip(components, given, strict=True)}
    if isinstance(given, list) and len(given) == 1:
        given = given[0]
    if not isinstance(given, str):
        raise InputError(
            f"{source} has an entry whose image is {given}",
            expected=f"a file, or a list of {len(components)} files",
            hint="correct the list",
        )
    path = _file(given, source)
    if len(components) == 1:
        return {components[0]: path}
    return {ALL_CHANNELS: path}


def _file(name: Any, source: Path) -> Path:
    path = source.parent / str(name)
    if not path.is_file():
        raise InputError(
            f"{source} names {name}, which is not there",
            expected="paths relative to that file",
            hint="copy the images and labels beside it",
        )
    return path
