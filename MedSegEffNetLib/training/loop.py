"""The training loop of a segmentation network, written out.

Every random number comes from the seed and the epoch's number, and a checkpoint is written after each epoch: a killed
training that is resumed ends with the same losses as one that was left alone.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from MedSegEffNetLib.augmentation import Augmentation, augment, cut
from MedSegEffNetLib.job import Job
from MedSegEffNetLib.losses import get_loss
from MedSegEffNetLib.task import Channel
from MedSegEffNetLib.training import checkpoint
from MedSegEffNetLib.training.config import Recipe
from MedSegEffNetLib.training.data import SliceFeed
from MedSegEffNetLib.training.volumes import VolumeFeed

History = list[dict[str, float]]
_PROGRESS = ("epoch", "best", "best_epoch", "best_others", "rate_factor", "waited", "history", "steps")


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
    """

    network: nn.Module
    recipe: Recipe
    channels: tuple[Channel, ...]
    exclusive: bool = False
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    feed: Feed | None = None
    regions: tuple[str, ...] = ()
    key: str = ""
    epoch: int = 0
    best: float = -math.inf
    best_epoch: int = 0
    best_others: dict[str, float] = field(default_factory=dict)
    rate_factor: float = 1.0
    waited: int = 0
    history: History = field(default_factory=list)

    def __post_init__(self) -> None:
        in_3d = getattr(self.network, "dimensions", 2) == 3
        self._layout = torch.preserve_format if in_3d else torch.channels_last
        self.network.to(self.device, memory_format=self._layout)
        if self.feed is None:
            self.feed = VolumeFeed(self.recipe) if in_3d else SliceFeed(self.recipe, self.channels)
        self.optimizer = _optimizer(self.network, self.recipe)
        self.average = copy.deepcopy(self.network).eval() if self.recipe.ema else self.network
        self.loss = get_loss(self.recipe.loss)
        self.augmentation = Augmentation.from_mapping(self.recipe.augmentation)
        self.steps = 0

    def fit(self, training: Sequence[Any], validation: Sequence[Any], run: Path, job: Job) -> History:
        """Train until the last epoch or until nothing improves any more; returns a row of figures for each epoch."""
        while not self.finished:
            started = time.monotonic()
            row = {"epoch": float(self.epoch + 1), **self.train_epoch(training, job)}
            row |= self.validate(validation, job)
            row["seconds"] = time.monotonic() - started
            self._finish_epoch(row, run, job)
            job.check_stop()
        return self.history

    def train_epoch(self, cases: Sequence[Any], job: Job) -> dict[str, float]:
        """One pass over the training cases; returns the mean loss, and the scores over all its patches together."""
        seed = self.recipe.seed * 100_003 + self.epoch
        draw = np.random.default_rng(seed)
        generator = torch.Generator().manual_seed(seed)
        torch.manual_seed(seed)
        count, stream = self._feed.training(cases, draw)
        total, counts = 0.0, np.zeros(1, dtype=np.int64)
        self.network.train()
        for number, (images, targets) in enumerate(stream):
            self._set_rate(self.epoch + number / count)
            size = self._patch_size(images)
            images, targets = augment(images, targets, self.augmentation, size, generator)
            loss, counted = self._step(images, _raise_background(targets, self.recipe.background_noise, generator))
            total, counts = total + loss, counts + counted
            stage = f"Epoch {self.epoch + 1} of {self.recipe.epochs}"
            job.progress(f"{self.key}: {stage}" if self.key else stage, number + 1, count)
            job.check_stop()
        scores = _figures(counts)
        return {"train_loss": total / count, **{f"train_{name}": value for name, value in scores.items()}}

    def _step(self, images: Tensor, targets: Tensor) -> tuple[float, np.ndarray]:
        """The loss, and what :func:`_count` counts."""
        with self._autocast():
            logits = self.network(self._on_device(images))
        targets = targets.to(self.device)
        loss = self.loss(logits.float(), targets, self.exclusive)
        auxiliary = getattr(self.network, "auxiliary_loss", None)
        if auxiliary is not None:
            loss = loss + auxiliary
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 12.0)
        self.optimizer.step()
        self.steps += 1
        if self.recipe.ema:
            self._update_average()
        return float(loss.detach()), _count(logits.detach(), targets, self.exclusive)

    @torch.no_grad()
    def _update_average(self) -> None:
        # The first steps count less than the set decay asks for: the start is far from any good weights.
        decay = min(self.recipe.ema, (1 + self.steps) / (10 + self.steps))
        for kept, new in zip(self.average.state_dict().values(), self.network.state_dict().values(), strict=True):
            if kept.is_floating_point():
                kept.lerp_(new, 1 - decay)
            else:
                kept.copy_(new)

    @torch.inference_mode()
    def validate(self, cases: Sequence[Any], job: Job) -> dict[str, float]:
        """Mean figures over cases: loss, and Dice, IoU and accuracy of each case's whole volume, known regions averaged.

        Dice of each of :attr:`regions` as well (``val_dice_<region>``), over the cases that tell it.
        """
        self.average.eval()
        losses, figures = [], []
        dice: dict[str, list[float]] = {}
        for number, case in enumerate(cases):
            counts, known = np.zeros(1, dtype=np.int64), np.ones(1, dtype=bool)
            for images, targets in self._feed.validation(case):
                images, targets = cut(images, targets, self._padded_size(images))
                with self._autocast():
                    logits = self.average(self._on_device(images)).float()
                targets = targets.to(self.device)
                losses.append(float(self.loss(logits, targets, self.exclusive)))
                counts = counts + _count(logits, targets, self.exclusive)
                known = known & (targets >= 0).transpose(0, 1).flatten(1).all(dim=1).cpu().numpy()
            known = known[int(self.exclusive) :]
            figures.append(_figures(counts[:, known]))
            for name, value, told in zip(self.regions, _dice(counts), known, strict=False):
                dice.setdefault(name, []).extend([float(value)] if told else [])
            job.progress("Validation", number + 1, len(cases))
        means = {name: float(np.mean([row[name] for row in figures])) for name in figures[0]} if figures else {}
        means |= {f"dice_{name}": float(np.mean(values)) for name, values in dice.items() if values}
        return {"val_loss": float(np.mean(losses)) if losses else math.nan, **{f"val_{k}": v for k, v in means.items()}}

    def _finish_epoch(self, row: dict[str, float], run: Path, job: Job) -> None:
        score = _score(row, self.recipe.monitor)
        row["rate"] = self.optimizer.param_groups[0]["lr"]
        self.epoch += 1
        self.history.append(row)
        kept = {"network": self.average.state_dict(), "row": row}
        if score > self.best:
            self.best, self.best_epoch, self.waited = score, self.epoch, 0
            checkpoint.save(run / checkpoint.BEST, kept)
        else:
            self.waited += 1
            if self.recipe.schedule == "plateau" and self.waited % self.recipe.patience == 0:
                self.rate_factor *= self.recipe.decay
        for figure in self.recipe.also_monitor:
            if _score(row, figure) > self.best_others.get(figure, -math.inf):
                self.best_others[figure] = _score(row, figure)
                checkpoint.save(run / checkpoint.best_by(figure), kept)
        named = {"network": self.key} if self.key else {}
        job.emit("epoch", **row, best=self.best, best_epoch=self.best_epoch, **named)
        checkpoint.save(run / checkpoint.LAST, self.state())
        job.emit("checkpoint", path=(Path(self.key) / checkpoint.LAST).as_posix(), epoch=self.epoch, **named)

    def state(self) -> dict[str, Any]:
        """All that :meth:`restore` needs to go on."""
        state: dict[str, Any] = {name: getattr(self, name) for name in _PROGRESS}
        state["network"] = self.network.state_dict()
        state["optimizer"] = self.optimizer.state_dict()
        if self.recipe.ema:
            state["average"] = self.average.state_dict()
        return state

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from :meth:`state`."""
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.recipe.ema:
            self.average.load_state_dict(state["average"])
        for name in _PROGRESS:
            setattr(self, name, state.get(name, getattr(self, name)))  # earlier versions kept no best_others

    @property
    def finished(self) -> bool:
        """Whether the last epoch is done, or nothing has improved for too long."""
        return self.epoch >= self.recipe.epochs or 0 < self.recipe.early_stopping <= self.waited

    def _set_rate(self, epoch: float) -> None:
        recipe, factor = self.recipe, self.rate_factor
        if recipe.schedule == "cosine":
            factor = 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, epoch / recipe.epochs)))
        elif recipe.schedule == "step":
            factor = recipe.decay ** (int(epoch) // recipe.patience)
        if epoch < recipe.warmup:
            factor *= max(epoch, 1e-3) / recipe.warmup
        for group in self.optimizer.param_groups:
            group["lr"] = recipe.learning_rate * factor

    def _patch_size(self, images: Tensor) -> tuple[int, int]:
        if self.recipe.patch_size:
            return self._multiple(self.recipe.patch_size[0]), self._multiple(self.recipe.patch_size[1])
        return self._padded_size(images)

    def _padded_size(self, images: Tensor) -> tuple[int, int]:
        return self._multiple(images.shape[-2]), self._multiple(images.shape[-1])

    def _multiple(self, length: int) -> int:
        divisor = int(self.network.divisor)  # type: ignore[arg-type]
        return -(-length // divisor) * divisor

    def _on_device(self, images: Tensor) -> Tensor:
        return images.to(self.device, memory_format=self._layout)

    @property
    def _feed(self) -> Feed:
        if self.feed is None:
            raise RuntimeError("the trainer has no feed")
        return self.feed

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.recipe.precision == "bfloat16")


def _optimizer(network: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    builders: dict[str, Callable[..., torch.optim.Optimizer]] = {
        "adam": torch.optim.Adam,
        "adamw": torch.optim.AdamW,
        "sgd": lambda parameters, **rest: torch.optim.SGD(parameters, momentum=0.9, nesterov=True, **rest),
    }
    return builders[recipe.optimizer](network.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay)


def _score(row: Mapping[str, float], monitor: str) -> float:
    """How good an epoch was: the greater, the better."""
    if monitor == "epoch":
        return row["epoch"]
    return -row["val_loss"] if monitor == "loss" else row[f"val_{monitor}"]


def _raise_background(targets: Tensor, alpha: float, generator: torch.Generator) -> Tensor:
    """Background targets raised by uniform noise of at most ``alpha``: keeps the network from being too sure of 0."""
    if alpha == 0:
        return targets
    noise = torch.rand(targets.shape, generator=generator).to(targets) * alpha
    return torch.where(targets == 0, noise, targets)


def _count(logits: Tensor, targets: Tensor, exclusive: bool) -> np.ndarray:
    """True positives, false positives, false negatives and true negatives a region, ``(4, R)``; background is none."""
    if exclusive:
        predicted = torch.zeros_like(targets, dtype=torch.bool).scatter_(1, logits.argmax(1, keepdim=True), True)
    else:
        predicted = logits > 0
    true, false = targets > 0.5, (targets >= 0) & (targets <= 0.5)
    axes = (0, *range(2, targets.ndim))
    hits, alarms = (predicted & true).sum(axes), (predicted & false).sum(axes)
    misses, rest = (~predicted & true).sum(axes), (~predicted & false).sum(axes)
    return torch.stack([hits, alarms, misses, rest])[:, int(exclusive) :].cpu().numpy()


def _dice(counts: np.ndarray) -> np.ndarray:
    """Dice of each region, ``(R,)``; 1 where there is nothing and nothing was found."""
    hits, alarms, misses, _ = counts
    found = 2 * hits + alarms + misses
    return np.where(found == 0, 1.0, 2 * hits / np.maximum(found, 1))


def _figures(counts: np.ndarray) -> dict[str, float]:
    hits, alarms, misses, rest = counts
    union = hits + alarms + misses
    iou = np.where(union == 0, 1.0, hits / np.maximum(union, 1))
    accuracy = (hits + rest) / (union + rest)
    return {"dice": float(_dice(counts).mean()), "iou": float(iou.mean()), "accuracy": float(accuracy.mean())}
