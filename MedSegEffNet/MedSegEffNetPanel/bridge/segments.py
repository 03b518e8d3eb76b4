"""Label maps as segments.

Slicer keeps segments that do not overlap in one label map that they share. A model's label map is put in as such a layer,
which copies nothing: what :func:`slicer.util.updateSegmentBinaryLabelmapFromArray` does for one mask after the other,
done for all segments at once.
"""

from __future__ import annotations

import itertools
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import slicer
from slicer.i18n import tr as _

from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.formats.seg_nrrd import terminology_entry
from MedSegEffNetLib.task import Label
from MedSegEffNetPanel.bridge import surfaces, undo
from MedSegEffNetPanel.bridge.images import new_image
from MedSegEffNetPanel.bridge.label_maps import LabelMap
from MedSegEffNetPanel.bridge.made import MADE, Keep, fingerprints, names_for
from MedSegEffNetPanel.bridge.masks import MASKS, segments_of
from MedSegEffNetPanel.bridge.transforms import to_world
from MedSegEffNetPanel.bridge.tree import check_in_scene, new_node, put_beside
from MedSegEffNetPanel.bridge.volumes import grid
from MedSegEffNetPanel.grid import Grid


@dataclass(frozen=True)
class _Part:
    """A label, the name for it, the id of the segment that it replaces (empty: none), and its mask's fingerprint."""

    label: Label
    name: str
    segment_id: str
    made: str


def put_segments(
    segmentation: Any, label_map: LabelMap, reference: Any, labels: Sequence[Label]
) -> Generator[None, None, tuple[Any, list[str]]]:
    """Make the labels segments of ``segmentation``, or of a new node beside ``reference``.

    Each label becomes a segment with its name, color and terminology, empty ones too. A segment of the same name that a
    model made is replaced, all others stay as they are. One that was changed by hand, that no model made, or that is
    locked (see :func:`is_locked`) stays as well, and the model's is called "<name> (model)". Undo of a segment editor
    that shows the segmentation takes all of it back in one step. The scene is changed at the end, in one step, so work
    that is canceled has changed nothing; where the change fails, a new node is removed. Surfaces are renewed afterwards
    in the background.

    A segment lies exactly on the voxels of ``reference``, in the world if that is under a transform.

    Returns
    -------
    The segmentation node, and notices for the user: which segments stayed, and why.

    Raises
    ------
    InputError
        ``segmentation`` is bent by a transform, holds surfaces and no masks, or was removed from the scene meanwhile.
    """
    matrix = _place(segmentation, place_of(label_map, grid(reference)))
    image = yield from new_image(label_map.values, matrix, label_map.first, slicer.vtkOrientedImageData)
    made = yield from fingerprints(label_map, [label.value for label in labels])
    if segmentation is None:
        check_in_scene(reference)
        return _new_segmentation(image, reference, labels, made), []
    keep = Keep(segmentation, _possible_names(segmentation, labels))
    yield from keep.look()
    check_in_scene(reference, segmentation)
    targets, notices = _targets(segmentation, labels, keep)
    shown = surfaces.shows_3d(segmentation)
    _change(segmentation, image, reference, _parts(labels, targets, made))
    if shown:
        surfaces.show_3d(segmentation, True)
    return segmentation, notices


def place_of(label_map: LabelMap, expected: Grid | None) -> np.ndarray:
    """(4, 4) from voxels of the label map to the world.

    The file keeps it as float32; where that is the ``expected`` grid, its matrix is taken with all digits.
    """
    same = expected is not None and expected.same(label_map.grid)
    return expected.affine if expected is not None and same else label_map.grid.affine


def _place(segmentation: Any, place: np.ndarray) -> np.ndarray:
    """``place`` from the world to the space of the segmentation."""
    if segmentation is None:
        return place
    source = segmentation.GetSegmentation().GetSourceRepresentationName()
    world = to_world(segmentation)
    if world is None or source != MASKS:
        raise InputError(
            _("{name} cannot take masks of voxels").format(name=segmentation.GetName()),
            expected=_("a segmentation of masks (binary label maps), not bent by a transform"),
            hint=_("choose to make a new segmentation"),
        )
    return np.linalg.inv(world) @ place


def _parts(labels: Sequence[Label], targets: Sequence[tuple[str, str]], made: Mapping[int, str]) -> list[_Part]:
    return [_Part(label, *target, made[label.value]) for label, target in zip(labels, targets, strict=True)]


