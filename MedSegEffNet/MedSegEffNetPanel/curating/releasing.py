"""Snapshots, and the cases in another program's layout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import ctk
import qt
from slicer.i18n import tr as _

from MedSegEffNetLib.dataset.exporters import list_exporters
from MedSegEffNetLib.dataset.records import ACCEPTED
from MedSegEffNetLib.dataset.snapshots import Snapshot, list_snapshots, take_snapshot
from MedSegEffNetPanel import steps
from MedSegEffNetPanel.curating.looks import narrow, prepare
from MedSegEffNetPanel.curating.rows import time_text
from MedSegEffNetPanel.segmenting.request import join_reasons
from MedSegEffNetPanel.wording import sentences, tip

_COMMENT = 4  # the last column, which takes what is left


class Releasing:
    """The box *Snapshot and export*."""

    def __init__(self, ui: Any, section: Any) -> None:
        self._ui, self._section = ui, section
        self._curation = section.panel.curation
        self._snapshots: Sequence[Snapshot] = ()
        self._reading: Any = None
        ui.exportFolder.filters = ctk.ctkPathLineEdit.Dirs
        for box in (ui.formatBox, ui.exportWhat):
            narrow(box)
        table = ui.snapshotTable
        prepare(table, [_("Snapshot"), _("Cases"), _("By"), _("Taken"), _("Comment")])
        table.horizontalHeader().setStretchLastSection(False)
        table.horizontalHeader().setSectionResizeMode(_COMMENT, qt.QHeaderView.Stretch)
        table.connect("itemSelectionChanged()", section.refresh)
        ui.releaseBox.connect("toggled(bool)", self.read)
        ui.exportFolder.connect("currentPathChanged(QString)", section.refresh)
        for button, act in (
            (ui.snapshotButton, self._on_snapshot),
            (ui.copyIdButton, self._on_copy),
            (ui.exportButton, self._on_export),
        ):
            button.connect("clicked()", act)

    def dataset_opened(self) -> None:
        """Show the snapshots of another data set."""
        self._show(())
        self.read()

    def read(self, changed: object = None) -> None:
        """Read the snapshots and the formats again, where the box is open."""
        self.stop()
        dataset = self._curation.dataset
        if dataset is None or self._ui.releaseBox.collapsed:
            return
        work = steps.in_thread(lambda: (list_snapshots(dataset), list_exporters()))
        self._reading = steps.run(work, done=self._on_read, failed=self._section.work.say_error)

    def stop(self) -> None:
        """Let go of what is being read."""
        if self._reading is not None:
            self._reading.cancel()

    def refresh(self) -> None:
        """Enable the buttons, or say why not."""
        ui, reasons = self._ui, self._section.reasons()
        accepted = sum(row.state == ACCEPTED for row in self._curation.cases)
        none = [] if accepted else [_("No case is accepted: snapshots and exports hold nothing else.")]
        told = _("Write down the {count} accepted cases and their labels as they are now.").format(count=accepted)
        self._enable(ui.snapshotButton, [*reasons, *none], told)
        unchosen = [] if self._chosen() else [_("Choose a snapshot.")]
        self._enable(ui.copyIdButton, unchosen, _("Copy the snapshot's id: a training takes it with --snapshot."))
        folder = [] if ui.exportFolder.currentPath else [_("Choose a new or empty folder.")]
        no_case = none if ui.exportWhat.currentIndex <= 0 else []
        self._enable(ui.exportButton, [*reasons, *no_case, *folder], _("Write the cases; the data set stays as it is."))

    def _enable(self, button: Any, reasons: list[str], text: str) -> None:
        button.enabled = not reasons
        button.toolTip = join_reasons(reasons) or text

    def _chosen(self) -> str:
        table = self._ui.snapshotTable
        return str(table.item(table.currentRow(), 0).text()) if table.selectedItems() else ""

    def _on_read(self, found: tuple[Sequence[Snapshot], Mapping[str, Any]]) -> None:
        snapshots, formats = found
        box = self._ui.formatBox
        if not box.count:
            for name, exporter in formats.items():
                box.addItem(exporter.FORMAT.partition(":")[0], name)
        self._show(snapshots)
        self._section.refresh()

    def _show(self, snapshots: Sequence[Snapshot]) -> None:
        self._snapshots = snapshots
        table, box = self._ui.snapshotTable, self._ui.exportWhat
        table.setRowCount(len(snapshots))
        box.clear()
        box.addItem(_("accepted now"), "")
        for row, one in enumerate(reversed(snapshots)):
            box.addItem(_("snapshot {id}").format(id=one.id), one.id)
            cells = (one.id, str(len(one.cases)), one.author, time_text(one.created), one.comment)
            for column, text in enumerate(cells):
                item = qt.QTableWidgetItem(text)
                item.setToolTip(tip(text))
                table.setItem(row, column, item)
        for column in range(_COMMENT):
            table.resizeColumnToContents(column)

    def _on_snapshot(self) -> None:
        dataset, author, comment = self._curation.dataset, self._curation.author, self._ui.snapshotComment.text.strip()
        self._section.work.in_thread(
            _("Taking a snapshot"), lambda: take_snapshot(dataset, author, comment), self._on_taken
        )

    def _on_taken(self, taken: Snapshot) -> None:
        known = any(one.id == taken.id for one in self._snapshots)
        text = _("Nothing has changed since snapshot {id}.") if known else _("Snapshot {id} holds {count} cases.")
        self._section.work.say(text.format(id=taken.id, count=len(taken.cases)))
        self._ui.snapshotComment.text = ""
        self.read()

    def _on_copy(self) -> None:
        qt.QApplication.clipboard().setText(self._chosen())
        self._section.work.say(_("{id} is copied.").format(id=self._chosen()))

    def _on_export(self) -> None:
        ui, work, folder = self._ui, self._section.work, self._section.work.new_folder()
        if folder is None:
            return
        words = ["export", str(self._curation.dataset.folder), "--format", str(ui.formatBox.currentData)]
        words += ["--output", str(Path(ui.exportFolder.currentPath))]
        words += ["--snapshot", str(ui.exportWhat.currentData)] if ui.exportWhat.currentData else []
        work.command(_("Exporting"), folder, words, self._on_exported)

    def _on_exported(self, result: Mapping[str, Any]) -> None:
        text = _("{cases} cases are written to {output}").format(**result)
        self._section.work.say(sentences(text, *result["notes"]))
