"""Slicer's segment editor inside the section, with a node of its own."""

from __future__ import annotations

from typing import Any

import slicer

from MedSegEffNetPanel.bridge import undo
from MedSegEffNetPanel.correcting.locks import EDITABLE

_TAG = "MedSegEffNet"
# Those that work on one segment: others change all of them at once, past the selection and the locks, or the image.
_TOOLS = ("Paint", "Erase", "Draw", "Scissors", "Level tracing", "Threshold", "Islands", "Smoothing", "Margin")
_FILL = 0.3  # opacity of the labels in the slices: what the image shows at their borders must be seen
_STATES = 30  # of the undo; with one Slicer would end


class EditorView:
    """Shows the labels of the open case to the tools of Slicer.

    Attributes
    ----------
    editor : the qMRMLSegmentEditorWidget.
    """

    def __init__(self, editor: Any) -> None:
        self.editor = editor
        editor.maximumNumberOfUndoStates = _STATES
        editor.maskingSectionVisible = False  # the locks use it
        editor.segmentationNodeSelectorVisible = editor.sourceVolumeNodeSelectorVisible = False
        editor.addRemoveSegmentButtonsVisible = False  # the task has its labels
        editor.switchToSegmentationsButtonVisible = False
        editor.setEffectNameOrder(_TOOLS)
        editor.unorderedEffectsVisible = False
        slicer.util.findChild(editor, "SegmentsTableView").setHideSegments([EDITABLE])
        undo.editors.append(editor)

    def open(self, segmentation: Any, volume: Any) -> None:
        """Edit a segmentation on a volume."""
        self.editor.setMRMLScene(slicer.mrmlScene)
        self.editor.setMRMLSegmentEditorNode(_node())
        self.editor.setSegmentationNode(segmentation)
        self.show(volume)
        display = segmentation.GetDisplayNode()
        display.SetOpacity2DFill(_FILL)
        display.SetOpacity2DOutline(1.0)

    def show(self, volume: Any) -> None:
        """Let the tools see another volume, and all slices too."""
        self.editor.setSourceVolumeNode(volume)
        self.editor.showSourceVolumeInSliceViewers(True)

    def close(self) -> None:
        """Edit nothing."""
        if self.editor.mrmlSegmentEditorNode() is not None:
            self.editor.setActiveEffect(None)
            self.editor.setSegmentationNode(None)
            self.editor.setMRMLSegmentEditorNode(None)

    def end(self) -> None:
        """The section ends."""
        self.close()
        undo.editors.remove(self.editor)


def _node() -> Any:
    """The editor's node; there is one for the scene."""
    node = slicer.mrmlScene.GetSingletonNode(_TAG, "vtkMRMLSegmentEditorNode")
    if node is None:
        node = slicer.mrmlScene.CreateNodeByClass("vtkMRMLSegmentEditorNode")
        node.UnRegister(None)  # CreateNodeByClass gives a reference that the caller owns
        node.SetSingletonTag(_TAG)
        node = slicer.mrmlScene.AddNode(node)
    return node
