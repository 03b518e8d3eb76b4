"""A folder a case with a NIfTI file a channel and ``CASE_seg.nii.gz``, in folders of the splits."""

from __future__ import annotations

from pathlib import Path

from MedSegEffNetLib.dataset.exporters import Cases, case_folder
from MedSegEffNetLib.formats import marks
from MedSegEffNetLib.image import write as write_image
from MedSegEffNetLib.image import write_label_map
from MedSegEffNetLib.task import SegmentationTask

FORMAT = "case folders: [train|val|test/]CASE/CASE_CHANNEL.nii.gz and CASE_seg.nii.gz"


def write(cases: Cases, task: SegmentationTask, folder: Path, name: str) -> list[str]:
    """Write the cases; the label maps have the task's values, and the name of an image that a network made says so."""
    for loaded in cases:
        place = case_folder(folder, loaded.case)
        for channel, image in loaded.images.items():
            path = place / f"{loaded.case.id}_{channel}.nii.gz"
            write_image(marks.named_output(path) if image.synthesised else path, image)
        if loaded.label is not None:
            write_label_map(place / f"{loaded.case.id}_seg.nii.gz", loaded.label, task.labels)
    return []
