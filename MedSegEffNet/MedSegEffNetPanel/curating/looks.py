"""How the section's boxes and tables look in a narrow panel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import qt

_LETTERS = 10  # that a box shows at least
_PADDING = 6  # pixels between the lines of two rows


def narrow(box: Any) -> None:
    """Let a combo box be narrower than its longest item."""
    box.setSizeAdjustPolicy(qt.QComboBox.AdjustToMinimumContentsLengthWithIcon)
    box.setMinimumContentsLength(_LETTERS)


def fit_rows(table: Any, most: int) -> None:
    """Make a table as high as its rows, or as ``most`` of them."""
    height = table.horizontalHeader().sizeHint.height() + 2 * table.frameWidth
    table.setFixedHeight(min(table.rowCount, most) * table.verticalHeader().defaultSectionSize + height)


def prepare(table: Any, titles: Sequence[str]) -> None:
    """Give a table its columns and rows that are as high as a line."""
    table.setColumnCount(len(titles))
    table.setHorizontalHeaderLabels(list(titles))
    table.horizontalHeader().setStretchLastSection(True)
    table.verticalHeader().hide()
    table.verticalHeader().defaultSectionSize = qt.QFontMetrics(table.font).height() + _PADDING
