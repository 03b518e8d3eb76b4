"""BraTS 2018-2023: a folder a case with ``CASE_t1.nii.gz … CASE_seg.nii.gz`` (2018-2021) or ``CASE-t1n.nii.gz …``.

Enhancing tumor is 4 up to BraTS 2021 and 3 in 2023; both are read as 4. In 2018 and 2019 the cases lie in HGG and LGG
folders, later side by side.
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
_CASE = re.compile(r"brats(?!_)", re.IGNORECASE)


def detect(folder: Path, task: SegmentationTask) -> bool:
    """Whether there are case folders called after BraTS with images in them."""
    return bool(_case_folders(folder))


def read(folder: Path, task: SegmentationTask) -> list[Case]:
    """A case for each folder. BraTS 2023 names hold patient and time point: ``…-00005-001``.

    A task of one label takes any tumor as that label. Value 4 of names with hyphens is refused: after 2023 it is the
    resection cavity, which the tasks do not know.
    """
    cases = []
    for path in _case_folders(folder):
        files = image_files(path)
        hyphens = re.search(r"-\d{5}-\d{3}$", path.name) is not None
        values = {1: 1, 2: 2, 3: 4} if hyphens else {1: 1, 2: 2, 3: 4, 4: 4}
        if len(task.labels) == 1:
            values = dict.fromkeys((1, 2, 3, 4), task.labels[0].value)
        patient = path.name[:-4] if hyphens else path.name
        images = match_channels(files, task.channels)
        cases.append(volume_case(path.name, images, _label_of(files), task, patient=patient, values=values))
    return cases


def _case_folders(folder: Path) -> list[Path]:
    """Those in the folder itself, and in one that an archive unpacks to, e.g. ``MICCAI_BraTS2020_TrainingData``."""
    candidates = sorted(folder.glob("*")) + sorted(folder.glob("[HL]GG/*"))
    found = []
    for path in candidates:
        if path.is_dir() and "brats" in path.name.lower():
            found += [path] if _CASE.match(path.name) and image_files(path) else _case_folders(path)
    return found


def _label_of(files: list[Path]) -> Path | None:
    # Case 355 of BraTS 2020 has its label map as W39_1998.09.19_Segm.nii.
    return next((path for path in files if words(path)[-1] in ("seg", "segm")), None)
