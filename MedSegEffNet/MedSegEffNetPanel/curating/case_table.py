"""The table of cases: only the rows that are seen have cells, so that 10,000 cases are shown as quickly as ten."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from typing import Any

import qt
from slicer.i18n import tr as _

from MedSegEffNetLib.dataset.index import CaseSummary
from MedSegEffNetLib.dataset.records import STATES
from MedSegEffNetPanel import steps
from MedSegEffNetPanel.curating import rows as texts
from MedSegEffNetPanel.curating.looks import prepare
from MedSegEffNetPanel.signals import Signal
from MedSegEffNetPanel.wording import tip

_WIDTHS = (90, 72, 68, 66, 46, 0, 76, 80, 112)  # pixels; the notes take what is left
_UNSURE, _NOTES = 3, 5
_EXTRA = range(6, 9)  # columns for which a narrow panel has no room; their tooltips tell them
_WIDE = 640  # pixels from which they are shown
_MOST_RANGES = 200  # of rows that are chosen again after another search; more would take long


class CaseTable:
    """Filter, order and choice of cases.

    Attributes
    ----------
    shown : the rows in their order, as they are searched for. selected : emitted when other rows are chosen.
    wanted : emitted with the id of a case that was double-clicked.
    """

    def __init__(self, ui: Any) -> None:
        self._ui = ui
        self._all: Sequence[CaseSummary] = ()
        self.shown: list[CaseSummary] = []
        self.selected, self.wanted = Signal(), Signal()
        self._column, self._descending = 0, False
        self._filled: set[int] = set()  # rows whose cells are up to date
        self._arranging: Any = None
        self._fitting = qt.QTimer()
        self._prepare_table()
        ui.stateFilter.addItem(_("all states"), "")
        for state in (*STATES, texts.UNREADABLE):
            ui.stateFilter.addItem(texts.state_text(state), state)
        ui.caseFilter.connect("textChanged(QString)", self._arrange)
        ui.stateFilter.connect("currentIndexChanged(int)", self._arrange)

    def _prepare_table(self) -> None:
        table = self._ui.caseTable
        prepare(table, texts.titles())
        table.horizontalHeaderItem(_UNSURE).setToolTip(tip(texts.unsure_tip()))
        header = table.horizontalHeader()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(_NOTES, qt.QHeaderView.Stretch)
        self._fitting.setSingleShot(True)  # Qt loses count where columns are hidden while it gives them their widths
        self._fitting.connect("timeout()", self._fit)
        header.connect("sectionResized(int,int,int)", lambda *resized: self._fitting.start(0))
        header.setSectionsClickable(True)
        header.setSortIndicatorShown(True)
        header.setSortIndicator(0, qt.Qt.AscendingOrder)
        header.connect("sectionClicked(int)", self._on_header)
        for column, width in enumerate(_WIDTHS):
            table.setColumnWidth(column, width)
        self._fit()
        bar = table.verticalScrollBar()
        bar.connect("valueChanged(int)", self._fill)
        bar.connect("rangeChanged(int,int)", self._fill)  # the table has become higher
        table.connect("itemSelectionChanged()", self.selected.emit)
        table.connect("cellDoubleClicked(int,int)", self._on_row)

    def show(self, rows: Sequence[CaseSummary]) -> None:
        """Show other rows, or the same with other content; search, order and choice stay."""
        self._all = rows
        self._arrange()

    def chosen(self) -> list[CaseSummary]:
        """The rows that are chosen, from the top."""
        return [self.shown[number] for number in self._chosen_numbers() if number < len(self.shown)]

    def choose(self, case_id: str) -> None:
        """Choose one case and bring it into view, if it is shown."""
        number = next((number for number, row in enumerate(self.shown) if row.id == case_id), None)
        if number is not None:
            self._ui.caseTable.setCurrentCell(number, 0)

    def stop(self) -> None:
        """Let go of what is under way."""
        self._fitting.stop()
        self._cancel()

    def _cancel(self) -> None:
        if self._arranging is not None:
            self._arranging.cancel()

    def _chosen_numbers(self) -> Iterator[int]:
        spans = sorted((span.topRow(), span.bottomRow()) for span in self._ui.caseTable.selectedRanges())
        for first, last in dict.fromkeys(spans):
            yield from range(first, last + 1)

    def _arrange(self, changed: object = None) -> None:
        self._cancel()
        self._arranging = steps.run(self._arranged(), done=lambda nothing: self.selected.emit(), failed=_raise)

    def _arranged(self) -> Generator[None, None, None]:
        state = str(self._ui.stateFilter.currentData or "")
        found = yield from texts.arrange(self._all, self._ui.caseFilter.text, state, self._column, self._descending)
        yield
        text = _("{shown} of {total} cases: {states}") if found else _("{shown} of {total} cases")
        text = text.format(shown=len(found), total=len(self._all), states=texts.counted(found))
        yield
        self._show_rows(found)
        self._ui.caseCount.text = text

    def _show_rows(self, found: list[CaseSummary]) -> None:
        table, kept = self._ui.caseTable, {row.id for row in self.chosen()}
        was = table.blockSignals(True)
        table.clearSelection()
        self.shown, self._filled = found, set()
        table.setRowCount(len(found))
        ranges = list(_ranges([number for number, row in enumerate(found) if row.id in kept])) if kept else []
        for first, last in ranges if len(ranges) <= _MOST_RANGES else ():
            span = qt.QTableWidgetSelectionRange(first, 0, last, len(texts.COLUMNS) - 1)
            table.setRangeSelected(span, True)
        table.blockSignals(was)
        self._fill()

    def _fill(self, *changed: object) -> None:
        """Make the cells of the rows that are seen."""
        table = self._ui.caseTable
        first, last = table.rowAt(0), table.rowAt(table.viewport().height)
        for number in range(max(0, first), len(self.shown) if last < 0 else min(last + 1, len(self.shown))):
            if number not in self._filled:
                self._filled.add(number)
                self._fill_row(number, self.shown[number])

    def _fill_row(self, number: int, row: CaseSummary) -> None:
        told = tip(texts.tooltip(row)).replace("\n", "<br>")
        for column, (text, _key) in enumerate(texts.COLUMNS):
            item = self._ui.caseTable.item(number, column)
            if item is None:
                item = qt.QTableWidgetItem()
                self._ui.caseTable.setItem(number, column, item)
            item.setText(text(row))
            item.setToolTip(told)

    def _on_header(self, column: int) -> None:
        self._descending = column == self._column and not self._descending
        self._column = column
        order = qt.Qt.DescendingOrder if self._descending else qt.Qt.AscendingOrder
        self._ui.caseTable.horizontalHeader().setSortIndicator(column, order)
        self._arrange()

    def _fit(self) -> None:
        """Show the columns that there is room for."""
        table = self._ui.caseTable
        for column in _EXTRA:
            table.setColumnHidden(column, table.viewport().width < _WIDE)

    def _on_row(self, number: int, column: int) -> None:
        if number < len(self.shown):
            self.wanted.emit(self.shown[number].id)


def _ranges(numbers: Sequence[int]) -> Iterator[tuple[int, int]]:
    """The first and last of each run of numbers without a gap; ``numbers`` ascend."""
    start: int | None = None
    for number, after in zip(numbers, [*numbers[1:], None], strict=False):
        start = number if start is None else start
        if after != number + 1:
            yield start, number
            start = None


def _raise(error: Exception) -> None:
    raise error
