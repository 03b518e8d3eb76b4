"""What tells that a network made an image: the words in a file, and how they are found again.

Every format keeps the same sentence where it keeps free text (NIfTI: description and a comment extension; NRRD and
MetaImage: a key of ours; pictures: the EXIF description; DICOM: the derivation's description). A file's name that says so
counts too, as other programs drop such texts. Formats without a place for it are refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.formats import READERS, suffix_of

KEY = "MedSegEffNet_synthesised"  # of NRRD and MetaImage
_ITK_KEY = "ITK_FileNotes"  # which ITK writes as the description where it saves an image as NIfTI
UNKNOWN = "an unknown model"
WORD = "synthesised"
_SENTENCE = re.compile(r"synthesi[sz]ed by ([^;\r\n\0]+)", re.IGNORECASE)
NAME = re.compile(r"synthesi[sz]ed", re.IGNORECASE)  # how the word is met in names and descriptions


def sentence(model: str) -> str:
    """The mark of an image that ``model`` made, or of a label map made from such an image."""
    return f"synthesised by {' '.join(model.replace(';', ',').split())}; not taken by a scanner"


def model_in(text: str) -> str:
    """The model that a text names in the words of :func:`sentence`; empty if it does not say that one made the image."""
    found = _SENTENCE.search(text)
    return found[1].strip() if found else ""


def fields_of(model: str) -> dict[str, str]:
    """The mark as key/value pairs of a text header; none for an image of a scanner (``model`` is empty)."""
    return {KEY: " ".join(model.split()), _ITK_KEY: sentence(model)} if model else {}


def model_of_fields(fields: Mapping[str, str]) -> str:
    """The model that a text header names, whatever the key is called now; empty if it names none."""
    return fields.get(KEY, "") or next(filter(None, map(model_in, fields.values())), "")


def named(path: Path) -> bool:
    """Whether the name of a file or folder says that a network made the image."""
    return bool(NAME.search(path.name))


def named_output(path: Path) -> Path:
    """``path`` with :data:`WORD` in the file's name, before its suffix, unless the name has it."""
    if named(path):
        return path
    suffix = path.name[len(path.name) - len(suffix_of(path, READERS)) :] if suffix_of(path, READERS) else ""
    return path.with_name(f"{path.name.removesuffix(suffix)}_{WORD}{suffix}")


def refuse_unmarked(path: Path, model: str) -> None:
    """Raise an :class:`InputError` for a file whose format has no place for the mark of an image that ``model`` made."""
    if model:
        raise InputError(
            f"{path.name} cannot hold the mark that a network made what it shows ({model})",
            expected="a format that can: .nii.gz, .nii, .nrrd, .mha, .mhd (a single slice: .png, .tif, .webp)",
            hint="choose another suffix: an unmarked copy could be taken for an image of a scanner",
        )
