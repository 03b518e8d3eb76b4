"""A volume cut into a 2D network's inputs, and its outputs put together again."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np

from MedSegEffNetLib.errors import InputError

Network = Callable[[np.ndarray], np.ndarray]


class SliceCutter:
    """Cuts ``array`` ``(C, X, Y, Z)`` along its last axis.

    Parameters
    ----------
    context : neighbors on either side that a slice goes with; edge slices are repeated.
    divisor : height and width are padded, by edge values, to multiples of it.
    """

    def __init__(self, array: np.ndarray, context: int, divisor: int) -> None:
        self.slices = array.transpose(3, 0, 2, 1)
        self.context = context
        height, width = self.slices.shape[2:]
        self.padding = (-height % divisor, -width % divisor)
        self.height, self.width = height, width

    @functools.cached_property
    def full(self) -> list[int]:
        """The slices for the network: one that is one value throughout (outside of the body) needs none."""
        return [k for k, pictures in enumerate(self.slices) if any(np.ptp(picture) > 0 for picture in pictures)]

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of the network's input."""
        channels = self.slices.shape[1] * (2 * self.context + 1)
        return channels, self.height + self.padding[0], self.width + self.padding[1]

    def inputs(self, indices: list[int], size: int) -> np.ndarray:
        """``(size, C·(2·context+1), H, W)`` float32; where ``indices`` are fewer the rest is zero."""
        batch = np.zeros((size, *self.input_shape), dtype=np.float32)
        last = len(self.slices) - 1
        for row, index in enumerate(indices):
            channel = 0
            for offset in range(-self.context, self.context + 1):
                for picture in self.slices[min(max(index + offset, 0), last)]:
                    batch[row, channel, : self.height, : self.width] = picture
                    channel += 1
        rows, columns = self.padding
        if rows:
            batch[:, :, self.height :, :] = batch[:, :, self.height - 1 : self.height, :]
        if columns:
            batch[:, :, :, self.width :] = batch[:, :, :, self.width - 1 : self.width]
        return batch


def predict(
    network: Network,
    cutter: SliceCutter,
    batch_size: int,
    exclusive: bool,
    flips: bool,
    progress: Callable[[int, int], None],
) -> np.ndarray:
    """Probabilities ``(R, X, Y, Z)`` float32 (background first where the outputs are exclusive)."""
    result: np.ndarray | None = None
    full = cutter.full
    for start in range(0, len(full), batch_size):
        indices = full[start : start + batch_size]
        batch = cutter.inputs(indices, batch_size)
        maps = probabilities(network(batch), exclusive)
        if flips:
            mirrored = probabilities(network(np.ascontiguousarray(batch[..., ::-1])), exclusive)
            maps = (maps + mirrored[..., ::-1]) / 2
        if result is None:
            result = np.zeros((maps.shape[1], len(cutter.slices), cutter.height, cutter.width), dtype=np.float32)
        for row, index in enumerate(indices):
            result[:, index] = maps[row, :, : cutter.height, : cutter.width]
        progress(min(start + batch_size, len(full)), len(full))
    if result is None:
        raise nothing_left()
    return result.transpose(0, 3, 2, 1)


def nothing_left() -> InputError:
    """The error for images without contrast."""
    return InputError(
        "nothing is left of the images after preprocessing: every slice is of one value",
        expected="images with contrast",
        hint="look at the images: their values differ by less than single precision can tell",
    )


def probabilities(logits: np.ndarray, exclusive: bool) -> np.ndarray:
    """Softmax over axis 1, or a sigmoid for each channel."""
    if exclusive:
        shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
        normalized: np.ndarray = shifted / shifted.sum(axis=1, keepdims=True)
        return normalized
    # In place: a volume's maps are large.
    sigmoid: np.ndarray = np.clip(logits, -30, 30)
    np.negative(sigmoid, out=sigmoid)
    np.exp(sigmoid, out=sigmoid)
    sigmoid += 1
    np.reciprocal(sigmoid, out=sigmoid)
    return sigmoid
