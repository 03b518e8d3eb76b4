"""Which cases are shown in the queue, in which order, and which one comes next."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from MedSegEffNetLib.dataset.index import CaseSummary
from MedSegEffNetLib.dataset.records import ACCEPTED, REJECTED

TO_DO, ALL = "to do", "all"
_DONE = (ACCEPTED, REJECTED)


def sureness(case: CaseSummary) -> float | None:
    """How sure the model is of the case's label, 0 to 1, by the worst of its figures; None: nothing tells."""
    known = case.figures
    found = [known[name] for name in ("agreement", "confidence") if name in known]
    found += [1 - known["uncertainty"]] if "uncertainty" in known else []
    return min(found, default=None)


def _by_doubt(case: CaseSummary) -> Any:
    sure = sureness(case)
    return (sure is None, sure or 0.0, case.id)


ORDERS: dict[str, Callable[[CaseSummary], Any]] = {
    "sure": _by_doubt,
    "date": lambda case: (case.time, case.id),
    "size": lambda case: (-sum(case.volumes_ml.values()), case.id),
    "name": lambda case: case.id,
}
"""Keys by which cases are ordered: least sure first, oldest first, largest first, by name."""


@dataclass(frozen=True)
class Wish:
    """What the user wants to see.

    Parameters
    ----------
    text : words that a case's name, patient, site, flags or comment must have.
    state : one of the states, :data:`TO_DO` (neither accepted nor rejected) or :data:`ALL`.
    order : a key of :data:`ORDERS`.
    skipped : ids of cases that come last.
    """

    text: str = ""
    state: str = TO_DO
    order: str = "sure"
    skipped: Collection[str] = ()


def arranged(cases: Sequence[CaseSummary], wish: Wish) -> list[CaseSummary]:
    """The cases that the wish asks for, in its order."""
    words = wish.text.lower().split()
    found = [case for case in cases if _in_state(case, wish.state) and all(word in _words(case) for word in words)]
    return sorted(found, key=lambda case: (case.id in wish.skipped, ORDERS[wish.order](case)))


def _in_state(case: CaseSummary, state: str) -> bool:
    return state == ALL or (case.state not in _DONE if state == TO_DO else case.state == state)


def _words(case: CaseSummary) -> str:
    return " ".join((case.id, case.patient, case.site, *case.flags, case.comment)).lower()


def neighbor(cases: Sequence[CaseSummary], case_id: str, step: int) -> str:
    """The id of the case ``step`` places further (-1: before); empty: there is none. From nowhere, 1 is the first."""
    ids = [case.id for case in cases]
    place = ids.index(case_id) + step if case_id in ids else (0 if step > 0 else -1)
    return ids[place] if 0 <= place < len(ids) else ""


def progress(cases: Sequence[CaseSummary]) -> tuple[int, int, float]:
    """How many cases are done, of how many, and the minutes that each of those took somebody (0: nobody)."""
    done = [case for case in cases if case.state in _DONE]
    minutes = [case.minutes for case in done if case.minutes > 0]
    return len(done), len(cases), sum(minutes) / len(minutes) if minutes else 0.0
