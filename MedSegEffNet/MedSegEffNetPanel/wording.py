"""Texts joined from parts: the library's errors begin small and have no full stop, the window shows sentences."""

from __future__ import annotations

import re
from html import escape

from MedSegEffNetLib.errors import MedSegEffNetError

_ENDS = (".", "!", "?", "…", ":")
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*[,;:.]?")  # letters; a file or an option has other signs too
_CODE_NAME = re.compile(r"(?:torch|openvino|numpy|pip|nvidia-smi|efficientnet-pytorch|medsegeffnet)[,;:.]?")


def sentences(*parts: str) -> str:
    """The parts as sentences, one after the other: capital letter, full stop; empty ones left out.

    A part that begins with the name of a file, an option or a package keeps its first letter.
    """
    return " ".join(_sentence(part.strip()) for part in parts if part and part.strip())


def told(error: Exception) -> str:
    """What an error tells the user: what was found, and what to do next."""
    return sentences(error.found, error.hint) if isinstance(error, MedSegEffNetError) else str(error)


def tip(text: str) -> str:
    """``text`` as a tooltip that is wrapped where it is long, and in which nothing is taken for HTML."""
    return f"<p>{escape(text)}</p>" if text else ""


def _sentence(part: str) -> str:
    first = part.split(maxsplit=1)[0]
    if _WORD.fullmatch(first) and not _CODE_NAME.fullmatch(first):
        part = part[0].upper() + part[1:]
    return part if part.endswith(_ENDS) else f"{part}."
