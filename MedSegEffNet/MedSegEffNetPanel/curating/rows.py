"""The cases of a data set as rows of a table: texts, search, order. No Qt, no disk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Mapping, Sequence
from datetime import datetime
from html import escape
from typing import Any

from slicer.i18n import tr as _

from MedSegEffNetLib.dataset.index import CaseSummary
from MedSegEffNetLib.dataset.records import ACCEPTED, IN_REVIEW, NEW, PREDICTED, REJECTED, STATES
from MedSegEffNetPanel.correcting.queue import unsure

UNREADABLE = "unreadable"  # stands for the state of a case whose record cannot be read
_AT_ONCE = 400  # rows that are looked at between two looks at the window's events


def state_text(state: str) -> str:
    """A case's state in the user's words."""
    words = {
        NEW: _("new"),
        PREDICTED: _("predicted"),
        IN_REVIEW: _("in review"),
        ACCEPTED: _("accepted"),
        REJECTED: _("rejected"),
    }
    return words.get(state, _("unreadable"))


def origin_text(origin: str, model: str) -> str:
    """Where a label comes from, in the user's words; empty without one."""
    words = {
        "manual": _("by hand"),
        "model": model or _("a model"),
        "corrected": _("corrected {model}").format(model=model) if model else _("corrected"),
        "imported": _("imported"),
        "consensus": _("consensus"),
        "recovered": _("recovered"),
    }
    return words.get(origin, origin)


def short_origin_text(origin: str) -> str:
    """Where a label comes from, in a word; empty without one."""
    words = {"manual": _("by hand"), "model": _("model"), "corrected": _("corrected")}
    return words.get(origin, origin_text(origin, ""))


def unsure_text(figures: Mapping[str, float]) -> str:
    """How unsure the model is, in percent; empty: nothing tells."""
    found = unsure(figures)
    return "" if found is None else _("{percent:.0f} %").format(percent=100 * found)


def unsure_tip() -> str:
    """What the figure means."""
    return _(
        "How unsure the model is of its own label. 95 % says that it expects an overlap (Dice) of 0.05 with the truth, or "
        "that the networks that vote overlap by no more. A label saved by a person has no figure."
    )


def time_text(time: str) -> str:
    """A time of the data set (ISO 8601, UTC) by this computer's clock; as it is where it cannot be read."""
    try:
        return datetime.fromisoformat(time).astimezone().strftime("%Y-%m-%d %H:%M")
    except ValueError:
        return time


def escaped(text: str) -> str:
    """A text of the data set as HTML that shows it as it is."""
    return escape(text)


def notes_text(row: CaseSummary) -> str:
    """What is special about a case: why it cannot be read, labels side by side, flags."""
    parts = [
        row.problem,
        _("conflict: {count} labels side by side").format(count=row.conflicts + 1) if row.conflicts else "",
        _("synthesised image") if row.synthesised else "",
        *row.flags,
        row.comment,
    ]
    return ", ".join(filter(None, parts))


def _volumes(row: CaseSummary) -> float:
    return sum(row.volumes_ml.values())


def _by_doubt(row: CaseSummary) -> float:
    found = unsure(row.figures)
    return -1.0 if found is None else found


Column = tuple[Callable[[CaseSummary], str], Callable[[CaseSummary], Any]]
COLUMNS: tuple[Column, ...] = (  # what a cell shows, and what its column is ordered by
    (lambda row: row.id, lambda row: row.id),
    (lambda row: state_text(row.state), lambda row: STATES.index(row.state) if row.state else -1),
    (lambda row: short_origin_text(row.origin), lambda row: (row.origin, row.model)),
    (lambda row: unsure_text(row.figures), _by_doubt),
    (lambda row: f"{_volumes(row):.1f}" if row.volumes_ml else "", _volumes),
    (notes_text, lambda row: (not row.problem, -row.conflicts, not row.flags, row.flags)),
    (lambda row: row.patient, lambda row: row.patient),
    (lambda row: row.author, lambda row: row.author),
    (lambda row: time_text(row.time), lambda row: row.time),
)


def titles() -> list[str]:
    """The columns' titles."""
    return [
        _("Case"), _("State"), _("Label"), _("Unsure"), _("mL"), _("Notes"), _("Patient"), _("By"), _("Saved"),
    ]  # fmt: skip


def tooltip(row: CaseSummary) -> str:
    """All that the table knows of a case, for its tooltip."""
    label = origin_text(row.origin, row.model)
    doubt = unsure_text(row.figures)
    volumes = ", ".join(f"{name} {volume:.1f} mL" for name, volume in row.volumes_ml.items())
    lines = [
        f"{row.id}: {state_text(row.state)}",
        _("label: {label}, by {author}, {time}").format(label=label, author=row.author, time=time_text(row.time))
        if label
        else _("no label yet"),
        _("patient: {patient}").format(patient=row.patient) if row.patient else "",
        volumes,
        _("unsure: {percent}").format(percent=doubt) if doubt else "",
        _("images: {channels}").format(channels=", ".join(row.channels)) if row.channels else "",
        notes_text(row),
    ]
    return "\n".join(filter(None, lines))


def arrange(
    rows: Sequence[CaseSummary], text: str, state: str, column: int, descending: bool
) -> Generator[None, None, list[CaseSummary]]:
    """The rows that are in ``state`` (empty: any) and have every word of ``text``, in the order of a column; in steps."""
    wanted = text.lower().split()
    key = COLUMNS[column][1]
    found: list[CaseSummary] = []
    keys: list[Any] = []
    for start in range(0, len(rows), _AT_ONCE):
        part = rows[start : start + _AT_ONCE]
        kept = [row for row in part if _in_state(row, state) and (not wanted or _has(row, wanted))]
        found += kept
        keys += map(key, kept)
        yield
    order = sorted(range(len(found)), key=keys.__getitem__, reverse=descending)
    return [found[place] for place in order]


def hindrance(row: CaseSummary, state: str) -> str:
    """Why a case cannot be brought into ``state`` by hand, in a sentence; empty: it can."""
    names = {"case": row.id, "state": state_text(row.state), "wanted": state_text(state)}
    if row.problem:
        return _("{case} cannot be read.").format(**names)
    if row.state == state:
        return _("{case} is {state} already.").format(**names)
    if row.state in (ACCEPTED, REJECTED) and state != IN_REVIEW:
        return _("{case} is {state}: press Review first.").format(**names)
    if state == ACCEPTED and not row.current:
        return _("{case} has no label: correct it or let a model predict it first.").format(**names)
    if state == ACCEPTED and row.conflicts:
        return _("{case} has labels that were saved side by side: choose one below first.").format(**names)
    return ""


def counted(rows: Sequence[CaseSummary]) -> str:
    """How many rows are in which state, e.g. ``3 new, 5 accepted``."""
    counts = Counter(row.state for row in rows)
    return ", ".join(f"{counts[state]} {state_text(state)}" for state in (*STATES, "") if counts[state])


def _in_state(row: CaseSummary, state: str) -> bool:
    return not state or state == (row.state or UNREADABLE)


def _has(row: CaseSummary, wanted: Sequence[str]) -> bool:
    conflict = "conflict" if row.conflicts else ""
    parts = (row.id, row.patient, row.site, row.state, row.origin, row.model, row.author, row.comment, row.problem)
    words = " ".join((*parts, *row.flags, conflict)).lower()
    return all(word in words for word in wanted)
