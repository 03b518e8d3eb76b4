"""The page of a training: curves of loss and score, the best epoch, recipe, data, time and state, also while it runs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from MedSegEffNetLib import atomic
from MedSegEffNetLib.reporting import charts, page
from MedSegEffNetLib.terminal import duration, number

Event = Mapping[str, Any]
_SCORES = {"dice": "Dice", "iou": "IoU", "accuracy": "Accuracy"}
_OPEN_EPOCHS = 20  # a longer table of epochs is folded
_ENDS = ("finished", "stopped", "failed")
_CONVENTIONS = (
    "Training loss is the mean over an epoch, training scores are counted over all of its augmented patches together, "
    "while the weights still change; those of validation are means over whole cases after it (of the running average of "
    "the weights where the recipe has one). A score is the mean over the regions; both masks empty count as 1."
)


@dataclass(frozen=True)
class Piece:
    """One start of a training that was resumed, perhaps.

    Parameters
    ----------
    began, ended : times of its first and last event.
    end : ``finished``, ``stopped``, ``failed``, or empty: it has not written its end.
    """

    began: datetime
    ended: datetime
    end: str

    @property
    def seconds(self) -> float:
        """How long it worked."""
        return (self.ended - self.began).total_seconds()


def pieces_of(events: Sequence[Event]) -> list[Piece]:
    """The starts of a training, in order."""
    starts = [place for place, event in enumerate(events) if event["event"] == "started"]
    found = []
    for start, stop in zip(starts, [*starts[1:], len(events)], strict=False):
        first, last = events[start], events[stop - 1]
        end = last["event"] if last["event"] in _ENDS else ""
        found.append(Piece(datetime.fromisoformat(first["time"]), datetime.fromisoformat(last["time"]), end))
    return found


def epochs_of(events: Sequence[Event]) -> dict[str, list[Event]]:
    """The epochs in order by the network's key (empty: the only one).

    An epoch that was done twice, because the process was killed before its checkpoint was written, counts as it was
    done last.
    """
    found: dict[str, dict[int, Event]] = {}
    for event in events:
        if event["event"] == "epoch":
            found.setdefault(str(event.get("network", "")), {})[int(event["epoch"])] = event
    return {key: [by_number[number] for number in sorted(by_number)] for key, by_number in found.items()}


def state_of(events: Sequence[Event], running: bool) -> str:
    """How the training stands, in words; ``running``: whether its process is there."""
    if running:
        return "still running"
    end = pieces_of(events)[-1].end if pieces_of(events) else ""
    return end or "broken off (the process was killed, or the machine went down: the same command resumes the training)"


def write_training_page(
    path: str | Path,
    *,
    title: str,
    request: Mapping[str, Any],
    events: Sequence[Event],
    running: bool,
    cases: Mapping[str, Sequence[str]] | None = None,
) -> None:
    """Write one self-contained HTML page about a training.

    Parameters
    ----------
    request, events : as in the job's ``job.json`` and ``events.jsonl``.
    running : whether a process works on it now.
    cases : ids of the cases by split, where the events do not tell the counts; None: not known.

    :class:`MedSegEffNetError` when the file cannot be written.
    """
    by_network = epochs_of(events)
    monitor = str(request.get("recipe", {}).get("monitor", "dice"))
    state = state_of(events, running)
    networks = [
        page.section(f"Network {key}" if key else "Curves", *_network(epochs, monitor))
        for key, epochs in by_network.items()
    ]
    if not by_network:
        networks = [page.section("Curves", page.paragraph("No epoch is complete yet."))]
    notices = [page.paragraph(str(event["text"])) for event in events if event["event"] == "notice"]
    parts = [
        page.section("State", page.facts(_state(state, request, events, by_network))),
        *networks,
        page.section("Data", *_data(request, events, cases)),
        page.section("Recipe", page.facts(_recipe(request))),
        page.section("Notes of the run", *notices),
        page.section("Conventions", page.paragraph(_CONVENTIONS, "note")),
    ]
    failed = [event for event in events[-1:] if event["event"] == "failed" and not running]
    warnings = [" ".join(filter(None, (e["message"], e.get("expected"), e.get("hint")))) for e in failed]
    told = (request.get("task"), request.get("network"), state.partition(" (")[0])
    subtitle = " · ".join(str(part) for part in told if part)
    atomic.write_text(path, page.document(title, subtitle, parts, warnings))


def _state(
    state: str, request: Mapping[str, Any], events: Sequence[Event], by_network: Mapping[str, Sequence[Event]]
) -> dict[str, Any]:
    pieces = pieces_of(events)
    epochs = request.get("recipe", {}).get("epochs", "?")
    facts: dict[str, Any] = {"state": state}
    for key, done in by_network.items():
        last = done[-1]
        named = f"{key}: " if key else ""
        facts[f"{named}epochs"] = f"{last['epoch']:.0f} of at most {epochs}"
        facts[f"{named}best epoch"] = _best(done, last)
        seconds = [epoch["seconds"] for epoch in done]
        facts[f"{named}time an epoch"] = duration(sum(seconds) / len(seconds))
    if pieces:
        facts["begun"] = _moment(pieces[0].began)
        facts["last event"] = _moment(pieces[-1].ended)
        facts["time worked"] = duration(sum(piece.seconds for piece in pieces))
    if len(pieces) > 1:
        told = [
            f"{_moment(piece.began)}, {duration(piece.seconds)}, {piece.end or 'no end written'}" for piece in pieces
        ]
        facts["starts"] = f"{len(pieces)} ({'; '.join(told)})"
    progress = [event for event in events if event["event"] == "progress"]
    if progress and state == "still running":
        now = progress[-1]
        facts["now"] = f"{now['stage']}, {now['done']} of {now['total']}"
    return facts


def _best(epochs: Sequence[Event], last: Event) -> str:
    best = next((epoch for epoch in epochs if epoch["epoch"] == last["best_epoch"]), None)
    if best is None:
        return str(last["best_epoch"])
    figures = [f"validation {title} {number(best.get(f'val_{name}'))}" for name, title in _SCORES.items()]
    return f"{best['epoch']:.0f} ({', '.join(figures)}, validation loss {number(best.get('val_loss'))})"


def _network(epochs: Sequence[Event], monitor: str) -> list[str]:
    """The charts of one network, the monitored figure first, and the table of its epochs."""
    best = int(epochs[-1]["best_epoch"])
    mark = (float(best), f"best: epoch {best}") if best else None

    def chart(name: str, title: str) -> str:
        curves = [
            charts.Curve(shown, _points(epochs, f"{part}_{name}"), main=part == "val")
            for part, shown in (("train", "training"), ("val", "validation"))
        ]
        told = [curve for curve in curves if curve.points]
        return charts.lines(told, title + (" (monitored)" if name == monitor else ""), "Epoch", mark=mark)

    names = sorted({"loss": "Loss", **_SCORES}.items(), key=lambda item: item[0] not in (monitor, "loss"))
    drawn = [chart(name, title) for name, title in names]
    rates = _points(epochs, "rate")
    known = [rate for _, rate in rates if rate > 0]
    log = len(known) == len(rates) and bool(known) and max(known) >= 10 * min(known)
    drawn.append(charts.lines([charts.Curve("Learning rate", rates)], "Learning rate", "Epoch", mark=mark, log=log))
    return [page.figures(filter(None, drawn), "28rem"), _table(epochs)]


def _table(epochs: Sequence[Event]) -> str:
    columns = {"train_loss": "Training loss", "val_loss": "Validation loss"}
    columns |= {f"{part}_{name}": f"{shown} {title}" for name, title in _SCORES.items() for part, shown in
                (("train", "Training"), ("val", "Validation"))}  # fmt: skip
    there = {name: title for name, title in columns.items() if any(name in epoch for epoch in epochs)}
    lines = [
        [f"{epoch['epoch']:.0f}", *(number(epoch.get(name)) for name in there), f"{epoch['rate']:.2g}",
         f"{epoch['seconds']:.0f}"]
        for epoch in epochs
    ]  # fmt: skip
    table = page.table(["Epoch", *there.values(), "Learning rate", "Seconds"], lines)
    return page.details(f"{len(lines)} epochs", table, is_open=len(lines) <= _OPEN_EPOCHS)


def _data(request: Mapping[str, Any], events: Sequence[Event], cases: Mapping[str, Sequence[str]] | None) -> list[str]:
    told = [event for event in events if event["event"] == "data"]
    if told:
        rows = [[name, str(part["cases"]), str(part["patients"])] for name, part in told[-1]["splits"].items()]
        table = page.table(["Split", "Cases", "Patients"], rows)
    elif cases:
        table = page.table(["Split", "Cases"], [[name, str(len(ids))] for name, ids in cases.items() if ids])
    else:
        table = page.paragraph("The run does not tell how many cases each split has.", "note")
    folder = str(request.get("data", ""))
    return [page.facts({"folder": folder}) if folder else "", table]


def _recipe(request: Mapping[str, Any]) -> dict[str, Any]:
    facts: dict[str, Any] = {"network": request.get("network"), **request.get("arguments", {})}
    facts |= {"started from": request.get("parent") or "no model of ours"}
    facts |= {name: value for name, value in request.get("recipe", {}).items() if value not in ("", [], {}, None)}
    steps = [step["name"] for step in request.get("preprocessing", ())]
    return {**facts, "preprocessing": steps}


def _points(epochs: Sequence[Event], name: str) -> list[tuple[float, float]]:
    """(epoch, value); NaN, which is null in an event, leaves a gap. Empty where no epoch has it."""
    if not any(epoch.get(name) is not None for epoch in epochs):
        return []
    return [(float(e["epoch"]), math.nan if e.get(name) is None else float(e[name])) for e in epochs]


def _moment(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S UTC")
