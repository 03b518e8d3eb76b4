"""Tables of figures that are as high as their rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import qt

_MOST = 9  # rows; with more the table scrolls
_PADDING = 8  # pixels between the texts of two rows


def prepare_table(table: Any, heads: Sequence[str], tips: Sequence[str] = ()) -> None:
    """Columns with names, and tooltips for these; the first one has the room that the others leave."""
    table.setColumnCount(len(heads))
    table.setHorizontalHeaderLabels(list(heads))
    for column, tip in enumerate(tips):
        table.horizontalHeaderItem(column).setToolTip(tip)
    table.verticalHeader().hide()
    table.horizontalHeader().setSectionResizeMode(0, qt.QHeaderView.Stretch)
    table.verticalHeader().setDefaultSectionSize(qt.QFontMetrics(table.font).height() + _PADDING)


def fill_table(table: Any, rows: Sequence[Sequence[str]], tips: Sequence[str] = ()) -> None:
    """Show rows of texts, numbers at the right; ``tips`` are of the rows. Without rows the table is not seen.

    A row that is chosen stays so, if there are as many as before.
    """
    was = table.blockSignals(True)
    if table.rowCount != len(rows):
        table.clearSelection()
        table.setRowCount(len(rows))
    for place, texts in enumerate(rows):
        for column, text in enumerate(texts):
            item = table.item(place, column)
            if item is None:
                item = qt.QTableWidgetItem()
                table.setItem(place, column, item)
            item.setText(text)
            item.setToolTip(tips[place] if tips else texts[0])
            if column:
                item.setTextAlignment(int(qt.Qt.AlignRight | qt.Qt.AlignVCenter))
    table.resizeColumnsToContents()
    table.horizontalHeader().setSectionResizeMode(0, qt.QHeaderView.Stretch)  # again: it was sized like the others
    shown = sum(table.rowHeight(row) for row in range(min(_MOST, len(rows))))
    table.setFixedHeight(table.horizontalHeader().height + shown + 2 * table.frameWidth)
    table.visible = bool(rows)
    table.blockSignals(was)
