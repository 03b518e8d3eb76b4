"""DICOM: a folder a case with a series a channel and the label map as DICOM SEG, which viewers and archives take.

An image that came as a DICOM series is copied as it is, with all it says of the patient, and the SEG refers to it; of
other images, and of one that a network made although its series does not say so, new series are made, which name nobody.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from MedSegEffNetLib.dataset.exporters import Cases, case_folder
from MedSegEffNetLib.formats import dicom, dicom_seg
from MedSegEffNetLib.task import SegmentationTask

FORMAT = "DICOM series and DICOM SEG: [train|val|test/]CASE/CHANNEL/*.dcm and CASE/CASE_seg.dcm"


def write(cases: Cases, task: SegmentationTask, folder: Path, name: str) -> list[str]:
    """Write the cases; :class:`InputError` where highdicom is not installed."""
    dicom_seg.require()
    copied = 0
    for loaded in cases:
        place = case_folder(folder, loaded.case)
        study = dicom_seg.Study(loaded.case.patient, loaded.case.id)
        for number, (channel, image) in enumerate(loaded.images.items(), start=1):
            source = loaded.case.images.get(channel)
            if source is not None and source.is_dir() and (not image.synthesised or dicom.read_mark(source)):
                shutil.copytree(source, place / channel)
                copied += 1
            else:
                title = task.channel(channel).title
                dicom_seg.write_series(place / channel, image, study, number, title, ct=channel == "ct")
        if loaded.label is not None:
            first = place / next(iter(loaded.images))
            dicom_seg.write(place / f"{loaded.case.id}_seg.dcm", loaded.label, task.labels, first)
    return [f"{copied} DICOM series were copied as they are, with what they say of the patients."] if copied else []
