"""Labels that nothing may change: no tool, no selection, no model.

The tools of Slicer's segment editor know no locks, but they can be kept within one segment. That segment is made here: it
holds every voxel of the image but those of locked labels, is never seen, and counts as no label.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np
import slicer
from slicer.i18n import tr as _

from MedSegEffNetLib.labelops import Selection, whole_box
from MedSegEffNetPanel import steps
from MedSegEffNetPanel.bridge.made import LOCKED, is_locked
from MedSegEffNetPanel.bridge.masks import segments_of
from MedSegEffNetPanel.bridge.selections import REPLACE, put_selection, selection_of, shape_of

EDITABLE = "MedSegEffNet.Editable"  # id of the segment


class Locks:
    """The locks of the labels that a segment editor shows."""

    def __init__(self, editor: Any) -> None:
        self._editor = editor
        self._work: Any = None

    def set_locked(self, segment_id: str, locked: bool) -> None:
        """Lock a label, or unlock it."""
        segment = self._segments.GetSegment(segment_id)
        if locked:
            segment.SetTag(LOCKED, "1")
        else:
            segment.RemoveTag(LOCKED)
            logic = slicer.vtkSlicerSegmentationsModuleLogic
            if is_locked(segment):  # by its status
                logic.SetSegmentStatus(segment, logic.InProgress)
        self.refresh()

    def locked(self) -> list[str]:
        """The ids of the locked labels."""
        return [
            segment_id for segment_id, segment in segments_of(self._editor.segmentationNode()) if is_locked(segment)
        ]

    def refresh(self) -> None:
        """Keep the tools out of what is locked now."""
        if self._work is not None:
            self._work.cancel()
        self._work = steps.run(self._fence(), done=lambda nothing: None, failed=_tell)

    def close(self) -> None:
        """Let the tools go everywhere; the labels stay locked."""
        if self._work is not None:
            self._work.cancel()
        if self._editor.segmentationNode() is not None:
            self._open()

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
        self._segments.RemoveSegment(EDITABLE)

    def _fence(self) -> Generator[None, None, None]:
        segmentation, volume = self._editor.segmentationNode(), self._editor.sourceVolumeNode()
        locked = self.locked()
        if not locked:
            self._open()
            return
        shape = shape_of(volume)
        free = Selection(shape, whole_box(shape), np.ones(shape, dtype=bool))
        for segment_id in locked:
            free = yield from steps.in_thread(free.without, selection_of(segmentation, segment_id, volume))
        if self._segments.GetSegment(EDITABLE) is None:
            segment = slicer.vtkSegment()
            segment.SetName(_("Not locked"))
            self._segments.AddSegment(segment, EDITABLE)
            segmentation.GetDisplayNode().SetSegmentVisibility(EDITABLE, False)
        yield from put_selection(self._editor, EDITABLE, free, REPLACE, overwrite=False)
        node = self._editor.mrmlSegmentEditorNode()
        node.SetMaskSegmentID(EDITABLE)
        node.SetMaskMode(slicer.vtkMRMLSegmentationNode.EditAllowedInsideSingleSegment)


def _tell(error: Exception) -> None:
    slicer.util.errorDisplay(str(error))
