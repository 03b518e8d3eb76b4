"""Medical Segmentation Decathlon: ``imagesTr``, ``labelsTr``, ``imagesTs`` and ``dataset.json``, which MONAI reads too.

Several channels are the components of one file. Validation cases are a list of their own, and entries of the list
``test`` have their labels, as MONAI's data lists may.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from MedSegEffNetLib import atomic
from MedSegEffNetLib.dataset.exporters import Cases
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.image import joined_marks, write_label_map
from MedSegEffNetLib.image import write as write_image
from MedSegEffNetLib.task import SegmentationTask

FORMAT = "Medical Segmentation Decathlon and MONAI data list: imagesTr, labelsTr, imagesTs, labelsTs, dataset.json"
_LISTS = {"val": "validation", "test": "test"}


def write(cases: Cases, task: SegmentationTask, folder: Path, name: str) -> list[str]:
    """Write the cases; the label maps have the task's values.

    Raises
    ------
    InputError
        A case to train or validate on has no label map.
    """
    bare = [case.id for case in cases.all if case.split != "test" and not case.labelled]
    if bare:
        raise InputError(
            f"no label map: {', '.join(bare[:5])}",
            expected="a label map for every case to train or validate on",
            hint="leave these cases out, or move them to the split test",
        )
    lists: dict[str, list[dict[str, str]]] = {"training": [], "validation": [], "test": []}
    for loaded in cases:
        part = "Ts" if loaded.case.split == "test" else "Tr"
        file = f"{loaded.case.id}.nii.gz"
        images = list(loaded.images.values())
        joined = images[0]
        if len(images) > 1:
            array = np.stack([image.array for image in images], axis=-1)
            joined = replace(joined, array=array, synthesised=joined_marks(images))
        write_image(folder / f"images{part}" / file, joined)
        entry = {"image": f"./images{part}/{file}"}
        if loaded.label is not None:
            write_label_map(folder / f"labels{part}" / file, loaded.label, task.labels)
            entry["label"] = f"./labels{part}/{file}"
        lists[_LISTS.get(loaded.case.split, "training")].append({**entry, "patient": loaded.case.patient})
    about: dict[str, Any] = {
        "name": name,
        "description": task.description,
        "tensorImageSize": "4D" if len(cases.channels) > 1 else "3D",
        "modality": {str(number): task.channel(key).title for number, key in enumerate(cases.channels)},
        "labels": {"0": "background"} | {str(label.value): label.name for label in task.labels},
        "numTraining": len(lists["training"]),
        "numTest": len(lists["test"]),
        **{key: entries for key, entries in lists.items() if entries or key != "validation"},
    }
    atomic.write_json(folder / "dataset.json", about)
    return []
