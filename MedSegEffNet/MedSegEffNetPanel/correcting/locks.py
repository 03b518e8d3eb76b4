"""Labels that nothing may change: no tool, no selection, no model.

The tools of Slicer's segment editor know no locks, but they can be kept within one segment. That segment is made here: it
holds every voxel of the image but those of locked labels, is never seen, and counts as no label.
"""

from __future__ import annotations

import itertools
from collections.abc import Generator, Iterable
from typing import Any

import numpy as np
import qt
import slicer
import vtk
from slicer.i18n import tr as _

from MedSegEffNetLib.labelops import Selection, whole_box
from MedSegEffNetPanel import steps
from MedSegEffNetPanel.bridge.made import LOCKED, is_locked
from MedSegEffNetPanel.bridge.masks import segments_of
from MedSegEffNetPanel.bridge.selections import REPLACE, put_selection, read_selection, shape_of
from MedSegEffNetPanel.signals import Signal

EDITABLE = "MedSegEffNet.Editable"  # id of the segment
_FENCE = "MedSegEffNet.Fence"  # tag of it: which fence it is


class Locks:
    """The locks of the labels that a segment editor shows.

    An undo brings back the segments of before, with the locks and the fence that they had: both are set right again.

    Attributes
    ----------
    changed : emitted when other labels are locked than before.
    """

    def __init__(self, editor: Any) -> None:
        self._editor = editor
        self._work: Any = None
        self._wanted = self.locked()
        self._fences = itertools.count(1)
        self._fence_tag = ""  # of the fence as it was made last; empty: there is none
        self.changed = Signal()
        self._timer = qt.QTimer()
        self._timer.setSingleShot(True)
        self._timer.connect("timeout()", self._check)
        kind = slicer.vtkSegmentation
        events = (kind.SegmentAdded, kind.SegmentRemoved, kind.SegmentModified)
        self._observed = self._segments
        self._tags = [self._observed.AddObserver(event, self._on_segments) for event in events]

    def set_locked(self, segment_id: str, locked: bool) -> None:
        """Lock a label, or unlock it."""
        self._tag(segment_id, locked)
        self._wanted = self.locked()
        self.refresh()
        self.changed.emit()

    def _tag(self, segment_id: str, locked: bool) -> None:
        segment = self._segments.GetSegment(segment_id)
        if locked:
            segment.SetTag(LOCKED, "1")
        else:
            segment.RemoveTag(LOCKED)
            logic = slicer.vtkSlicerSegmentationsModuleLogic
            if is_locked(segment):  # by its status
                logic.SetSegmentStatus(segment, logic.InProgress)

    def locked(self) -> list[str]:
        """The ids of the locked labels."""
        return [
            segment_id for segment_id, segment in segments_of(self._editor.segmentationNode()) if is_locked(segment)
        ]

    def refresh(self) -> None:
        """Keep the tools out of what is locked now."""
        if self._work is not None:
            self._work.cancel()
        self._work = steps.run(self._fence(), done=self._on_fenced, failed=_tell)

    def close(self) -> None:
        """Let the tools go everywhere; the labels stay locked."""
        self._timer.stop()
        for tag in self._tags:
            self._observed.RemoveObserver(tag)
        self._tags = []
        if self._work is not None:
            self._work.cancel()
        if self._editor.segmentationNode() is not None:
            self._open()

    def _on_segments(self, *event: Any) -> None:
        if not self._timer.active:
            self._timer.start(0)

    def _check(self, undone: bool = False) -> None:
        """Segments came, went or were changed: by an undo, or by a status that the user gave a label."""
        if self._editor.segmentationNode() is None or self.busy:
            return
        undone = undone or self._fence_tag != self._fence_there()
        if undone:
            self._restore()
        if undone or self.locked() != self._wanted:
            self._wanted = self.locked()
            self.refresh()
            self.changed.emit()

    def _on_fenced(self, nothing: object) -> None:
        if self.locked() != self._wanted:  # an undo meanwhile
            self._check(undone=True)

    def _restore(self) -> None:
        for segment_id, _segment in segments_of(self._editor.segmentationNode()):
            self._tag(segment_id, segment_id in self._wanted)

    def _fence_there(self) -> str:
        segment = self._segments.GetSegment(EDITABLE)
        value = vtk.reference("")
        return str(value) if segment is not None and segment.GetTag(_FENCE, value) else ""

    @property
    def busy(self) -> bool:
        """Whether the tools do not know of the last change yet."""
        return self._work is not None and not self._work.over

    @property
    def _segments(self) -> Any:
        return self._editor.segmentationNode().GetSegmentation()

    def _open(self) -> None:
        node = self._editor.mrmlSegmentEditorNode()
        node.SetMaskMode(slicer.vtkMRMLSegmentationNode.EditAllowedEverywhere)
        if self._segments.GetSegment(EDITABLE) is not None:
            self._segments.RemoveSegment(EDITABLE)
        self._fence_tag = ""

    def _fence(self) -> Generator[None, None, None]:
        segmentation, volume = self._editor.segmentationNode(), self._editor.sourceVolumeNode()
        locked = self.locked()
        if not locked:
            self._open()
            return
        taken = []
        for segment_id in locked:
            taken.append((yield from read_selection(segmentation, segment_id, volume)))
        free = yield from steps.in_thread(_free_of, taken, shape_of(volume))
        if self._segments.GetSegment(EDITABLE) is None:
            segment = slicer.vtkSegment()
            segment.SetName(_("Not locked"))
            self._segments.AddSegment(segment, EDITABLE)
            segmentation.GetDisplayNode().SetSegmentVisibility(EDITABLE, False)
        yield from put_selection(self._editor, EDITABLE, free, REPLACE, overwrite=False)
        self._fence_tag = str(next(self._fences))
        self._segments.GetSegment(EDITABLE).SetTag(_FENCE, self._fence_tag)
        node = self._editor.mrmlSegmentEditorNode()
        node.SetMaskSegmentID(EDITABLE)
        node.SetMaskMode(slicer.vtkMRMLSegmentationNode.EditAllowedInsideSingleSegment)


def _free_of(taken: Iterable[Selection], shape: tuple[int, int, int]) -> Selection:
    """Every voxel that is in none of the selections."""
    free = np.ones(shape, dtype=bool)
    for selection in taken:
        free[selection.box] &= ~selection.mask
    return Selection(shape, whole_box(shape), free)


def _tell(error: Exception) -> None:
    slicer.util.errorDisplay(str(error))
