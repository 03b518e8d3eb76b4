"""AmiraMesh: a folder a case with ``CASE_CHANNEL.am`` and the label field ``CASE.labels.am``."""

from __future__ import annotations

from pathlib import Path

from MedSegEffNetLib.dataset.exporters import Cases, case_folder
from MedSegEffNetLib.image import write as write_image
from MedSegEffNetLib.image import write_label_map
from MedSegEffNetLib.task import SegmentationTask

FORMAT = "AmiraMesh: [train|val|test/]CASE/CASE_CHANNEL.am and CASE.labels.am, with the labels as materials"


def write(cases: Cases, task: SegmentationTask, folder: Path, name: str) -> list[str]:
    """Write the cases; a label's material has its name and color and counts from 1 in the order of the values."""
    for loaded in cases:
        place = case_folder(folder, loaded.case)
        for channel, image in loaded.images.items():
            write_image(place / f"{loaded.case.id}_{channel}.am", image)
        if loaded.label is not None:
            write_label_map(place / f"{loaded.case.id}.labels.am", loaded.label, task.labels)
    return []
