"""Saving: versions of the labels, a NIfTI file of them, and what is on disk already."""

from __future__ import annotations

from collections.abc import Generator
from datetime import datetime
from pathlib import Path
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from MedSegEffNetLib.dataset.records import CaseRecord, LabelVersion
from MedSegEffNetLib.image import write_label_map
from MedSegEffNetPanel import steps
from MedSegEffNetPanel.correcting.desk import Desk
from MedSegEffNetPanel.correcting.session import CaseSession
from MedSegEffNetPanel.settings import Settings
from MedSegEffNetPanel.wording import tip

_FOLDER = "labels_folder"


class SavingView:
    """Buttons and lines about what is saved of the open case."""

    def __init__(self, ui: Any, desk: Desk, settings: Settings) -> None:
        self._ui, self._desk, self._settings = ui, desk, settings
        self._problem = ""  # of the journal
        self._shown: tuple[list[LabelVersion], int] = [], 0
        table = ui.versionTable
        table.setColumnCount(4)
        table.setHorizontalHeaderLabels(["", _("Saved"), _("By"), _("Origin")])
        table.verticalHeader().hide()
        table.horizontalHeader().setStretchLastSection(True)
        ui.saveButton.connect("clicked()", self.save)
        ui.niftiButton.connect("clicked()", self._on_nifti)
        ui.niftiFolderButton.connect("clicked()", self._on_folder)
        ui.goBackButton.connect("clicked()", self._on_go_back)
        table.connect("itemSelectionChanged()", self.refresh)
        desk.changed.connect(self.refresh)
        desk.opened.connect(self._on_opened)
        desk.saved.connect(self._on_saved)
        self.refresh()

    def save(self) -> None:
        """Save the labels as a new version, with the comment."""
        if self._desk.session is not None:
            self._desk.comment = self._ui.commentEdit.text
            self._desk.save()

    def refresh(self) -> None:
        """Show what is saved, and enable what can be done."""
        session, ui = self._desk.session, self._ui
        free = session is not None and not self._desk.busy
        for widget in (ui.saveButton, ui.niftiButton, ui.niftiFolderButton, ui.commentEdit):
            widget.enabled = free
        ui.saveButton.toolTip = tip(
            _("Open a case first.") if session is None else _("Save the labels as a new version.")
        )
        ui.autosaveLabel.text = self._state(session)
        self._show_versions(session.record if session is not None else None)
        version = self._chosen()
        ui.goBackButton.enabled = free and version is not None and not version.pruned

    def _state(self, session: CaseSession | None) -> str:
        if session is None:
            return ""
        if self._problem:
            return self._problem
        if session.edits.pending:
            return _("Writing …")
        if not session.unsaved:
            return _("All edits are on disk.")
        return _("All edits are on disk, but no version has them yet.")

    def _show_versions(self, record: CaseRecord | None) -> None:
        table = self._ui.versionTable
        versions = list(record.labels[::-1]) if record is not None else []
        current = record.current if record is not None else 0
        if (versions, current) == self._shown:
            return
        self._shown = versions, current
        was = table.blockSignals(True)
        table.setRowCount(len(versions))
        for row, version in enumerate(versions):
            for column, text in enumerate(_cells(version, current)):
                item = qt.QTableWidgetItem(text)
                item.setToolTip(tip(version.comment))
                table.setItem(row, column, item)
        table.resizeColumnsToContents()
        table.blockSignals(was)

    def _chosen(self) -> LabelVersion | None:
        session, row = self._desk.session, self._ui.versionTable.currentRow()
        if session is None or not 0 <= row < len(session.record.labels):
            return None
        return session.record.labels[::-1][row]

    def _on_opened(self) -> None:
        self._problem = ""
        self._ui.commentEdit.text = ""
        session = self._desk.session
        if session is not None:
            session.edits.recorded.connect(self._on_recorded)
        self.refresh()

    def _on_saved(self) -> None:
        self._ui.commentEdit.text = ""

    def _on_recorded(self, problem: str) -> None:
        self._problem = problem
        self.refresh()

    def _on_go_back(self) -> None:
        version = self._chosen()
        if version is not None:
            self._desk.go_back(version.number)

    def _on_folder(self) -> None:
        start = self._settings.text(_FOLDER)
        folder = qt.QFileDialog.getExistingDirectory(self._ui.niftiButton, _("Folder for labels as NIfTI"), start)
        if folder:
            self._settings.keep(_FOLDER, folder)

    def _on_nifti(self) -> None:
        if not self._settings.text(_FOLDER):
            self._on_folder()
        session, folder = self._desk.session, self._settings.path(_FOLDER)
        if session is None or folder is None:
            return
        path = folder / f"{session.record.id}_labels.nii.gz"
        question = _("{file} is there already. Write over it?").format(file=path)
        if not path.exists() or slicer.util.confirmOkCancelDisplay(question, windowTitle=_("Save labels as NIfTI")):
            self._desk.run(_write(session, path), _("Written: {file}").format(file=path))


def _write(session: CaseSession, path: Path) -> Generator[None, None, None]:
    labels = yield from session.edits.settle()
    yield from steps.in_thread(write_label_map, path, session.label_map(labels), session.dataset.task.labels)


def _cells(version: LabelVersion, current: int) -> tuple[str, str, str, str]:
    number = f"{version.number} ✓" if version.number == current else str(version.number)
    saved = datetime.fromisoformat(version.time).astimezone().strftime("%Y-%m-%d %H:%M")
    origin = f"{_(version.origin)} ({version.model})" if version.model else _(version.origin)
    return number, saved, version.author, origin
