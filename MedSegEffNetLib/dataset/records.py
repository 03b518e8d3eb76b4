"""What ``case.json`` holds, as frozen dataclasses, and which changes of a case's state are allowed."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from MedSegEffNetLib.dataset.locks import now
from MedSegEffNetLib.errors import InputError

SCHEMA = 1
NEW, PREDICTED, IN_REVIEW, ACCEPTED, REJECTED = STATES = ("new", "predicted", "in review", "accepted", "rejected")
_NEXT = {
    NEW: {PREDICTED, IN_REVIEW, ACCEPTED, REJECTED},
    PREDICTED: {IN_REVIEW, ACCEPTED, REJECTED},
    IN_REVIEW: {PREDICTED, ACCEPTED, REJECTED},
    ACCEPTED: {IN_REVIEW},  # re-opened
    REJECTED: {IN_REVIEW},
}
# Where a label comes from. "recovered": its file was found in the folder, its program was ended before it told more.
ORIGINS = ("manual", "model", "corrected", "imported", "consensus", "recovered")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")


@dataclass(frozen=True)
class ImageRecord:
    """An image of a case.

    Parameters
    ----------
    file : in the case's folder (``images/t1.nii.gz``), or the full path of a file that is only referred to.
    sha256 : of the file. voxels : hash of what is in it. descriptor : see :mod:`MedSegEffNetLib.dataset.descriptors`.
    shape, affine : the grid; ``affine`` has the 12 numbers of the upper three rows, voxel index to mm, RAS+.
    referenced : whether the file lies outside of the data set.
    synthesised : whether a network made it.
    spacing_known : whether the voxel size is known; otherwise 1 mm is assumed.
    pruned : whether the file was moved to the data set's ``trash``; moved back, it counts again.
    """

    file: str
    sha256: str
    voxels: str
    descriptor: str
    shape: tuple[int, ...]
    affine: tuple[float, ...]
    referenced: bool = False
    synthesised: bool = False
    spacing_known: bool = True
    pruned: bool = False


@dataclass(frozen=True)
class LabelVersion:
    """A saved label map.

    Parameters
    ----------
    number : from 1, newest last.
    file : in the case's folder.
    author : who saved it; of a model's result who asked for it.
    time : ISO 8601, UTC.
    origin : one of :data:`ORIGINS`; ``model``: the model's ``name@version``, also that of a corrected label.
    base : the version that it was made from; 0: none.
    volumes_ml : by label. figures : further numbers by name (``uncertainty``, ``agreement`` …).
    regions : the task's regions whose true extent it tells; empty: all of them.
    pruned : whether the file was moved to the data set's ``trash``; moved back, it counts again.
    synthesised : whether it was made from images that a network made, or corrected from one that was.
    """

    number: int
    file: str
    sha256: str
    author: str
    time: str
    origin: str
    model: str = ""
    base: int = 0
    comment: str = ""
    minutes: float = 0.0
    volumes_ml: Mapping[str, float] = field(default_factory=dict)
    figures: Mapping[str, float] = field(default_factory=dict)
    regions: tuple[str, ...] = ()
    pruned: bool = False
    synthesised: bool = False

    def __post_init__(self) -> None:
        if self.origin not in ORIGINS:
            raise ValueError(f"origin '{self.origin}' is none of {', '.join(ORIGINS)}")


@dataclass(frozen=True)
class Conflict:
    """Version ``version`` was saved on another base than ``current``, which was the case's label by then."""

    version: int
    current: int
    time: str


@dataclass(frozen=True)
class Change:
    """Who did what to the case, and when."""

    time: str
    author: str
    text: str