def _new_segmentation(image: Any, reference: Any, labels: Sequence[Label], made: Mapping[int, str]) -> Any:
    name = _("{volume} segmentation").format(volume=reference.GetName())
    node = new_node("vtkMRMLSegmentationNode", name)
    try:
        node.CreateDefaultDisplayNodes()
        fill(node, image, reference, labels, made)
        put_beside(node, reference)
    except Exception:
        slicer.mrmlScene.RemoveNode(node)
        raise
    return node


def _change(segmentation: Any, image: Any, reference: Any, parts: Sequence[_Part]) -> None:
    undo.save_state(segmentation)
    was = segmentation.StartModify()
    try:
        surfaces.remove(segmentation)
        segmentation.CreateDefaultDisplayNodes()
        _put_all(segmentation, image, reference, parts)
    finally:
        segmentation.EndModify(was)


def fill(node: Any, image: Any, reference: Any, labels: Sequence[Label], made: Mapping[int, str]) -> None:
    """Put the labels of ``image`` into a segmentation that has no segments; ``made``: fingerprints by label value."""
    _put_all(node, image, reference, _parts(labels, [(label.name, "") for label in labels], made))


def _put_all(node: Any, image: Any, reference: Any, parts: Sequence[_Part]) -> None:
    """A segmentation without segments becomes one of ``reference``."""
    segments = node.GetSegmentation()
    if segments.GetNumberOfSegments() == 0:
        segments.SetSourceRepresentationName(MASKS)
        node.SetReferenceImageGeometryParameterFromVolumeNode(reference)
        node.SetNodeReferenceID(node.GetReferenceImageGeometryReferenceRole(), reference.GetID())
    replaced = {part.segment_id for part in parts}
    for part in parts:
        if part.segment_id:
            _leave_layer(node, part.segment_id, replaced)
        _put(segments, image, part)


def _leave_layer(node: Any, segment_id: str, replaced: set[str]) -> None:
    """Wipe a segment out of the layer that it shares with segments that stay; a layer of which none stays is dropped."""
    segments = node.GetSegmentation()
    if set(segments.GetSegmentIDsForLayer(segments.GetLayerIndex(segment_id))) - replaced:
        slicer.vtkSlicerSegmentationsModuleLogic.ClearSegment(node, segment_id)


def _put(segments: Any, image: Any, part: _Part) -> None:
    label = part.label
    segment = segments.GetSegment(part.segment_id) if part.segment_id else slicer.vtkSegment()
    segment.SetName(part.name)
    segment.SetNameAutoGenerated(False)
    segment.SetColorAutoGenerated(False)
    segment.SetColor(*(value / 255 for value in label.color))
    segment.SetTag(segment.GetTerminologyEntryTagName(), terminology_entry(label.terminology))
    segment.SetTag(slicer.vtkSlicerSegmentationsModuleLogic.GetStatusTagName(), "inprogress")
    segment.SetTag(MADE, part.made)
    segment.SetLabelValue(label.value)
    segment.AddRepresentation(MASKS, image)
    if not part.segment_id:
        segments.AddSegment(segment, segments.GenerateUniqueSegmentID(f"Segment_{label.value}"))


def _targets(node: Any, labels: Sequence[Label], keep: Keep) -> tuple[list[tuple[str, str]], list[str]]:
    """For each label the name and the id of the segment that it replaces (empty: none), and a notice of what stays."""
    ids: dict[str, list[str]] = {}
    for segment_id, segment in segments_of(node):
        ids.setdefault(segment.GetName(), []).append(segment_id)
    targets, notices = [], []
    for label in labels:
        kept = ""
        for name in names_for(label.name):
            reasons = {segment_id: keep.why(segment_id) for segment_id in ids.get(name, [])}
            free = [segment_id for segment_id, why in reasons.items() if not why]
            if free or not reasons:
                break
            kept = kept or next(iter(reasons.values()))
        targets.append((name, free[0] if free else ""))
        if kept:
            notices.append(_("{kept}; the model's is {name}.").format(kept=kept, name=name))
    return targets, notices


def _possible_names(node: Any, labels: Sequence[Label]) -> set[str]:
    count = node.GetSegmentation().GetNumberOfSegments()
    return {name for label in labels for name in itertools.islice(names_for(label.name), count)}
