"""Undo: the segment editors that are told before a segmentation is changed."""

from __future__ import annotations

from typing import Any

import slicer

editors: list[Any] = []  # qMRMLSegmentEditorWidgets of this extension, as long as they live


def save_state(segmentation: Any) -> None:
    """Let each segment editor that shows ``segmentation`` remember it, so that what follows is one step of its undo."""
    own = getattr(slicer.modules, "SegmentEditorWidget", None)  # of the module Segment Editor, once it was opened
    for editor in (*editors, getattr(own, "editor", None)):
        if editor is not None and editor.segmentationNode() is segmentation:
            editor.saveStateForUndo()