@dataclass(frozen=True)
class CaseRecord:
    """A case of a data set: the content of its ``case.json``.

    Parameters
    ----------
    id : the folder's name. patient : whose images these are. site : where they were taken, if known.
    source : what it was imported as; empty where it was made anonymous.
    current : number of the version that is the case's label; 0: there is none.
    conflicts : unsettled ones.
    history : every change of state and choice, oldest first.
    """

    id: str
    patient: str
    site: str = ""
    state: str = NEW
    flags: tuple[str, ...] = ()
    comment: str = ""
    source: str = ""
    created: str = ""
    images: Mapping[str, ImageRecord] = field(default_factory=dict)
    labels: tuple[LabelVersion, ...] = ()
    current: int = 0
    conflicts: tuple[Conflict, ...] = ()
    history: tuple[Change, ...] = ()

    def __post_init__(self) -> None:
        check_id(self.id)
        if self.state not in STATES:
            raise ValueError(f"state '{self.state}' is none of {', '.join(STATES)}")
        if self.current and all(label.number != self.current for label in self.labels):
            raise ValueError(f"case {self.id} has no label version {self.current}")

    @property
    def label(self) -> LabelVersion | None:
        """The version that is the case's label."""
        return next((label for label in self.labels if label.number == self.current), None)

    @property
    def synthesised(self) -> bool:
        """Whether any of its images was made by a network, or its label from such images."""
        made = any(image.synthesised for image in self.images.values())
        return made or (self.label is not None and self.label.synthesised)

    @property
    def spacing_known(self) -> bool:
        """Whether the voxel size of its images is known, and with it volumes in mL."""
        return all(image.spacing_known for image in self.images.values())

    @property
    def minutes(self) -> float:
        """Time spent on all its labels."""
        return sum(label.minutes for label in self.labels)

    def version(self, number: int) -> LabelVersion:
        """The version of this number; an :class:`InputError` lists those there are."""
        for label in self.labels:
            if label.number == number:
                return label
        there = ", ".join(str(label.number) for label in self.labels) or "none"
        raise InputError(f"case {self.id} has no label version {number}", expected=f"one of: {there}")

    def noted(self, author: str, text: str, **changes: Any) -> CaseRecord:
        """The case with ``changes`` and a line in its history."""
        return replace(self, **changes, history=(*self.history, Change(now(), author, text)))

    def with_state(self, state: str, author: str) -> CaseRecord:
        """The case in ``state``; itself if it is in it already.

        Raises
        ------
        InputError
            The change is not allowed, or a case without a label or with an unsettled conflict would be accepted.
        """
        if state == self.state:
            return self
        if state not in STATES:
            raise InputError(f"there is no state '{state}'", expected="one of: " + ", ".join(STATES))
        if state not in _NEXT[self.state]:
            allowed = ", ".join(name for name in STATES if name in _NEXT[self.state])
            raise InputError(
                f"case {self.id} is {self.state} and cannot become {state}",
                expected=f"one of: {allowed}",
                hint="put it into review first",
            )
        if state == ACCEPTED:
            self._check_acceptable()
        return self.noted(author, f"{self.state} → {state}", state=state)

    def _check_acceptable(self) -> None:
        if not self.current:
            raise InputError(f"case {self.id} has no label and cannot be accepted", hint="save a label first")
        if self.conflicts:
            versions = sorted(
                {number for conflict in self.conflicts for number in (conflict.version, conflict.current)}
            )
            raise InputError(
                f"case {self.id} has labels that were saved side by side: versions {', '.join(map(str, versions))}",
                expected="one label that was chosen",
                hint="compare them and choose one (`medsegeffnet dataset add FOLDER CASE --choose NUMBER`)",
            )


def check_id(case_id: str) -> str:
    """``case_id`` if it can be a folder's name on every system; otherwise an :class:`InputError`."""
    if not _ID.fullmatch(case_id) or case_id.endswith("."):
        raise InputError(
            f"'{case_id}' cannot be the name of a case",
            expected="up to 80 letters (A-Z), digits, '.', '-' and '_'",
            hint="name the case otherwise",
        )
    return case_id


def id_from(text: str) -> str:
    """A case's id made of any text: other characters become '-'."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-._")[:72].rstrip("-._")
    return check_id(plain or "case")


def to_json(record: CaseRecord) -> dict[str, Any]:
    """The record as ``case.json`` has it."""
    return {"schema": SCHEMA, **asdict(record)}


def read_record(path: Path) -> CaseRecord:
    """The record in a ``case.json``; :class:`InputError` if it cannot be used or a newer program wrote it."""
    content = read_json(path, SCHEMA)
    try:
        content.pop("schema")
        images = {
            name: ImageRecord(**{**image, "shape": tuple(image["shape"]), "affine": tuple(image["affine"])})
            for name, image in content.pop("images").items()
        }
        labels = [{**label, "regions": tuple(label["regions"])} for label in content.pop("labels")]
        parts: dict[str, Any] = {
            "flags": tuple(content.pop("flags")),
            "labels": tuple(LabelVersion(**label) for label in labels),
            "conflicts": tuple(Conflict(**conflict) for conflict in content.pop("conflicts")),
            "history": tuple(Change(**change) for change in content.pop("history")),
        }
        return CaseRecord(**content, images=images, **parts)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _damaged(path, error) from error


def read_json(path: Path, schema: int, mend: str = "") -> dict[str, Any]:
    """The JSON object in a data set's file of schema version ``schema`` or older (there is no older one yet).

    ``mend``: what to do if it is damaged (empty: what fits most files).

    Raises
    ------
    InputError
        There is no such file, it is damaged, or a newer version of the program wrote it.
    """
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        found = int(content["schema"])
    except FileNotFoundError as error:
        raise InputError(
            f"there is no file {path}", hint="check the spelling and that the disk is connected"
        ) from error
    except OSError as error:
        raise InputError(
            f"{path} cannot be read: {error.strerror or error}", hint="check that you may read it"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(path, error, mend) from error
    if found > schema:
        raise InputError(
            f"{path} was written by a newer version of MedSegEffNet (schema {found})",
            expected=f"schema {schema} or older",
            hint="update MedSegEffNet; nothing was changed",
        )
    return content


def _damaged(path: Path, error: Exception, mend: str = "") -> InputError:
    return InputError(
        f"{path} is damaged ({type(error).__name__}: {error})",
        expected="a file as MedSegEffNet wrote it",
        hint=mend or "bring it back from a backup; the images and labels beside it are untouched",
    )
