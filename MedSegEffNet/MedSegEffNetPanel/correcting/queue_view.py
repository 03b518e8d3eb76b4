"""The queue: the open data set's cases as a table, found, ordered and opened one after the other."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import qt
from slicer.i18n import tr as _

from MedSegEffNetLib.dataset.index import CaseSummary
from MedSegEffNetLib.dataset.records import STATES
from MedSegEffNetPanel import steps
from MedSegEffNetPanel.correcting.queue import ALL, TO_DO, Wish, arranged, in_place, neighbor, progress
from MedSegEffNetPanel.correcting.thumbnails import SIDE, Thumbnails
from MedSegEffNetPanel.curating.rows import unsure_text, unsure_tip
from MedSegEffNetPanel.curation import Curation
from MedSegEffNetPanel.signals import Signal
from MedSegEffNetPanel.wording import tip

SHOWN = 300  # rows at most; the others are found by the filter, and come when these are done
_ROWS = 5  # a step
_PICTURE, _CASE, _STATE, _UNSURE, _FLAGS = range(5)


class QueueView:
    """The table of cases with its filter.

    Attributes
    ----------
    cases : all that the filter finds, in their order. chosen : emitted with the id of a case that is to be opened.
    """

    def __init__(self, ui: Any, curation: Curation) -> None:
        self._ui, self._curation = ui, curation
        self.cases: list[CaseSummary] = []
        self.chosen = Signal()
        self._open_id = ""
        self._skipped: set[str] = set()
        self._filling: steps.Steps | None = None
        self._pictures = Thumbnails()
        self._pictures.made.connect(self._on_picture)
        table = ui.caseTable
        table.setColumnCount(5)
        table.setHorizontalHeaderLabels(["", _("Case"), _("State"), _("Unsure"), _("Flags")])
        table.horizontalHeaderItem(_UNSURE).setToolTip(tip(unsure_tip()))
        table.verticalHeader().hide()
        table.setIconSize(qt.QSize(SIDE, SIDE))
        table.verticalHeader().setDefaultSectionSize(SIDE + 4)
        header = table.horizontalHeader()
        for column in (_STATE, _UNSURE, _FLAGS):
            header.setSectionResizeMode(column, qt.QHeaderView.ResizeToContents)
        header.setSectionResizeMode(_CASE, qt.QHeaderView.Stretch)
        table.setColumnWidth(_PICTURE, SIDE + 8)
        self._offer()
        self._connect()
        self._show_progress()

    def _offer(self) -> None:
        orders = {
            "unsure": _("Least sure first"),
            "date": _("Oldest first"),
            "size": _("Largest first"),
            "name": _("Name"),
        }
        states = {TO_DO: _("To do"), ALL: _("All cases"), **{state: _(state.capitalize()) for state in STATES}}
        for box, texts in ((self._ui.stateBox, states), (self._ui.orderBox, orders)):
            for name, text in texts.items():
                box.addItem(text, name)

    def _connect(self) -> None:
        ui = self._ui
        ui.caseFilter.connect("textChanged(QString)", self._arrange)
        ui.stateBox.connect("currentIndexChanged(int)", self._arrange)
        ui.orderBox.connect("currentIndexChanged(int)", self._arrange)
        ui.caseTable.connect("cellDoubleClicked(int,int)", self._on_double_click)
        ui.openButton.connect("clicked()", self._on_open)
        ui.caseTable.verticalScrollBar().connect("valueChanged(int)", self._want_pictures)
        self._curation.changed.connect(self._on_cases)
        self._curation.opened.connect(self._on_data_set)

    def end(self) -> None:
        """The section ends."""
        self._pictures.stop()
        if self._filling is not None:
            self._filling.cancel()
        self._curation.changed.disconnect(self._on_cases)
        self._curation.opened.disconnect(self._on_data_set)

    def mark(self, case_id: str) -> None:
        """Show which case is open (empty: none)."""
        before, self._open_id = self._open_id, case_id
        for row, case in enumerate(self.cases[:SHOWN]):
            if case.id in (before, case_id) and self._ui.caseTable.item(row, _CASE) is not None:
                self._fill_row(row, case)
            if case.id == case_id:
                self._ui.caseTable.setCurrentCell(row, _CASE)

    def neighbor(self, step: int) -> str:
        """The id of the case before (-1) or after (1) the open one; empty: there is none."""
        return neighbor(self.cases, self._open_id, step)

    def skip(self, case_id: str) -> None:
        """Put a case at the end, for as long as the data set is open."""
        self._skipped.add(case_id)
        self._arrange()

    def least_sure_first(self) -> None:
        """Show what is to be done, in the order of how unsure the model is."""
        for box, name in ((self._ui.stateBox, TO_DO), (self._ui.orderBox, "unsure")):
            box.setCurrentIndex(box.findData(name))

    def _on_data_set(self) -> None:
        self._skipped.clear()
        self._open_id = ""
        self._arrange()

    def _arrange(self, changed: object = None) -> None:
        self._run(self._show(steps.in_thread(arranged, self._curation.cases, self._wish())))

    def _on_cases(self) -> None:
        """What is known of cases is new: the open one stays at its place."""
        cases, wish, before, open_id = self._curation.cases, self._wish(), self.cases, self._open_id
        self._run(self._show(steps.in_thread(lambda: in_place(arranged(cases, wish), before, open_id))))

    def _wish(self) -> Wish:
        ui = self._ui
        return Wish(ui.caseFilter.text, ui.stateBox.currentData, ui.orderBox.currentData, set(self._skipped))

    def _run(self, work: Generator[None, None, None]) -> None:
        if self._filling is not None:
            self._filling.cancel()
        self._filling = steps.run(work, done=lambda nothing: self._want_pictures(), failed=_raise)

    def _show(self, arranging: Generator[None, None, list[CaseSummary]]) -> Generator[None, None, None]:
        self.cases = yield from arranging
        self._show_progress()
        table = self._ui.caseTable
        shown = self.cases[:SHOWN]
        table.setRowCount(len(shown))
        for row, case in enumerate(shown):
            self._fill_row(row, case)
            if row % _ROWS == _ROWS - 1:
                yield
        ids = [case.id for case in shown]
        if self._open_id in ids:
            table.setCurrentCell(ids.index(self._open_id), _CASE)

    def _fill_row(self, row: int, case: CaseSummary) -> None:
        table = self._ui.caseTable
        if table.item(row, _CASE) is None:
            for column in range(5):
                table.setItem(row, column, qt.QTableWidgetItem(""))
        known = table.item(row, _CASE).text() == case.id
        state = _("cannot be read") if case.problem else _(case.state)
        texts = ("", case.id, state, unsure_text(case.figures), _flags(case))
        for column, text in enumerate(texts):
            item = table.item(row, column)
            item.setText(text)
            item.setToolTip(tip(case.problem or case.comment))
        font = table.item(row, _CASE).font()
        font.setBold(case.id == self._open_id)
        table.item(row, _CASE).setFont(font)
        self._show_picture(row, case, known)

    def _show_picture(self, row: int, case: CaseSummary, known: bool = True) -> None:
        path = self._pictures.file(case)
        if path is not None:
            self._ui.caseTable.item(row, _PICTURE).setIcon(qt.QIcon(str(path)))
        elif not known:  # else the picture of the version before stays until there is a new one
            self._ui.caseTable.item(row, _PICTURE).setIcon(qt.QIcon())

    def _show_progress(self) -> None:
        done, total, minutes = progress(self._curation.cases)
        texts = [_("{done} of {total} done").format(done=done, total=total)] if total else []
        texts += [_("{minutes:.1f} min a case").format(minutes=minutes)] if minutes else []
        if len(self.cases) > SHOWN:
            text = _("the first {shown} of {found} are shown: filter to see others")
            texts.append(text.format(shown=SHOWN, found=len(self.cases)))
        if self._curation.dataset is None:
            texts = [_("Open a data set in the section Data set.")]
        elif total and not self.cases:
            texts.append(_("no case is like this"))
        self._ui.progressLabel.text = ", ".join(texts)

    def _want_pictures(self, moved: object = None) -> None:
        table, dataset = self._ui.caseTable, self._curation.dataset
        if dataset is None or not table.visible:
            return
        first = max(0, table.rowAt(0))
        rows = table.viewport().height // (SIDE + 4) + 2
        self._pictures.want(dataset, self.cases[:SHOWN][first : first + rows])

    def _on_picture(self, case_id: str) -> None:
        for row, case in enumerate(self.cases[: self._ui.caseTable.rowCount]):
            if case.id == case_id and self._ui.caseTable.item(row, _PICTURE) is not None:
                self._show_picture(row, case)

    def _on_open(self) -> None:
        row = self._ui.caseTable.currentRow()
        if 0 <= row < len(self.cases):
            self.chosen.emit(self.cases[row].id)

    def _on_double_click(self, row: int, column: int) -> None:
        self.chosen.emit(self.cases[row].id)


def _flags(case: CaseSummary) -> str:
    flags = [*case.flags]
    flags += [_("conflict")] if case.conflicts else []
    flags += [_("synthesised")] if case.synthesised else []
    return ", ".join(flags)


def _raise(error: Exception) -> None:
    raise error
