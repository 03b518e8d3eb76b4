"""The segmentation U-Net that looks for the tumor in pictures of any channel: it says what a made picture must show."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from MedSegEffNetLib import networks
from MedSegEffNetLib.networks.stargan_unet import FLOOR
from MedSegEffNetLib.training.config import Recipe
from MedSegEffNetLib.training.gan_config import GanRecipe
from MedSegEffNetLib.training.gan_data import Batch, GanCase, GanFeed

NETWORK = "unet_2d"


def build(channels: int, arguments: Mapping[str, Any]) -> nn.Module:
    """The network: takes :func:`inputs` to logits of the tumor ``(N, 1, H, W)``."""
    return networks.build(NETWORK, {**arguments, "in_channels": 1 + channels, "out_channels": 1})


def inputs(pictures: Tensor, channel: Tensor, channels: int) -> Tensor:
    """What the network takes, ``(N, 1 + channels, H, W)``: the picture, and a plane a channel that says which it is.

    ``pictures`` ``(N, 1, H, W)`` in normalized units; ``channel`` ``(N,)``.
    """
    planes = torch.nn.functional.one_hot(channel, channels).to(pictures)[:, :, None, None]
    return torch.cat([pictures.clamp(min=FLOOR), planes.expand(-1, -1, *pictures.shape[2:])], dim=1)


def recipe(settings: GanRecipe) -> Recipe:
    """How it is trained."""
    return Recipe(
        epochs=settings.critic_epochs,
        batch_size=settings.batch_size,
        learning_rate=1e-3,
        schedule="cosine",
        loss="ce_dice",
        precision=settings.precision,
        seed=settings.seed,
    )


@dataclass(frozen=True)
class CriticFeed:
    """Batches of real pictures, one channel each, for a :class:`MedSegEffNetLib.training.loop.Trainer`."""

    feed: GanFeed

    def training(
        self, cases: Sequence[GanCase], draw: np.random.Generator
    ) -> tuple[int, Iterator[tuple[Tensor, Tensor]]]:
        """Number of batches of an epoch, and the batches."""
        epoch = int(draw.integers(2**31))
        order = self.feed.order(cases, epoch)
        return len(order), (self._pair(self.feed.batch(cases, at, epoch, n)) for n, at in enumerate(order))

    def validation(self, case: GanCase) -> Iterator[tuple[Tensor, Tensor]]:
        """Slices of each channel of the case."""
        for target in np.flatnonzero(case.given).tolist():
            yield from map(self._pair, self.feed.whole(case, target))

    def _pair(self, batch: Batch) -> tuple[Tensor, Tensor]:
        return inputs(batch.real, batch.target, self.feed.layout.channels), batch.tumor
