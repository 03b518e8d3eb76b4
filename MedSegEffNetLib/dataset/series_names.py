"""What the name of a file or volume tells: a mask or an image, which channel, whether contrast agent was given, whose."""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from MedSegEffNetLib.formats import READERS, suffix_of
from MedSegEffNetLib.task import Channel

RESAMPLED = " on "  # "<name> on <reference>" is what a resampled copy is called

_LABEL_WORDS = {"seg", "mask", "label", "labels", "otmulticlass", "brainmask", "gold", "segmentation", "lesion"}
# Ways to write that contrast agent was given, in English and German; in names and in aliases they all mean the same.
_CONTRAST = {"post", "gd", "ce", "contrast", "kontrast", "kontrastmittel", "km", "gad", "gado", "gadolinium", "gadovist",
             "dotarem", "enhanced", "enh", "cplus"}  # fmt: skip
_NATIVE = {"pre", "without", "no", "non", "wo", "ohne", "vor", "native", "nativ", "unenhanced", "precontrast"}
# Images that are derived from a channel, or are of another kind although they carry its name.
_OTHER = {"adc", "dwi", "trace", "swi", "dsc", "dce", "star", "map", "sub", "subtraction", "subtraktion", "mip", "localizer",
          "scout", "survey", "pd", "perfusion", "uncertainty", "probability", "phase", "undecided"}  # fmt: skip
# Words of names that tell how an image was made or what became of it, and nothing of the patient.
_PROTOCOL_WORDS = """
    axial transversal transverse tra sag sagittal cor coronal tse fse frfse gre tfe ffe mprage mpr mpra spgr fspgr bravo
    space cube vista brainview irfse tirm stir spir flash thrive vibe propeller blade haste fiesta ciss epi spin echo
    fast turbo fatsat fat sat sup iso high res low hires long short thin thick slab image images volume vol series scan
    brain head skull cerebrum neuro mri exam study routine protocol tumor tumour glioma case patient subject acq run
    registered reg coreg coregistered bet stripped strip skullstripped noneck resampled resliced warped aligned corrected
    bias norm normalized normalised cropped denoised std mean subtr div nachher nach mit dark fluid rage nii dicom
    new copy raw orig original final default dixon med angio
    kopf hirn gehirn schaedel crane cerveau cerebral fatsup sense grappa caipi mni atlas standard synthetic synthesised
    synthesized tesla
    baseline follow followup visit session ses preop pat
"""
_PROTOCOL = set(_PROTOCOL_WORDS.split())
_GIVEN, _DOUBT = "+", "?"  # tokens that no word of a name can be: contrast agent was given; do not guess
_SERIES_NUMBER = r"^\d+:\s"  # Slicer puts it first
_NO_IDENTITY = r"[a-z]{0,2}\d{1,2}[a-z]+|[a-z]{1,2}\d{1,2}"
_PERSONAL = r"[a-z]{3,}"  # shorter words are mostly parameters of the scan
# "registered to FLAIR", "reg2flair", "to FLAIR": the image that gave the grid.
_TARGET = r"\b(?:(?:co)?reg(?:istered)?\W*(?:to|onto|on|2(?=[a-z]))\W*|(?:to|onto|on)\W+)\w+"
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
    (rf"{_TARGET}\W.*\b(?:{'|'.join(sorted(_CONTRAST))})\b", " undecided "),  # of the image, or of its target?
    (_TARGET, " "),
    (r"[/\\]", " "),
)


def words(path: Path) -> list[str]:
    """The words of a file's name, lower case: split at anything but letters and digits, and at camel-case steps."""
    name = path.name[: len(path.name) - len(suffix_of(path, READERS))]
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    return [word for word in re.split(r"[^a-z0-9]+", name.lower()) if word]


def is_label(path: Path) -> bool:
    """Whether a file's name says that it is a label map or a mask."""
    parts = words(path)
    return bool(_LABEL_WORDS & {*parts, "".join(parts)})


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
    spelled = _words_of_spellings(channels)
    if is_label(Path(text)) or (_OTHER - spelled) & set(parts):
        return frozenset({_DOUBT})
    single = _single_words(channels)
    tokens = {single[word] for word in parts if word in single}
    for channel in channels:
        for spelling in _spellings(channel):
            if not set(spelling) & (single.keys() | _CONTRAST | _NATIVE) and _holds(parts, spelling):
                tokens.add(channel.name)
    if not spelled & _CONTRAST:  # a task, of CT say, to which it is one whether contrast agent was given
        return frozenset(tokens)
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


@functools.lru_cache(maxsize=64)
def _words_of_spellings(channels: tuple[Channel, ...]) -> frozenset[str]:
    return frozenset(word for channel in channels for spelling in _spellings(channel) for word in spelling)


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
    """Whether the names of a case's volumes seem to be of two patients.

    Two names do that differ in nothing but a number and the channel, ``case_001_t1`` and ``case_002_flair``, and two of
    which each has words besides channel and protocol, but none in common: ``Anna t1`` and ``Berta flair``. Numbers that
    tell how an image was made do not count: ``4mm``, ``p2``, the series number in front.
    """
    bare = [re.sub(_SERIES_NUMBER, "", name.split(RESAMPLED)[0]) for name in names]
    return _differ_in_numbers(bare, tuple(channels)) or _share_no_word(bare, tuple(channels))


def _differ_in_numbers(names: Sequence[str], channels: tuple[Channel, ...]) -> bool:
    ignored = _single_words(channels).keys() | _CONTRAST | _NATIVE
    numbers: dict[tuple[str, ...], set[tuple[str, ...]]] = {}
    for name in names:
        told = [word for word in words(Path(name)) if word not in ignored and not re.fullmatch(_NO_IDENTITY, word)]
        shape = tuple(re.sub(r"\d+", "#", word) for word in told)
        numbers.setdefault(shape, set()).add(tuple(re.findall(r"\d+", " ".join(told))))
    return any(len(found) > 1 for found in numbers.values())


def _share_no_word(names: Sequence[str], channels: tuple[Channel, ...]) -> bool:
    ignored = _words_of_spellings(channels) | _CONTRAST | _NATIVE | _OTHER | _PROTOCOL
    left = [set(re.findall(_PERSONAL, " ".join(set(words(Path(name))) - ignored))) - ignored for name in names]
    return any(one and other and not one & other for one, other in itertools.combinations(left, 2))
