"""The box *Trainings*: the runs of the data set, followed as long as they go on, also those that a former Slicer began."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from MedSegEffNetLib import atomic
from MedSegEffNetLib.job import STOP
from MedSegEffNetPanel import steps
from MedSegEffNetPanel.curating.looks import fit_rows, prepare
from MedSegEffNetPanel.jobs import JobQueue, JobState, PanelJob
from MedSegEffNetPanel.run_folders import runs_folder
from MedSegEffNetPanel.segmenting.request import join_reasons
from MedSegEffNetPanel.signals import Signal
from MedSegEffNetPanel.training import records, texts
from MedSegEffNetPanel.training.records import RunRecord, read_all
from MedSegEffNetPanel.training.request import words_of
from MedSegEffNetPanel.wording import sentences, tip, told

FINISH = "--finish"
_ROWS = 5  # of the table that are shown without a scroll bar
_WIDTHS = (86, 66, 50, 46)  # pixels; the model that it started from takes what is left
_STATES = {
    JobState.QUEUED: records.QUEUED,
    JobState.STARTING: records.RUNNING,
    JobState.RUNNING: records.RUNNING,
    JobState.STOPPING: records.STOPPING,
    JobState.FINISHED: records.FINISHED,
    JobState.STOPPED: records.STOPPED,
    JobState.FAILED: records.FAILED,
}


class Runs:
    """A row a training, and what can be done to the chosen one.

    Attributes
    ----------
    chosen : emitted with the folder of another run that was chosen (None: none). changed : with the folder of a run of
        which something new is known.
    """

    def __init__(self, ui: Any, section: Any) -> None:
        self._ui, self._section, self._panel = ui, section, section.panel
        self.chosen, self.changed = Signal(), Signal()
        self._records: dict[Path, RunRecord] = {}
        self._shown: list[Path] = []
        self._selected: Path | None = None
        self._jobs: dict[Path, PanelJob] = {}  # the last one of each run that this Slicer follows
        self._stopping: dict[Path, bool] = {}  # runs that were asked to stop: whether their best weights are to be kept
        environment = self._panel.environment
        self._finishing = JobQueue(environment.interpreter, environment)  # short: it waits for no training
        self._reading: Any = None
        self._removing: Any = None
        table = ui.runTable
        prepare(table, texts.titles())
        table.horizontalHeader().setStretchLastSection(False)
        table.horizontalHeader().setSectionResizeMode(len(_WIDTHS), qt.QHeaderView.Stretch)
        for column, width in enumerate(_WIDTHS):
            table.setColumnWidth(column, width)
        table.connect("itemSelectionChanged()", self._on_selected)
        for button, act in (
            (ui.stopButton, self._on_stop),
            (ui.keepButton, self._on_keep),
            (ui.resumeButton, self._on_resume),
            (ui.runFolderButton, self._on_folder),
            (ui.runReportButton, self._on_report),
            (ui.removeRunButton, self._on_remove),
        ):
            button.connect("clicked()", act)

    @property
    def selected(self) -> Path | None:
        """The folder of the chosen run; None: none is."""
        return self._selected

    def job(self, folder: Path) -> PanelJob | None:
        """The job that this Slicer follows in the folder, or followed last."""
        return self._jobs.get(folder)

    def record(self, folder: Path) -> RunRecord | None:
        """What is known of a run."""
        return self._records.get(folder)

    def choose(self, folder: Path) -> None:
        """Choose a run that is shown."""
        if folder in self._shown:
            self._ui.runTable.setCurrentCell(self._shown.index(folder), 0)

    def start(self, title: str, words: Sequence[str], folder: Path) -> None:
        """Start a training in ``folder``, or go on with it; it waits for others that run. It is chosen."""
        self._follow(self._panel.jobs.submit(title, words, folder, detached=True))
        self.show()
        self.choose(folder)

    def read(self) -> None:
        """Look at the folders of all runs, and follow those that go on."""
        self._cancel_reading()
        known = {folder: record for folder, record in self._records.items() if not self._followed(folder)}
        work = steps.in_thread(read_all, runs_folder(), known)
        self._reading = steps.run(work, done=self._on_read, failed=self._on_failed)

    def stop(self) -> None:
        """The module ends; trainings go on."""
        self._cancel_reading()
        self._finishing.cleanup()
        if self._removing is not None:
            self._removing.cancel()

    def show(self) -> None:
        """Show the runs of the open data set; without one, all."""
        dataset, table = self._panel.curation.dataset, self._ui.runTable
        data = "" if dataset is None else str(dataset.folder.resolve())
        mine = [one for one in self._records.values() if not data or one.data in ("", data)]
        mine.sort(key=lambda one: (one.started == "", one.started, one.folder.name), reverse=True)
        self._shown = [one.folder for one in mine]
        was = table.blockSignals(True)
        table.setRowCount(len(mine))
        for row, record in enumerate(mine):
            self._show_row(row, record)
        wanted = self._selected if self._selected in self._shown else next(iter(self._shown), None)
        table.setCurrentCell(self._shown.index(wanted) if wanted is not None else -1, 0)
        table.blockSignals(was)
        table.visible = bool(mine)
        fit_rows(table, _ROWS)
        self._on_selected()

    def refresh(self) -> None:
        """Enable the buttons, or say why not; what the chosen run does."""
        ui, record = self._ui, self._records.get(self._selected) if self._selected else None
        job = self._jobs.get(self._selected) if self._selected else None
        ui.runText.text = _state_line(record, job) if record else _("No training yet.")
        ui.runText.visible = bool(ui.runText.text)
        ui.keepButton.text = _("Stop and keep best") if record is None or _alive(record) else _("Keep best")
        for button, reasons, text in self._buttons(record, job):
            button.enabled = not reasons
            button.toolTip = join_reasons(reasons) or text

    def _buttons(self, record: RunRecord | None, job: PanelJob | None) -> list[tuple[Any, list[str], str]]:
        ui = self._ui
        if record is None:
            none = [_("Choose a training.")]
            names = ("stop", "keep", "resume", "runFolder", "runReport", "removeRun")
            return [(getattr(ui, f"{name}Button"), none, "") for name in names]
        alive = _alive(record)
        at_end = [] if alive else [_("It does not run.")]
        stopping = _("It ends its step, writes a checkpoint and can be resumed.")
        if record.state == records.STOPPING:
            stopping = _("Press again to end it at once; Resume then goes on from the checkpoint before.")
        runs = [_("It is still running.")] if alive or (job is not None and job.alive) else []
        over = [_("It is finished.")] if record.state == records.FINISHED else []
        ready = self._section.environment_reasons() if not alive else []
        unknown = [] if record.request else [_("It was never begun: start it again above.")]
        early = [] if record.epoch else [_("No epoch is done yet.")]
        ended = [*unknown, *early, *over, *ready, *([] if alive else runs)]
        return [
            (ui.stopButton, at_end, stopping),
            (ui.keepButton, ended, _("Make a model of the best weights so far, without further epochs.")),
            (ui.resumeButton, [*runs, *over, *unknown, *ready], _("Go on from the last checkpoint.")),
            (ui.runFolderButton, [], str(record.folder)),
            (ui.runReportButton, [] if job else [_("Nothing was heard of it since Slicer began.")], _report_tip()),
            (ui.removeRunButton, runs, _("Delete the run's folder with its checkpoints and its model.")),
        ]

    def _follow(self, job: PanelJob) -> None:
        self._jobs[job.folder] = job
        self._stopping.pop(job.folder, None)
        if job.folder not in self._records:
            self._records[job.folder] = RunRecord(job.folder)
        job.event.connect(self._on_event)
        job.changed.connect(self._on_job)
        self._on_job(job)

    def _followed(self, folder: Path) -> bool:
        """Whether its job tells what happens."""
        job = self._jobs.get(folder)
        return job is not None and (job.alive or not job.state.over)

    def _on_read(self, found: Sequence[RunRecord]) -> None:
        there = {record.folder: record for record in found}
        mine = {folder: one for folder, one in self._records.items() if folder in self._jobs}
        self._records = {**{k: v for k, v in mine.items() if k.is_dir()}, **self._unfollowed(there)}
        for folder, record in there.items():
            if record.state in (records.RUNNING, records.STOPPING) and not self._followed(folder):
                job = self._panel.jobs.attach(folder)
                if job is not None and not job.state.over:
                    self._follow(job)
                    if record.state == records.STOPPING:
                        self._stopping[folder] = False
        self.show()

    def _unfollowed(self, there: dict[Path, RunRecord]) -> dict[Path, RunRecord]:
        return {k: self._records[k] if self._followed(k) and k in self._records else one for k, one in there.items()}

    def _on_event(self, job: PanelJob, event: dict[str, Any]) -> None:
        if job is self._jobs.get(job.folder):
            self._records[job.folder] = self._records[job.folder].after(event)

    def _on_job(self, job: PanelJob) -> None:
        folder = job.folder
        if job is not self._jobs.get(folder) or folder not in self._records:
            return
        self._records[folder] = _told_by(job, self._records[folder])
        if folder in self._stopping:
            self._go_on_stopping(job)
        if folder in self._shown:
            self._show_row(self._shown.index(folder), self._records[folder])
        if folder == self._selected:
            self.refresh()
        self.changed.emit(folder)
        if job.state.over and not job.alive:
            self._section.refresh()

    def _go_on_stopping(self, job: PanelJob) -> None:
        """Ask again a process that cleared its folder when it began; at its end keep the best, if that was wanted."""
        folder = job.folder
        if not job.state.over:
            self._records[folder] = replace(self._records[folder], state=records.STOPPING)
            if not (folder / STOP).exists():
                self._ask_to_stop(folder)
        elif not job.alive:
            keep = self._stopping.pop(folder)
            if keep and job.state is JobState.STOPPED:
                qt.QTimer.singleShot(0, partial(self._finish, folder))  # later: this job is still telling its end

    def _finish(self, folder: Path) -> None:
        record = self._records.get(folder)
        if record is not None and record.request:
            title, words = _("Making the model"), [*words_of(record.request), FINISH]
            self._follow(self._finishing.submit(title, words, folder, detached=True))
            self.show()

    def _ask_to_stop(self, folder: Path) -> None:
        try:
            (folder / STOP).touch()
        except OSError as error:
            self._section.say(told(atomic.write_error(folder / STOP, error)))

    def _begin_stop(self, keep: bool) -> None:
        folder = self._selected
        job = self._jobs.get(folder) if folder is not None else None
        if folder is None or job is None:
            return
        if job.state is JobState.QUEUED or (folder in self._stopping and not keep):
            job.cancel()  # never begun, or asked for a second time
            return
        self._stopping[folder] = keep
        self._ask_to_stop(folder)
        self._on_job(job)

    def _on_stop(self) -> None:
        self._begin_stop(keep=False)

    def _on_keep(self) -> None:
        record = self._records.get(self._selected) if self._selected else None
        if record is not None and _alive(record):
            self._begin_stop(keep=True)
        elif record is not None:
            self._finish(record.folder)

    def _on_resume(self) -> None:
        record = self._records.get(self._selected) if self._selected else None
        if record is not None:
            self._section.say("")
            self.start(title_of(record), words_of(record.request), record.folder)

    def _on_folder(self) -> None:
        qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(str(self._selected)))

    def _on_report(self) -> None:
        job = self._jobs.get(self._selected) if self._selected else None
        if job is not None:
            qt.QApplication.clipboard().setText(job.report())

    def _on_remove(self) -> None:
        folder = self._selected
        question = _("Delete the training {name} with its checkpoints and its model? A model that was promoted stays.")
        if folder is not None and slicer.util.confirmYesNoDisplay(
            question.format(name=folder.name), windowTitle=_("Remove training")
        ):
            self._cancel_reading()
            self._records.pop(folder, None)
            self._jobs.pop(folder, None)
            self.show()
            work = steps.in_thread(shutil.rmtree, folder)
            self._removing = steps.run(work, done=lambda nothing: None, failed=self._on_failed)

    def _on_failed(self, error: Exception) -> None:
        self._section.say(told(error))

    def _on_selected(self) -> None:
        table = self._ui.runTable
        row = table.currentRow()
        folder = self._shown[row] if 0 <= row < len(self._shown) else None
        if folder != self._selected:
            self._selected = folder
            self.chosen.emit(folder)
        self.refresh()

    def _show_row(self, row: int, record: RunRecord) -> None:
        table, told = self._ui.runTable, tip(texts.row_tip(record)).replace("\n", "<br>")
        for column, text in enumerate(texts.cells(record)):
            item = table.item(row, column)
            if item is None:
                item = qt.QTableWidgetItem()
                table.setItem(row, column, item)
            item.setText(text)
            item.setToolTip(told)

    def _cancel_reading(self) -> None:
        if self._reading is not None:
            self._reading.cancel()


def title_of(record: RunRecord) -> str:
    """What the queue calls a run."""
    return _("Training {name}").format(name=record.folder.name)


def _told_by(job: PanelJob, record: RunRecord) -> RunRecord:
    """The record with what the job knows of its process."""
    state = _STATES[job.state]
    if job.error is not None:
        killed = job.error.type == "Vanished" and record.request
        problem = sentences(job.error.found, job.error.hint)
        return replace(record, state=records.KILLED if killed else records.FAILED, problem=problem)
    return replace(record, state=state)


def _alive(record: RunRecord) -> bool:
    return record.state in records.ALIVE


def _state_line(record: RunRecord, job: PanelJob | None) -> str:
    """What a run waits for, or how it ended; how it goes on is told below."""
    if record.state == records.QUEUED and job is not None:
        return job.stage
    if record.state == records.STOPPING:
        return _("Stopping: it ends its step and writes a checkpoint.")
    return texts.ending_text(record)


def _report_tip() -> str:
    return _(
        "Copy versions, request and last events, to send with a question. File names may tell who the patient is: read it "
        "before you send it."
    )
