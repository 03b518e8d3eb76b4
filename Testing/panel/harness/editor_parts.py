"""What the segment editor is made of: the table of segments, selectors and buttons."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import shiboken6
import slicer
from PySide6 import QtCore, QtGui, QtWidgets

from harness import failures, nodes
from harness.generated import behaves, generated


class Observers:
    """Observers of nodes for one widget; they let go of the nodes where the widget was deleted."""

    def __init__(self, owner: QtCore.QObject) -> None:
        self._owner = owner
        self._tags: list[tuple[Any, int]] = []

    def watch(self, target: Any, do: Callable[[], None], *events: Any) -> None:
        """Call ``do`` at the events of ``target``, which may be None."""

        def call(caller: Any, event: str) -> None:
            if shiboken6.isValid(self._owner):
                failures.call(do)
            else:
                self.clear()

        for event in events if target is not None else ():
            self._tags.append((target, target.AddObserver(event, call)))

    def clear(self) -> None:
        """Let go of all."""
        for target, tag in self._tags:
            target.RemoveObserver(tag)
        self._tags = []


@behaves
class qMRMLSegmentsTableView(generated("qMRMLSegmentsTableView")):  # type: ignore[misc]
    """Colors and names of the segments of a segmentation; one can be selected."""

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._segmentation: Any = None
        self._hidden: tuple[str, ...] = ()
        self._told: list[str] = []
        self._observers = Observers(self)
        self._table = QtWidgets.QTableWidget(0, 2, self)
        self._table.setHorizontalHeaderLabels(["", "Name"])
        self._table.verticalHeader().hide()
        self._table.setColumnWidth(0, 30)
        self._table.horizontalHeader().setStretchLastSection(True)
        self._table.setSelectionBehavior(QtWidgets.QAbstractItemView.SelectionBehavior.SelectRows)
        self._table.setSelectionMode(QtWidgets.QAbstractItemView.SelectionMode.SingleSelection)
        self._table.setEditTriggers(QtWidgets.QAbstractItemView.EditTrigger.NoEditTriggers)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._table)
        self._table.itemSelectionChanged.connect(self._tell)

    def segmentationNode(self) -> Any:
        """The segmentation, or None."""
        return self._segmentation

    def setSegmentationNode(self, node: Any) -> None:
        """List the segments of another segmentation."""
        if node is self._segmentation:
            return
        self._observers.clear()
        self._segmentation = node
        kind = slicer.vtkSegmentation
        self._observers.watch(node, self._refresh, kind.SegmentAdded, kind.SegmentRemoved, kind.SegmentModified)
        self._refresh()

    def displayedSegmentIDs(self) -> list[str]:
        """The ids of all segments that are not hidden, in their order."""
        ids = () if self._segmentation is None else self._segmentation.GetSegmentation().GetSegmentIDs()
        return [segment_id for segment_id in ids if segment_id not in self._hidden]

    def hideSegments(self) -> list[str]:
        """The ids that are not listed."""
        return list(self._hidden)

    def setHideSegments(self, ids: Any) -> None:
        """List these segments no more."""
        self._hidden = tuple(ids)
        self._refresh()

    def _read_segmentCount(self) -> int:
        return len(self.displayedSegmentIDs())

    def segmentIDForRow(self, row: int) -> str:
        """The id in a row."""
        return self._table.item(row, 0).data(QtCore.Qt.ItemDataRole.UserRole)

    def rowForSegmentID(self, segment_id: str) -> int:
        """The row of an id; -1: it is not there."""
        ids = self.displayedSegmentIDs()
        return ids.index(segment_id) if segment_id in ids else -1

    def selectedSegmentIDs(self) -> list[str]:
        """The id of the selected segment, in a list."""
        rows = sorted({index.row() for index in self._table.selectedIndexes()})
        return [self.segmentIDForRow(row) for row in rows]

    def setSelectedSegmentIDs(self, ids: Any) -> None:
        """Select a segment."""
        row = self.rowForSegmentID(next(iter(ids), ""))
        if row < 0:
            self._table.clearSelection()
        elif list(ids)[:1] != self.selectedSegmentIDs():
            self._table.selectRow(row)

    def clearSelection(self) -> None:
        """Select none."""
        self._table.clearSelection()

    def tableWidget(self) -> QtWidgets.QTableWidget:
        """The table itself."""
        return self._table

    def _refresh(self) -> None:
        selected, ids = self.selectedSegmentIDs(), self.displayedSegmentIDs()
        was = self._table.blockSignals(True)
        self._table.setRowCount(len(ids))
        for row, segment_id in enumerate(ids):
            segment = self._segmentation.GetSegmentation().GetSegment(segment_id)
            color = QtWidgets.QTableWidgetItem()
            color.setBackground(QtGui.QColor.fromRgbF(*segment.GetColor()))
            color.setData(QtCore.Qt.ItemDataRole.UserRole, segment_id)
            self._table.setItem(row, 0, color)
            self._table.setItem(row, 1, QtWidgets.QTableWidgetItem(segment.GetName()))
        self._table.clearSelection()
        if selected and selected[0] in ids:
            self._table.selectRow(ids.index(selected[0]))
        self._table.blockSignals(was)
        self._tell()

    def _tell(self) -> None:
        selected = self.selectedSegmentIDs()
        if selected != self._told:
            self._told = selected
            self.selectionChanged.emit(None, None)


class Parts:
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
        column = QtWidgets.QVBoxLayout(editor)
        form = QtWidgets.QFormLayout()
        form.addRow(self.segmentation_label, self.segmentation)
        form.addRow(self.source_label, self.source)
        column.addLayout(form)
        bar, body = QtWidgets.QHBoxLayout(), QtWidgets.QHBoxLayout()
        for widget in (self.add, self.remove, self.show_3d, self.switch):
            bar.addWidget(widget)
        column.addLayout(bar)
        column.addLayout(body)
        history = QtWidgets.QHBoxLayout(self.history)
        history.addWidget(self.undo)
        history.addWidget(self.redo)
        left, right = QtWidgets.QVBoxLayout(), QtWidgets.QVBoxLayout()
        for widget in (self.effects, self.history):
            left.addWidget(widget)
        left.addStretch()
        for widget in (self.table, self.options, self.masking):
            right.addWidget(widget)
        body.addLayout(left)
        body.addLayout(right, 1)


def _named(widget: Any, name: str) -> Any:
    widget.setObjectName(name)
    return widget
