"""DICOM: a folder a case with a folder a series in it, and label maps as DICOM SEG (or NIfTI, NRRD, AmiraMesh).

A series is the channel that its folder's name and its description tell. The patient is known by a hash of the patient's
identifier, so that nothing that names a person is taken over.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from MedSegEffNetLib.dataset.case import Case
from MedSegEffNetLib.dataset.readers._names import values_by_name
from MedSegEffNetLib.dataset.readers._volumes import COLLECTIONS, is_label_file, mapped, read_named, volume_case
from MedSegEffNetLib.dataset.series_names import channel_of
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.formats import READERS, dicom, dicom_seg, suffix_of
from MedSegEffNetLib.formats.common import quiet
from MedSegEffNetLib.image import Image
from MedSegEffNetLib.task import SegmentationTask

LAYOUT = "DICOM: [train|val|test/]CASE/[…/]SERIES/*.dcm with a DICOM SEG (or …_seg.nii.gz, .nrrd, .am) in CASE"
_SPLITS = ("train", "val", "test")
_DEPTH = 4  # folders below a case's: study, series
_LOOKED_AT = 3  # files of a folder, before it is taken as one without DICOM
_VOLUMES = dict.fromkeys((".nii", ".nii.gz", ".nrrd", ".mha", ".mhd", ".am"), "")
_DESCRIPTION, _PATIENT = "0008|103e", "0010|0020"


def detect(folder: Path, task: SegmentationTask) -> bool:
    """Whether a case's folder, or one below it, has DICOM images."""
    return any(_series(case) for _, case in _cases(folder))


def read(folder: Path, task: SegmentationTask) -> list[Case]:
    """A case for each folder with series.

    Raises
    ------
    InputError
        No series is a channel of the task, two are the same one, or there are several label maps.
    """
    cases = []
    for split, case in _cases(folder):
        series = _series(case)
        if not series:
            continue
        described = {path: _described(path) for path in series}
        images = _channels(case, {path: texts[0] for path, texts in described.items()}, task)
        patients = {texts[1] for texts in described.values() if texts[1]}
        patient = hashlib.sha256(patients.pop().encode("utf-8")).hexdigest()[:12] if len(patients) == 1 else case.name
        label = _label(case)
        cases.append(
            volume_case(case.name, images, label, task, patient=patient, split=split, label_reader=_read_label)
        )
    return cases


def _cases(folder: Path) -> list[tuple[str, Path]]:
    roots = [(split, folder / split) for split in _SPLITS if (folder / split).is_dir()]
    return [
        (split, path)
        for split, root in [("", folder), *roots]
        for path in sorted(root.iterdir())
        if path.is_dir() and path.name.lower() not in COLLECTIONS and not path.name.startswith(".")
    ]


def _folders(case: Path) -> list[Path]:
    """The folder and those below it, as deep as series lie."""
    found = [case]
    for depth in range(_DEPTH):
        found += sorted(path for path in case.glob("/".join("*" * (depth + 1))) if path.is_dir())
    return found


def _series(case: Path) -> list[Path]:
    """Folders with DICOM images."""
    return [folder for folder in _folders(case) if any(not dicom_seg.is_seg(path) for path in _dicom_files(folder))]


def _dicom_files(folder: Path) -> list[Path]:
    candidates = (path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    files = sorted(path for path in candidates if READERS.get(suffix_of(path, READERS), "dicom") == "dicom")
    if not any(dicom.is_dicom(path) for path in files[:_LOOKED_AT]):
        files = [path for path in files if path.suffix.lower() in (".dcm", ".ima")]
    return [path for path in files if dicom.is_dicom(path)]


def _described(series: Path) -> tuple[str, str]:
    """Description and patient's identifier in the series' first file."""
    import SimpleITK as sitk

    reader = sitk.ImageFileReader()
    reader.SetFileName(str(next(path for path in _dicom_files(series) if not dicom_seg.is_seg(path))))
    try:
        with quiet():
            reader.ReadImageInformation()
    except RuntimeError:
        return "", ""
    keys = (_DESCRIPTION, _PATIENT)
    description, patient = (reader.GetMetaData(key).strip() if reader.HasMetaDataKey(key) else "" for key in keys)
    return description, patient


def _channels(case: Path, described: dict[Path, str], task: SegmentationTask) -> dict[str, Path]:
    if len(described) == len(task.channels) == 1:
        return {task.channels[0].name: next(iter(described))}
    found: dict[str, Path] = {}
    for path, description in described.items():
        name = channel_of(path.name, description, task.channels) or channel_of(description, "", task.channels)
        if name in found:
            raise InputError(
                f"{case} has two series that may be channel {name}: {found[name].name} and {path.name}",
                expected="one series a channel",
                hint="move the other one out of the folder",
            )
        if name:
            found[name] = path
    missing = [channel.name for channel in task.channels if channel.required and channel.name not in found]
    if missing or not found:
        listed = "; ".join(
            f"{path.name} ({description or 'no description'})" for path, description in described.items()
        )
        raise InputError(
            f"{case} has no series for {', '.join(missing) or 'any channel'} among: {listed}",
            expected="series whose folder or description names the channel: "
            + ", ".join(channel.title for channel in task.channels),
            hint="name the series' folders after the channels",
        )
    return found


def _label(case: Path) -> Path | None:
    files = [path for folder in _folders(case) for path in sorted(folder.iterdir()) if path.is_file()]
    found = [path for path in files if suffix_of(path, _VOLUMES) and is_label_file(path)]
    found += [path for folder in _folders(case) for path in _dicom_files(folder) if dicom_seg.is_seg(path)]
    if len(found) > 1:
        raise InputError(
            f"{case} has {len(found)} files that may be its label map: {', '.join(path.name for path in found)}",
            expected="one label map a case",
            hint="move the others out of the folder",
        )
    return found[0] if found else None


def _read_label(path: Path, task: SegmentationTask, image: Image) -> Image:
    if suffix_of(path, _VOLUMES):
        return read_named(path, task, image)
    label_map, names = dicom_seg.read(path)
    values = values_by_name(names, task, path)
    if values is not None:
        label_map = label_map.with_array(mapped(label_map.array, values, path))
    return dicom_seg.placed(label_map, image, path)
