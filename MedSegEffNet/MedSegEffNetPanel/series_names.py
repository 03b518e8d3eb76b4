"""What the name of a volume tells: the channel, whether contrast agent was given, the patient."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from MedSegEffNetLib.dataset.channels import is_label, words
from MedSegEffNetLib.task import Channel

RESAMPLED = " on "  # "<name> on <reference>" is what a resampled copy is called

# Ways to write that contrast agent was given, in English and German; in names and in aliases they all mean the same.
_CONTRAST = {"post", "gd", "ce", "contrast", "kontrast", "kontrastmittel", "km", "gad", "gado", "gadolinium", "gadovist",
             "dotarem", "enhanced", "enh", "cplus"}  # fmt: skip
_NATIVE = {"pre", "without", "no", "non", "wo", "ohne", "vor", "native", "nativ", "unenhanced", "precontrast"}
# Images that are derived from a channel, or are of another kind although they carry its name.
_OTHER = {"adc", "dwi", "trace", "swi", "dsc", "dce", "star", "map", "sub", "subtraction", "subtraktion", "mip", "localizer",
          "scout", "survey", "pd", "perfusion", "uncertainty", "probability", "phase", "undecided"}  # fmt: skip
_GIVEN, _DOUBT = "+", "?"  # tokens that no word of a name can be: contrast agent was given; do not guess
_SERIES_NUMBER = r"^\d+:\s"  # Slicer puts it first
_NO_IDENTITY = r"[a-z]{0,2}\d{1,2}[a-z]+|[a-z]{1,2}\d{1,2}"
_SIGNS = (
    (_SERIES_NUMBER, " "),
    (r"^sub-(?!t[12])", " subject "),  # a name after the BIDS standard, no subtraction
    (
        r"\bw\s*/\s*wo?\b|\bpre\W+(and|und|\+|/)?\W*post\b|\bpost[\W_]*(op|surg|resect|rt|radi|chemo|treat|tx)\w*",
        " undecided ",
    ),
    (r"\bw\s*/\s*o\b", " without "),
    (r"\+\s*(c|gd|km|ce)\b|\bc\s*\+(?!\w)", " cplus "),
    (r"(?<=t2)\s*\*", " star "),
    (r"[/\\]", " "),
)


def channel_of(name: str, description: str, channels: Sequence[Channel]) -> str | None:
    """Name of the channel that a volume's name and series description tell; None: they tell none, or two.

    Words that stand for a channel or for contrast agent must together be one spelling of a channel, in any order and
    with other words between: ``AX T1 FS POST`` has those of ``t1 post``, never of ``t1`` alone; ``T1 FLAIR`` has none.
    """
    texts = [_tokens(text, tuple(channels)) for text in (name.split(RESAMPLED)[0], description)]
    found = {_spelled(tokens, tuple(channels)) for tokens in texts if tokens}
    return found.pop() if len(found) == 1 else None


@functools.lru_cache(maxsize=4096)
def _tokens(text: str, channels: tuple[Channel, ...]) -> frozenset[str]:
    """Names of the channels in a text, with :data:`_GIVEN` for contrast agent and :data:`_DOUBT` where it is unclear."""
    text = text.replace("_", " ")
    for pattern, meaning in _SIGNS:
        text = re.sub(pattern, meaning, text, flags=re.IGNORECASE)
    parts = words(Path(text))
    if is_label(Path(text)) or _OTHER & set(parts):
        return frozenset({_DOUBT})
    single = _single_words(channels)
    tokens = {single[word] for word in parts if word in single}
    for channel in channels:
        for spelling in _spellings(channel):
            if not set(spelling) & (single.keys() | _CONTRAST | _NATIVE) and _holds(parts, spelling):
                tokens.add(channel.name)
    given = [index for index, word in enumerate(parts) if word in _CONTRAST]
    denied = [index for index in given if index and parts[index - 1] in _NATIVE | _CONTRAST]
    if given and not _NATIVE & set(parts):
        tokens.add(_GIVEN)
    elif given and len(denied) < len(given):  # "ohne KM" is clear, "pre ... contrast" is not
        tokens.add(_DOUBT)
    return frozenset(tokens)


@functools.lru_cache(maxsize=256)
def _spellings(channel: Channel) -> list[list[str]]:
    return [words(Path(spelling)) for spelling in (channel.name, *channel.aliases)]


@functools.lru_cache(maxsize=64)
def _single_words(channels: tuple[Channel, ...]) -> dict[str, str]:
    """The channel's name by each word that is a spelling of its own."""
    named = [(channel.name, spelling) for channel in channels for spelling in _spellings(channel)]
    return {spelling[0]: name for name, spelling in named if len(spelling) == 1}


def _holds(parts: list[str], spelling: list[str]) -> bool:
    return any(parts[index : index + len(spelling)] == spelling for index in range(len(parts)))


def _spelled(tokens: frozenset[str], channels: tuple[Channel, ...]) -> str | None:
    """The channel of which ``tokens`` are a spelling; None: of none or of two."""
    found = {name for name, spelled in _all_spelled(channels).items() if tokens in spelled}
    return found.pop() if len(found) == 1 else None


@functools.lru_cache(maxsize=64)
def _all_spelled(channels: tuple[Channel, ...]) -> dict[str, set[frozenset[str]]]:
    """The spellings of each channel as tokens."""
    known = {}
    for channel in channels:
        spelled = {frozenset({channel.name}), *(_tokens(spelling, channels) for spelling in channel.aliases)}
        if any(_GIVEN in spelling for spelling in spelled):
            spelled.add(frozenset({channel.name, _GIVEN}))
        known[channel.name] = spelled
    return known


def of_two_patients(names: Iterable[str], channels: Sequence[Channel]) -> bool:
    """Whether two names differ in nothing but a number and the channel: ``case_001_t1`` and ``case_002_flair``.

    Numbers that tell how an image was made do not count: ``4mm``, ``p2``, the series number in front.
    """
    ignored = _single_words(tuple(channels)).keys() | _CONTRAST | _NATIVE
    numbers: dict[tuple[str, ...], set[tuple[str, ...]]] = {}
    for name in names:
        parts = words(Path(re.sub(_SERIES_NUMBER, "", name.split(RESAMPLED)[0])))
        told = [word for word in parts if word not in ignored and not re.fullmatch(_NO_IDENTITY, word)]
        shape = tuple(re.sub(r"\d+", "#", word) for word in told)
        numbers.setdefault(shape, set()).add(tuple(re.findall(r"\d+", " ".join(told))))
    return any(len(found) > 1 for found in numbers.values())
