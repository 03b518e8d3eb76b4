"""All settings of the recipe in a table: what was changed is marked, and can be reset."""

from __future__ import annotations

from functools import partial
from typing import Any

import qt
from slicer.i18n import tr as _

from MedSegEffNetPanel.curating.looks import narrow, prepare
from MedSegEffNetPanel.signals import Signal
from MedSegEffNetPanel.training import texts
from MedSegEffNetPanel.training.request import RecipeSettings, choices
from MedSegEffNetPanel.wording import tip

_WIDTH = 120  # pixels of the values
_VALUE = 1


class RecipeTable:
    """A row a setting; :attr:`changed` is emitted when the user has changed or reset one."""

    def __init__(self, ui: Any, settings: RecipeSettings) -> None:
        self._ui, self._settings = ui, settings
        self._names: tuple[str, ...] = ()
        self._boxes: dict[str, Any] = {}  # of the settings that are chosen, not typed
        self.changed = Signal()
        table = ui.recipeTable
        prepare(table, [_("Setting"), _("Value")])
        table.horizontalHeader().setStretchLastSection(False)
        table.horizontalHeader().setSectionResizeMode(0, qt.QHeaderView.Stretch)
        table.setColumnWidth(_VALUE, _WIDTH)
        table.connect("itemChanged(QTableWidgetItem*)", self._on_item)
        table.connect("itemSelectionChanged()", self._show_buttons)
        ui.resetButton.connect("clicked()", self._on_reset)
        ui.resetOneButton.connect("clicked()", self._on_reset_one)

    def show(self) -> None:
        """Show the settings as they are now."""
        table = self._ui.recipeTable
        was = table.blockSignals(True)
        if self._names != self._settings.names:
            self._names = self._settings.names
            self._make_rows()
        for row, name in enumerate(self._names):
            self._show_row(row, name)
        table.blockSignals(was)
        count = len(self._settings.changes)
        self._ui.changedLabel.text = _("{count} changed").format(count=count) if count else ""
        self._ui.resetButton.enabled = bool(count)
        self._show_buttons()

    def _make_rows(self) -> None:
        table = self._ui.recipeTable
        table.setRowCount(0)
        table.setRowCount(len(self._names))
        self._boxes = {}
        for row, name in enumerate(self._names):
            item = qt.QTableWidgetItem(name)
            item.setFlags(qt.Qt.ItemIsSelectable | qt.Qt.ItemIsEnabled)
            table.setItem(row, 0, item)
            table.setItem(row, _VALUE, qt.QTableWidgetItem(""))
            if choices(name):
                box = qt.QComboBox()
                narrow(box)
                for choice in choices(name):
                    box.addItem(choice)
                box.connect("currentTextChanged(QString)", partial(self._set, name))
                table.setCellWidget(row, _VALUE, box)
                self._boxes[name] = box

    def _show_row(self, row: int, name: str) -> None:
        table, text, settings = self._ui.recipeTable, self._settings.text(name), self._settings
        problem = settings.problem(name)
        told = tip(problem or texts.setting_tip(name, settings.usual_text(name)))
        changed = name in settings.changes
        for column in (0, _VALUE):
            item = table.item(row, column)
            font = item.font()
            font.setBold(changed)
            item.setFont(font)
            item.setToolTip(told)
        table.item(row, 0).setText(f"{'✖ ' if problem else '● ' if changed else ''}{name}")
        if name not in self._boxes:
            table.item(row, _VALUE).setText(text)
            return
        box = self._boxes[name]
        was = box.blockSignals(True)
        box.setCurrentIndex(box.findText(text))
        box.setToolTip(told)
        box.blockSignals(was)

    def _show_buttons(self) -> None:
        row = self._ui.recipeTable.currentRow()
        self._ui.resetOneButton.enabled = 0 <= row < len(self._names) and self._names[row] in self._settings.changes

    def _set(self, name: str, text: str) -> None:
        self._settings.set(name, text)
        self.changed.emit()

    def _on_item(self, item: Any) -> None:
        if item.column() == _VALUE:
            self._set(self._names[item.row()], item.text())

    def _on_reset(self) -> None:
        self._settings.reset()
        self.changed.emit()

    def _on_reset_one(self) -> None:
        self._settings.reset(self._names[self._ui.recipeTable.currentRow()])
        self.changed.emit()
