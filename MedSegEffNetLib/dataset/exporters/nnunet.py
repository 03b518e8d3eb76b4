"""nnU-Net v2: ``DatasetNNN_Name`` with ``imagesTr``, ``labelsTr``, ``imagesTs`` and ``dataset.json``.

Train and validation cases go to ``imagesTr`` (``splits_final.json`` says which is which), test cases to ``imagesTs`` and
``labelsTs``. Labels are numbered without gaps, as nnU-Net asks; ``dataset.json`` says which value of the task each was.
Source: documentation/dataset_format.md of https://github.com/MIC-DKFZ/nnUNet.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from MedSegEffNetLib import atomic
from MedSegEffNetLib.dataset.exporters import Cases
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.image import write as write_image
from MedSegEffNetLib.task import SegmentationTask

FORMAT = "nnU-Net v2: [DatasetNNN_Name/]imagesTr, labelsTr, imagesTs, labelsTs, dataset.json"
_ENDING = ".nii.gz"


def write(cases: Cases, task: SegmentationTask, folder: Path, name: str) -> list[str]:
    """Write the cases to ``folder`` where ``name`` is a ``DatasetNNN_Name``, else to such a folder in it.

    Raises
    ------
    InputError
        A case to train on has no label map, or all cases are of the split test.
    """
    training = [case for case in cases.all if case.split != "test"]
    bare = [case.id for case in training if not case.labelled]
    if bare or not training:
        raise InputError(
            f"no label map: {', '.join(bare[:5])}" if bare else "all cases are of the split test",
            expected="cases to train on, each with a label map",
            hint="leave out cases without a label map, or move them to the split test",
        )
    inside = not re.fullmatch(r"Dataset\d{3}_\w+", name)
    dataset = f"Dataset001_{''.join(word.capitalize() for word in task.id.split('-'))}" if inside else name
    root = folder / dataset if inside else folder
    numbers = {label.value: number for number, label in enumerate(sorted(task.labels, key=lambda one: one.value), 1)}
    table = np.zeros(256, dtype=np.uint8)
    for value, number in numbers.items():
        table[value] = number
    for loaded in cases:
        part = "Ts" if loaded.case.split == "test" else "Tr"
        for number, image in enumerate(loaded.images.values()):
            write_image(root / f"images{part}" / f"{loaded.case.id}_{number:04d}{_ENDING}", image)
        if loaded.label is not None:
            array = table[loaded.label.array]
            write_image(root / f"labels{part}" / f"{loaded.case.id}{_ENDING}", loaded.label.with_array(array))
    about = {
        "name": dataset,
        "description": task.description,
        "channel_names": {str(number): task.channel(key).title for number, key in enumerate(cases.channels)},
        "labels": {"background": 0} | {task.label(value).name: number for value, number in numbers.items()},
        "numTraining": len(training),
        "file_ending": _ENDING,
        "medsegeffnet": {"task": task.id, "values": {str(number): value for value, number in numbers.items()}},
    }
    atomic.write_json(root / "dataset.json", about)
    notes = [f"Point nnUNet_raw at the folder that holds {dataset}."]
    validation = [case.id for case in training if case.split == "val"]
    if validation:
        split = {"train": [case.id for case in training if case.split != "val"], "val": validation}
        atomic.write_json(root / "splits_final.json", [split])
        notes.append("Copy splits_final.json to nnUNet_preprocessed, and train fold 0, to keep the split.")
    return notes
