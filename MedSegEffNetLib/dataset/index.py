"""The table of a data set's cases, kept in one file so that 10,000 cases list at once; never trusted over the folders.

A row counts as long as its ``case.json`` has the size, the time and the file number that were noted with it. A file that
was written less than :data:`_SETTLED` seconds before it was read is read again: on some disks a second change within that
time shows in neither. The file can be deleted at any time.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import astuple, dataclass, field, fields
from pathlib import Path
from typing import Any

from MedSegEffNetLib import atomic
from MedSegEffNetLib.dataset.records import CaseRecord, read_record
from MedSegEffNetLib.errors import InputError, MedSegEffNetError

CASE_FILE = "case.json"
_VERSION = 1
_SETTLED = 3.0


@dataclass(frozen=True)
class CaseSummary:
    """A row of the table.

    Parameters
    ----------
    id, patient, site, state, flags, comment, synthesised, current, minutes : as in the case's record.
    content : hash of the images' voxels: cases with the same images have the same. channels : by name.
    versions : number of labels. conflicts : number of unsettled ones.
    origin, model, author, time : of the current label (empty: there is none); ``time`` of the case without one.
    volumes_ml, figures : of the current label. spacing_known : whether the voxel size is known; otherwise the volumes are
        of assumed voxels, good to compare cases alone.
    problem : why ``case.json`` cannot be read; empty: it can.
    """

    id: str
    patient: str = ""
    site: str = ""
    state: str = ""
    flags: tuple[str, ...] = ()
    comment: str = ""
    synthesised: bool = False
    content: str = ""
    channels: tuple[str, ...] = ()
    versions: int = 0
    current: int = 0
    conflicts: int = 0
    origin: str = ""
    model: str = ""
    author: str = ""
    time: str = ""
    minutes: float = 0.0
    volumes_ml: Mapping[str, float] = field(default_factory=dict)
    figures: Mapping[str, float] = field(default_factory=dict)
    spacing_known: bool = True
    problem: str = ""


_FLAGS, _CHANNELS = (next(n for n, part in enumerate(fields(CaseSummary)) if part.name == name)
                     for name in ("flags", "channels"))  # fmt: skip


def summary_of(record: CaseRecord, content: str) -> CaseSummary:
    """The row of a case."""
    label = record.label
    return CaseSummary(
        record.id, record.patient, record.site, record.state, record.flags, record.comment, record.synthesised, content,
        tuple(record.images), len(record.labels), record.current, len(record.conflicts),
        label.origin if label else "", label.model if label else "", label.author if label else "",
        label.time if label else record.created, record.minutes,
        label.volumes_ml if label else {}, label.figures if label else {}, record.spacing_known,
    )  # fmt: skip


def list_cases(cases: Path, index: Path, content_of: Any) -> list[CaseSummary]:
    """The rows of all case folders in ``cases``, by id; ``index`` is the file that remembers them.

    ``content_of`` gives the content hash of a record. A case that cannot be read has a row that says why.
    """
    known = _remembered(index)
    rows: list[CaseSummary] = []
    remembered: dict[str, str] = {}
    changed = False
    for case_id, path in sorted(_case_files(cases)):
        mark = _mark(path)
        line = known.get(case_id, "")
        row = _parsed(line)
        if row is None or row[0] != mark:
            row = [mark, list(astuple(_row(case_id, Path(path), content_of)))]
            line = json.dumps(row, separators=(",", ":"))
            changed = True
        if mark is not None and time.time() - mark[0] / 1e9 > _SETTLED and not row[1][-1]:
            remembered[case_id] = line
        rows.append(_summary(row[1]))
    if changed or len(remembered) != len(known):
        _remember(index, remembered)
    return rows


def case_ids(cases: Path) -> list[str]:
    """The ids of all cases, sorted."""
    return sorted(case_id for case_id, _ in _case_files(cases))


def _case_files(cases: Path) -> list[tuple[str, str]]:
    if not cases.is_dir():
        return []
    with os.scandir(cases) as entries:
        return [(e.name, f"{e.path}{os.sep}{CASE_FILE}") for e in entries if not e.name.startswith(".") and e.is_dir()]


def _mark(path: str) -> list[int] | None:
    try:
        told = os.stat(path)  # noqa: PTH116 - of 10,000 files; making Paths would take longer than looking
    except OSError:
        return None
    return [told.st_mtime_ns, told.st_size, told.st_ino]


def _row(case_id: str, path: Path, content_of: Any) -> CaseSummary:
    try:
        record = read_record(path)
    except InputError as error:
        return CaseSummary(case_id, problem=error.found)
    if record.id != case_id:
        return CaseSummary(case_id, problem=f"{path} is of case {record.id}: was the folder renamed?")
    return summary_of(record, content_of(record))


def _summary(values: list[Any]) -> CaseSummary:
    values = list(values)
    values[_FLAGS], values[_CHANNELS] = tuple(values[_FLAGS]), tuple(values[_CHANNELS])
    return CaseSummary(*values)


def _remembered(index: Path) -> dict[str, str]:
    """The rows of the index, as JSON, by case.

    Each is a line of the file and is parsed when it is its turn: where a window lists in a thread, it never waits for long.
    """
    with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
        head, *lines, tail = index.read_text(encoding="utf-8").split("\n")
        content = json.loads(head + tail)
        if content["version"] == _VERSION and content["columns"] == [part.name for part in fields(CaseSummary)]:
            parts = (line.removesuffix(",").partition(": ") for line in lines)
            return {json.loads(name): row for name, _, row in parts if row}
    return {}


def _parsed(line: str) -> Any:
    with suppress(ValueError):
        return json.loads(line)
    return None


def _remember(index: Path, rows: Mapping[str, str]) -> None:
    columns = json.dumps([part.name for part in fields(CaseSummary)])
    head = f'{{"version": {_VERSION}, "columns": {columns}, "cases": {{'
    lines = ",\n".join(f"{json.dumps(case_id)}: {row}" for case_id, row in rows.items())
    with suppress(MedSegEffNetError):  # a data set that may only be read: the next time is as slow as this one
        atomic.write_text(index, f"{head}\n{lines}\n}}}}")
