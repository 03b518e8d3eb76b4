"""The table of labels: color, name, lock, and how much of each there is, live."""

from __future__ import annotations

from typing import Any

import numpy as np
import qt
from slicer.i18n import tr as _

from MedSegEffNetPanel.correcting.bench import Bench
from MedSegEffNetPanel.correcting.keys import LABELS, keys_of
from MedSegEffNetPanel.signals import Signal
from MedSegEffNetPanel.wording import tip

_KEY, _NAME, _LOCK, _VOXELS, _ML = range(5)


class LabelTable:
    """Shows the labels of the open case; the chosen row is the label that + - = work on.

    Attributes
    ----------
    message : emitted with a sentence for the user.
    """

    def __init__(self, ui: Any) -> None:
        self._table = ui.labelTable
        self._bench: Bench | None = None
        self._ids: list[str] = []
        self._milliliters = 0.0  # of a voxel
        self._keys = ""
        self.message = Signal()
        table = self._table
        table.setColumnCount(5)
        table.setHorizontalHeaderLabels([_("Key"), _("Label"), _("Locked"), _("Voxels"), _("mL")])
        table.verticalHeader().hide()
        header = table.horizontalHeader()
        for column in (_KEY, _LOCK, _VOXELS, _ML):
            header.setSectionResizeMode(column, qt.QHeaderView.ResizeToContents)
        header.setSectionResizeMode(_NAME, qt.QHeaderView.Stretch)
        table.connect("itemSelectionChanged()", self._on_chosen)
        table.connect("itemChanged(QTableWidgetItem*)", self._on_item)

    def open(self, bench: Bench) -> None:
        """Show the labels of a case."""
        self._bench = bench
        self._ids = list(bench.session.values)
        self._milliliters = float(np.prod(bench.session.reference.GetSpacing())) / 1000
        table = self._table
        was = table.blockSignals(True)
        table.setRowCount(len(self._ids))
        for row, segment_id in enumerate(self._ids):
            self._fill(row, bench.session.segmentation.GetSegmentation().GetSegment(segment_id))
        table.setCurrentCell(0, _NAME)
        table.blockSignals(was)
        table.setFixedHeight(_height(table))
        bench.locks.changed.connect(self._show_locks)
        bench.session.edits.changed.connect(self._show_counts)
        self.show_keys(self._keys)
        self._show_locks()
        self._show_counts()

    def close(self) -> None:
        """No case is open."""
        self._bench, self._ids = None, []
        self._table.setRowCount(0)

    def show_keys(self, name: str) -> None:
        """Show which key of the map ``name`` chooses which label."""
        self._keys = name
        for row in range(self._table.rowCount):
            text = keys_of(f"label{row + 1}", name) if name and row < LABELS else ""
            self._set(row, _KEY, text)

    def choose(self, number: int) -> None:
        """Choose the label in a row, counted from 0; nothing happens if there is none."""
        if number < self._table.rowCount:
            self._table.setCurrentCell(number, _NAME)

    def choose_segment(self, segment_id: str) -> None:
        """Choose the label of a segment."""
        if segment_id in self._ids:
            self.choose(self._ids.index(segment_id))

    def _fill(self, row: int, segment: Any) -> None:
        for column in (_KEY, _NAME, _LOCK, _VOXELS, _ML):
            item = qt.QTableWidgetItem("")
            right = qt.Qt.AlignRight if column in (_VOXELS, _ML) else qt.Qt.AlignLeft
            item.setTextAlignment(int(right | qt.Qt.AlignVCenter))
            self._table.setItem(row, column, item)
        name = self._table.item(row, _NAME)
        name.setText(segment.GetName())
        name.setIcon(_icon(segment.GetColor()))
        lock = self._table.item(row, _LOCK)
        lock.setFlags(qt.Qt.ItemIsEnabled | qt.Qt.ItemIsSelectable | qt.Qt.ItemIsUserCheckable)
        lock.setCheckState(qt.Qt.Unchecked)
        lock.setToolTip(tip(_("A locked label stays as it is, whatever tool, selection or model is used.")))

    def _show_locks(self) -> None:
        if self._bench is None:
            return
        locked = self._bench.locks.locked()
        was = self._table.blockSignals(True)
        for row, segment_id in enumerate(self._ids):
            state = qt.Qt.Checked if segment_id in locked else qt.Qt.Unchecked
            self._table.item(row, _LOCK).setCheckState(state)
        self._table.blockSignals(was)
        self._table.viewport().update()

    def _show_counts(self) -> None:
        if self._bench is None:
            return
        counts, values = self._bench.session.edits.counts, self._bench.session.values
        for row, segment_id in enumerate(self._ids):
            voxels = counts.get(values.get(segment_id, 0), 0)
            self._set(row, _VOXELS, f"{voxels:,}".replace(",", "\u202f"))
            self._set(row, _ML, f"{voxels * self._milliliters:.2f}")

    def _set(self, row: int, column: int, text: str) -> None:
        was = self._table.blockSignals(True)
        self._table.item(row, column).setText(text)
        self._table.blockSignals(was)
        self._table.viewport().update()

    def _on_chosen(self) -> None:
        row = self._table.currentRow()
        if self._bench is not None and 0 <= row < len(self._ids):
            self._bench.choose(self._ids[row])

    def _on_item(self, item: Any) -> None:
        if self._bench is None or item.column() != _LOCK:
            return
        segment_id, locked = self._ids[item.row()], item.checkState() == qt.Qt.Checked
        self._bench.locks.set_locked(segment_id, locked)
        if locked and not self._bench.draw_into(self._bench.editor.currentSegmentID()):
            self.message.emit(_("This label is locked now: the tools draw into the selection."))


def _icon(color: Any) -> Any:
    pixmap = qt.QPixmap(12, 12)
    pixmap.fill(qt.QColor.fromRgbF(*color))
    return qt.QIcon(pixmap)


def _height(table: Any) -> int:
    """All rows, without a scroll bar."""
    rows = sum(table.rowHeight(row) for row in range(table.rowCount))
    return int(rows + table.horizontalHeader().sizeHint.height() + 2 * table.frameWidth)
