"""COVID-19 CT of Zenodo 3757476 (Ma et al.): ``ct_scans``, ``lung_mask``, ``infection_mask``, ``lung_and_infection_mask``.

In the mask of both, 1 and 2 are the lungs and 3 is the infection. The copy on Kaggle calls scans otherwise than masks:
``coronacases_org_001`` and ``coronacases_001``, ``radiopaedia_org_covid-19-pneumonia-10_85902_0`` and
``radiopaedia_10_85902_1``.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from MedSegEffNetLib.dataset.case import Case
from MedSegEffNetLib.dataset.channels import image_files
from MedSegEffNetLib.dataset.readers._volumes import mapped, volume_case
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.image import GRID_TOLERANCE, Image, read_label_map, same_grid
from MedSegEffNetLib.task import SegmentationTask

LAYOUT = "COVID-19 CT of Zenodo 3757476: ct_scans/, with lung_and_infection_mask/, or lung_mask/ and infection_mask/"
_SCANS = ("ct_scans", "COVID-19-CT-Seg_20cases")
_BOTH = ("lung_and_infection_mask", "Lung_and_Infection_Mask")
_LUNG = ("lung_mask", "Lung_Mask")
_INFECTION = ("infection_mask", "Infection_Mask")


def detect(folder: Path, task: SegmentationTask) -> bool:
    """Whether there is a folder of scans and one of masks beside it."""
    return (
        len(task.labels) == 2 and bool(_files(folder, _SCANS)) and any(_files(folder, n) for n in (_BOTH, _INFECTION))
    )


def read(folder: Path, task: SegmentationTask) -> list[Case]:
    """A case for each scan, called after its mask where it has one.

    Raises
    ------
    InputError
        A mask of the infection without one of the lung, which alone does not tell where the lung is.
    """
    both, lungs, infections = (_files(folder, names) for names in (_BOTH, _LUNG, _INFECTION))
    cases = []
    for key, scan in _files(folder, _SCANS).items():
        label = both.get(key) or infections.get(key)
        if label is not None and key not in both and key not in lungs:
            raise InputError(
                f"{label} has no mask of the lung beside it",
                expected="a file for the same scan in lung_mask/ or lung_and_infection_mask/",
                hint="download the folder Lung_Mask of the set too",
            )
        images = {task.channels[0].name: scan}
        name = re.sub(r"\.nii(\.gz)?$", "", (label or scan).name)
        if label is None or key in both:
            cases.append(volume_case(name, images, label, task, values={1: 1, 2: 1, 3: 2}))
        else:
            cases.append(volume_case(name, images, label, task, label_reader=_Joined(lungs[key])))
    return cases


class _Joined:
    """Reads the mask of the infection and puts it over that of the lung."""

    def __init__(self, lung: Path) -> None:
        self.lung = lung

    def __call__(self, path: Path, task: SegmentationTask, image: Image) -> Image:
        infection, lung = read_label_map(path), read_label_map(self.lung)
        if not same_grid(infection, lung, GRID_TOLERANCE):
            raise InputError(f"{path} lies on another grid than {self.lung}", expected="masks of one scan")
        joined = mapped(lung.array, {1: 1, 2: 1}, self.lung)
        return infection.with_array(np.where(infection.array > 0, np.uint8(2), joined))


def _files(folder: Path, names: tuple[str, ...]) -> dict[tuple[str, ...], Path]:
    """The files of the first of these folders that there is, by source and number of the scan."""
    found = next((folder / name for name in names if (folder / name).is_dir()), None)
    return {_key(path): path for path in image_files(found)} if found else {}


def _key(path: Path) -> tuple[str, ...]:
    name = path.name.lower().replace("covid-19", "")
    return (re.split(r"[^a-z]", name)[0], *re.findall(r"\d+", name)[:2])
