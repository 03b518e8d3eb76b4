"""The training loop of a segmentation network, written out.

Every random number comes from the seed and the epoch's number, and a checkpoint tells how far its epoch is: a killed
training that is resumed ends with the same losses as one that was left alone.
"""

from __future__ import annotations

import functools
import itertools
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from MedSegEffNetLib.errors import InputError, MedSegEffNetError, Stopped
from MedSegEffNetLib.job import Job
from MedSegEffNetLib.task import Channel
from MedSegEffNetLib.training import checkpoint, distributed, figures
from MedSegEffNetLib.training.config import Recipe
from MedSegEffNetLib.training.data import SliceFeed
from MedSegEffNetLib.training.halfway import Halfway
from MedSegEffNetLib.training.learner import Learner, NotFinite
from MedSegEffNetLib.training.previews import Previews
from MedSegEffNetLib.training.rates import rate_at
from MedSegEffNetLib.training.validation import Validation, summary
from MedSegEffNetLib.training.volumes import VolumeFeed

History = list[dict[str, float]]
_PROGRESS = (
    *("epoch", "best", "best_epoch", "best_others", "rate_factor", "waited", "setbacks", "history"),
    "halfway",
)
_CHECKPOINT_SECONDS = 600.0  # no more of a long epoch is lost when the program is killed
_SETBACKS = 3  # that a training is forgiven
_SLOWER = 0.5  # factor of the learning rate after each
_RECENT = 5  # epochs that the time left is taken from


class Feed(Protocol):
    """What makes batches of cases: images ``(N, C, …)`` and targets ``(N, R, …)``, float32."""

    def training(self, cases: Any, draw: np.random.Generator) -> tuple[int, Iterator[tuple[Tensor, Tensor]]]:
        """Number of batches of an epoch, and the batches, not yet cut to the patch nor augmented."""

    def validation(self, case: Any) -> Iterator[tuple[Tensor, Tensor]]:
        """The batches that make up a whole case."""


