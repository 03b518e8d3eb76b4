"""BraTS 2018-2023: a folder a case with ``CASE_t1.nii.gz … CASE_seg.nii.gz`` (2018-2021) or ``CASE-t1n.nii.gz …``.

Enhancing tumor is 4 up to BraTS 2021 and 3 from 2023 on; both are read as 4. In 2018-2020 the cases lie in HGG and LGG
folders or side by side.
"""

from __future__ import annotations

import re
from pathlib import Path

from MedSegEffNetLib.dataset.case import Case
from MedSegEffNetLib.dataset.channels import image_files, match_channels
from MedSegEffNetLib.dataset.readers._volumes import volume_case
from MedSegEffNetLib.dataset.series_names import words
from MedSegEffNetLib.task import SegmentationTask

LAYOUT = "BraTS 2018-2023: [HGG|LGG/]CASE/CASE_flair.nii.gz, _t1, _t1ce, _t2, _seg (or -t2f, -t1n, -t1c, -t2w, -seg)"
_CASE = re.compile(r"brats", re.IGNORECASE)


def detect(folder: Path, task: SegmentationTask) -> bool:
    """Whether there are case folders called after BraTS with a segmentation."""
    return any(_label_of(case) is not None for case in _case_folders(folder))


def read(folder: Path, task: SegmentationTask) -> list[Case]:
    """A case for each folder with a segmentation. BraTS 2023 names hold patient and time point: ``…-00005-001``.

    A task of one label takes any tumor as that label.
    """
    values = {3: 4} if len(task.labels) > 1 else dict.fromkeys((1, 2, 3, 4), task.labels[0].value)
    cases = []
    for path in _case_folders(folder):
        label = _label_of(path)
        if label is not None:
            images = match_channels(image_files(path), task.channels)
            patient = re.sub(r"-\d{3}$", "", path.name) if re.search(r"-\d{5}-\d{3}$", path.name) else path.name
            cases.append(volume_case(path, images, label, task, patient=patient, values=values))
    return cases


def _case_folders(folder: Path) -> list[Path]:
    candidates = sorted(folder.glob("*")) + sorted(folder.glob("[HL]GG/*"))
    return [path for path in candidates if path.is_dir() and _CASE.search(path.name) and "2013_pat" not in path.name]


def _label_of(case: Path) -> Path | None:
    return next((path for path in image_files(case) if words(path)[-1] == "seg"), None)
