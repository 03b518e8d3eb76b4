"""File formats of images, one file each. A format module has ``read(path) -> Image`` and, where it writes, ``write``.

The tables below name the module of a suffix, so that a format's libraries are loaded only when it is met.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

READERS = {
    ".nii": "nifti",
    ".nii.gz": "nifti",
    ".nrrd": "itk",
    ".mha": "itk",
    ".mhd": "itk",
    ".dcm": "dicom",
    ".ima": "dicom",
    ".png": "slices",
    ".tif": "slices",
    ".tiff": "slices",
    ".webp": "slices",
    ".jpg": "slices",
    ".jpeg": "slices",
    ".npy": "npy",
    ".am": "amira",
}
WRITERS = {
    ".nii": "nifti",
    ".nii.gz": "nifti",
    ".nrrd": "itk",
    ".mha": "itk",
    ".mhd": "itk",
    ".png": "slices",
    ".tif": "slices",
    ".tiff": "slices",
    ".webp": "slices",
    ".npy": "npy",
    ".am": "amira",
}
WITHOUT_MARK = {"npy", "amira"}  # modules whose files have no place for what is in :mod:`MedSegEffNetLib.formats.marks`
# Files that name their labels: these modules have ``read_label_map(path, labels)`` and ``write_label_map`` too.
NAMED_LABELS = {".seg.nrrd": "seg_nrrd", ".am": "amira"}


def suffix_of(path: Path, table: dict[str, str]) -> str:
    """The longest suffix of ``table`` that the file name ends in, or an empty string."""
    name = path.name.lower()
    return max((suffix for suffix in table if name.endswith(suffix)), key=len, default="")


def load(module: str) -> ModuleType:
    """The format module of this name."""
    return importlib.import_module(f"{__name__}.{module}")
