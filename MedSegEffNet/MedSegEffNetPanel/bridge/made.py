"""Which segments a model made and nobody has changed since: those alone may be replaced.

A tag on the segment keeps a fingerprint of the mask that was put in.
"""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Collection, Generator, Iterator
from typing import Any

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _

from MedSegEffNetPanel.bridge.images import planes_a_step
from MedSegEffNetPanel.bridge.label_maps import LabelMap
from MedSegEffNetPanel.bridge.masks import MASKS, mask_of, segments_of

LOCKED = "MedSegEffNet.Locked"  # tag of a segment that only the user may change: "1"
MADE = "MedSegEffNet.Made"  # tag: the fingerprint of the mask that a model put in
_EMPTY = "empty"


def is_locked(segment: Any) -> bool:
    """Whether a vtkSegment is the user's alone: its tag :data:`LOCKED` is "1", or its status in Slicer is Completed."""
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    return tag_of(segment, LOCKED) == "1" or logic.GetSegmentStatus(segment) == logic.Completed


def tag_of(segment: Any, name: str) -> str:
    """A tag of a vtkSegment; empty without it."""
    value = vtk.reference("")
    return str(value) if segment.GetTag(name, value) else ""


def forget_made(segmentation: Any) -> None:
    """Let no segment count as a model's: a person has made or accepted them."""
    for _id, segment in segments_of(segmentation):
        segment.RemoveTag(MADE)


def fingerprint(layer: np.ndarray, value: int, first: tuple[int, int, int]) -> Generator[None, None, str]:
    """A text for the voxels of (K, J, I) with a value: the indices of their box, and a checksum of what is in it.

    It is the same wherever the layer begins (at ``first``, indices i, j, k), whatever else it holds and whatever the
    value is.
    """
    depth, height, width = layer.shape
    hits = [np.zeros(depth, bool), np.zeros(height, bool), np.zeros(width, bool)]
    for planes in planes_a_step(layer):
        hit = layer[planes] == value
        flat = hit.any(axis=0)
        hits[0][planes] = hit.reshape(len(hit), -1).any(axis=1)
        hits[1] |= flat.any(axis=1)
        hits[2] |= flat.any(axis=0)
        yield
    if not hits[0].any():
        return _EMPTY
    box = tuple(slice(int(where[0]), int(where[-1]) + 1) for where in map(np.flatnonzero, hits))
    inside, checksum = layer[box], 0
    for planes in planes_a_step(inside):
        hit = inside[planes] == value
        checksum = zlib.crc32(np.packbits(hit.reshape(len(hit), -1), axis=1).data, checksum)
        yield
    sides = [f"{side.start + start}-{side.stop + start - 1}" for side, start in zip(box[::-1], first, strict=True)]
    return f"{' '.join(sides)} {checksum:08x}"


def fingerprints(label_map: LabelMap, values: Collection[int]) -> Generator[None, None, dict[int, str]]:
    """The fingerprint of each label."""
    found = {}
    for value in values:
        found[value] = yield from fingerprint(label_map.values, value, label_map.first)
    return found


class Keep:
    """Why segments of some names are to stay, as sentences by their ids; empty: a model's, to be replaced."""

    def __init__(self, segmentation: Any, names: Collection[str]) -> None:
        self._segmentation, self._names = segmentation, names
        self._seen: dict[str, tuple[Any, str]] = {}  # by id: the version of its voxels, and their fingerprint

    def look(self) -> Generator[None, None, None]:
        """Look at the voxels, until nothing has changed meanwhile; what follows without a step can rely on it."""
        changed = self._changed()
        while changed:
            for segment_id, segment in changed:
                version, mask = _version(segment), mask_of(segment)
                found = _EMPTY if mask is None else (yield from fingerprint(mask.layer, mask.value, mask.first))
                self._seen[segment_id] = version, found
            changed = self._changed()

    def _changed(self) -> list[tuple[str, Any]]:
        return [
            (segment_id, segment)
            for segment_id, segment in segments_of(self._segmentation)
            if segment.GetName() in self._names and self._seen.get(segment_id, (None,))[0] != _version(segment)
        ]

    def why(self, segment_id: str) -> str:
        """The sentence's beginning for a segment that is to stay; empty for one that may be replaced."""
        segment = self._segmentation.GetSegmentation().GetSegment(segment_id)
        tag, name = tag_of(segment, MADE), segment.GetName()
        if is_locked(segment):
            return _("{name} is locked and stays").format(name=name)
        if self._seen[segment_id][1] == (tag or _EMPTY):
            return ""
        if tag:
            return _("{name} was changed by hand and stays").format(name=name)
        return _("{name} was there before and stays").format(name=name)


def _version(segment: Any) -> tuple[Any, ...]:
    image = segment.GetRepresentation(MASKS)
    return image, image.GetMTime() if image is not None else 0, segment.GetLabelValue()


def names_for(name: str) -> Iterator[str]:
    """What a label's segment may be called: its name, and what comes after where that is the user's."""
    yield name
    yield _("{name} (model)").format(name=name)
    for number in itertools.count(2):
        yield _("{name} (model {number})").format(name=name, number=number)
