"""The box *Before the start*: what a check of the settings found, and the probe of one case."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import qt
from slicer.i18n import tr as _

from MedSegEffNetLib.errors import MedSegEffNetError
from MedSegEffNetPanel.curating.looks import fit_rows, prepare
from MedSegEffNetPanel.jobs import JobQueue, PanelJob
from MedSegEffNetPanel.training import texts
from MedSegEffNetPanel.training.request import TrainRequest
from MedSegEffNetPanel.wording import sentences, tip, told

CHECK, OVERFIT = "--check", "--overfit"
_EVENTS = {CHECK: "preflight", OVERFIT: "overfit"}
_ROWS = 8  # of the table that are shown without a scroll bar
_WIDTH = 64  # pixels of a split's column
_STEPS = 1000  # of the bar


class CheckView:
    """Runs ``train --check`` and ``--overfit`` as jobs that end with Slicer, one at a time.

    They have a queue of their own: a check does not wait for a segmentation.
    """

    def __init__(self, ui: Any, section: Any) -> None:
        self._ui, self._section = ui, section
        self._queue = JobQueue(section.panel.environment.interpreter, section.panel.environment)
        self._job: PanelJob | None = None
        self._checked: Any = None  # what the last check that came to its end was of
        self._preflight: dict[str, Any] = {}
        self._overfit: dict[str, Any] = {}
        self._problem = ""  # why there is no answer
        prepare(ui.preflightTable, [])
        ui.startCancel.connect("clicked()", self._on_cancel)
        ui.startReport.connect("clicked()", self._on_report)
        self._show()

    @property
    def busy(self) -> bool:
        """Whether a check is under way."""
        return self._job is not None and (self._job.alive or not self._job.state.over)

    def knows(self, what: Any) -> bool:
        """Whether the last check was of just this."""
        return bool(self._preflight) and self._checked == what

    @property
    def errors(self) -> list[str]:
        """Why a training of what was checked last would make no sense."""
        return list(self._preflight.get("errors", ()))

    def run(self, option: str, request: TrainRequest, what: Any, done: Callable[[], object]) -> None:
        """Check, or try on one case.

        Parameters
        ----------
        option : :data:`CHECK` or :data:`OVERFIT`. what : request and state of the data, for :meth:`knows`.
        done : called when there is an answer.
        """
        self._problem = ""
        try:
            folder = self._section.panel.new_run("check")
        except MedSegEffNetError as error:
            self._problem = told(error)
            self._show()
            return
        if option == CHECK:
            self._preflight, self._checked = {}, None
        else:
            self._overfit = {}
        title = _("Checking") if option == CHECK else _("Trying on one case")
        self._job = self._queue.submit(title, [*request.words(), option], folder)
        on_job = partial(self._on_job, option, what, done)
        self._job.event.connect(partial(self._on_event, option))
        self._job.changed.connect(on_job)
        on_job(self._job)  # it may have failed at once
        self._section.refresh()

    def forget(self) -> None:
        """Another data set: nothing is known of it."""
        self._preflight, self._overfit, self._checked, self._problem = {}, {}, None, ""
        self._show()

    def mark(self, current: bool) -> None:
        """Show whether the last check is of what is chosen now."""
        stale = bool(self._preflight) and not current
        self._ui.preflightBox.title = _("Before the start (of other settings)") if stale else _("Before the start")

    def stop(self) -> None:
        """The module ends: so do the checks."""
        self._queue.cleanup()

    def _on_event(self, option: str, job: PanelJob, event: dict[str, Any]) -> None:
        if event["event"] == _EVENTS[option]:
            if option == CHECK:
                self._preflight = event
            else:
                self._overfit = event

    def _on_job(self, option: str, what: Any, done: Callable[[], object], job: PanelJob) -> None:
        if job is not self._job:
            return
        over = job.state.over and not job.alive  # the end is told once, when its process has gone
        if over and job.error is not None:
            self._problem = sentences(job.error.found, job.error.hint)
        elif over and job.result and option == CHECK:
            self._checked = what
        self._show()
        if over:
            self._section.refresh()
            if job.result and not self._problem:
                done()

    def _show(self) -> None:
        ui, job = self._ui, self._job
        busy = self.busy
        ui.startFrame.visible = busy
        ui.startBar.maximum = _STEPS if job is not None and job.total > 1 else 0  # 0: busy, for how long is not known
        ui.startBar.value = round(_STEPS * job.done / job.total) if job is not None and job.total > 1 else 0
        ui.startBar.format = job.stage if job is not None else ""
        ui.startReport.visible = bool(job is not None and job.error is not None and not busy)
        self._show_preflight()
        ui.overfitText.text = texts.overfit_html(self._overfit) if self._overfit else ""
        ui.overfitText.visible = bool(self._overfit)

    def _show_preflight(self) -> None:
        ui = self._ui
        if self._problem:
            text = texts.red(self._problem)
        elif self._preflight:
            text = texts.preflight_html(self._preflight)
        elif self.busy:
            text = f"{self._job.title if self._job else ''} …"
        else:
            text = _("Check looks at splits and labels and does two real steps, to measure time and memory.")
        ui.preflightText.text = text
        ui.preflightText.toolTip = tip(" ".join(self._preflight.get("notes", ())))
        ui.preflightTable.visible = bool(self._preflight)
        if self._preflight:
            self._fill(self._preflight)

    def _fill(self, preflight: dict[str, Any]) -> None:
        table, names, rows = self._ui.preflightTable, texts.split_names(preflight), texts.split_rows(preflight)
        prepare(table, ["", *names])
        table.horizontalHeader().setSectionResizeMode(0, qt.QHeaderView.Stretch)
        table.horizontalHeader().setStretchLastSection(False)
        table.setRowCount(len(rows))
        for number, (title, counts, of_label) in enumerate(rows):
            table.setItem(number, 0, qt.QTableWidgetItem(title))
            for column, count in enumerate(counts, 1):
                table.setColumnWidth(column, _WIDTH)
                missing = of_label and count == "0" and names[column - 1] in ("train", "val")
                item = qt.QTableWidgetItem(f"✖ {count}" if missing else count)
                item.setTextAlignment(qt.Qt.AlignRight | qt.Qt.AlignVCenter)
                table.setItem(number, column, item)
        fit_rows(table, _ROWS)

    def _on_cancel(self) -> None:
        if self._job is not None:
            self._job.cancel()

    def _on_report(self) -> None:
        if self._job is not None:
            qt.QApplication.clipboard().setText(self._job.report())
