"""Figures slice by slice: a curve and a table, on request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import qt
from slicer.i18n import tr as _

from MedSegEffNetPanel.bridge.underlays import jump_to_voxel
from MedSegEffNetPanel.comparing.evaluation import Evaluation
from MedSegEffNetPanel.comparing.tables import prepare_table

_HEIGHT = 72  # pixels of the curve
_MARGIN = 4


class SlicesView:
    """The slices of one label of an evaluation; a click leads to the slice."""

    def __init__(self, ui: Any) -> None:
        self._ui = ui
        self._found: Evaluation | None = None
        self._rows: list[Mapping[str, Any]] = []
        prepare_table(ui.sliceTable, [_("Slice"), _("Dice"), _("Voxels"), _("Reference")])
        ui.sliceTable.connect("itemSelectionChanged()", self._on_slice)
        ui.slicePartBox.connect("currentIndexChanged(int)", self._on_part)

    def show(self, found: Evaluation | None) -> None:
        """Show the slices of an evaluation; None: there is none."""
        self._found = found
        box = self._ui.slicePartBox
        was = box.blockSignals(True)
        box.clear()
        for title in dict.fromkeys(row["part"] for row in found.slices) if found else ():
            box.addItem(title)
        box.blockSignals(was)
        self._on_part(box.currentIndex)

    def _on_part(self, number: int) -> None:
        title, table = self._ui.slicePartBox.currentText, self._ui.sliceTable
        self._rows = [row for row in self._found.slices if row["part"] == title] if self._found else []
        was = table.blockSignals(True)
        table.clearSelection()
        table.setRowCount(len(self._rows))
        for place, row in enumerate(self._rows):
            texts = (str(row["slice"]), f"{row['dice']:.3f}", str(row["voxels_a"]), str(row["voxels_b"]))
            for column, text in enumerate(texts):
                table.setItem(place, column, qt.QTableWidgetItem(text))
        table.resizeColumnsToContents()
        table.blockSignals(was)
        self._ui.sliceCurve.setPixmap(curve([(row["slice"], row["dice"]) for row in self._rows]))

    def _on_slice(self) -> None:
        found, place = self._found, self._ui.sliceTable.currentRow()
        if found is None or not 0 <= place < len(self._rows):
            return
        k = self._rows[place]["slice"] - 1 - found.first[0]
        labeled = np.argwhere((found.here[k] > 0) | (found.there[k] > 0))
        j, i = labeled[len(labeled) // 2] if len(labeled) else (0, 0)
        jump_to_voxel(found.grid, (k, int(j), int(i)))


def curve(points: Sequence[tuple[int, float]], width: int = 300) -> Any:
    """A picture of Dice (0 at the bottom, 1 on top) over the slices."""
    picture = qt.QPixmap(width, _HEIGHT)
    colors = qt.QApplication.palette()
    picture.fill(colors.color(qt.QPalette.Base))
    if not points:
        return picture
    first, last = points[0][0], points[-1][0]
    step = (width - 2 * _MARGIN) / max(1, last - first)
    inner = _HEIGHT - 2 * _MARGIN
    painter = qt.QPainter(picture)
    painter.setPen(qt.QPen(colors.color(qt.QPalette.Mid)))
    for share in (0.0, 0.5, 1.0):
        painter.drawLine(_MARGIN, int(_MARGIN + inner * share), width - _MARGIN, int(_MARGIN + inner * share))
    painter.setPen(qt.QPen(colors.color(qt.QPalette.Highlight), 2))
    places = [(int(_MARGIN + (at - first) * step), int(_MARGIN + inner * (1 - dice))) for at, dice in points]
    for (x, y), (next_x, next_y) in zip(places, places[1:] or places, strict=False):
        painter.drawLine(x, y, next_x, next_y)
    painter.end()
    return picture
