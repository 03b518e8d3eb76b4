"""A network that learns one batch at a time, with as little memory as there is."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from MedSegEffNetLib.augmentation import Augmentation, augment
from MedSegEffNetLib.errors import MedSegEffNetError, OutOfMemory
from MedSegEffNetLib.inference.engine import is_out_of_memory
from MedSegEffNetLib.job import Job
from MedSegEffNetLib.losses import get_loss
from MedSegEffNetLib.training import decoder, distributed, figures
from MedSegEffNetLib.training.config import Recipe
from MedSegEffNetLib.training.economy import Economy, release, shrink
from MedSegEffNetLib.training.halfway import Halfway
from MedSegEffNetLib.training.rates import make_optimizer

_LONGEST = 12.0  # gradient, by its norm
_HARDLY = 1e-6  # a shift that moves nothing but lets patches be cut anywhere


class NotFinite(MedSegEffNetError):
    """The loss, or its gradient, is infinite or no number."""


@dataclass
class Learner:
    """The network with its optimizer and the running average of its weights.

    Parameters
    ----------
    network, recipe, exclusive, device : as in :class:`MedSegEffNetLib.training.loop.Trainer`.

    Attributes
    ----------
    average : what is validated and kept: the running average of the weights, or the network itself.
    economy : how memory is spared.
    steps : taken so far.
    """

    network: nn.Module
    recipe: Recipe
    exclusive: bool = False
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    def __post_init__(self) -> None:
        in_3d = getattr(self.network, "dimensions", 2) == 3
        self._layout = torch.preserve_format if in_3d else torch.channels_last
        self.network = distributed.synchronized(self.network)
        self.network.to(self.device, memory_format=self._layout)
        if self.recipe.trained == "decoder":
            decoder.freeze_encoder(self.network)
        self.optimizer = make_optimizer(self.network, self.recipe)
        self.average = copy.deepcopy(self.network).eval() if self.recipe.ema else self.network
        self.loss = get_loss(self.recipe.loss)
        self.economy = Economy()
        self.steps = 0
        self._augmentation = Augmentation.from_mapping(self.recipe.changes)

    def train(self) -> None:
        """To training mode, before an epoch."""
        decoder.to_training_mode(self.network, self.recipe.trained)

    def learn(self, images: Tensor, targets: Tensor, now: Halfway, job: Job) -> tuple[float, np.ndarray]:
        """One step; where memory runs out, the same one again in a more economical way.

        Parameters
        ----------
        images, targets : ``(N, C, …)`` and ``(N, R, …)``, not yet augmented nor cut to the patch.
        now : where chance comes from.

        Returns
        -------
        The loss, and what :func:`MedSegEffNetLib.training.figures.count` counts.

        Raises
        ------
        NotFinite
            The loss is infinite or no number; nothing was learnt.
        OutOfMemory
            No smaller way is left.
        """
        before = now.chance()
        while True:
            try:
                size, changes = shrink(self._patch_size(images), self.economy.share, self.network), self._changes()
                pictures, wanted = augment(images, targets, changes, size, now.generator)
                return self._step(pictures, raise_background(wanted, self.recipe.background_noise, now.generator))
            except (RuntimeError, MemoryError) as error:
                trouble = _out_of_memory(error)
            self._economize(trouble, images, job)
            now.set_chance(before)

    def _step(self, images: Tensor, targets: Tensor) -> tuple[float, np.ndarray]:
        total, counts = 0.0, np.zeros(1, dtype=np.int64)
        self.optimizer.zero_grad(set_to_none=True)
        parts = zip(images.chunk(self.economy.parts), targets.chunk(self.economy.parts), strict=True)
        for part, wanted in parts:
            with self._autocast():
                logits = self.network(self._on_device(part))
            wanted = wanted.to(self.device)
            loss = self.loss(logits.float(), wanted, self.exclusive, distributed.total)
            auxiliary = getattr(self.network, "auxiliary_loss", None)
            if auxiliary is not None:
                loss = loss + distributed.mean(auxiliary, len(part))
            loss = loss * (len(part) / len(images))
            loss.backward()
            total += float(loss.detach())
            counts = counts + figures.count(figures.predicted(logits.detach(), self.exclusive), wanted, self.exclusive)
        distributed.sum_gradients(self.network)
        length = float(torch.nn.utils.clip_grad_norm_(self.network.parameters(), _LONGEST))
        if not math.isfinite(total) or not math.isfinite(length):
            raise NotFinite(f"the loss was {total:g} and the length of its gradient {length:g}")
        self.optimizer.step()
        self.steps += 1
        if self.recipe.ema:
            self._update_average()
        return total, distributed.summed_counts(counts)

    @torch.no_grad()
    def _update_average(self) -> None:
        # The first steps count less than the set decay asks for: the start is far from any good weights.
        decay = min(self.recipe.ema, (1 + self.steps) / (10 + self.steps))
        for kept, new in zip(self.average.state_dict().values(), self.network.state_dict().values(), strict=True):
            if kept.is_floating_point():
                kept.lerp_(new, 1 - decay)
            else:
                kept.copy_(new)

    def _economize(self, trouble: str, images: Tensor, job: Job) -> None:
        self.optimizer.zero_grad(set_to_none=True)
        release()
        step = self.economy.smaller(self.network, self._patch_size(images), len(images))
        if step is None or distributed.processes() > 1:  # the others are in the middle of the step
            raise _no_way_left(trouble)
        self.economy, text = step
        self.economy.apply(self.network)
        job.notice(f"Memory ran out ({trouble}). The training goes on with less: {text}.")

    @torch.inference_mode()
    def predict(self, images: Tensor, job: Job) -> Tensor:
        """Logits ``(N, R, …)``, float32, of the weights that are kept; in parts where memory asks for it.

        :class:`OutOfMemory` if no smaller way is left.
        """
        while True:
            try:
                with self._autocast():
                    parts = images.chunk(self.economy.validation_parts)
                    return torch.cat([self.average(self._on_device(part)).float() for part in parts])
            except (RuntimeError, MemoryError) as error:
                trouble = _out_of_memory(error)
            release()
            if self.economy.validation_parts >= len(images):
                raise _no_way_left(trouble)
            self.economy = replace(self.economy, validation_parts=2 * self.economy.validation_parts)
            job.notice(f"Memory ran out ({trouble}): a batch is validated in {self.economy.validation_parts} parts.")

    def state(self) -> dict[str, Any]:
        """All that :meth:`restore` needs to go on."""
        state: dict[str, Any] = {"steps": self.steps, "economy": self.economy.as_mapping()}
        state["encoder_start"] = getattr(getattr(self.network, "encoder", None), "start", "random")
        state["network"] = self.network.state_dict()
        state["optimizer"] = self.optimizer.state_dict()
        if self.recipe.ema:
            state["average"] = self.average.state_dict()
        return state

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from :meth:`state`; earlier versions kept less."""
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.recipe.ema:
            self.average.load_state_dict(state["average"])
        self.steps = state.get("steps", 0)
        self.economy = Economy(**state.get("economy", {}))
        if distributed.processes() > 1:  # they have to do the same, and their shares of a batch may differ
            self.economy = replace(self.economy, parts=1)
        self.economy.apply(self.network)
        encoder: Any = getattr(self.network, "encoder", None)
        if "encoder_start" in state and hasattr(encoder, "start"):
            encoder.start = state["encoder_start"]  # the published weights may be out of reach this time

    def padded_size(self, images: Tensor) -> tuple[int, int]:
        """Height and width of ``images`` as the network takes them."""
        return self._multiple(images.shape[-2]), self._multiple(images.shape[-1])

    def _patch_size(self, images: Tensor) -> tuple[int, int]:
        """What the recipe asks for, in multiples of the network's divisor."""
        if self.recipe.patch_size:
            return self._multiple(self.recipe.patch_size[0]), self._multiple(self.recipe.patch_size[1])
        return self.padded_size(images)

    def _multiple(self, length: int) -> int:
        divisor = int(self.network.divisor)  # type: ignore[arg-type]
        return -(-length // divisor) * divisor

    def _changes(self) -> Augmentation:
        changes = self._augmentation
        return replace(changes, shift=max(changes.shift, _HARDLY)) if self.economy.share < 1 else changes

    def _on_device(self, images: Tensor) -> Tensor:
        return images.to(self.device, memory_format=self._layout)

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.recipe.precision == "bfloat16")


def raise_background(targets: Tensor, alpha: float, generator: torch.Generator) -> Tensor:
    """Background targets raised by uniform noise of at most ``alpha``: keeps the network from being too sure of 0."""
    if alpha == 0:
        return targets
    noise = torch.rand(targets.shape, generator=generator).to(targets) * alpha
    return torch.where(targets == 0, noise, targets)


def _out_of_memory(error: BaseException) -> str:
    """How ``error`` says that memory ran out; raises it again if it says something else."""
    if not is_out_of_memory(error):
        raise error
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _no_way_left(trouble: str) -> OutOfMemory:
    return OutOfMemory(
        f"memory ran out, and no smaller way of training is left ({trouble})",
        hint="close other programs, or set a smaller patch_size, batch_size or network (e.g. network.variant=lite0)",
    )
