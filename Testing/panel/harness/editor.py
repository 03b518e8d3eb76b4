"""The segment editor, on the real logic of Slicer; and a stroke of its brush for tests."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import slicer
import vtk
from PySide6 import QtCore, QtGui, QtWidgets

from harness import effects, nodes
from harness.generated import behaves, generated
from harness.segments_table import Observers, qMRMLSegmentsTableView

_EVENTS = ("EndCloseEvent", "EndBatchProcessEvent")


class _Parts:
    """The widgets inside the editor, with the names that they have in Slicer."""

    def __init__(self, editor: QtWidgets.QWidget) -> None:
        self.segmentation = _named(nodes.qMRMLNodeComboBox(), "SegmentationNodeComboBox")
        self.segmentation.setProperty("nodeTypes", ["vtkMRMLSegmentationNode"])
        self.segmentation.setProperty("noneEnabled", False)  # so the first segmentation of a scene is taken
        self.source = _named(nodes.qMRMLNodeComboBox(), "SourceVolumeNodeComboBox")
        self.source.setProperty("nodeTypes", ["vtkMRMLScalarVolumeNode"])
        self.source.setProperty("noneEnabled", True)
        self.source.setProperty("addEnabled", False)
        self.source.setProperty("noneDisplay", "Select source volume to enable editing")
        self.segmentation_label = QtWidgets.QLabel("Segmentation:")
        self.source_label = QtWidgets.QLabel("Source volume:")
        self.add = _named(QtWidgets.QPushButton("Add"), "AddSegmentButton")
        self.remove = _named(QtWidgets.QPushButton("Remove"), "RemoveSegmentButton")
        self.show_3d = _named(QtWidgets.QPushButton("Show 3D"), "Show3DButton")
        self.switch = _named(QtWidgets.QToolButton(text="Segmentations"), "SwitchToSegmentationsButton")
        self.table = _named(qMRMLSegmentsTableView(), "SegmentsTableView")
        self.effects = _named(QtWidgets.QFrame(), "EffectsGroupBox")
        self.effects.setLayout(QtWidgets.QGridLayout())
        self.history = _named(QtWidgets.QFrame(), "UndoRedoGroupBox")
        self.undo = _named(QtWidgets.QToolButton(text="Undo"), "UndoButton")
        self.redo = _named(QtWidgets.QToolButton(text="Redo"), "RedoButton")
        self.options = _named(QtWidgets.QGroupBox("Options"), "OptionsGroupBox")
        self.masking = _named(QtWidgets.QGroupBox("Masking"), "MaskingGroupBox")
        self.options.hide()
        self.masking.hide()
        self._lay_out(editor)

    def _lay_out(self, editor: QtWidgets.QWidget) -> None:
        grid = QtWidgets.QGridLayout(editor)
        for row, widgets in enumerate(((self.segmentation_label, self.segmentation), (self.source_label, self.source))):
            grid.addWidget(widgets[0], row, 0)
            grid.addWidget(widgets[1], row, 1)
        bar = QtWidgets.QHBoxLayout()
        for widget in (self.add, self.remove, self.show_3d, self.switch):
            bar.addWidget(widget)
        grid.addLayout(bar, 2, 0, 1, 2)
        history = QtWidgets.QHBoxLayout(self.history)
        history.addWidget(self.undo)
        history.addWidget(self.redo)
        left, right = QtWidgets.QVBoxLayout(), QtWidgets.QVBoxLayout()
        for widget in (self.effects, self.history):
            left.addWidget(widget)
        left.addStretch()
        for widget in (self.table, self.options, self.masking):
            right.addWidget(widget)
        grid.addLayout(left, 3, 0)
        grid.addLayout(right, 3, 1)


def _named(widget: Any, name: str) -> Any:
    widget.setObjectName(name)
    return widget


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
class qMRMLSegmentEditorWidget(generated("qMRMLSegmentEditorWidget")):  # type: ignore[misc]
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
        self._parts = _Parts(self)
        self._effects = effects.made_for(self)
        self._buttons = {"": self._button("None", None)} | {one.name: self._button(one.name, one) for one in self._effects}
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
        super().setMRMLScene(scene)
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
            _refuse(node, "setSegmentationNode: set the segment editor node before")
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
            _refuse(node, "setSourceVolumeNode: set the segment editor node and the segmentation before")
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
