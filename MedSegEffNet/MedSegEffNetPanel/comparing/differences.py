"""Where two label maps differ: what is shown of it, and where to look first. Works in a thread."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, replace

import numpy as np
from slicer.i18n import tr as _

from MedSegEffNetLib.comparison import DIFFERENCES, difference_of
from MedSegEffNetLib.labelops import Selection
from MedSegEffNetLib.task import Label

Voxel = tuple[int, int, int]
Key = tuple[int, int]  # minus the size, so that the largest comes first, and the place in the array


def difference_labels(here: str, there: str) -> tuple[Label, ...]:
    """What the difference map shows, in the user's language; ``here`` and ``there``: what only one of both has."""
    names = (here, there, _("another label"))
    return tuple(replace(label, name=name) for label, name in zip(DIFFERENCES, names, strict=True))


@dataclass(frozen=True, eq=False)
class Differences:
    """Two label maps' differences.

    Parameters
    ----------
    marked : (K, J, I) uint8, values of :data:`MedSegEffNetLib.comparison.DIFFERENCES`.
    keys : one a connected difference (by faces), the largest first: minus its voxels, and the flat index of a voxel in
        its middle slice.
    """

    marked: np.ndarray
    keys: tuple[Key, ...]

    def voxel(self, number: int) -> Voxel:
        """Indices (k, j, i) of a voxel of the difference ``number``, counted from 0."""
        k, j, i = (int(place) for place in np.unravel_index(self.keys[number][1], self.marked.shape))
        return k, j, i

    def size(self, number: int) -> int:
        """Its voxels."""
        return -self.keys[number][0]

    def after(self, key: Key | None, step: int) -> int:
        """The number of the difference that follows one (``step`` 1) or stands before it (-1), which may be gone by now.

        After the last one comes the first one; None: the first one.
        """
        if key is None:
            return 0
        place = bisect_right(self.keys, key) if step > 0 else bisect_left(self.keys, key) - 1
        return place % len(self.keys)


def differences_of(here: np.ndarray, there: np.ndarray) -> Differences:
    """The differences of two label maps (K, J, I) of one grid."""
    import SimpleITK as sitk  # takes a tenth of a second: the panel opens without it

    marked = difference_of(here, there)
    found = Selection.of(marked > 0)
    if found.empty:
        return Differences(marked, ())
    image = sitk.GetImageFromArray(found.mask.view(np.uint8))
    parts = sitk.GetArrayFromImage(sitk.ConnectedComponent(image, False)).ravel()
    inside = np.flatnonzero(found.mask)
    order = np.argsort(parts[inside], kind="stable")  # voxel after voxel of one part, slice after slice
    ends = np.cumsum(np.unique(parts[inside], return_counts=True)[1])
    starts = np.concatenate([[0], ends[:-1]])
    middles = np.unravel_index(inside[order[(starts + ends) // 2]], found.mask.shape)
    placed = tuple(middle + side.start for middle, side in zip(middles, found.box, strict=True))
    places = np.ravel_multi_index(placed, marked.shape)
    keys = sorted(zip((starts - ends).tolist(), places.tolist(), strict=True))
    return Differences(marked, tuple(keys))
