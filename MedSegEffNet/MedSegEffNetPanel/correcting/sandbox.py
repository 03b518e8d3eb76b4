"""The selection: drawn with any tool, shaped, and only then given to a label.

It is a segment of its own over the labels. ``+`` adds it to the current label, ``-`` takes it away, ``=`` makes it the
label; locked labels neither give nor take. Each of these is one step of the segment editor's undo.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from functools import partial
from typing import Any

import slicer
from slicer.i18n import tr as _

from MedSegEffNetLib.labelops import Selection, fill_holes, grow, interpolate, shrink, smooth
from MedSegEffNetPanel import steps
from MedSegEffNetPanel.bridge.made import is_locked
from MedSegEffNetPanel.bridge.masks import segments_of
from MedSegEffNetPanel.bridge.selections import ADD, REMOVE, REPLACE, put_selection, read_selection
from MedSegEffNetPanel.signals import Signal
from MedSegEffNetPanel.wording import told

SELECTION = "MedSegEffNet.Selection"  # id of the segment
_COLOR = (1.0, 0.95, 0.2)

Shaping = Callable[[Selection], Selection]
Work = Generator[None, None, None]


class Sandbox:
    """The selection of the case that a segment editor shows.

    Attributes
    ----------
    changed : emitted when work has begun or ended, with a sentence for the user (empty: all is well).
    busy : whether work is under way; what is asked for meanwhile is not done.
    """

    def __init__(self, editor: Any) -> None:
        self._editor = editor
        self._work: Any = None
        self.changed = Signal()

    @property
    def busy(self) -> bool:
        """Whether work is under way."""
        return self._work is not None and not self._work.over

    def open(self) -> None:
        """Make the selection's segment, if there is none, and let the tools draw into it."""
        segmentation = self._editor.segmentationNode()
        segments = segmentation.GetSegmentation()
        if segments.GetSegment(SELECTION) is None:
            segment = slicer.vtkSegment()
            segment.SetName(_("Selection"))
            segment.SetColor(*_COLOR)
            segments.AddSegment(segment, SELECTION)
        self.select(SELECTION)

    def select(self, segment_id: str) -> None:
        """Let the tools draw into a segment: the selection covers labels, labels take voxels from each other."""
        node = self._editor.mrmlSegmentEditorNode()
        over = segment_id == SELECTION
        node.SetOverwriteMode(node.OverwriteNone if over else node.OverwriteAllSegments)
        self._editor.setCurrentSegmentID(segment_id)

    def close(self) -> None:
        """Drop the selection."""
        self.cancel()
        segmentation = self._editor.segmentationNode()
        if segmentation is not None and segmentation.GetSegmentation().GetSegment(SELECTION) is not None:
            segmentation.GetSegmentation().RemoveSegment(SELECTION)

    def cancel(self) -> None:
        """Stop what is under way; the segments are as they were."""
        if self.busy:
            self._work.cancel()

    def add(self, label: str) -> None:
        """Give the selection to the segment ``label``."""
        self._start(self._give(label, ADD))

    def remove(self, label: str) -> None:
        """Take the selection away from the segment ``label``."""
        self._start(self._give(label, REMOVE))

    def replace(self, label: str) -> None:
        """Make the segment ``label`` what is selected."""
        self._start(self._give(label, REPLACE))

    def take(self, label: str) -> None:
        """Select what the segment ``label`` holds."""
        self._start(self._shape(label, lambda selection: selection))

    def clear(self) -> None:
        """Select nothing."""
        self._start(self._shape(SELECTION, lambda selection: Selection.nothing(selection.shape)))

    def grow(self, axis: int | None = None) -> None:
        """One voxel more at every face; with ``axis`` only within the slices across it."""
        self.shape(partial(grow, axis=axis))

    def shrink(self, axis: int | None = None) -> None:
        """One voxel less at every face."""
        self.shape(partial(shrink, axis=axis))

    def smooth(self, axis: int | None = None) -> None:
        """Smooth the border."""
        self.shape(partial(smooth, axis=axis))

    def fill_holes(self, axis: int | None = None) -> None:
        """Fill what is closed in, in each slice across ``axis`` or in space."""
        self.shape(partial(fill_holes, axis=axis))

    def interpolate(self, axis: int) -> None:
        """Fill the slices across ``axis`` between those that are drawn."""
        self.shape(partial(interpolate, axis=axis))

    def shape(self, change: Shaping, *, remember: bool = True) -> None:
        """Change the selection by a function that works in a thread; one step of the undo where ``remember``."""
        self._start(self._shape(SELECTION, change, remember))

    def put(self, coming: Generator[None, None, Selection | None]) -> None:
        """Select what work gives (None: leave it as it is); no step of the undo."""
        self._start(self._put(coming))

    def failed(self, error: Exception) -> None:
        """Tell what went wrong."""
        self.changed.emit(told(error))

    def _start(self, work: Work) -> None:
        if self.busy:
            return
        self._work = steps.run(work, done=lambda nothing: self.changed.emit(""), failed=self.failed)
        self.changed.emit("")

    def _put(self, coming: Generator[None, None, Selection | None]) -> Work:
        selection = yield from coming
        if selection is not None:
            yield from put_selection(self._editor, SELECTION, selection, REPLACE, overwrite=False)

    def _shape(self, source: str, change: Shaping, remember: bool = True) -> Work:
        shaped = yield from steps.in_thread(change, (yield from self._selected(source)))
        if remember:
            self._editor.saveStateForUndo()
        yield from put_selection(self._editor, SELECTION, shaped, REPLACE, overwrite=False)

    def _give(self, label: str, mode: str) -> Work:
        segmentation = self._editor.segmentationNode()
        if is_locked(segmentation.GetSegmentation().GetSegment(label)):
            return
        selected = yield from self._selected(SELECTION)
        for segment_id, segment in segments_of(segmentation):
            if segment_id not in (SELECTION, label) and is_locked(segment):
                locked = yield from self._selected(segment_id)
                selected = yield from steps.in_thread(selected.without, locked)
        self._editor.saveStateForUndo()
        yield from put_selection(self._editor, label, selected, mode, overwrite=True)
        nothing = Selection.nothing(selected.shape)
        yield from put_selection(self._editor, SELECTION, nothing, REPLACE, overwrite=False)

    def _selected(self, segment_id: str) -> Generator[None, None, Selection]:
        return read_selection(self._editor.segmentationNode(), segment_id, self._editor.sourceVolumeNode())
