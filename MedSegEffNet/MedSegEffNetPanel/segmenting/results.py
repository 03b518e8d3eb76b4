"""The result: volumes in a table, and the buttons that show it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from MedSegEffNetLib.task import Label
from MedSegEffNetPanel import bridge


@dataclass
class Result:
    """What a finished segmentation left: nodes by id, files by path, volumes in mL (None: spacing unknown).

    ``previous_ml`` has the volumes that the segments had before, where the segmentation is not a new one.
    """

    segmentation_id: str
    reference_id: str
    labels: Sequence[Label]
    volumes_ml: Mapping[str, float | None]
    previous_ml: Mapping[str, float | None] = field(default_factory=dict)
    is_new: bool = True
    uncertainty: Path | None = None
    report: Path | None = None


class ResultView:
    """Shows one :class:`Result` at a time; hidden while there is none."""

    def __init__(self, ui) -> None:
        self._ui = ui
        self._result: Any = None  # a Result
        self._overlay: Any = None
        table = ui.resultTable
        table.setColumnCount(4)
        table.setHorizontalHeaderLabels(["", _("Label"), _("mL"), _("Change")])
        table.verticalHeader().hide()
        table.setColumnWidth(0, 24)
        table.horizontalHeader().setStretchLastSection(True)
        ui.show3DButton.connect("toggled(bool)", self._on_show_3d)
        ui.contourButton.connect("toggled(bool)", self._on_contours)
        ui.uncertaintyButton.connect("toggled(bool)", self._on_uncertainty)
        ui.reportButton.connect("clicked()", self._on_report)
        table.connect("cellClicked(int,int)", self._on_row)
        self.clear()

    def show(self, result: Result) -> None:
        """Show ``result`` in place of the one before."""
        self.clear()
        self._result = result
        table = self._ui.resultTable
        table.setRowCount(len(result.labels))
        for number, label in enumerate(result.labels):
            for column, item in enumerate(self._items(label, result)):
                table.setItem(number, column, item)
        table.resizeColumnToContents(1)
        _fit_height(table)
        self._ui.uncertaintyButton.enabled = result.uncertainty is not None
        self._ui.reportButton.enabled = result.report is not None
        self._ui.resultFrame.visible = True
        segmentation = self._segmentation()
        self._check(self._ui.show3DButton, bridge.shows_3d(segmentation))
        self._check(self._ui.contourButton, bridge.shows_contours(segmentation))
        if result.is_new:
            bridge.jump_to(segmentation)

    def node_leaves(self, node: Any) -> None:
        """``node`` is about to be removed from the scene: a result is not shown without its segmentation."""
        if self._result and node.GetID() in (self._result.segmentation_id, self._result.reference_id):
            self.clear()

    def clear(self) -> None:
        """Show no result; the overlay goes, the segmentation stays as it is."""
        if self._overlay is not None:
            bridge.remove_overlay(self._overlay)
        self._overlay, self._result = None, None
        for button in (self._ui.show3DButton, self._ui.contourButton, self._ui.uncertaintyButton):
            self._check(button, False)
        self._ui.resultFrame.visible = False

    @staticmethod
    def _check(button: Any, on: bool) -> None:
        was = button.blockSignals(True)
        button.checked = on
        button.blockSignals(was)

    def forget(self) -> None:
        """The scene is emptied: let go of its nodes."""
        self._overlay = None
        self.clear()

    def _items(self, label: Label, result: Result) -> list[Any]:
        color = qt.QTableWidgetItem()
        color.setBackground(qt.QBrush(qt.QColor(*label.color)))
        volume = result.volumes_ml.get(label.name)
        before = result.previous_ml.get(label.name)
        texts = [label.name, volume_text(volume), change_text(volume, before)]
        return [color, *map(qt.QTableWidgetItem, texts)]

    def _segmentation(self) -> Any:
        return self._result and slicer.mrmlScene.GetNodeByID(self._result.segmentation_id)

    def _on_show_3d(self, on: bool) -> None:
        if self._segmentation():
            bridge.show_3d(self._segmentation(), on)

    def _on_contours(self, on: bool) -> None:
        if self._segmentation():
            bridge.show_contours(self._segmentation(), on)

    def _on_uncertainty(self, on: bool) -> None:
        if self._overlay is not None:
            bridge.remove_overlay(self._overlay)
            self._overlay = None
        reference = self._result and slicer.mrmlScene.GetNodeByID(self._result.reference_id)
        if on and reference and self._result.uncertainty:
            self._overlay = bridge.overlay(self._result.uncertainty, reference, self._segmentation())

    def _on_row(self, row: int, column: int) -> None:
        if self._segmentation():
            bridge.jump_to(self._segmentation(), self._result.labels[row].name)

    def _on_report(self) -> None:
        if self._result and self._result.report:
            qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(str(self._result.report)))


def _fit_height(table: Any) -> None:
    """As high as its rows, up to eight of them; then it scrolls."""
    rows = sum(table.rowHeight(row) for row in range(min(8, table.rowCount)))
    table.setFixedHeight(table.horizontalHeader().height + rows + 2 * table.frameWidth)


def volume_text(volume: float | None) -> str:
    """A volume for the table."""
    if volume is None:
        return _("unknown")
    return f"{volume:.2f}" if volume else _("none found")


def change_text(volume: float | None, before: float | None) -> str:
    """The change against ``before`` in mL and percent; empty where there is nothing to compare with."""
    if volume is None or before is None:
        return ""
    difference = volume - before
    percent = f" ({difference / before:+.0%})" if before else ""
    return f"{difference:+.2f}{percent}"
