"""Every case of a folder, in a process that goes on when Slicer ends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ctk
import qt
from slicer.i18n import tr as _

from MedSegEffNetLib.errors import InputError, MedSegEffNetError
from MedSegEffNetPanel.jobs import PanelJob
from MedSegEffNetPanel.segmenting.request import batch_words, join_reasons
from MedSegEffNetPanel.signals import Signal
from MedSegEffNetPanel.wording import sentences, tip

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
        self._folder = Path()  # of the job's cases; what is typed may name another one by now
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
        table.visible = False
        ui.batchButton.connect("clicked()", self._on_button)
        ui.batchReportButton.connect("clicked()", self._on_report)
        table.connect("itemSelectionChanged()", self._show_message)
        table.connect("cellDoubleClicked(int,int)", self._on_row)

    def open(self, cases: Path) -> None:
        """Propose ``cases`` and a folder beside it for the results."""
        self._ui.batchInput.currentPath = str(cases)
        if not self._ui.batchOutput.currentPath:
            self._ui.batchOutput.currentPath = str(cases.with_name(f"{cases.name}-segmented"))
        self._ui.batchBox.collapsed = False

    def refresh(self, changed: object = None) -> None:
        """Enable the button, or say in its tooltip why not; no disk is asked, as one of a network may not answer."""
        reasons = [] if self._running() else self._reasons()
        self._ui.batchButton.text = _("Cancel batch") if self._running() else _("Start batch")
        self._ui.batchButton.enabled = not reasons
        self._ui.batchButton.toolTip = join_reasons(reasons)

    def attach(self) -> None:
        """Follow the last batch again, after a restart of Slicer say, until its end was shown."""
        folder = self._panel.settings.path(_LAST_RUN)
        job = self._panel.jobs.attach(folder) if self._job is None and folder is not None else None
        if job is not None:
            self._follow(job)

    def _reasons(self) -> list[str]:
        reasons = self._section.common_reasons()
        cases, output = self._ui.batchInput.currentPath, self._ui.batchOutput.currentPath
        if not cases:
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
        try:
            self._start(Path(self._ui.batchInput.currentPath), Path(self._ui.batchOutput.currentPath))
        except MedSegEffNetError as error:
            self._ui.batchMessage.text = sentences(error.found, error.hint)

    def _start(self, cases: Path, output: Path) -> None:
        if not cases.is_dir():
            raise InputError(
                _("there is no folder {folder}").format(folder=cases),
                hint=_("choose the folder that holds the cases; a network drive may have to be connected first"),
            )
        entry = self._section.models.entry
        words = batch_words(entry.folder, cases, output, self._section.advanced.options())
        folder = self._section.new_run("batch")
        for key, value in ((_LAST_RUN, folder), (_LAST_CASES, cases), (_LAST_OUTPUT, output)):
            self._panel.settings.keep(key, value)
        title = _("Batch: {folder}").format(folder=cases.name)
        self._follow(self._panel.jobs.submit(title, words, folder, detached=True))

    def _follow(self, job: PanelJob) -> None:
        if self._job is not None:
            self._job.event.disconnect(self._on_event)
            self._job.changed.disconnect(self._on_changed)
        self._job = job
        self._rows, self._cases = {}, {}
        self._ui.batchTable.setRowCount(0)
        job.event.connect(self._on_event)
        job.changed.connect(self._on_changed)
        self._on_changed(job)

    def _on_changed(self, job: PanelJob) -> None:
        self._show_message()
        self._ui.batchReportButton.enabled = job.error is not None
        if job.state.over:
            self._panel.settings.keep(_LAST_RUN, "")  # its end has been shown
        self.refresh()

    def _show_message(self) -> None:
        """How far the batch is, and all that is known of the row that is chosen."""
        if self._job is not None:
            row = self._ui.batchTable.currentRow() if self._ui.batchTable.selectedItems() else -1
            event = self._cases.get(row)
            told = f"{event['case']}: {result_text(event) or state_text(event['state'])}" if event else ""
            self._ui.batchMessage.text = "\n".join(filter(None, (self._summary(self._job), told)))

    def _summary(self, job: PanelJob) -> str:
        counts = [event["state"] for event in self._cases.values()]
        text = _("{done} of {total} cases done, {failed} failed.").format(
            done=counts.count("done") + counts.count("skipped"), total=len(counts), failed=counts.count("failed")
        )
        if job.error is not None:
            return f"{text} {sentences(job.error.found, job.error.hint)}"
        return text if job.state.over else f"{text} {job.stage}"

    def _on_event(self, job: PanelJob, event: dict[str, Any]) -> None:
        if event["event"] == "started":
            self._folder = Path(event["request"]["inputs"]["batch"])
        if event["event"] != "case":
            return
        row = self._rows.setdefault(event["case"], len(self._rows))
        self._cases[row] = event
        table = self._ui.batchTable
        table.visible = True
        table.setRowCount(len(self._rows))
        for column, text in enumerate((event["case"], state_text(event["state"]), result_text(event))):
            item = qt.QTableWidgetItem(text)
            item.setToolTip(tip(text))
            table.setItem(row, column, item)

    def _on_row(self, row: int, column: int) -> None:
        event = self._cases[row]
        if event["state"] in ("done", "skipped"):
            self.case_wanted.emit(self._folder / event["case"], Path(event["output"]))

    def _on_report(self) -> None:
        if self._job is not None:
            qt.QApplication.clipboard().setText(self._job.report())


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
    """The volumes of a finished case with its warnings, or why it failed and what to do."""
    if event["state"] == "failed":
        return sentences(event["message"], event["hint"])
    volumes = event.get("volumes_ml") or {}
    known = [f"{name} {volume:.1f} mL" for name, volume in volumes.items() if volume is not None]
    warnings = sentences(*event.get("warnings") or ())
    return " ".join(filter(None, (", ".join(known), f"⚠ {warnings}" if warnings else "")))
