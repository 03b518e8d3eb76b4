"""Which cases are shown in the queue, in which order, and which one comes next."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from MedSegEffNetLib.dataset.index import CaseSummary
from MedSegEffNetLib.dataset.records import ACCEPTED, REJECTED

TO_DO, ALL = "to do", "all"
_DONE = (ACCEPTED, REJECTED)


def unsure(figures: Mapping[str, float]) -> float | None:
    """How unsure the model is of a label, 0 to 1, by the worst of the label's figures; None: nothing tells."""
    doubt, agreement = figures.get("uncertainty"), figures.get("agreement")
    if agreement is None:
        return doubt
    return 1 - agreement if doubt is None else max(doubt, 1 - agreement)


def _by_doubt(case: CaseSummary) -> Any:
    found = unsure(case.figures)
    return (found is None, -(found or 0.0), case.id)


ORDERS: dict[str, Callable[[CaseSummary], Any]] = {
    "unsure": _by_doubt,
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
    order: str = "unsure"
    skipped: Collection[str] = ()


def arranged(cases: Sequence[CaseSummary], wish: Wish) -> list[CaseSummary]:
    """The cases that the wish asks for, in its order."""
    words = wish.text.lower().split()
    found = [case for case in cases if _in_state(case, wish.state) and all(word in _words(case) for word in words)]
    return sorted(found, key=lambda case: (case.id in wish.skipped, ORDERS[wish.order](case)))


def in_place(cases: Sequence[CaseSummary], before: Sequence[CaseSummary], case_id: str) -> list[CaseSummary]:
    """``cases``, but one of them stays where it was in the list ``before``: what is saved of the open case, or what the
    model's figures then are, must not make the next case another one.
    """
    if not case_id:
        return list(cases)
    ids = [case.id for case in before]
    kept = [case for case in cases if case.id == case_id]
    if not kept or case_id not in ids:
        return list(cases)
    after = set(ids[ids.index(case_id) + 1 :])
    others = [case for case in cases if case.id != case_id]
    place = next((place for place, case in enumerate(others) if case.id in after), len(others))
    return [*others[:place], *kept, *others[place:]]


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
