"""The segment editor, on the real logic of Slicer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import slicer
from PySide6 import QtGui

from harness import effects
from harness.editor_effects import EffectsPart, refuse
from harness.editor_parts import Observers, Parts
from harness.generated import behaves, generated
from harness.nodes import qMRMLWidget

_EVENTS = ("EndCloseEvent", "EndBatchProcessEvent")


# the property that shows or hides parts
_SHOWN = {
    "segmentationNodeSelectorVisible": ("segmentation", "segmentation_label"),
    "sourceVolumeNodeSelectorVisible": ("source", "source_label"),
    "masterVolumeNodeSelectorVisible": ("source", "source_label"),
    "addRemoveSegmentButtonsVisible": ("add", "remove"),
    "show3DButtonVisible": ("show_3d",),
    "switchToSegmentationsButtonVisible": ("switch",),
}


@behaves
class qMRMLSegmentEditorWidget(EffectsPart, generated("qMRMLSegmentEditorWidget")):  # type: ignore[misc]
    """The editor: follows its node, tells of what was chosen in it, and keeps the history for undo.

    Where Slicer prints that a node must be set before, this raises RuntimeError.
    """

    _default_effectColumnCount = 2
    _default_unorderedEffectsVisible = True
    _default_undoEnabled = True
    _default_maskingSectionVisible = True
    _default_autoShowSourceVolumeNode = True
    _default_autoShowMasterVolumeNode = True

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._logic = slicer.vtkSlicerSegmentEditorLogic()
        self._node: Any = None
        self._segmentation: Any = None
        self._source: Any = None
        self._active: Any = None
        self._order: list[str] = []
        self._keys: list[QtGui.QShortcut] = []
        self._of_scene, self._of_node, self._of_segmentation = Observers(self), Observers(self), Observers(self)
        self._parts = Parts(self)
        self._effects = effects.made_for(self)
        self._buttons = {"": self._button("None", None)} | {
            one.name: self._button(one.name, one) for one in self._effects
        }
        self.updateEffectList()
        self._connect()

    def _connect(self) -> None:
        parts = self._parts
        parts.segmentation.currentNodeChanged.connect(self._on_segmentation_chosen)
        parts.source.currentNodeChanged.connect(self._on_source_chosen)
        parts.table.selectionChanged.connect(lambda *_: self._on_segment_chosen())
        parts.add.clicked.connect(self._add_segment)
        parts.remove.clicked.connect(self._remove_segment)
        parts.undo.clicked.connect(self.undo)
        parts.redo.clicked.connect(self.redo)
        Observers(self).watch(self._logic, self._show_history, self._logic.SegmentationHistoryChangedEvent)

    def editor_logic(self) -> Any:
        """The real logic; Python does not see this in Slicer."""
        return self._logic

    # nodes

    def setMRMLScene(self, scene: Any) -> None:
        """Take another scene."""
        if scene is self._scene:
            return
        self._logic.SetMRMLApplicationLogic(slicer.app.applicationLogic())
        self._logic.SetMRMLScene(scene)
        for box in (self._parts.segmentation, self._parts.source):
            was = box.blockSignals(True)
            box.setMRMLScene(scene)
            box.blockSignals(was)
        self._of_scene.clear()
        if scene is not None:
            self._of_scene.watch(scene, self._after_scene, *(getattr(scene, event) for event in _EVENTS))
        qMRMLWidget.setMRMLScene(self, scene)
        self.updateWidgetFromMRML()

    def _after_scene(self) -> None:
        if self._node is not None:
            self._give_node_to_effects()
            self._on_segmentation_chosen(self._parts.segmentation.currentNode())
        self.updateWidgetFromMRML()

    def mrmlSegmentEditorNode(self) -> Any:
        """The node that keeps what is chosen."""
        return self._node

    def setMRMLSegmentEditorNode(self, node: Any) -> None:
        """Follow another node."""
        if node is self._node:
            return
        self._of_node.clear()
        self._node = node
        self._logic.SetSegmentEditorNode(node)
        if node is not None:
            self._give_node_to_effects()
            self._of_node.watch(node, self.updateWidgetFromMRML, "ModifiedEvent")
            self.updateWidgetFromMRML()

    def _give_node_to_effects(self) -> None:
        was = self._node.StartModify()
        for effect in self._effects:
            effect.setParameterSetNode(self._node)
        self._node.EndModify(was)

    def segmentationNode(self) -> Any:
        """The segmentation that is edited."""
        return self._parts.segmentation.currentNode()

    def segmentationNodeID(self) -> str:
        """Its id, or an empty text."""
        return _id(self.segmentationNode())

    def setSegmentationNode(self, node: Any) -> None:
        """Edit another segmentation; no effect is active then."""
        if self._node is None:
            refuse(node, "setSegmentationNode: set the segment editor node before")
        elif self._node.GetSegmentationNode() is not node:
            self.setActiveEffect(None)
            self._node.SetAndObserveSegmentationNode(node)

    def setSegmentationNodeID(self, node_id: str) -> None:
        """Edit the segmentation of an id."""
        self.setSegmentationNode(self._scene.GetNodeByID(node_id))

    def sourceVolumeNode(self) -> Any:
        """The volume that is edited on."""
        return None if self._node is None else self._node.GetSourceVolumeNode()

    def sourceVolumeNodeID(self) -> str:
        """Its id, or an empty text."""
        return _id(self.sourceVolumeNode())

    def setSourceVolumeNode(self, node: Any) -> None:
        """Edit on another volume."""
        if self._node is None or self.segmentationNode() is None:
            refuse(node, "setSourceVolumeNode: set the segment editor node and the segmentation before")
        elif self._node.GetSourceVolumeNode() is not node:
            self._node.SetAndObserveSourceVolumeNode(node)

    def setSourceVolumeNodeID(self, node_id: str) -> None:
        """Edit on the volume of an id."""
        self.setSourceVolumeNode(self._scene.GetNodeByID(node_id))

    masterVolumeNode, masterVolumeNodeID = sourceVolumeNode, sourceVolumeNodeID
    setMasterVolumeNode, setMasterVolumeNodeID = setSourceVolumeNode, setSourceVolumeNodeID

    def interactionNode(self) -> Any:
        """The node of the mouse mode."""
        return self._scene.GetNodeByID("vtkMRMLInteractionNodeSingleton")

    def _on_segmentation_chosen(self, node: Any) -> None:
        if self._node is not None and not self._scene.IsBatchProcessing():
            self.setSegmentationNode(node)

    def _on_source_chosen(self, node: Any) -> None:
        if self._node is not None and self.segmentationNode() is not None and not self._scene.IsBatchProcessing():
            self.setSourceVolumeNode(node)

    # what is shown of the node

    def updateWidgetFromMRML(self) -> None:
        """Show what the node says."""
        scene, node = self._scene, self._node
        if scene is None or node is None or scene.IsClosing() or scene.IsBatchProcessing():
            return
        was = node.StartModify()
        try:
            self._show_segmentation(node.GetSegmentationNode())
            self._show_source(node.GetSourceVolumeNode())
            self._parts.table.setSelectedSegmentIDs([node.GetSelectedSegmentID() or ""])
            self._show_effect()
            self._show_history()
        finally:
            node.EndModify(was)

    def _show_segmentation(self, segmentation: Any) -> None:
        _show_node(self._parts.segmentation, segmentation)
        if segmentation is self._segmentation:
            return
        self._segmentation = segmentation
        self._logic.SetSegmentationNode(segmentation)
        self._of_segmentation.clear()
        self._of_segmentation.watch(segmentation, self.updateWidgetFromMRML, "ModifiedEvent")
        was = self._parts.table.blockSignals(True)
        self._parts.table.setSegmentationNode(segmentation)
        self._parts.table.blockSignals(was)
        if segmentation is not None:
            reference = segmentation.GetNodeReference(segmentation.GetReferenceImageGeometryReferenceRole())
            self._node.SetAndObserveSourceVolumeNode(reference)
            segmentation.CreateDefaultDisplayNodes()
            self._parts.table.setSelectedSegmentIDs(self._parts.table.displayedSegmentIDs()[:1])
            self.hideLabelLayer()
        self.segmentationNodeChanged.emit(segmentation)

    def _show_source(self, source: Any) -> None:
        if self._segmentation is None or source is self._source:
            return
        self._source = source
        self._logic.SetSourceVolumeNode(source)
        _show_node(self._parts.source, source)
        if source is not None and self.autoShowSourceVolumeNode:
            self.showSourceVolumeInSliceViewers()
        self.sourceVolumeNodeChanged.emit(source)
        self.masterVolumeNodeChanged.emit(source)

    def showSourceVolumeInSliceViewers(self, force: bool = False, fit: bool = False) -> None:
        """Show the source volume in the slices that do not show it, or in the background of all."""
        source = self.sourceVolumeNodeID()
        for logic in _slice_logics() if source else ():
            layers = logic.GetSliceCompositeNode()
            if force or source not in (layers.GetBackgroundVolumeID(), layers.GetForegroundVolumeID()):
                layers.SetBackgroundVolumeID(source)

    showMasterVolumeInSliceViewers = showSourceVolumeInSliceViewers

    def hideLabelLayer(self) -> None:
        """Show no label map in the slices."""
        for logic in _slice_logics():
            logic.GetSliceCompositeNode().SetLabelVolumeID(None)

    # segments

    def currentSegmentID(self) -> str:
        """The id of the segment that is edited."""
        return "" if self._node is None else self._node.GetSelectedSegmentID() or ""

    def setCurrentSegmentID(self, segment_id: str) -> None:
        """Edit another segment. As in Slicer, no signal tells of it: only of what was chosen in the table."""
        if self._node is not None:
            self._node.SetSelectedSegmentID(segment_id)

    def selectSegmentAtOffset(self, offset: int) -> None:
        """Edit the segment so many rows below the current one; the first follows on the last."""
        ids = self._parts.table.displayedSegmentIDs()
        if ids:
            row = self._parts.table.rowForSegmentID(self.currentSegmentID())
            self._parts.table.setSelectedSegmentIDs([ids[(row + offset) % len(ids)]])

    def selectNextSegment(self) -> None:
        """Edit the next segment."""
        self.selectSegmentAtOffset(1)

    def selectPreviousSegment(self) -> None:
        """Edit the segment before."""
        self.selectSegmentAtOffset(-1)

    def _on_segment_chosen(self) -> None:
        chosen = next(iter(self._parts.table.selectedSegmentIDs()), "")
        if self._node is None or chosen == self.currentSegmentID():
            return
        self._node.SetSelectedSegmentID(chosen or None)
        if not chosen and self._active is not None and self._active.perSegment:
            self.setActiveEffect(None)
        self.updateWidgetFromMRML()
        self.currentSegmentIDChanged.emit(chosen)

    def _add_segment(self) -> None:
        if self._segmentation is not None:
            self._logic.SaveStateForUndo()
            self._parts.table.setSelectedSegmentIDs([self._segmentation.GetSegmentation().AddEmptySegment()])

    def _remove_segment(self) -> None:
        segment_id = self.currentSegmentID()
        if self._segmentation is not None and segment_id:
            self._logic.SaveStateForUndo()
            ids = self._parts.table.displayedSegmentIDs()
            row = ids.index(segment_id)
            self._parts.table.setSelectedSegmentIDs([*ids[row + 1 :], *ids[:row][-1:]][:1])
            self._segmentation.GetSegmentation().RemoveSegment(segment_id)

    # undo

    def saveStateForUndo(self) -> None:
        """Remember the segmentation as it is."""
        if self.maximumNumberOfUndoStates > 0:
            self._logic.SaveStateForUndo()

    def undo(self) -> None:
        """Go back to what was remembered.

        Raises
        ------
        RuntimeError
            Only one state is kept: an undo keeps the present one as well, and Slicer crashes as it finds no other.
        """
        if self.maximumNumberOfUndoStates == 1:
            raise RuntimeError("undo with maximumNumberOfUndoStates 1 ends Slicer: n states are n - 1 steps")
        self._logic.Undo()

    def redo(self) -> None:
        """Take the last undo back."""
        self._logic.Redo()

    def _read_maximumNumberOfUndoStates(self) -> int:
        return self._logic.GetMaximumNumberOfUndoStates()

    def _write_maximumNumberOfUndoStates(self, number: int) -> None:
        self._logic.SetMaximumNumberOfUndoStates(number)

    def _write_undoEnabled(self, on: bool) -> None:
        self._undoEnabled = on
        if on:
            self._logic.ClearUndoState()
        self._parts.history.setVisible(on)

    def _show_history(self) -> None:
        self._parts.undo.setEnabled(not self.readOnly and self._logic.CanUndo())
        self._parts.redo.setEnabled(not self.readOnly and self._logic.CanRedo())

    def _write_readOnly(self, on: bool) -> None:
        self._readOnly = on
        if on:
            self.setActiveEffect(None)
        self.updateWidgetFromMRML()
        self._show_history()


def _show_or_hide(title: str, names: tuple[str, ...]) -> Callable[[Any, bool], None]:
    def write(self: Any, on: bool) -> None:
        self.__dict__[f"_{title}"] = on
        for name in names:
            getattr(self._parts, name).setVisible(on)

    return write


for _title, _names in _SHOWN.items():
    setattr(qMRMLSegmentEditorWidget, f"_default_{_title}", True)
    setattr(qMRMLSegmentEditorWidget, f"_write_{_title}", _show_or_hide(_title, _names))


def _show_node(box: Any, node: Any) -> None:
    if box.currentNode() is not node:
        was = box.blockSignals(True)
        box.setCurrentNode(node)
        box.blockSignals(was)


def _slice_logics() -> list[Any]:
    logics = slicer.app.applicationLogic().GetSliceLogics()
    return [logics.GetItemAsObject(place) for place in range(logics.GetNumberOfItems())]


def _id(node: Any) -> str:
    return node.GetID() if node is not None else ""
