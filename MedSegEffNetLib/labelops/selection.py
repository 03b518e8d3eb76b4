"""A set of voxels, kept as a box and the mask inside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

Box = tuple[slice, slice, slice]


@dataclass(frozen=True)
class Selection:
    """Selected voxels of a volume.

    Parameters
    ----------
    shape : of the volume.
    box : part of the volume outside of which nothing is selected.
    mask : bool, of the box's shape.
    """

    shape: tuple[int, int, int]
    box: Box
    mask: np.ndarray

    def __post_init__(self) -> None:
        expected = tuple(part.stop - part.start for part in self.box)
        if self.mask.shape != expected:
            raise ValueError(f"the mask has shape {self.mask.shape}, its box {expected}")

    @classmethod
    def of(cls, mask: np.ndarray, box: Box | None = None, shape: Sequence[int] | None = None) -> Selection:
        """The selection of the voxels that ``mask`` (of the whole volume, or of ``box`` in ``shape``) sets."""
        whole = tuple(int(length) for length in (mask.shape if shape is None else shape))
        outer = whole_box(whole) if box is None else box
        inner = bounding_box(mask)
        if not mask[inner].size:
            return cls.nothing(whole)
        placed = tuple(
            slice(part.start + cut.start, part.start + cut.stop) for part, cut in zip(outer, inner, strict=True)
        )
        bits = np.asarray(mask[inner]).astype(bool, copy=False)
        return cls((whole[0], whole[1], whole[2]), (placed[0], placed[1], placed[2]), bits)

    @classmethod
    def nothing(cls, shape: Sequence[int]) -> Selection:
        """No voxel of a volume of ``shape``."""
        none = slice(0, 0)
        x, y, z = (int(length) for length in shape)
        return cls((x, y, z), (none, none, none), np.zeros((0, 0, 0), dtype=bool))

    @classmethod
    def of_label(cls, labels: np.ndarray, value: int) -> Selection:
        """The voxels of ``labels`` that have ``value``."""
        return cls.of(labels == value)

    @property
    def empty(self) -> bool:
        """Whether no voxel is selected."""
        return not self.mask.any()

    @property
    def voxels(self) -> int:
        """How many voxels are selected."""
        return int(np.count_nonzero(self.mask))

    def whole(self) -> np.ndarray:
        """The mask of the whole volume."""
        full = np.zeros(self.shape, dtype=bool)
        full[self.box] = self.mask
        return full

    def widened(self, voxels: int = 1, axis: int | None = None) -> Selection:
        """The same voxels in a box with a free border, as far as the volume reaches (in a slice: not along ``axis``)."""
        parts, margins = [], []
        for number, (part, length) in enumerate(zip(self.box, self.shape, strict=True)):
            more = 0 if number == axis else voxels
            start, stop = max(0, part.start - more), min(length, part.stop + more)
            parts.append(slice(start, stop))
            margins.append((part.start - start, stop - part.stop))
        return Selection(self.shape, (parts[0], parts[1], parts[2]), np.pad(self.mask, margins))

    def united(self, other: Selection) -> Selection:
        """What is in either of two selections of one volume."""
        if self.empty or other.empty:
            return other if self.empty else self
        pairs = zip(self.box, other.box, strict=True)
        parts = [slice(min(a.start, b.start), max(a.stop, b.stop)) for a, b in pairs]
        box = (parts[0], parts[1], parts[2])
        return Selection(self.shape, box, self.within(box) | other.within(box))

    def without(self, other: Selection) -> Selection:
        """What is in this selection of a volume and not in the other."""
        both = self.united(other)
        return Selection.of(self.within(both.box) & ~other.within(both.box), both.box, both.shape)

    def within(self, box: Box) -> np.ndarray:
        """The mask in a ``box`` that holds the selection's own."""
        mask = np.zeros([part.stop - part.start for part in box], dtype=bool)
        if self.mask.size:
            x, y, z = (slice(a.start - b.start, a.stop - b.start) for a, b in zip(self.box, box, strict=True))
            mask[x, y, z] = self.mask
        return mask


def whole_box(shape: Sequence[int]) -> Box:
    """The box of a whole volume."""
    x, y, z = (slice(0, int(length)) for length in shape)
    return x, y, z


def bounding_box(mask: np.ndarray) -> Box:
    """The smallest box that holds every set voxel of ``mask``; empty if there is none."""
    box = list(whole_box(mask.shape))
    for axis in range(3):
        others = tuple(other for other in range(3) if other != axis)
        # Each axis is searched in what the ones before have left.
        found = np.flatnonzero(mask[box[0], box[1], box[2]].any(axis=others))
        if not len(found):
            return slice(0, 0), slice(0, 0), slice(0, 0)
        start = box[axis].start
        box[axis] = slice(start + int(found[0]), start + int(found[-1]) + 1)
    return box[0], box[1], box[2]
