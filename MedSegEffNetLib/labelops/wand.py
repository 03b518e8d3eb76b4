"""Selections by brightness."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from MedSegEffNetLib.labelops.selection import Selection
from MedSegEffNetLib.labelops.shapes import island_at


def within_range(selection: Selection, image: np.ndarray, low: float, high: float) -> Selection:
    """The selected voxels whose brightness in ``image`` (of the whole volume) is ``low`` … ``high``."""
    values = image[selection.box]
    return Selection.of(selection.mask & (values >= low) & (values <= high), selection.box, selection.shape)


def magic_wand(
    image: np.ndarray,
    voxel: Sequence[int],
    low: float,
    high: float,
    *,
    axis: int | None = None,
    labels: np.ndarray | None = None,
) -> Selection:
    """Voxels joined to ``voxel`` (through faces) whose brightness is ``low`` … ``high``.

    Parameters
    ----------
    axis : stay in the voxel's slice across this axis.
    labels : stay within the label that ``voxel`` has in this label map.
    """
    x, y, z = (
        slice(int(place), int(place) + 1) if number == axis else slice(0, length)
        for number, (place, length) in enumerate(zip(voxel, image.shape, strict=True))
    )
    values = image[x, y, z]
    mask = (values >= low) & (values <= high)
    if labels is not None:
        mask &= labels[x, y, z] == labels[tuple(int(place) for place in voxel)]
    return island_at(Selection.of(mask, (x, y, z), image.shape), voxel)
