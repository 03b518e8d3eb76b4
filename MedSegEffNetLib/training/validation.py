"""How well a network does on whole cases, and what a training tells of it after each epoch."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from MedSegEffNetLib.augmentation import cut
from MedSegEffNetLib.job import Job
from MedSegEffNetLib.training import distributed, figures
from MedSegEffNetLib.training.previews import Previews

if TYPE_CHECKING:
    from MedSegEffNetLib.training.loop import Feed


@dataclass(frozen=True)
class Outcome:
    """What one case gave.

    Parameters
    ----------
    losses : of its batches.
    means : Dice, IoU and accuracy, the mean over the regions that the case tells; empty: it tells none.
    dice : of each region that the case tells, by name.
    """

    losses: list[float] = field(default_factory=list)
    means: dict[str, float] = field(default_factory=dict)
    dice: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Validation:
    """Runs a network over whole cases.

    Parameters
    ----------
    feed : makes the batches of a case.
    predict : images ``(N, C, …)`` to logits ``(N, R, …)``, float32.
    loss : as in :func:`MedSegEffNetLib.losses.get_loss`.
    padded : height and width of images as the network takes them.
    exclusive, regions, device, previews : as in :class:`MedSegEffNetLib.training.loop.Trainer`.
    """

    feed: Feed
    predict: Callable[[Tensor], Tensor]
    loss: Callable[[Tensor, Tensor, bool], Tensor]
    padded: Callable[[Tensor], tuple[int, int]]
    exclusive: bool
    regions: tuple[str, ...]
    device: torch.device
    previews: Previews | None

    @torch.inference_mode()
    def run(self, cases: Sequence[Any], job: Job) -> list[Outcome]:
        """What each case gives, in their order; :class:`Stopped` between two of them.

        Several processes share the cases.
        """
        outcomes = []
        own = distributed.share(cases)
        if self.previews:
            self.previews.forget()
        for number, case in enumerate(own):
            outcomes.append(self.one(case))
            if self.previews:
                self.previews.keep(case.case_id, outcomes[-1].means.get("dice"))
            job.progress("Validation", number + 1, len(own))
            if number < len(cases) // distributed.processes():  # as often in all processes
                job.check_stop()
        if self.previews:
            self.previews.gather()
        return distributed.gathered(outcomes)

    def one(self, case: Any) -> Outcome:
        """What ``case`` gives."""
        losses: list[float] = []
        counts, known = np.zeros(1, dtype=np.int64), np.ones(1, dtype=bool)
        for images, targets in self.feed.validation(case):
            images, targets = cut(images, targets, self.padded(images))
            logits, targets = self.predict(images), targets.to(self.device)
            losses.append(float(self.loss(logits, targets, self.exclusive)))
            found = figures.predicted(logits, self.exclusive)
            counts = counts + figures.count(found, targets, self.exclusive)
            known = known & (targets >= 0).transpose(0, 1).flatten(1).all(dim=1).cpu().numpy()
            if self.previews:
                self.previews.look(images, targets, found)
        known = known[int(self.exclusive) :]
        dice = zip(self.regions, figures.dice(counts).tolist(), known.tolist(), strict=False)
        means = figures.means(counts[:, known]) if known.any() else {}
        return Outcome(losses, means, {name: value for name, value, told in dice if told})


def summary(outcomes: Sequence[Outcome]) -> dict[str, float]:
    """``val_loss`` (the mean over all batches) and the means over cases: ``val_dice``, ``val_iou``, ``val_accuracy``.

    Dice of each region as well (``val_dice_<region>``), over the cases that tell it.
    """
    losses = [loss for outcome in outcomes for loss in outcome.losses]
    found = {"val_loss": float(np.mean(losses)) if losses else math.nan}
    for prefix, rows in (("val", [one.means for one in outcomes]), ("val_dice", [one.dice for one in outcomes])):
        for name in dict.fromkeys(name for row in rows for name in row):
            found[f"{prefix}_{name}"] = float(np.mean([row[name] for row in rows if name in row]))
    return found
