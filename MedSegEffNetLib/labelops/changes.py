"""A label takes a selection: what changes in the label map, within the box that changes."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from MedSegEffNetLib.labelops.selection import Box, Selection, bounding_box

_BLOCK = 1 << 18  # voxels


@dataclass(frozen=True)
class Change:
    """A change of a label map: undone with ``before``, done (again) with ``after``, both of the box's shape."""

    box: Box
    before: np.ndarray
    after: np.ndarray

    @property
    def empty(self) -> bool:
        """Whether nothing changes."""
        return self.after.size == 0

    def apply(self, labels: np.ndarray) -> None:
        """Do it in place."""
        labels[self.box] = self.after

    def revert(self, labels: np.ndarray) -> None:
        """Undo it in place."""
        labels[self.box] = self.before


def add(labels: np.ndarray, selection: Selection, value: int, locked: Collection[int] = ()) -> Change:
    """Selected voxels become ``value``, but for those of ``locked`` labels. A locked ``value`` takes nothing."""
    if value in locked:
        return _nothing(labels)
    before = labels[selection.box]
    return _change(labels, selection.box, np.where(selection.mask & _free(before, locked), value, before))


def remove(labels: np.ndarray, selection: Selection, value: int, locked: Collection[int] = ()) -> Change:
    """Selected voxels of label ``value`` become background, unless it is locked."""
    if value in locked:
        return _nothing(labels)
    before = labels[selection.box]
    return _change(labels, selection.box, np.where(selection.mask & (before == value), 0, before))


def replace(labels: np.ndarray, selection: Selection, value: int, locked: Collection[int] = ()) -> Change:
    """Label ``value`` becomes the selection: the rest of it becomes background. Locked labels stay."""
    if value in locked:
        return _nothing(labels)
    both = selection.united(Selection.of_label(labels, value))
    before = labels[both.box]
    after = np.where(before == value, 0, before)
    wanted = selection.within(both.box) & _free(before, locked)
    return _change(labels, both.box, np.where(wanted, value, after))


def counts(labels: np.ndarray) -> dict[int, int]:
    """Voxels of each label of an array of unsigned integers, background left out."""
    flat = labels.ravel(order="K")
    found = np.zeros(int(labels.max(initial=0)) + 1, dtype=np.int64)
    for start in range(0, flat.size, _BLOCK):  # in one go it would hold up all other threads, and need much memory
        found += np.bincount(flat[start : start + _BLOCK], minlength=len(found))
    return {int(value): int(found[value]) for value in np.flatnonzero(found) if value}


def _free(labels: np.ndarray, locked: Collection[int]) -> np.ndarray:
    free = np.ones(labels.shape, dtype=bool)
    for value in locked:
        free &= labels != value
    return free


def _change(labels: np.ndarray, box: Box, after: np.ndarray) -> Change:
    """The change within the smallest box."""
    before = labels[box]
    after = after.astype(labels.dtype, copy=False)
    inner = bounding_box(before != after)
    x, y, z = (slice(part.start + cut.start, part.start + cut.stop) for part, cut in zip(box, inner, strict=True))
    return Change((x, y, z), before[inner].copy(), after[inner].copy())


def _nothing(labels: np.ndarray) -> Change:
    none = slice(0, 0)
    return Change((none, none, none), labels[:0, :0, :0].copy(), labels[:0, :0, :0].copy())
