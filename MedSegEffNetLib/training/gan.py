"""The training loop of a generator against a discriminator and a segmentation U-Net, written out.

Every batch and random number comes from the seed, the epoch's number and the batch's, and a checkpoint tells how far its
epoch is: a killed training that is resumed ends with the same losses as one that was left alone. The losses are told in
:mod:`MedSegEffNetLib.training.gan_losses`.
"""

from __future__ import annotations

import copy
import itertools
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from MedSegEffNetLib.errors import MedSegEffNetError, Stopped
from MedSegEffNetLib.job import Job
from MedSegEffNetLib.losses import cross_entropy_and_dice
from MedSegEffNetLib.training import checkpoint, gan_critic, gan_losses
from MedSegEffNetLib.training.gan_config import GanRecipe
from MedSegEffNetLib.training.gan_data import BACKGROUND, Batch, GanCase, GanFeed

_CHECKPOINT_SECONDS = 600.0  # no more of a long epoch is lost when the program is killed
_BETAS = (0.5, 0.999)  # of Adam, as StarGAN has them
_PROGRESS = ("epoch", "best", "best_epoch", "history", "steps", "halfway")
_D_LOSSES = ("d_real", "d_fake", "d_cls", "d_gp")
_G_LOSSES = {
    "g_fake": "adversarial",
    "g_cls": "classification",
    "g_rec": "reconstruction",
    "g_seg": "segmentation",
    "g_l1": "l1",
    "g_ssim": "ssim",
}
_LOSSES = ("d_loss", "g_loss", "s_loss", *_D_LOSSES, *_G_LOSSES)
History = list[dict[str, float]]


