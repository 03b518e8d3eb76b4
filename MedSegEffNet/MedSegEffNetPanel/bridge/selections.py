"""Segments as selections of voxels, and back: what the annotator's operations work on."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np
import slicer
from slicer.i18n import tr as _

from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.image import GRID_TOLERANCE
from MedSegEffNetLib.labelops import Box, Selection
from MedSegEffNetPanel import steps
from MedSegEffNetPanel.bridge.images import new_image, planes_a_step
from MedSegEffNetPanel.bridge.masks import Mask, mask_of
from MedSegEffNetPanel.bridge.volumes import picture

ADD, REMOVE, REPLACE = "Add", "Remove", "Set"


def shape_of(volume: Any) -> tuple[int, int, int]:
    """Number of voxels of a volume node along k, j and i."""
    i, j, k = volume.GetImageData().GetDimensions()
    return k, j, i


def read_selection(segmentation: Any, segment_id: str, volume: Any) -> Generator[None, None, Selection]:
    """The voxels of a segment in the array (K, J, I) of ``volume``, on whose grid the segmentation is; in short steps.

    Raises
    ------
    InputError
        The segment lies on other voxels than the volume.
    """
    shape = shape_of(volume)
    placed = placed_mask(segmentation.GetSegmentation().GetSegment(segment_id), segmentation, volume)
    if placed is None:
        return Selection.nothing(shape)
    layer, value, box = placed
    mask = np.empty(layer.shape, dtype=bool)
    for planes in planes_a_step(layer):
        np.equal(layer[planes], value, out=mask[planes])
        yield
    return (yield from steps.in_thread(Selection.of, mask, box, shape))


def placed_mask(segment: Any, segmentation: Any, volume: Any) -> tuple[np.ndarray, int, Box] | None:
    """A segment's layer (a view), the value that it has there, and the layer's box in the array (K, J, I) of ``volume``.

    None without voxels; errors as in :func:`read_selection`.
    """
    mask = mask_of(segment)
    return None if mask is None else (mask.layer, mask.value, _box(mask, segmentation, volume))


def _box(mask: Mask, segmentation: Any, volume: Any) -> Box:
    first = np.array(mask.first[::-1])
    expected = picture(volume).ijk_to_ras
    shape = np.array(shape_of(volume))
    inside = (first >= 0).all() and (first + mask.layer.shape <= shape).all()
    if not inside or np.abs(mask.place - expected).max() > GRID_TOLERANCE:
        raise InputError(
            _("{name} lies on other voxels than {volume}").format(name=segmentation.GetName(), volume=volume.GetName()),
            expected=_("a segmentation on the voxels of the image"),
            hint=_("segment that image, or resample the segmentation onto it"),
        )
    k, j, i = (slice(int(a), int(a + n)) for a, n in zip(first, mask.layer.shape, strict=True))
    return k, j, i


def put_selection(
    editor: Any, segment_id: str, selection: Selection, mode: str, *, overwrite: bool
) -> Generator[None, None, None]:
    """Change a segment of the editor's segmentation by a selection (:data:`ADD`, :data:`REMOVE` or :data:`REPLACE`).

    With ``overwrite`` other segments lose the voxels that this one gets, and the editor's masks count; without, the
    segment may lie over others. The scene changes in the last step; the editor can undo it where its state was saved
    before.
    """
    segmentation, volume = editor.segmentationNode(), editor.sourceVolumeNode()
    first = [part.start for part in selection.box][::-1]
    values = selection.mask.view(np.uint8)
    if selection.empty:
        first, values = [0, 0, 0], np.zeros((1, 1, 1), dtype=np.uint8)
    image = yield from new_image(values, picture(volume).ijk_to_ras, tuple(first), slicer.vtkOrientedImageData)
    effect = editor.effectByName("Paint")  # any one will do: it lends its way to the editor's logic
    kind = getattr(slicer.qSlicerSegmentEditorAbstractEffect, f"ModificationMode{mode}")
    node = editor.mrmlSegmentEditorNode()
    was = node.GetOverwriteMode()
    node.SetOverwriteMode(node.OverwriteAllSegments if overwrite else node.OverwriteNone)
    try:
        effect.modifySegmentByLabelmap(segmentation, segment_id, image, kind, not overwrite)
    finally:
        node.SetOverwriteMode(was)
