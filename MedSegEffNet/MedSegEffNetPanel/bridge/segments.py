"""Label maps as segments.

Slicer keeps segments that do not overlap in one label map that they share. A model's label map is put in as such a layer,
which copies nothing: what :func:`slicer.util.updateSegmentBinaryLabelmapFromArray` does for one mask after the other,
done for all segments at once.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _
from vtk.util.numpy_support import vtk_to_numpy

from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.formats.seg_nrrd import terminology_entry
from MedSegEffNetLib.task import Label
from MedSegEffNetPanel.bridge import surfaces, undo
from MedSegEffNetPanel.bridge.images import new_image
from MedSegEffNetPanel.bridge.label_maps import LabelMap
from MedSegEffNetPanel.bridge.transforms import array_of_matrix, to_world
from MedSegEffNetPanel.bridge.tree import new_node, put_beside
from MedSegEffNetPanel.bridge.volumes import grid
from MedSegEffNetPanel.grid import Grid

LOCKED = "MedSegEffNet.Locked"  # tag of a segment that only the user may change: "1"
_MASKS = "Binary labelmap"


def put_segments(
    segmentation: Any, label_map: LabelMap, reference: Any, labels: Sequence[Label]
) -> Generator[None, None, Any]:
    """Make the labels segments of ``segmentation``, or of a new node beside ``reference``; gives the node.

    Each label becomes a segment with its name, color and terminology, empty ones too. A segment of the same name is
    replaced, all others stay as they are. A locked one (see :func:`is_locked`) stays as well, and the model's is called
    "<name> (model)". Undo of a segment editor that shows the segmentation takes all of it back in one step. The scene
    is changed at the end, in one step; where that fails, a new node is removed.

    A segment lies exactly on the voxels of ``reference``, in the world if that is under a transform.

    Raises
    ------
    InputError
        ``segmentation`` is bent by a transform, or holds surfaces and no masks.
    """
    matrix = _place(segmentation, place_of(label_map, grid(reference)))
    image = yield from new_image(label_map.values, matrix, label_map.first, slicer.vtkOrientedImageData)
    if segmentation is None:
        return _new_segmentation(image, reference, labels)
    shown = surfaces.shown(segmentation)
    _change(segmentation, image, reference, labels)
    if shown:
        yield from surfaces.made(segmentation)
    return segmentation


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
    if world is None or source != _MASKS:
        raise InputError(
            _("{name} cannot take masks of voxels").format(name=segmentation.GetName()),
            expected=_("a segmentation of masks (binary label maps), not bent by a transform"),
            hint=_("choose to make a new segmentation"),
        )
    return np.linalg.inv(world) @ place


def _new_segmentation(image: Any, reference: Any, labels: Sequence[Label]) -> Any:
    name = _("{volume} segmentation").format(volume=reference.GetName())
    node = new_node("vtkMRMLSegmentationNode", name)
    try:
        node.CreateDefaultDisplayNodes()
        fill(node, image, reference, labels)
        put_beside(node, reference)
    except Exception:
        slicer.mrmlScene.RemoveNode(node)
        raise
    return node


def _change(segmentation: Any, image: Any, reference: Any, labels: Sequence[Label]) -> None:
    undo.save_state(segmentation)
    was = segmentation.StartModify()
    try:
        surfaces.remove(segmentation)
        segmentation.CreateDefaultDisplayNodes()
        fill(segmentation, image, reference, labels)
    finally:
        segmentation.EndModify(was)


def fill(node: Any, image: Any, reference: Any, labels: Sequence[Label]) -> None:
    """Put the labels of ``image`` into a segmentation; one without segments becomes one of ``reference``."""
    segments = node.GetSegmentation()
    if segments.GetNumberOfSegments() == 0:
        segments.SetSourceRepresentationName(_MASKS)
        node.SetReferenceImageGeometryParameterFromVolumeNode(reference)
        node.SetNodeReferenceID(node.GetReferenceImageGeometryReferenceRole(), reference.GetID())
    targets = [_target(segments, label.name) for label in labels]
    replaced = {segment_id for _name, segment_id in targets}
    for label, (name, segment_id) in zip(labels, targets, strict=True):
        if segment_id:
            _leave_layer(node, segment_id, replaced)
        _put(segments, image, label, name, segment_id)


def _leave_layer(node: Any, segment_id: str, replaced: set[str]) -> None:
    """Wipe a segment out of the layer that it shares with segments that stay; a layer of which none stays is dropped."""
    segments = node.GetSegmentation()
    if set(segments.GetSegmentIDsForLayer(segments.GetLayerIndex(segment_id))) - replaced:
        slicer.vtkSlicerSegmentationsModuleLogic.ClearSegment(node, segment_id)


def _put(segments: Any, image: Any, label: Label, name: str, segment_id: str) -> None:
    segment = segments.GetSegment(segment_id) if segment_id else slicer.vtkSegment()
    segment.SetName(name)
    segment.SetNameAutoGenerated(False)
    segment.SetColorAutoGenerated(False)
    segment.SetColor(*(value / 255 for value in label.color))
    segment.SetTag(segment.GetTerminologyEntryTagName(), terminology_entry(label.terminology))
    segment.SetTag(slicer.vtkSlicerSegmentationsModuleLogic.GetStatusTagName(), "inprogress")
    segment.SetLabelValue(label.value)
    segment.AddRepresentation(_MASKS, image)
    if not segment_id:
        segments.AddSegment(segment, segments.GenerateUniqueSegmentID(f"Segment_{label.value}"))


def _target(segments: Any, name: str) -> tuple[str, str]:
    """The name for a label, and the id of the segment that it replaces; empty: it replaces none."""
    ids = {
        segments.GetNthSegment(n).GetName(): segments.GetNthSegmentID(n) for n in range(segments.GetNumberOfSegments())
    }
    number = 1
    wanted = name
    while wanted in ids and is_locked(segments.GetSegment(ids[wanted])):
        wanted = (
            _("{name} (model)").format(name=name)
            if number == 1
            else _("{name} (model {number})").format(name=name, number=number)
        )
        number += 1
    return wanted, ids.get(wanted, "")


def is_locked(segment: Any) -> bool:
    """Whether a vtkSegment is the user's alone: its tag :data:`LOCKED` is "1", or its status in Slicer is Completed."""
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    return _tag(segment, LOCKED) == "1" or logic.GetSegmentStatus(segment) == logic.Completed


def _tag(segment: Any, name: str) -> str:
    value = vtk.reference("")
    return str(value) if segment.GetTag(name, value) else ""


def segment_volumes(segmentation: Any) -> dict[str, float]:
    """Volume in mL by segment name, counted in voxels; empty for a segmentation without masks."""
    segments = segmentation.GetSegmentation()
    if segments.GetSourceRepresentationName() != _MASKS:
        return {}
    return {
        segments.GetNthSegment(number).GetName(): _volume(segments.GetNthSegment(number), to_world(segmentation))
        for number in range(segments.GetNumberOfSegments())
    }


def _volume(segment: Any, world: np.ndarray | None) -> float:
    image = segment.GetRepresentation(_MASKS)
    scalars = image.GetPointData().GetScalars() if image is not None else None
    if scalars is None:
        return 0.0
    matrix = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    place = array_of_matrix(matrix) if world is None else world @ array_of_matrix(matrix)
    voxels = np.count_nonzero(vtk_to_numpy(scalars) == segment.GetLabelValue())
    return float(voxels * abs(np.linalg.det(place[:3, :3])) / 1000.0)
