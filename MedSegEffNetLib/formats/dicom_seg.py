"""DICOM Segmentation objects (SEG), and the DICOM series that they refer to, with highdicom and pydicom.

Sources: DICOM PS3.3, A.51 (Segmentation IOD), and highdicom's documentation (https://highdicom.readthedocs.io).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from MedSegEffNetLib import __version__, atomic
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.formats import marks
from MedSegEffNetLib.formats.common import LPS_TO_RAS, check_affine, damaged
from MedSegEffNetLib.image import GRID_TOLERANCE, Image, resample, same_grid

if TYPE_CHECKING:
    from MedSegEffNetLib.task import Code, Label

_SEGMENTATION = b"1.2.840.10008.5.1.4.1.1.66.4"
_MR, _CT = "1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.2"
_MAKER = "MedSegEffNet"


@dataclass(frozen=True)
class Study:
    """Whose series these are, in a study of their own; the identifiers follow from patient and name."""

    patient: str
    name: str

    def uid(self, *parts: object) -> str:
        """An identifier made from a hash (PS3.5, B.2): the same for the same study and parts."""
        text = "\0".join(map(str, (self.patient, self.name, *parts)))
        return f"2.25.{int.from_bytes(hashlib.sha256(text.encode('utf-8')).digest()[:15], 'big')}"


def require() -> None:
    """:class:`InputError` unless highdicom is installed."""
    if find_spec("highdicom") is None:
        raise InputError(
            "writing DICOM needs highdicom, which is not installed",
            expected="the optional package highdicom",
            hint="install it into the Python that runs this: pip install highdicom; in the panel, the size Training has it",
        )


def is_seg(path: Path) -> bool:
    """Whether the file is a DICOM SEG: the class of its object stands in the file header (PS3.10, 7.1)."""
    with path.open("rb") as stream:
        start = stream.read(1024)
    class_of = re.search(rb"\x02\0\x02\0UI(..)", start, re.DOTALL)
    if start[128:132] != b"DICM" or class_of is None:
        return False
    length = int.from_bytes(class_of[1], "little")
    return start[class_of.end() : class_of.end() + length].rstrip(b"\0 ") == _SEGMENTATION


def read(path: Path) -> tuple[Image, dict[int, str]]:
    """The label map (X, Y, Z) with the segments' numbers, later segments over earlier ones, and the segments' names.

    Slices that no segment touches are not stored: the grid may be a part of the image's, see :func:`placed`.
    """
    require()
    import highdicom
    from pydicom.errors import InvalidDicomError

    try:
        segmentation = highdicom.seg.segread(str(path))
        volume = segmentation.get_volume(combine_segments=False, allow_missing_positions=True)
        described = [segmentation.get_segment_description(number) for number in segmentation.segment_numbers]
    except (InvalidDicomError, ValueError, TypeError, RuntimeError, AttributeError, KeyError) as error:
        raise damaged(path, f"it is no DICOM SEG on a regular grid ({error})") from error
    array = np.zeros(volume.array.shape[:3], dtype=np.uint8)
    for index, segment in enumerate(described):
        array[volume.array[..., index] > 0.5] = segment.segment_number
    affine = check_affine(path, LPS_TO_RAS @ np.asarray(volume.affine))
    return Image(array, affine), {int(segment.segment_number): str(segment.segment_label) for segment in described}


def placed(label_map: Image, like: Image, path: Path) -> Image:
    """``label_map`` on the whole grid of ``like``, of which it is a part.

    Raises
    ------
    InputError
        Its voxels are not among those of ``like`` (to a tenth of one).
    """
    on_grid = resample(label_map, like, nearest=True)
    back = resample(on_grid, label_map, nearest=True)
    steps = np.linalg.inv(like.affine) @ label_map.affine
    whole = np.round(steps)
    if np.abs(steps - whole).max() > GRID_TOLERANCE or not np.array_equal(back.array, label_map.array):
        raise InputError(
            f"{path} lies on another grid than the image",
            expected="a segmentation of this series, voxel by voxel",
            hint="resample it onto the series, e.g. in Slicer, and export it again",
        )
    return on_grid


def write(path: Path, label_map: Image, labels: Sequence[Label], series: Path) -> None:
    """Write a label map (X, Y, Z) with one segment a label that voxels have, referring to the DICOM ``series`` (folder).

    Raises
    ------
    InputError
        The label map is empty, or lies on another grid than the series.
    """
    require()
    import highdicom
    import pydicom

    from MedSegEffNetLib.formats import dicom

    files = sorted(file for file in series.iterdir() if file.is_file() and dicom.is_dicom(file))
    if not same_grid(dicom.read_folder(series), label_map, GRID_TOLERANCE):
        raise InputError(f"the label map for {path} lies on another grid than {series}", expected="the series' grid")
    present = [label for label in labels if (label_map.array == label.value).any()]
    if not present:
        raise InputError(
            f"the label map for {path} is empty", expected="a segment at least", hint="leave this case out"
        )
    masks = np.stack([label_map.array == label.value for label in present], axis=-1).astype(np.uint8)
    sources = [pydicom.dcmread(file, stop_before_pixels=True) for file in files]
    # Slices first: a segmentation's frames are the planes of the first axis.
    order = LPS_TO_RAS @ label_map.affine
    affine = np.column_stack([order[:, 2], order[:, 1], order[:, 0], order[:, 3]])
    frame = str(sources[0].FrameOfReferenceUID)
    channels = {"SegmentNumber": list(range(1, len(present) + 1))}
    volume = highdicom.Volume(masks.transpose(2, 1, 0, 3), affine, "PATIENT", frame, channels)
    segmentation = highdicom.seg.Segmentation(
        source_images=sources,
        pixel_array=volume,
        segmentation_type="BINARY",
        segment_descriptions=[_described(label, number) for number, label in enumerate(present, start=1)],
        series_instance_uid=highdicom.UID(),
        series_number=100,
        sop_instance_uid=highdicom.UID(),
        instance_number=1,
        manufacturer=_MAKER,
        manufacturer_model_name=_MAKER,
        software_versions=__version__,
        device_serial_number="0",
        series_description=marks.sentence(label_map.synthesised)[:64] if label_map.synthesised else "Segmentation",
    )
    with atomic.replacing(path) as temporary:
        segmentation.save_as(temporary)


def _described(label: Label, number: int) -> Any:
    import highdicom

    def code(entry: Code) -> Any:
        return highdicom.sr.CodedConcept(entry.value, entry.scheme, entry.meaning)

    terms = label.terminology
    return highdicom.seg.SegmentDescription(
        segment_number=number,
        segment_label=label.name[:64],
        segmented_property_category=code(terms.category),
        segmented_property_type=code(terms.type),
        algorithm_type="MANUAL",
        anatomic_regions=[code(terms.region)] if terms.region else None,
        display_color=highdicom.color.CIELabColor.from_rgb(*label.color),
    )


def write_series(folder: Path, image: Image, study: Study, number: int, title: str, *, ct: bool = False) -> None:
    """Write an image (X, Y, Z) as a series of MR (or CT) slices of 16 bits; real numbers are scaled to that range.

    One that a network made says so in its image type and in the descriptions of series and derivation.

    Raises
    ------
    InputError
        The image has several components, or its axes are not at right angles.
    """
    require()
    import pydicom
    from pydicom.uid import ExplicitVRLittleEndian

    turn = image.affine[:3, :3] / image.spacing
    if image.array.ndim != 3 or not np.allclose(turn.T @ turn, np.eye(3), atol=1e-3):
        raise InputError(
            f"the image for {folder} has several components or a sheared grid",
            expected="one number a voxel, on axes at right angles",
            hint="choose another format",
        )
    array = _sixteen_bits(image.array)
    lps = LPS_TO_RAS @ image.affine
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(image.shape[2]):
        part = pydicom.Dataset()
        part.SOPClassUID = _CT if ct else _MR
        part.SOPInstanceUID = study.uid(number, index)
        part.PatientID, part.PatientName = study.patient, f"{study.patient}^"
        part.PatientBirthDate = part.PatientSex = part.StudyDate = part.StudyTime = part.AccessionNumber = ""
        part.ReferringPhysicianName = part.StudyID = part.PositionReferenceIndicator = part.Manufacturer = ""
        part.StudyInstanceUID, part.SeriesInstanceUID = study.uid(), study.uid(number)
        part.FrameOfReferenceUID = study.uid("frame")
        part.Modality = "CT" if ct else "MR"
        part.SeriesDescription, part.SeriesNumber, part.InstanceNumber = title, number, index + 1
        part.ImageType = ["DERIVED", "SECONDARY", "OTHER"]
        if image.synthesised:
            part.ImageType = [*part.ImageType, "SYNTHESISED"]
            part.SeriesDescription = f"{title[:50]} SYNTHESISED"
            part.DerivationDescription = marks.sentence(image.synthesised)
        if ct:
            part.RescaleIntercept, part.RescaleSlope, part.RescaleType = "0", "1", "HU"
        part.ImageOrientationPatient = [_decimal(number) for number in (lps[:3, :2] / image.spacing[:2]).T.ravel()]
        part.ImagePositionPatient = [_decimal(number) for number in (lps @ [0, 0, index, 1])[:3]]
        part.PixelSpacing = [_decimal(image.spacing[1]), _decimal(image.spacing[0])]
        part.SliceThickness = part.SpacingBetweenSlices = _decimal(image.spacing[2])
        part.SamplesPerPixel, part.PhotometricInterpretation = 1, "MONOCHROME2"
        part.Rows, part.Columns = image.shape[1], image.shape[0]
        part.BitsAllocated, part.BitsStored, part.HighBit, part.PixelRepresentation = 16, 16, 15, 1
        part.PixelData = np.ascontiguousarray(array[:, :, index].T, dtype="<i2").tobytes()
        part.file_meta = pydicom.dataset.FileMetaDataset()
        part.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        part.save_as(folder / f"{index + 1:04d}.dcm", enforce_file_format=True)


def _sixteen_bits(array: np.ndarray) -> np.ndarray:
    low, high = float(array.min()), float(array.max())
    if array.dtype.kind in "ui" and low >= -32768 and high <= 32767:
        return array.astype(np.int16)
    if array.dtype.kind == "f" and low >= -32768 and high <= 32767 and np.array_equal(array, np.round(array)):
        return array.astype(np.int16)
    # MR values have no unit: they are spread over 0..4095.
    return np.round((array - low) * (4095 / max(high - low, 1e-12))).astype(np.int16)


def _decimal(number: float) -> str:
    """A number in the 16 characters of DICOM's decimal strings."""
    from pydicom.valuerep import format_number_as_ds

    return str(format_number_as_ds(float(number)))
