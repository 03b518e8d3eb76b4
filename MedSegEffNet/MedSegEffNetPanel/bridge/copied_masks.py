"""The masks of a segmentation, copied in short steps: they can be worked on in a thread while the segments are edited."""

from __future__ import annotations

from collections.abc import Collection, Generator
from typing import Any

import numpy as np
from slicer.i18n import tr as _

from MedSegEffNetLib.errors import InputError
from MedSegEffNetPanel.bridge.images import planes_a_step
from MedSegEffNetPanel.bridge.masks import MASKS, mask_of, segments_of
from MedSegEffNetPanel.bridge.named_masks import Masks, Piece
from MedSegEffNetPanel.bridge.transforms import to_world


def has_masks(segmentation: Any) -> bool:
    """Whether its segments are masks of voxels (or there are none), that lie in the world by a matrix."""
    segments = segmentation.GetSegmentation()
    masks = segments.ContainsRepresentation(MASKS) or segments.GetNumberOfSegments() == 0
    return bool(masks) and to_world(segmentation) is not None


def copied_masks(segmentation: Any, without: Collection[str] = ()) -> Generator[None, None, Masks]:
    """The masks of all segments but those with the ids ``without``.

    Raises
    ------
    InputError
        It holds surfaces and no masks, is bent by a transform, or its segments lie on several grids.
    """
    if not has_masks(segmentation):
        raise InputError(
            _("{name} holds no masks of voxels that lie straight").format(name=segmentation.GetName()),
            expected=_("a segmentation of masks (binary label maps), not bent by a transform"),
            hint=_("make masks of it in the module Segmentations, or harden its transform"),
        )
    world = to_world(segmentation)
    place: np.ndarray | None = None
    layers: dict[Any, np.ndarray] = {}  # segments share them
    pieces: dict[str, tuple[Piece, ...]] = {}
    for segment_id, segment in list(segments_of(segmentation)):
        if segment_id in without:
            continue
        name, mask, image = segment.GetName(), mask_of(segment), segment.GetRepresentation(MASKS)
        pieces.setdefault(name, ())
        if mask is None:
            continue
        if place is not None and not np.allclose(place, mask.place, atol=1e-4):
            raise InputError(
                _("the segments of {name} lie on several grids").format(name=segmentation.GetName()),
                hint=_("choose one source geometry for it in the module Segmentations"),
            )
        place = mask.place
        if image not in layers:
            layers[image] = yield from _copied(mask.layer)
        k, j, i = mask.first[::-1]
        pieces[name] += (Piece(layers[image], mask.value, (k, j, i)),)
    affine = None if place is None or world is None else world @ place
    return Masks(segmentation.GetName(), affine, pieces)


def _copied(array: np.ndarray) -> Generator[None, None, np.ndarray]:
    copy = np.empty_like(array)
    for planes in planes_a_step(array):
        copy[planes] = array[planes]
        yield
    return copy
