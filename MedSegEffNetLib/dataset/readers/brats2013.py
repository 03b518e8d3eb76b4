"""BraTS 2013 as preprocessed cases: ``*_subtrMeanDivStd.nii.gz`` a modality and ``OTMultiClass.nii.gz``.

The 2013 labels are 1 necrosis, 2 edema, 3 non-enhancing and 4 enhancing tumor; 1 and 3 together are what later years call
1 (necrotic and non-enhancing core).
"""

from __future__ import annotations

from pathlib import Path

from MedSegEffNetLib.dataset.case import Case
from MedSegEffNetLib.dataset.channels import image_files, match_channels
from MedSegEffNetLib.dataset.readers._volumes import volume_case
from MedSegEffNetLib.task import SegmentationTask

LAYOUT = "BraTS 2013: CASE/Flair_*.nii.gz, T1c_*.nii.gz and OTMultiClass.nii.gz"
_LABEL = "OTMultiClass.nii.gz"


def detect(folder: Path, task: SegmentationTask) -> bool:
    """Whether a case folder has the 2013 set's label file."""
    return next(folder.glob(f"*/{_LABEL}"), None) is not None


def read(folder: Path, task: SegmentationTask) -> list[Case]:
    """A case for each folder with a label file. A task of one label takes any tumor as that label."""
    values = {1: 1, 2: 2, 3: 1, 4: 4}
    if len(task.labels) == 1:
        values = dict.fromkeys(values, task.labels[0].value)
    cases = []
    for label in sorted(folder.glob(f"*/{_LABEL}")):
        case = label.parent
        images = match_channels(image_files(case), task.channels)
        cases.append(volume_case(case.name, images, label, task, values=values))
    return cases