@dataclass
class GanTrainer:
    """A synthesis training in progress.

    Parameters
    ----------
    generator, discriminator : as in :mod:`MedSegEffNetLib.networks.stargan_unet`.
    recipe : the settings.
    feed : makes the batches.
    names : of the channels, for the figures of each.
    device : where the networks run.
    critic : trained segmentation U-Net (:mod:`MedSegEffNetLib.training.gan_critic`), which learns no more, see
        :meth:`judge_by`; None: there is none, and no ``g_seg``.
    halfway : where an epoch that was interrupted goes on: steps done, sums of the losses and seconds.
    """

    generator: nn.Module
    discriminator: nn.Module
    recipe: GanRecipe
    feed: GanFeed
    names: tuple[str, ...]
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    critic: nn.Module | None = None
    epoch: int = 0
    best: float = -math.inf
    best_epoch: int = 0
    steps: int = 0
    history: History = field(default_factory=list)
    halfway: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for network in (self.generator, self.discriminator):
            network.to(self.device, memory_format=torch.channels_last)
        self.average = copy.deepcopy(self.generator).eval() if self.recipe.ema else self.generator
        self._optimizers = {
            name: torch.optim.Adam(network.parameters(), lr=self.recipe.learning_rate, betas=_BETAS)
            for name, network in (("generator", self.generator), ("discriminator", self.discriminator))
        }
        self._saved = self._began = time.monotonic()

    def fit(
        self, training: Sequence[GanCase], validation: Sequence[GanCase], run: Path, job: Job, epochs: int | None = None
    ) -> History:
        """Train until the last epoch, or until ``epochs`` are done; returns a row of figures for each epoch.

        Asked to stop, it finishes the step, writes a checkpoint within the epoch, from which it goes on, and ends.
        """
        self._saved = time.monotonic()
        while self.epoch < min(self.recipe.epochs, epochs or self.recipe.epochs):
            self._began = time.monotonic() - self.halfway.get("seconds", 0.0)
            try:
                row = {"epoch": float(self.epoch + 1), **self.train_epoch(training, run, job)}
                row |= self.validate(validation, job)
            except Stopped:
                self.save(run)
                raise
            # What a page of any training shows.
            row |= {"train_loss": row["g_loss"], "val_loss": row["val_l1"], "rate": self.recipe.rate(self.epoch)}
            row["seconds"] = time.monotonic() - self._began
            self._finish_epoch(row, run, job)
            job.check_stop()
        return self.history

    def judge_by(self, critic: nn.Module) -> None:
        """Let this trained segmentation U-Net judge from now on."""
        self.critic = critic.to(self.device, memory_format=torch.channels_last).eval().requires_grad_(False)

    def train_epoch(self, cases: Sequence[GanCase], run: Path, job: Job) -> dict[str, float]:
        """One pass over the slices of ``cases``; returns the mean of each loss, NaN where it was left out."""
        order = self.feed.order(cases, self.epoch)
        if not self.halfway:
            self.halfway = {"done": 0, "sums": dict.fromkeys(_LOSSES, 0.0), "seconds": 0.0}
        self.generator.train()
        self._set_rate()
        for number in range(self.halfway["done"], len(order)):
            batch = self.feed.batch(cases, order[number], self.epoch, number)
            losses = self._learn(self._on_device(batch), self._chance(number))
            sums = self.halfway["sums"]
            self.halfway["sums"] = {name: sums[name] + losses.get(name, math.nan) for name in _LOSSES}
            self.halfway["done"] = number + 1
            job.progress(f"Epoch {self.epoch + 1} of {self.recipe.epochs}", number + 1, len(order))
            job.check_stop()
            if time.monotonic() - self._saved > _CHECKPOINT_SECONDS:
                self.save(run)
        return {name: total / len(order) for name, total in self.halfway["sums"].items()}

    def _learn(self, batch: Batch, chance: torch.Generator) -> dict[str, float]:
        """One step of the generator, with as many of the discriminator before it as the recipe asks for."""
        with self._autocast():
            made = self.generator(batch.planes)
        made = torch.where(batch.inside, made.float(), BACKGROUND)
        losses: dict[str, Tensor] = {}
        if self.recipe.weight("adversarial", self.epoch):
            losses |= self._learn_to_judge(batch, made.detach(), chance)
        own = self._generator_losses(batch, made)
        parts = [self.recipe.weight(_G_LOSSES[name], self.epoch) * loss for name, loss in own.items()]
        losses |= own | {"g_loss": torch.stack(parts).sum()}
        if "g_seg" in own:
            losses["s_loss"] = self._tumor_loss(batch, batch.real)
        if not math.isfinite(float(losses["g_loss"].detach())):
            raise MedSegEffNetError(
                f"the training does not hold: in epoch {self.epoch + 1} the generator's loss is no number",
                expected="a loss that is a number and falls",
                hint="set a smaller learning_rate or precision=float32, and look for images with strange values",
            )
        self._step("generator", losses["g_loss"])
        self.steps += 1
        if self.recipe.ema:
            self._update_average()
        return {name: float(loss.detach()) for name, loss in losses.items()}

    def _learn_to_judge(self, batch: Batch, made: Tensor, chance: torch.Generator) -> dict[str, Tensor]:
        """The discriminator's steps over the parts of a batch; returns the means of its losses."""
        self.discriminator.requires_grad_(True)
        found = []
        for start in range(0, len(made), self.recipe.discriminator_batch_size):
            part = slice(start, start + self.recipe.discriminator_batch_size)
            mix = torch.rand(len(made[part]), 1, 1, 1, generator=chance).to(made)
            realness, domain = self.discriminator(batch.real[part])
            losses = {
                "d_real": -realness.mean(),
                "d_fake": self.discriminator(made[part])[0].mean(),
                "d_cls": functional.cross_entropy(domain, batch.target[part]),
            }
            total = losses["d_real"] + losses["d_fake"] + self.recipe.classification * losses["d_cls"]
            if self.recipe.gradient_penalty:
                judged = self.discriminator, batch.real[part], made[part], mix
                losses["d_gp"] = gan_losses.gradient_penalty(*judged)
                total = total + self.recipe.gradient_penalty * losses["d_gp"]
            losses["d_loss"] = total
            self._step("discriminator", losses["d_loss"])
            found.append({name: loss.detach() for name, loss in losses.items()})
        self.discriminator.requires_grad_(False)
        return {name: torch.stack([losses[name] for losses in found]).mean() for name in found[0]}

    def _generator_losses(self, batch: Batch, made: Tensor) -> dict[str, Tensor]:
        """The losses whose weight is not 0 in this epoch."""
        losses: dict[str, Tensor] = {}
        wanted = {name for name, weight in _G_LOSSES.items() if self.recipe.weight(weight, self.epoch)}
        if {"g_fake", "g_cls"} & wanted and self.recipe.weight("adversarial", self.epoch):
            realness, domain = self.discriminator(made)
            losses = {"g_fake": -realness.mean(), "g_cls": functional.cross_entropy(domain, batch.target)}
        if "g_rec" in wanted:
            with self._autocast():
                back = self.generator(self._back(batch, made))
            losses["g_rec"] = gan_losses.l1(back.float(), batch.original, batch.inside).mean()
        if "g_seg" in wanted and self.critic is not None:
            losses["g_seg"] = self._tumor_loss(batch, made)
        if "g_l1" in wanted:
            losses["g_l1"] = gan_losses.l1(made, batch.real, batch.inside).mean()
        if "g_ssim" in wanted:
            losses["g_ssim"] = 1 - gan_losses.ssim(made, batch.real, batch.inside, batch.span).mean()
        return {name: loss for name, loss in losses.items() if name in wanted}

    def _back(self, batch: Batch, made: Tensor) -> Tensor:
        """The planes that ask for an input back, given nothing but the made picture (as all of its neighbors, too)."""
        layout = self.feed.layout
        shown, told = torch.zeros_like(batch.planes), torch.zeros_like(batch.planes)
        for row, (target, source) in enumerate(zip(batch.target.tolist(), batch.source.tolist(), strict=True)):
            shown[row, layout.pictures(target)] = 1
            told[row, [layout.given(target), layout.wanted(source)]] = 1
        return shown * made + told

    def _tumor_loss(self, batch: Batch, pictures: Tensor) -> Tensor:
        if self.critic is None:
            raise RuntimeError("there is no critic")
        with self._autocast():
            logits = self.critic(gan_critic.inputs(pictures, batch.target, len(self.names)))
        return cross_entropy_and_dice(logits.float(), batch.tumor)

    def _step(self, name: str, loss: Tensor) -> None:
        self._optimizers[name].zero_grad(set_to_none=True)
        loss.backward()
        self._optimizers[name].step()

    @torch.no_grad()
    def _update_average(self) -> None:
        # The first steps count less than the set decay asks for: the start is far from any good weights.
        decay = min(self.recipe.ema, (1 + self.steps) / (10 + self.steps))
        for kept, new in zip(self.average.state_dict().values(), self.generator.state_dict().values(), strict=True):
            if kept.is_floating_point():
                kept.lerp_(new, 1 - decay)
            else:
                kept.copy_(new)

    @torch.inference_mode()
    def validate(self, cases: Sequence[GanCase], job: Job) -> dict[str, float]:
        """``val_l1`` (normalized units), ``val_psnr`` (dB) and ``val_ssim`` inside of the head, and of each target.

        Each channel of a case is made from all others that it has. Means over cases, then over targets.
        """
        self.average.eval()
        figures: dict[str, dict[str, list[float]]] = {}
        for number, case in enumerate(cases):
            for target in np.flatnonzero(case.given).tolist():
                found = [self._figures(self._on_device(batch)) for batch in self.feed.whole(case, target)]
                for name in found[0] if found else ():
                    values = list(itertools.chain.from_iterable(part[name] for part in found))
                    figures.setdefault(name, {}).setdefault(self.names[target], []).append(float(np.mean(values)))
            job.progress("Validation", number + 1, len(cases))
            job.check_stop()
        row = {}
        for name, targets in figures.items():
            means = {target: float(np.mean(values)) for target, values in targets.items()}
            row[f"val_{name}"] = float(np.mean(list(means.values())))
            row |= {f"val_{name}_{target}": mean for target, mean in means.items()}
        return row

    def _figures(self, batch: Batch) -> dict[str, list[float]]:
        with self._autocast():
            made = self.average(batch.planes).float()
        images = (made, batch.real, batch.inside)
        return {
            "l1": gan_losses.l1(*images).tolist(),
            "psnr": gan_losses.psnr(*images, batch.span).tolist(),
            "ssim": gan_losses.ssim(*images, batch.span).tolist(),
        }

    def _finish_epoch(self, row: dict[str, float], run: Path, job: Job) -> None:
        self.epoch += 1
        self.halfway = {}
        self.history.append(row)
        score = row["epoch"] if self.recipe.monitor == "epoch" else row[f"val_{self.recipe.monitor}"]
        score = -score if self.recipe.monitor == "l1" else score
        if score > self.best:
            self.best, self.best_epoch = score, self.epoch
            checkpoint.save(run / checkpoint.BEST, {"network": self.average.state_dict(), "row": row})
        left = float(np.mean([one["seconds"] for one in self.history[-5:]])) * (self.recipe.epochs - self.epoch)
        job.emit("epoch", **row, best=self.best, best_epoch=self.best_epoch, seconds_left=left)
        self.save(run)
        job.emit("checkpoint", path=checkpoint.LAST.as_posix(), epoch=self.epoch)

    def save(self, run: Path) -> None:
        """Write down where the training is, within an epoch as well."""
        if self.halfway:
            self.halfway["seconds"] = time.monotonic() - self._began
        checkpoint.save(run / checkpoint.LAST, self.state())
        self._saved = time.monotonic()

    def state(self) -> dict[str, Any]:
        """All that :meth:`restore` needs to go on."""
        state: dict[str, Any] = {name: getattr(self, name) for name in _PROGRESS}
        state |= {name: getattr(self, name).state_dict() for name in ("generator", "discriminator", "average")}
        return state | {"optimizers": {name: one.state_dict() for name, one in self._optimizers.items()}}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from :meth:`state`."""
        for name in ("generator", "discriminator", "average"):
            getattr(self, name).load_state_dict(state[name])
        for name, optimizer in self._optimizers.items():
            optimizer.load_state_dict(state["optimizers"][name])
        for name in _PROGRESS:
            setattr(self, name, state[name])

    def _set_rate(self) -> None:
        for optimizer in self._optimizers.values():
            for group in optimizer.param_groups:
                group["lr"] = self.recipe.rate(self.epoch)

    def _chance(self, number: int) -> torch.Generator:
        return torch.Generator().manual_seed((self.recipe.seed * 100_003 + self.epoch) * 1_000_003 + number)

    def _on_device(self, batch: Batch) -> Batch:
        return Batch(**{name: part.to(self.device) for name, part in vars(batch).items()})

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.recipe.precision == "bfloat16")