@dataclass
class Trainer:
    """A training in progress.

    Parameters
    ----------
    network : takes ``(N, C·(2·context+1), H, W)`` to logits; one whose ``dimensions`` are 3 takes ``(N, C, D, H, W)``.
    recipe : the settings.
    channels : the task's channels (for channel dropout).
    exclusive : whether the outputs are exclusive classes (softmax, background first).
    device : where the network runs.
    feed : makes the batches; None: what the network's dimensions ask for.
    regions : names of the task's regions in the order of the outputs; the validation tells the Dice of each.
    key : which one this is where a run trains several: their files lie in folders of these names, and events tell it.
    previews : draws pictures of some validation cases; None: none are drawn.
    following : networks that the run trains after this one; the time left counts them.
    setbacks : how often the loss was no number.
    halfway : where an epoch that was interrupted goes on, see :meth:`Halfway.state`.
    """

    network: nn.Module
    recipe: Recipe
    channels: tuple[Channel, ...]
    exclusive: bool = False
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    feed: Feed | None = None
    regions: tuple[str, ...] = ()
    key: str = ""
    previews: Previews | None = None
    following: int = 0
    epoch: int = 0
    best: float = -math.inf
    best_epoch: int = 0
    best_others: dict[str, float] = field(default_factory=dict)
    rate_factor: float = 1.0
    waited: int = 0
    setbacks: int = 0
    history: History = field(default_factory=list)
    halfway: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        if self.feed is None:
            in_3d = getattr(self.network, "dimensions", 2) == 3
            self.feed = VolumeFeed(self.recipe) if in_3d else SliceFeed(self.recipe, self.channels)
        self.learner = Learner(self.network, self.recipe, self.exclusive, self.device)
        self._folder: Path | None = None
        self._saved = time.monotonic()
        self._now: Halfway | None = None  # the epoch in progress

    def fit(self, training: Sequence[Any], validation: Sequence[Any], run: Path, job: Job) -> History:
        """Train until the last epoch or until nothing improves any more; returns a row of figures for each epoch.

        Asked to stop, it finishes the step, writes a checkpoint within the epoch, from which it goes on, and ends.
        """
        self._folder, self._saved = run, time.monotonic()
        distributed.check_same(self.epoch, run)
        distributed.align(self.learner.network)
        distributed.align(self.learner.average)
        if not (run / checkpoint.LAST).is_file():
            self.save()  # what to go back to if the loss is no number in the first epoch
        while not self.finished:
            try:
                row = {"epoch": float(self.epoch + 1), **self.train_epoch(training, job)}
                row |= self.validate(validation, job)
            except NotFinite as error:
                self._set_back(str(error), run, job)
                continue
            except Stopped:
                self.save()
                raise
            row["seconds"] = self._now.spent if self._now else math.nan
            self._finish_epoch(distributed.from_first(row), run, job)
            job.check_stop()
        return self.history

    def train_epoch(self, cases: Sequence[Any], job: Job) -> dict[str, float]:
        """One pass over the training cases; returns the mean loss, and the scores over all its patches together."""
        seed = self.recipe.seed * 100_003 + self.epoch
        own_seed = distributed.own_seed(seed)
        torch.manual_seed(own_seed)
        count, stream = self.batches(cases, np.random.default_rng(seed))
        now = self._now = Halfway(count, torch.Generator().manual_seed(own_seed), self.device)
        if self.halfway:
            now.go_on(self.halfway)
            self.halfway = None
        stage = f"Epoch {self.epoch + 1} of {self.recipe.epochs}"
        stage = f"{self.key}: {stage}" if self.key else stage
        self.learner.train()
        for images, targets in itertools.islice(stream, now.done, None):
            self._set_rate(self.epoch + now.done / count)
            now.add(*self.learner.learn(images, targets, now, job))
            job.progress(stage, now.done, count)
            job.check_stop()
            if self._folder and time.monotonic() - self._saved > _CHECKPOINT_SECONDS:
                self.save()
        distributed.average_statistics(self.learner.network)
        distributed.average_statistics(self.learner.average)
        scores = figures.means(now.counts)
        return {"train_loss": now.loss / count, **{f"train_{name}": value for name, value in scores.items()}}

    def batches(self, cases: Sequence[Any], draw: np.random.Generator) -> tuple[int, Iterator[tuple[Tensor, Tensor]]]:
        """Number of batches of an epoch, and the batches, see :class:`Feed`.

        :class:`InputError` if there is nothing to learn from.
        """
        count, stream = self._feed.training(cases, draw)
        if not count:
            raise InputError(
                "no slice of the training cases has any label, and none without a label is to be learnt from",
                expected="cases with labels",
                hint="correct and accept some, or set empties_per_epoch to more than 0",
            )
        return count, stream

    def validate(self, cases: Sequence[Any], job: Job) -> dict[str, float]:
        """The figures of :func:`MedSegEffNetLib.training.validation.summary` over ``cases``."""
        learner = self.learner
        learner.average.eval()
        predict = functools.partial(learner.predict, job=job)
        settings = (self.exclusive, self.regions, self.device, self.previews)
        return summary(Validation(self._feed, predict, learner.loss, learner.padded_size, *settings).run(cases, job))

    def _set_back(self, what: str, run: Path, job: Job) -> None:
        """Go back to the last checkpoint with a lower rate."""
        setbacks = self.setbacks + 1
        if setbacks > _SETBACKS:
            raise MedSegEffNetError(
                f"the training does not hold, after {_SETBACKS} new starts with a lower learning rate: {what}",
                expected="a loss that is a number and falls",
                hint="set a smaller learning_rate or precision=float32, and look for images with strange values "
                "(`medsegeffnet dataset check`); `train` with --finish keeps the best weights so far",
            )
        self.restore(checkpoint.load(run / checkpoint.LAST))
        self.setbacks = setbacks
        job.notice(
            f"The training became unstable: {what}. It goes back to its last checkpoint (epoch {self.epoch} was done), "
            f"and on with {_SLOWER**setbacks:g} of the learning rate."
        )

    def _finish_epoch(self, row: dict[str, float], run: Path, job: Job) -> None:
        self._folder, self._now = run, None
        score = figures.score(row, self.recipe.monitor)
        row["rate"] = self.learner.optimizer.param_groups[0]["lr"]
        self.epoch += 1
        self.history.append(row)
        kept = {"network": self.learner.average.state_dict(), "row": row}
        if score > self.best:
            self.best, self.best_epoch, self.waited = score, self.epoch, 0
            checkpoint.save(run / checkpoint.BEST, kept)
        else:
            self.waited += 1
            if self.recipe.schedule == "plateau" and self.waited % self.recipe.patience == 0:
                self.rate_factor *= self.recipe.decay
        for figure in self.recipe.also_monitor:
            if figures.score(row, figure) > self.best_others.get(figure, -math.inf):
                self.best_others[figure] = figures.score(row, figure)
                checkpoint.save(run / checkpoint.best_by(figure), kept)
        named = {"network": self.key} if self.key else {}
        told = {"best": self.best, "best_epoch": self.best_epoch, "seconds_left": self._seconds_left(), **named}
        job.emit("epoch", **row, **told)
        if self.previews:
            self.previews.write(self.epoch, run, job)
        self.save()
        job.emit("checkpoint", path=(Path(self.key) / checkpoint.LAST).as_posix(), epoch=self.epoch, **named)

    def save(self) -> None:
        """Write down where the training is, within an epoch as well."""
        if self._folder is None:
            raise RuntimeError("the trainer has no folder: fit() gives it one")
        checkpoint.save(self._folder / checkpoint.LAST, self.state())
        self._saved = time.monotonic()

    def state(self) -> dict[str, Any]:
        """All that :meth:`restore` needs to go on."""
        state: dict[str, Any] = {name: getattr(self, name) for name in _PROGRESS}
        state["halfway"] = self._now.state() if self._now else self.halfway
        state["previewed"] = list(self.previews.cases) if self.previews else []
        return {**state, **self.learner.state()}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from :meth:`state`."""
        self.learner.restore(state)
        for name in _PROGRESS:
            setattr(self, name, state.get(name, getattr(self, name)))  # earlier versions kept fewer
        self._now = None
        if self.previews:
            self.previews.cases = tuple(state.get("previewed", ()))

    @property
    def finished(self) -> bool:
        """Whether the last epoch is done, or nothing has improved for too long."""
        return self.epoch >= self.recipe.epochs or 0 < self.recipe.early_stopping <= self.waited

    def _seconds_left(self) -> float | None:
        """At most: early stopping may end it sooner."""
        spent = [row["seconds"] for row in self.history[-_RECENT:] if "seconds" in row]
        if not spent:
            return None
        epochs = 0 if self.finished else self.recipe.epochs - self.epoch
        return sum(spent) / len(spent) * (epochs + self.following * self.recipe.epochs)

    def _set_rate(self, epoch: float) -> None:
        for group in self.learner.optimizer.param_groups:
            group["lr"] = rate_at(self.recipe, epoch, self.rate_factor) * _SLOWER**self.setbacks

    @property
    def _feed(self) -> Feed:
        if self.feed is None:
            raise RuntimeError("the trainer has no feed")
        return self.feed
