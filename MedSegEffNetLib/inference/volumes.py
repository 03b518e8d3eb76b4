"""A volume cut into a 3D network's stacks of slices, and its outputs put together again."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np

from MedSegEffNetLib.geometry import stack_starts
from MedSegEffNetLib.inference.slices import Network, nothing_left, probabilities


class StackCutter:
    """Cuts ``array`` ``(C, X, Y, Z)`` along its last axis into stacks of ``depth`` slices.

    A volume of more slices is seen as evenly spread, overlapping stacks, one of fewer is padded; height and width are
    padded to multiples of ``divisor``. Padding repeats the edge.
    """

    def __init__(self, array: np.ndarray, depth: int, divisor: int) -> None:
        self.volume = array.transpose(0, 3, 2, 1)
        self.depth = depth
        count, self.height, self.width = self.volume.shape[1:]
        missing = (max(0, depth - count), -self.height % divisor, -self.width % divisor)
        self.margins = [(length // 2, length - length // 2) for length in missing]
        self.starts = stack_starts(count + missing[0], depth)

    @functools.cached_property
    def full(self) -> list[int]:
        """The slices that are not one value throughout."""
        return [number for number in range(self.volume.shape[1]) if np.ptp(self.volume[:, number]) > 0]

    @property
    def input_shape(self) -> tuple[int, int, int, int]:
        """Channels, depth, height and width of the network's input."""
        (_, _), (top, bottom), (left, right) = self.margins
        return len(self.volume), self.depth, self.height + top + bottom, self.width + left + right

    def inputs(self, start: int) -> np.ndarray:
        """``(1, C, depth, H, W)`` float32: the stack from slice ``start`` of the padded volume."""
        before, after = self.margins[0]
        part = self.volume[:, start : start + self.depth] if not before + after else self.volume
        return np.pad(part, [(0, 0), *self.margins], mode="edge")[None].astype(np.float32, copy=False)

    def cut_back(self, maps: np.ndarray) -> np.ndarray:
        """Maps ``(R, depth, H, W)`` of a stack without its padding."""
        part = (
            slice(before, length - after) for (before, after), length in zip(self.margins, maps.shape[1:], strict=True)
        )
        return maps[(slice(None), *part)]


def predict(
    network: Network,
    cutter: StackCutter,
    exclusive: bool,
    flips: bool,
    progress: Callable[[int, int], None],
) -> np.ndarray:
    """Probabilities ``(R, X, Y, Z)`` float32; where stacks overlap they are averaged."""
    if not cutter.full:
        raise nothing_left()
    count = cutter.volume.shape[1]
    total: np.ndarray | None = None
    seen = np.zeros(count, dtype=np.float32)
    for number, start in enumerate(cutter.starts):
        stack = cutter.inputs(start)
        maps = probabilities(network(stack), exclusive)[0]
        if flips:
            mirrored = probabilities(network(np.ascontiguousarray(stack[..., ::-1])), exclusive)[0]
            maps = (maps + mirrored[..., ::-1]) / 2
        maps = cutter.cut_back(maps)
        if len(cutter.starts) == 1:
            total, seen[:] = maps, 1
        else:
            if total is None:
                total = np.zeros((len(maps), *cutter.volume.shape[1:]), dtype=np.float32)
            total[:, start : start + cutter.depth] += maps
            seen[start : start + cutter.depth] += 1
        progress(number + 1, len(cutter.starts))
    if total is None:
        raise RuntimeError("a volume was cut into no stacks")
    averaged = total if len(cutter.starts) == 1 else total / seen[:, None, None]
    return averaged.transpose(0, 3, 2, 1)
