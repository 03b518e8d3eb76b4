"""DICOM: a folder with one series, or a single file (also a multi-frame one). Read with SimpleITK (GDCM)."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.formats import itk, marks
from MedSegEffNetLib.formats.common import LPS_TO_RAS, check_affine, check_size, damaged, itk_reason, quiet
from MedSegEffNetLib.image import Image

_SERIES_DESCRIPTION = "0008|103e"
_DERIVATION = "0008|2111"
_IMAGE_TYPE = "0008|0008"
_POSITION = "0020|0032"
_LONG_FORM = set(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
_SHORT_FORM = set(b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split())
_IMPLICIT, _DEFLATED, _BIG_ENDIAN = b"1.2.840.10008.1.2", b"1.2.840.10008.1.2.1.99", b"1.2.840.10008.1.2.2"
_PIXELS, _SYNTAX, _ITEMS, _UNDEFINED = (0x7FE0, 0x0010), (0x0002, 0x0010), 0xFFFE, 0xFFFFFFFF
_UNEVEN = 0.02  # of the distance between slices: beyond this it is worth a note


def is_dicom(path: Path) -> bool:
    """Whether the file carries DICOM's mark after its preamble."""
    with path.open("rb") as stream:
        return stream.read(132)[128:] == b"DICM"


def read(path: Path, labels: bool = False) -> Image:
    """The image in one file. ``labels`` changes nothing here."""
    if not is_dicom(path):
        raise damaged(path, "it does not carry DICOM's mark (DICM after 128 bytes)")
    _check_lengths(path)
    return _read_files(path, [str(path)])


def read_folder(folder: Path) -> Image:
    """The only series in ``folder`` (subfolders are not searched), its slices ordered along their normal.

    The affine's third column is the mean step from slice to slice, so that a tilted gantry gives a sheared grid. Uneven
    steps are noted. :class:`InputError` for no series, several, or several images at one position.
    """
    import SimpleITK as sitk

    for file in folder.iterdir():
        if file.is_file() and is_dicom(file):
            _check_lengths(file)
    try:
        with quiet():
            series = sitk.ImageSeriesReader.GetGDCMSeriesIDs(str(folder))
            files = {uid: sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder), uid) for uid in series}
    except RuntimeError as error:
        raise damaged(folder, itk_reason(error)) from error
    if not files:
        volumes = sorted(
            path.name for path in folder.iterdir() if path.name.lower().endswith((".nii.gz", ".nii", ".nrrd"))
        )
        raise InputError(
            f"the folder {folder} holds neither slices (PNG, TIFF, WebP) nor a DICOM series",
            expected="an image file, a folder of slices, or a folder of DICOM files",
            hint=f"Give one of its files: {', '.join(volumes[:5])}." if volumes else "Check the folder's name.",
        )
    if len(files) > 1:
        listed = "; ".join(
            f"{_description(names)} ({len(names)} files, e.g. {Path(names[0]).name})" for names in files.values()
        )
        raise InputError(
            f"the folder {folder} holds {len(files)} DICOM series: {listed}",
            expected="one series in a folder",
            hint="Move each series to a folder of its own and give that folder.",
        )
    return _read_files(folder, next(iter(files.values())))


def _read_files(source: Path, files: Sequence[str]) -> Image:
    import SimpleITK as sitk

    try:
        with quiet():
            positions = [_inspect(source, Path(file)) for file in files]
            image = sitk.ReadImage(files if len(files) > 1 else files[0])
    except RuntimeError as error:
        raise damaged(source, itk_reason(error)) from error
    values = image.GetNumberOfComponentsPerPixel()
    array = itk.array_of(source, sitk.GetArrayFromImage(image), image.GetDimension(), values)
    affine = itk.affine_of(image.GetDirection(), image.GetSpacing(), image.GetOrigin())
    notes: tuple[str, ...] = ()
    if len(files) > 1 and all(position is not None for position in positions):
        lps = np.array(positions, dtype=np.float64)
        notes = _check_steps(source, lps)
        affine[:3, 2] = (LPS_TO_RAS[:3, :3] @ (lps[-1] - lps[0])) / (len(files) - 1)
        affine[:3, 3] = LPS_TO_RAS[:3, :3] @ lps[0]
    return Image(array, check_affine(source, affine), notes, synthesised=_made_by(files[0]))


