"""The magic wand: point at a voxel, then move the range of brightness until the selection fits.

What somebody else has made of the selection since the wand was used is not touched by its range any more.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np

from MedSegEffNetLib.labelops import Selection, magic_wand
from MedSegEffNetPanel import steps
from MedSegEffNetPanel.bridge.cursor import Voxel
from MedSegEffNetPanel.bridge.volumes import picture, voxels
from MedSegEffNetPanel.correcting.sandbox import Sandbox

_REACH = 0.08  # of the image's range, to either side: where the range begins


class Wand:
    """A wand for the selection in ``sandbox`` on a volume node.

    Attributes
    ----------
    low, high : the range. limits : the least and the largest value of the image.
    seed : the voxel (k, j, i) pointed at; None: none was.
    """

    def __init__(self, sandbox: Sandbox, volume: Any, limits: tuple[float, float]) -> None:
        self._sandbox = sandbox
        self.image: np.ndarray = voxels(picture(volume).image)
        self.limits = limits
        self._labels: np.ndarray | None = None
        self._axis: int | None = None
        self._waiting = False
        self._made: Selection | None = None  # by the wand, the last time
        self.seed: Voxel | None = None
        self.low = self.high = 0.0
        sandbox.changed.connect(self._on_sandbox)

    def point(self, seed: Voxel, *, axis: int | None, labels: np.ndarray | None) -> None:
        """Select around a voxel, with a range around its brightness.

        ``axis`` keeps the wand in the voxel's slice across that axis, ``labels`` (K, J, I) within the label it has there.
        """
        least, most = self.limits
        value, reach = float(self.image[seed]), _REACH * (most - least)
        self.seed, self._axis, self._labels = seed, axis, labels
        self.low, self.high = max(least, value - reach), min(most, value + reach)
        self._sandbox.shape(self._anew)

    def set_range(self, low: float, high: float) -> None:
        """Select anew around the same voxel; all changes of the range are one step of the undo."""
        if self.seed is None or (low, high) == (self.low, self.high):
            return
        self.low, self.high = low, high
        self._waiting = True
        self._on_sandbox("")

    def close(self) -> None:
        """The case is closed."""
        self._sandbox.changed.disconnect(self._on_sandbox)

    def _on_sandbox(self, problem: str) -> None:
        if self._waiting and not self._sandbox.busy:  # the newest range alone counts
            self._waiting = False
            self._sandbox.shape(self._again, remember=False)

    def _again(self, selection: Selection) -> Selection:
        if self._made is None or not _same(selection, self._made):
            self.seed = None
            return selection
        return self._anew(selection)

    def _anew(self, selection: Selection) -> Selection:
        seed = self.seed
        if seed is None:
            return selection
        self._made = magic_wand(self.image, seed, self.low, self.high, axis=self._axis, labels=self._labels)
        return self._made


def limits_of(volume: Any) -> Generator[None, None, tuple[float, float]]:
    """The least and the largest value of a volume node's image, looked for in a thread."""
    return (yield from steps.in_thread(_limits, voxels(picture(volume).image)))


def _limits(image: np.ndarray) -> tuple[float, float]:
    return float(image.min()), float(image.max())


def _same(one: Selection, other: Selection) -> bool:
    return one.box == other.box and np.array_equal(one.mask, other.mask)
