"""What a synthesis network takes, laid out in one place for training and inference.

The planes of a slice are, in this order: the pictures of all channels of the slice ``context`` below, of the one above it,
… of the slice itself … up to ``context`` above it (each in the channels' order, a missing channel's all 0); a plane a
channel that is 1 where the channel is given; a plane a channel that is 1 where it is wanted. So one network serves every
choice of inputs and every target (the domain code after StarGAN, Choi et al., CVPR 2018, arXiv:1711.09020).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Planes:
    """The layout for a task of ``channels`` channels and ``context`` neighboring slices on either side."""

    channels: int
    context: int = 0

    def __post_init__(self) -> None:
        if self.channels < 2 or self.context < 0:
            raise ValueError(f"{self.channels} channels with {self.context} neighbors: at least 2 and 0 are needed")

    @property
    def count(self) -> int:
        """Number of planes, the network's input channels."""
        return self.channels * (2 * self.context + 3)

    def pictures(self, channel: int) -> list[int]:
        """Where the pictures of ``channel`` lie, from the lowest neighbor to the highest."""
        return [channel + offset * self.channels for offset in range(2 * self.context + 1)]

    def given(self, channel: int) -> int:
        """Which plane tells that ``channel`` is given."""
        return self.channels * (2 * self.context + 1) + channel

    def wanted(self, channel: int) -> int:
        """Which plane tells that ``channel`` is wanted."""
        return self.channels * (2 * self.context + 2) + channel

    def make(self, slices: np.ndarray, index: int, given: Sequence[bool], target: int) -> np.ndarray:
        """The planes of one slice.

        Parameters
        ----------
        slices : ``(Z, C, H, W)``, the prepared images; edge slices are repeated as neighbors.
        index : of the slice.
        given : for each channel whether the network may see it; what ``slices`` hold of the others is not looked at.
        target : position of the wanted channel, which must not be given.

        Returns
        -------
        ``(count, H, W)`` float32.

        Raises
        ------
        ValueError
            The target is given, nothing is, or the numbers of channels do not agree.
        """
        if slices.shape[1] != self.channels or len(given) != self.channels:
            raise ValueError(f"{slices.shape[1]} and {len(given)} channels where {self.channels} are expected")
        if given[target] or not any(given):
            raise ValueError(f"channel {target} cannot be made from channels {np.flatnonzero(given).tolist()}")
        planes = np.zeros((self.count, *slices.shape[2:]), dtype=np.float32)
        for channel in np.flatnonzero(given).tolist():
            for number, plane in enumerate(self.pictures(channel)):
                neighbor = min(max(index + number - self.context, 0), len(slices) - 1)
                planes[plane] = slices[neighbor, channel]
            planes[self.given(channel)] = 1
        planes[self.wanted(target)] = 1
        return planes