def read_mark(path: Path) -> str:
    """The model that made the image in ``path``, or in the first DICOM file of a folder; empty: none is named."""
    files = [path] if path.is_file() else sorted(file for file in path.iterdir() if file.is_file() and is_dicom(file))
    return _made_by(str(files[0])) if files else ""


def _made_by(file: str) -> str:
    """The model that the derivation's or the series' description names, or an unknown one that made the image.

    Archives drop the derivation's description: the image type and the series' description count by a word alone.
    """
    derivation, series, kind = (_text(file, tag) for tag in (_DERIVATION, _SERIES_DESCRIPTION, _IMAGE_TYPE))
    told = marks.UNKNOWN if marks.NAME.search(f"{series} {kind}") else ""
    return marks.model_in(derivation) or marks.model_in(series) or told


def _inspect(source: Path, file: Path) -> tuple[float, ...] | None:
    """Position (LPS, mm) of the slice in ``file`` if it says one; refuses what its bytes cannot hold."""
    import SimpleITK as sitk

    reader = sitk.ImageFileReader()
    reader.SetFileName(str(file))
    reader.ReadImageInformation()
    itk.check_type(source, reader.GetPixelID())
    values = reader.GetNumberOfComponents()
    bytes_per_value = itk.bytes_of(reader.GetPixelID())
    check_size(file, (*reader.GetSize(), values), bytes_per_value, file.stat().st_size, "gzip")
    if not reader.HasMetaDataKey(_POSITION):
        return None
    try:
        position = tuple(float(number) for number in reader.GetMetaData(_POSITION).split("\\"))
    except ValueError:
        return None
    return position if len(position) == 3 else None


def _check_steps(source: Path, positions: np.ndarray) -> tuple[str, ...]:
    """Notes on uneven steps between slices; ``positions`` (n, 3) in mm."""
    steps = np.linalg.norm(np.diff(positions, axis=0), axis=1)
    if steps.min() < 1e-4:
        raise InputError(
            f"{source} holds several images at the same position (a time series, or a series copied twice)",
            expected="one image a position",
            hint="Export one time point, or one volume, to a folder of its own.",
        )
    mean = float(np.linalg.norm(positions[-1] - positions[0]) / len(steps))
    if np.abs(steps - mean).max() <= _UNEVEN * mean:
        return ()
    apart = f"{steps.min():.2f} to {steps.max():.2f} mm apart"
    return (f"{source.name}: the slices lie {apart}; {mean:.2f} mm is used (is a slice missing?)",)


def _check_lengths(path: Path) -> None:
    """Refuse a file with an element longer than the file, for which GDCM would allocate up to 4 GB.

    Elements up to the pixels are visited in a row (PS3.5, section 7.1); sequences and items of undefined length are
    entered, and what is no value representation is taken as part of a length, as GDCM does. Big-endian and deflated
    files are visited as far as their file header.
    """
    size, syntax = path.stat().st_size, b""
    with path.open("rb") as stream:
        stream.seek(132)
        while len(start := stream.read(8)) == 8:
            group, element, vr, short = struct.unpack("<HH2sH", start)
            if group > 2 and not syntax:
                raise damaged(path, "its file header does not say how the rest is encoded (transfer syntax)")
            if group > 2 and syntax in (_DEFLATED, _BIG_ENDIAN):
                return
            if group == _ITEMS or (group > 2 and syntax == _IMPLICIT) or vr not in _LONG_FORM | _SHORT_FORM:
                length = int.from_bytes(start[4:], "little")
            else:
                length = int.from_bytes(stream.read(4), "little") if vr in _LONG_FORM else short
            if length == _UNDEFINED:
                continue
            if length > size - stream.tell():
                raise damaged(path, f"element ({group:04x},{element:04x}) is longer than the file: {length:,} bytes")
            if (group, element) == _PIXELS:
                return
            if (group, element) == _SYNTAX:
                syntax = stream.read(length).rstrip(b"\0 ")
            else:
                stream.seek(length, 1)


def _description(files: Sequence[str]) -> str:
    text = _text(files[0], _SERIES_DESCRIPTION)
    return f"'{text}'" if text else "no description"


def _text(file: str, tag: str) -> str:
    """What ``file`` says under ``tag``; empty if it says nothing there, or cannot be read."""
    import SimpleITK as sitk

    reader = sitk.ImageFileReader()
    reader.SetFileName(file)
    try:
        with quiet():
            reader.ReadImageInformation()
    except RuntimeError:
        return ""
    return str(reader.GetMetaData(tag)).strip() if reader.HasMetaDataKey(tag) else ""
