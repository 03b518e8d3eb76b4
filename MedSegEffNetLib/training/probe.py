"""The probe before a long training: can the network learn one case by heart? If not, it will not learn from many."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Unpack

import numpy as np
import torch
from torch import Tensor

from MedSegEffNetLib.dataset.case import Case
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.job import Event, Job
from MedSegEffNetLib.preprocessing import Pipeline
from MedSegEffNetLib.training import figures
from MedSegEffNetLib.training.config import Recipe
from MedSegEffNetLib.training.contents import contents_of
from MedSegEffNetLib.training.data import ChannelDropout, Slices, batches, load_volume
from MedSegEffNetLib.training.halfway import Halfway
from MedSegEffNetLib.training.learner import NotFinite
from MedSegEffNetLib.training.preflight import begun
from MedSegEffNetLib.training.preparing import ready
from MedSegEffNetLib.training.request import Asked, Request
from MedSegEffNetLib.training.run import make_trainer, seed_everything
from MedSegEffNetLib.training.volumes import VolumeFeed

STEPS = 60
_ENOUGH = 0.95  # Dice: known by heart
_FALL = 0.8  # of the first loss: more of it left is no learning
_SOME = 0.1  # Dice: below it the loss fell because less and less was found, as there is more background than anything


@dataclass(frozen=True)
class Overfit:
    """What the event ``overfit`` says.

    Parameters
    ----------
    case : that was learnt. steps : that it took.
    loss_first, loss_last : the last one is None where it became no number.
    dice : reached on the slices that were learnt, the mean over the regions.
    learns : whether the loss fell by a fifth or more and something of the regions was found.
    text : the same in words.
    """

    case: str
    steps: int
    loss_first: float | None
    loss_last: float | None
    dice: float
    learns: bool
    text: str


def overfit(
    task_id: str,
    data: Path,
    run: Path,
    *,
    threads: int | None = None,
    listener: Callable[[Event], None] | None = None,
    **asked: Unpack[Asked],
) -> Overfit:
    """Learn the training case with the most of every region in up to 60 steps, without changes of the images.

    Arguments as of :func:`MedSegEffNetLib.training.preflight.check`.

    Raises
    ------
    InputError
        The training would be refused, or no training case has any region.
    """
    with begun(task_id, data, run, threads, listener, **asked) as (request, cases, job):
        fullest = contents_of(request, cases["train"], "train", job).fullest
        if not fullest:
            raise InputError(f"no training case of {data} has any label", hint="correct and accept cases first")
        found = _learn(request, next(case for case in cases["train"] if case.id == fullest), job)
        job.emit("overfit", **asdict(found))
        job.finish(**asdict(found))
    return found


def _learn(request: Request, case: Case, job: Job) -> Overfit:
    probing = request.with_recipe(_plain(request.recipe, request.task.dimensions))
    key, prepared = _prepared(probing, case)
    seed_everything(probing.recipe.seed)
    trainer = make_trainer(probing, key)
    images, targets = _batch(probing, prepared)
    now = Halfway(STEPS, torch.Generator().manual_seed(0), trainer.device)
    losses: list[float] = []
    dice = 0.0
    trainer.learner.train()
    for number in range(STEPS):
        try:
            loss, counts = trainer.learner.learn(images, targets, now, job)
        except NotFinite:
            losses.append(math.nan)
            break
        losses.append(loss)
        dice = figures.means(counts)["dice"]
        job.progress("One case", number + 1, STEPS)
        job.check_stop()
        if dice > _ENOUGH:
            break
    return _judged(case.id, losses, dice)


def _judged(case: str, losses: list[float], dice: float) -> Overfit:
    first, last = losses[0], losses[-1]
    learns = (last < _FALL * first and dice > _SOME) or dice > _ENOUGH
    told = f"The loss of case {case} went from {first:.3g} to {last:.3g} in {len(losses)} steps, its Dice to {dice:.2f}"
    if learns:
        text = f"{told}: the network can learn this case."
    elif math.isfinite(last):
        text = f"{told}: the network hardly learns it. Raise learning_rate, or look whether its labels fit its images."
    else:
        text = f"{told}: the training is unstable. Lower learning_rate, or set precision=float32."
    known = [value if math.isfinite(value) else None for value in (first, last)]
    return Overfit(case, len(losses), known[0], known[1], dice, learns, text)


def _plain(recipe: Recipe, dimensions: int) -> Recipe:
    """``recipe`` without anything that makes one case look like many."""
    return recipe.replaced(
        augmentation={},
        channel_dropout=0.0,
        background_noise=0.0,
        synthetic_share=0.0,
        ema=0.0,
        patch_size=() if dimensions == 2 else recipe.patch_size,
    )


def _prepared(request: Request, case: Case) -> tuple[str, Any]:
    """The case for the first network that sees any of its images."""
    pipeline = Pipeline.from_steps(request.preprocessing)
    for key, channels in request.networks.items():
        volume = load_volume(case, channels)
        if volume is not None:
            learnt = pipeline if request.task.ensembles else pipeline.learn([volume])
            return key, ready(request, case, volume, learnt)
    raise InputError(f"case {case.id} has no images", expected="one of " + ", ".join(request.networks))


def _batch(request: Request, prepared: Any) -> tuple[Tensor, Tensor]:
    """The case's slices with the most of any region, as many as a batch has; or the whole volume."""
    recipe = request.recipe
    if not isinstance(prepared, Slices):
        return VolumeFeed(recipe).batch([prepared], np.random.default_rng(0))
    first = int(request.task.activation == "softmax")
    areas = prepared.targets[:, first:].any(axis=1).sum(axis=(1, 2))
    order = [(0, int(index)) for index in np.argsort(-areas, kind="stable")[: recipe.batch_size]]
    keep = ChannelDropout(request.task.channels, 0.0, float)
    return next(batches([prepared], order, recipe.batch_size, recipe.context, keep))
