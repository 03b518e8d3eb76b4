"""A case's folder into the scene."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

import slicer
from slicer.i18n import tr as _

from MedSegEffNetLib.dataset.channels import case_folders, image_files
from MedSegEffNetLib.dataset.series_names import is_label
from MedSegEffNetLib.errors import InputError

_SLICER_READS = (".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd", ".hdr")


def holds_cases(folder: Path) -> bool:
    """Whether ``folder`` is a folder of cases and not a case."""
    return not image_files(folder) and len(case_folders(folder)) > 0


def load_case(folder: Path) -> Generator[None, None, list[Any]]:
    """Load the images of a case (label maps are left out), a file a step; returns their volume nodes.

    Raises
    ------
    InputError
        There is no image in the folder that Slicer can load, or a file cannot be read; no volume stays in the scene.
    """
    files = [path for path in image_files(folder) if not is_label(path)]
    volumes = [path for path in files if path.is_file() and path.name.lower().endswith(_SLICER_READS)]
    nodes: list[Any] = []
    yield
    try:
        for path in volumes:
            nodes.append(_load_volume(path))
            yield
    except BaseException:  # also when it is canceled
        for node in nodes:
            if node.GetScene() is not None:
                slicer.mrmlScene.RemoveNode(node)
        raise
    nodes = nodes or _load_dicom(folder)
    if not nodes:
        raise InputError(
            _("no image that Slicer can load is in {folder}").format(folder=folder),
            expected=_("NIfTI, NRRD or MetaImage files, or DICOM series"),
            hint=_("choose the folder of one patient"),
        )
    return nodes


def load_result(case: Path, label_map: Path) -> Generator[None, None, list[Any]]:
    """Load a case's images and then its label map as a segmentation; returns the volume nodes.

    Raises
    ------
    InputError
        As :func:`load_case`, or the label map cannot be loaded; without a label map no image is loaded.
    """
    problem = InputError(
        _("the result {path} could not be loaded").format(path=label_map),
        hint=_("if it was moved or deleted, start the batch again: only the cases without a result are done"),
    )
    if not label_map.is_file():
        raise problem
    nodes = yield from load_case(case)
    try:
        slicer.util.loadSegmentation(str(label_map))
    except RuntimeError as error:
        raise problem from error
    return nodes


def _load_volume(path: Path) -> Any:
    try:
        return slicer.util.loadVolume(str(path))
    except RuntimeError as error:
        raise InputError(
            _("{path} could not be loaded").format(path=path),
            expected=_("a whole volume file"),
            hint=_("copy the file again from where it was made, or take it out of the folder"),
        ) from error


def _load_dicom(folder: Path) -> list[Any]:
    """The volumes of the DICOM series in ``folder``, read through a database that is thrown away."""
    try:
        from DICOMLib import DICOMUtils
    except ImportError:  # Slicer can be built without DICOM
        return []
    nodes: list[str] = []
    with DICOMUtils.TemporaryDICOMDatabase() as database:
        DICOMUtils.importDicom(str(folder), database)
        for patient in database.patients():
            nodes += DICOMUtils.loadPatientByUID(patient)
    loaded = [slicer.mrmlScene.GetNodeByID(node_id) for node_id in nodes]
    return [node for node in loaded if node is not None and node.IsA("vtkMRMLVolumeNode")]
