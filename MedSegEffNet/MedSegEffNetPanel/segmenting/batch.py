"""Every case of a folder, in a process that goes on when Slicer ends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ctk
import qt
from slicer.i18n import tr as _

from MedSegEffNetPanel.jobs import PanelJob
from MedSegEffNetPanel.segmenting.request import batch_words, join_reasons
from MedSegEffNetPanel.signals import Signal

_LAST_RUN = "batch_run"
_LAST_CASES = "batch_cases"
_LAST_OUTPUT = "batch_output"


class BatchView:
    """Two folders, a button that starts and cancels, a row a case. :attr:`case_wanted` is emitted with a case's folder
    and its label map when a finished row is double-clicked."""

    def __init__(self, ui, section) -> None:
        self._ui, self._section = ui, section
        self._panel = section.panel
        self._job: PanelJob | None = None
        self._rows: dict[str, int] = {}
        self._cases: dict[int, dict[str, Any]] = {}  # the last event of the case in each row
        self.case_wanted = Signal()
        table = ui.batchTable
        table.setColumnCount(3)
        table.setHorizontalHeaderLabels([_("Case"), _("State"), _("Result")])
        table.horizontalHeader().setStretchLastSection(True)
        table.verticalHeader().hide()
        for box, key in ((ui.batchInput, _LAST_CASES), (ui.batchOutput, _LAST_OUTPUT)):
            box.filters = ctk.ctkPathLineEdit.Dirs
            box.currentPath = self._panel.settings.text(key)
            box.connect("currentPathChanged(QString)", self.refresh)
        ui.batchButton.connect("clicked()", self._on_button)
        table.connect("cellDoubleClicked(int,int)", self._on_row)

    def open(self, cases: Path) -> None:
        """Propose ``cases`` and a folder beside it for the results."""
        self._ui.batchInput.currentPath = str(cases)
        if not self._ui.batchOutput.currentPath:
            self._ui.batchOutput.currentPath = str(cases.with_name(f"{cases.name}-segmented"))
        self._ui.batchBox.collapsed = False

    def refresh(self, changed: object = None) -> None:
        """Enable the button, or say in its tooltip why not."""
        reasons = [] if self._running() else self._reasons()
        self._ui.batchButton.text = _("Cancel batch") if self._running() else _("Start batch")
        self._ui.batchButton.enabled = not reasons
        self._ui.batchButton.toolTip = join_reasons(reasons)

    def attach(self) -> None:
        """Follow the last batch again if it still runs, after a restart of Slicer say."""
        folder = self._panel.settings.path(_LAST_RUN)
        if self._job is None and folder is not None and folder.is_dir():
            job = self._panel.jobs.attach(folder)
            if job is not None and not job.state.over:
                self._follow(job)

    def _reasons(self) -> list[str]:
        reasons = self._section.common_reasons()
        cases, output = self._ui.batchInput.currentPath, self._ui.batchOutput.currentPath
        if not cases or not Path(cases).is_dir():
            reasons.append(_("Choose the folder that holds the cases, each in a folder of its own."))
        if not output:
            reasons.append(_("Choose the folder for the results."))
        return reasons

    def _running(self) -> bool:
        return self._job is not None and not self._job.state.over

    def _on_button(self) -> None:
        if self._job is not None and self._running():
            self._job.cancel()
            return
        cases, output = Path(self._ui.batchInput.currentPath), Path(self._ui.batchOutput.currentPath)
        entry = self._section.models.entry
        words = batch_words(entry.folder, cases, output, self._section.advanced.options())
        folder = self._section.new_run("batch")
        for key, value in ((_LAST_RUN, folder), (_LAST_CASES, cases), (_LAST_OUTPUT, output)):
            self._panel.settings.keep(key, value)
        title = _("Batch: {folder}").format(folder=cases.name)
        self._follow(self._panel.jobs.submit(title, words, folder, detached=True))

    def _follow(self, job: PanelJob) -> None:
        self._job = job
        self._rows, self._cases = {}, {}
        self._ui.batchTable.setRowCount(0)
        job.event.connect(self._on_event)
        job.changed.connect(self._on_changed)
        self._on_changed(job)

    def _on_changed(self, job: PanelJob) -> None:
        counts = [event["state"] for event in self._cases.values()]
        text = _("{done} of {total} cases done, {failed} failed.").format(
            done=counts.count("done") + counts.count("skipped"), total=len(counts), failed=counts.count("failed")
        )
        if job.error is not None:
            text += f" {job.error.found} {job.error.hint}"
        elif not job.state.over:
            text += f" {job.stage}"
        self._ui.batchMessage.text = text
        self.refresh()

    def _on_event(self, job: PanelJob, event: dict[str, Any]) -> None:
        if event["event"] != "case":
            return
        row = self._rows.setdefault(event["case"], len(self._rows))
        self._cases[row] = event
        table = self._ui.batchTable
        table.setRowCount(len(self._rows))
        for column, text in enumerate((event["case"], state_text(event["state"]), result_text(event))):
            item = qt.QTableWidgetItem(text)
            item.setToolTip(text)
            table.setItem(row, column, item)

    def _on_row(self, row: int, column: int) -> None:
        event = self._cases[row]
        if event["state"] in ("done", "skipped"):
            self.case_wanted.emit(Path(self._ui.batchInput.currentPath) / event["case"], Path(event["output"]))


def state_text(state: str) -> str:
    """A case's state in the user's words."""
    words = {
        "queued": _("waiting"),
        "running": _("running"),
        "done": _("done"),
        "failed": _("failed"),
        "skipped": _("done before"),
    }
    return words.get(state, state)


def result_text(event: dict[str, Any]) -> str:
    """The volumes of a finished case, or why it failed and what to do."""
    if event["state"] == "failed":
        return " ".join(filter(None, (event["message"], event["hint"])))
    volumes = event.get("volumes_ml") or {}
    known = [f"{name} {volume:.1f} mL" for name, volume in volumes.items() if volume is not None]
    return ", ".join(known)
