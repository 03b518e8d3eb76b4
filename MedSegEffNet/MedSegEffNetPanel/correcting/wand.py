"""The magic wand: point at a voxel, then move the range of brightness until the selection fits."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from MedSegEffNetLib.labelops import Selection, magic_wand
from MedSegEffNetPanel.bridge.cursor import Voxel
from MedSegEffNetPanel.bridge.volumes import picture, voxels
from MedSegEffNetPanel.correcting.sandbox import Sandbox

_REACH = 0.08  # of the image's range, to either side: where the range begins


class Wand:
    """A wand for the selection in ``sandbox`` on a volume node.

    Attributes
    ----------
    low, high : the range. seed : the voxel (k, j, i) pointed at; None: none was.
    """

    def __init__(self, sandbox: Sandbox, volume: Any) -> None:
        self._sandbox = sandbox
        self._image: np.ndarray = voxels(picture(volume).image)
        self._labels: np.ndarray | None = None
        self._axis: int | None = None
        self._waiting = False
        self.seed: Voxel | None = None
        self.low = self.high = 0.0
        sandbox.changed.connect(self._on_sandbox)

    @property
    def limits(self) -> tuple[float, float]:
        """The least and the largest value of the image."""
        return float(self._image.min()), float(self._image.max())

    def point(self, seed: Voxel, *, axis: int | None, labels: np.ndarray | None) -> None:
        """Select around a voxel, with a range around its brightness.

        ``axis`` keeps the wand in the voxel's slice across that axis, ``labels`` (K, J, I) within the label it has there.
        """
        least, most = self.limits
        value, reach = float(self._image[seed]), _REACH * (most - least)
        self.seed, self._axis, self._labels = seed, axis, labels
        self.low, self.high = max(least, value - reach), min(most, value + reach)
        self._sandbox.shape(self._select())

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
            self._sandbox.shape(self._select(), remember=False)

    def _select(self) -> Any:
        return partial(_around, self._image, self.seed, self.low, self.high, self._axis, self._labels)


def _around(
    image: np.ndarray, seed: Voxel, low: float, high: float, axis: int | None, labels: np.ndarray | None, _: Selection
) -> Selection:
    return magic_wand(image, seed, low, high, axis=axis, labels=labels)
