"""What is known of a training from its run folder. No Qt: it is read in a thread."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from MedSegEffNetLib.errors import MedSegEffNetError
from MedSegEffNetLib.job import STOP, read_events, read_request, running_process
from MedSegEffNetPanel.follower import follows
from MedSegEffNetPanel.remote import Errand
from MedSegEffNetPanel.wording import sentences

TRAIN = "train"  # the command, and the end of its run folder's name
QUEUED, RUNNING, STOPPING = "queued", "running", "stopping"
FINISHED, STOPPED, FAILED, KILLED = "finished", "stopped", "failed", "killed"
ALIVE = (QUEUED, RUNNING, STOPPING)
_BYTES = 1 << 16  # of events between two turns of the window


@dataclass(frozen=True)
class RunRecord:
    """A training.

    Attributes
    ----------
    request : as in ``job.json``; empty before the run has begun. state : one of the words above.
    epoch, epochs : how far, of how many at most. best : validation Dice of the weights that are kept, None: not known.
    started : when it was begun first (ISO 8601, UTC). problem : why it failed, and what to do.
    offset : bytes of the events that are taken in.
    """

    folder: Path
    request: Mapping[str, Any] = field(default_factory=dict)
    state: str = QUEUED
    epoch: int = 0
    best: float | None = None
    started: str = ""
    problem: str = ""
    offset: int = 0

    @property
    def epochs(self) -> int:
        """The number of epochs that was asked for; 0: not known."""
        return int(self.request.get("recipe", {}).get("epochs", 0))

    @property
    def data(self) -> str:
        """The folder of the data set."""
        return str(self.request.get("data", ""))

    def after(self, event: Mapping[str, Any]) -> RunRecord:
        """What is known when ``event`` has happened."""
        kind = event["event"]
        if kind == "started":
            started = self.started or str(event["time"])
            request = _as_here(self.folder, event["request"])
            return replace(self, request=request, state=RUNNING, started=started, problem="")
        if kind == "epoch":
            best = event.get("val_dice") if event["epoch"] == event["best_epoch"] else self.best
            return replace(self, epoch=int(event["epoch"]), best=best)
        if kind in (FINISHED, STOPPED):
            return replace(self, state=kind)
        if kind == FAILED:
            return replace(self, state=FAILED, problem=sentences(event["message"], event["hint"]))
        return self


def is_training(folder: Path) -> bool:
    """Whether a training was begun in the folder."""
    try:
        content = read_request(folder)
    except MedSegEffNetError:  # damaged, or of a newer version
        return False
    if content is None:  # on its way to another machine, or never begun
        return Errand.read(folder) is not None
    return bool(content["request"].get("command") == TRAIN)


def read_record(folder: Path, before: RunRecord | None = None) -> RunRecord:
    """The training in ``folder``; ``before``: what was known of it, so that only what is new is read."""
    # Before its events: those of a process that has gone are all there.
    alive = running_process(folder) is not None or follows(folder)
    record = before or RunRecord(folder)
    while True:
        events, offset = read_events(folder, record.offset, limit=_BYTES)
        if offset == record.offset:
            break
        for event in events:
            record = record.after(event)
        record = replace(record, offset=offset)
    if alive:
        return replace(record, state=STOPPING if (folder / STOP).exists() else RUNNING)
    return replace(record, state=KILLED) if record.state in ALIVE else record


def read_all(base: Path, known: Mapping[Path, RunRecord]) -> list[RunRecord]:
    """The trainings in the folder of runs, the newest first."""
    folders = sorted(base.glob(f"[0-9]*-{TRAIN}"), reverse=True) if base.is_dir() else []
    records = [read_record(folder, known.get(folder)) for folder in folders if is_training(folder)]
    return sorted(records, key=lambda record: record.started, reverse=True)


def _as_here(folder: Path, request: Mapping[str, Any]) -> Mapping[str, Any]:
    """The request of a run with the data set's folder as it is called on this computer."""
    errand = Errand.read(folder)
    return request if errand is None else {**request, "data": errand.place.here(str(request["data"]))}
