"""What a training's events tell: its figures epoch by epoch as curves, its pictures, notices and log. No Qt, no nodes."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left
from collections import deque
from collections.abc import Mapping
from typing import Any

import numpy as np
from slicer.i18n import tr as _

from MedSegEffNetPanel.bridge.plots import Line, Look
from MedSegEffNetPanel.job_report import sentence

LOSS, DICE = "Loss", "Dice"  # keys of the charts
POINTS = 600  # of a curve that are drawn at most: a view has not many more pixels
LOG_LINES = 500
_NOTICES = 3
_REGION = "val_dice_"
_MEAN = "val_dice"
_BLUE, _RED, _GRAY = (0.0, 0.36, 0.7), (0.84, 0.37, 0.0), (0.35, 0.35, 0.35)
# Colors of Okabe and Ito (2008), which people with other color vision can tell apart.
_COLORS = (
    (0.84, 0.37, 0.0),
    (0.0, 0.45, 0.7),
    (0.0, 0.62, 0.45),
    (0.8, 0.47, 0.65),
    (0.9, 0.62, 0.0),
    (0.34, 0.71, 0.91),
)
_ENDS = ("finished", "stopped", "failed")


def looks() -> dict[str, Look]:
    """The charts."""
    return {LOSS: Look(_("Loss"), _("loss")), DICE: Look(_("Dice of the validation cases"), _("Dice"), (0.0, 1.0))}


class History:
    """The epochs of one network.

    A training that was killed begins again after its last checkpoint: an epoch that is told once more, and all after
    it, take the place of what was told before.
    """

    def __init__(self) -> None:
        self._epochs = array("d")
        self._columns: dict[str, array[float]] = {}
        self.last: dict[str, Any] = {}

    @property
    def epochs(self) -> np.ndarray:
        """(N,) numbers of the epochs, ascending."""
        return np.array(self._epochs)

    @property
    def regions(self) -> list[str]:
        """The regions whose Dice was told."""
        return sorted(name.removeprefix(_REGION) for name in self._columns if name.startswith(_REGION))

    def column(self, name: str) -> np.ndarray:
        """(N,) values of a figure, NaN where it was not told."""
        return np.array(self._columns.get(name, array("d", [math.nan] * len(self._epochs))))

    def take(self, event: Mapping[str, Any]) -> None:
        """Take in an event ``epoch``."""
        epoch = float(event["epoch"])
        place = bisect_left(self._epochs, epoch)
        for values in (self._epochs, *self._columns.values()):
            del values[place:]
        told = {
            name: value for name, value in event.items() if name in ("train_loss", "val_loss") or name.startswith(_MEAN)
        }
        for name in told.keys() - self._columns.keys():
            self._columns[name] = array("d", [math.nan] * place)
        for name, values in self._columns.items():
            value = told.get(name)
            values.append(math.nan if value is None else float(value))
        self._epochs.append(epoch)
        self.last = dict(event)

    @property
    def best(self) -> tuple[int, float] | None:
        """The best epoch and its mean Dice; None: there is none yet."""
        epoch = float(self.last.get("best_epoch") or 0)
        place = bisect_left(self._epochs, epoch)
        if not epoch or place == len(self._epochs) or self._epochs[place] != epoch or _MEAN not in self._columns:
            return None
        return int(epoch), self._columns[_MEAN][place]

    def lines(self) -> tuple[np.ndarray, list[Line]]:
        """Epochs and curves to draw; of a long training some hundred epochs, the first, the best and the last among
        them.
        """
        epochs, best = self.epochs, self.best
        shown = np.linspace(0, len(epochs) - 1, min(POINTS, len(epochs))).round().astype(int)
        if best is not None and len(epochs) > POINTS:
            shown = np.union1d(shown, bisect_left(self._epochs, float(best[0])))
        of_loss = {"train_loss": (_("training"), _BLUE), "val_loss": (_("validation"), _RED)}
        of_dice = {_REGION + name: (name, _COLORS[n % len(_COLORS)]) for n, name in enumerate(self.regions)}
        if len(of_dice) != 1:  # of one region it is the same
            of_dice[_MEAN] = (_("mean"), _GRAY)
        lines = [
            Line(chart, name, title, self.column(name)[shown], color, dashed=name == _MEAN and bool(self.regions))
            for chart, figures in ((LOSS, of_loss), (DICE, of_dice))
            for name, (title, color) in figures.items()
        ]
        return epochs[shown], [line for line in lines if not np.isnan(line.values).all()]


class Story:
    """All that the events of a run told so far.

    Attributes
    ----------
    networks : the epochs by network (empty name: the only one), in the order of training.
    previews : by case and network, then by epoch: path of the picture in the run's folder, and the case's Dice.
    notices : the last ones. log : sentences, capped. logged : how many there were.
    stage : what it does now; empty: it computes epochs. seconds_left : None: not known. over : how it ended; empty: it
    has not. recipe : of the request.
    """

    def __init__(self) -> None:
        self.networks: dict[str, History] = {}
        self.previews: dict[tuple[str, str], dict[int, tuple[str, float | None]]] = {}
        self.notices: deque[str] = deque(maxlen=_NOTICES)
        self.log: deque[str] = deque(maxlen=LOG_LINES)
        self.logged = 0
        self.stage = ""
        self.seconds_left: float | None = None
        self.over = ""
        self.request: Mapping[str, Any] = {}
        self._stage = ""

    @property
    def network(self) -> str:
        """The network that is trained now."""
        return next(reversed(self.networks), "")

    def take(self, event: Mapping[str, Any]) -> None:
        """Take in an event."""
        kind = event["event"]
        told = sentence(dict(event), self._stage)
        if told:
            self.log.append(told)
            self.logged += 1
        if kind == "started":
            self.over, self.stage, self.seconds_left, self.request = "", "", None, event["request"]
        elif kind == "progress":
            self.stage = self._stage = str(event["stage"])
            self.seconds_left = event["seconds_left"]
        elif kind == "epoch":
            self.stage, self.seconds_left = "", event.get("seconds_left")
            self.networks.setdefault(str(event.get("network", "")), History()).take(event)
        elif kind == "preview":
            shown = self.previews.setdefault((str(event["case"]), str(event.get("network", ""))), {})
            shown[int(event["epoch"])] = str(event["path"]), event.get("dice")
        elif kind == "notice":
            self.notices.append(str(event["text"]))
        elif kind in _ENDS:
            self.over, self.seconds_left = kind, None
