"""What the section does in the background: short work in a thread, commands as jobs; one message, one bar, one Cancel."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import qt
from slicer.i18n import tr as _

from MedSegEffNetLib.errors import MedSegEffNetError
from MedSegEffNetPanel import steps
from MedSegEffNetPanel.jobs import JobQueue, PanelJob
from MedSegEffNetPanel.run_folders import discard_inputs
from MedSegEffNetPanel.signals import Signal
from MedSegEffNetPanel.wording import sentences, told

T = TypeVar("T")


class Work:
    """Does one thing at a time.

    Jobs have a queue of their own: a training in the panel's queue must not keep an import waiting.

    Attributes
    ----------
    changed : emitted when something has begun or ended.
    """

    def __init__(self, ui: Any, panel: Any) -> None:
        self._ui, self._panel = ui, panel
        self._queue = JobQueue(panel.environment.interpreter)
        self._steps: Any = None
        self._job: PanelJob | None = None
        self._title = ""
        self.changed = Signal()
        ui.workCancel.connect("clicked()", self._on_cancel)
        ui.workReport.connect("clicked()", self._on_report)
        self._show()

    @property
    def busy(self) -> bool:
        """Whether something is under way."""
        job = self._job
        return self._steps is not None or (job is not None and (job.alive or not job.state.over))

    def reasons(self) -> list[str]:
        """Why nothing can be begun now; empty: it can."""
        return [_("{title} is under way.").format(title=self._title)] if self.busy else []

    def say(self, text: str) -> None:
        """Show a sentence, until there is another one."""
        self._ui.datasetMessage.text = text
        self._ui.datasetMessage.visible = bool(text)

    def forget(self) -> None:
        """Take away what was said of work that has ended: something else begins."""
        if not self.busy:
            self.say("")

    def say_error(self, error: Exception) -> None:
        """Show what went wrong, and what to do."""
        self.say(told(error))

    def in_thread(self, title: str, function: Callable[[], T], done: Callable[[T], object]) -> None:
        """Call ``function``, which leaves widgets and nodes alone, in a thread; ``done`` gets what it returns."""
        self.in_steps(title, steps.in_thread(function), done)

    def in_steps(self, title: str, work: Any, done: Callable[[Any], object]) -> None:
        """Do work in short steps (a generator, see :mod:`MedSegEffNetPanel.steps`); ``done`` gets what it returns."""
        self._begin(title)
        self._steps = steps.run(work, done=partial(self._on_done, done), failed=self._on_failed)
        self._show()

    def new_folder(self) -> Path | None:
        """A folder for a job; None: there can be none, which is told."""
        try:
            return self._panel.new_run("dataset")
        except MedSegEffNetError as error:
            self.say_error(error)
            return None

    def command(
        self, title: str, folder: Path, words: Sequence[str], done: Callable[[Mapping[str, Any]], object]
    ) -> None:
        """Do ``medsegeffnet dataset words`` as a job in ``folder``; ``done`` gets its results (see
        :mod:`MedSegEffNetLib.job`), also those of one that ended with an error after its work."""
        self._begin(title)
        self._job = self._queue.submit(title, ["dataset", *words], folder)
        self._job.changed.connect(partial(self._on_job, done))
        self._show()

    def cleanup(self) -> None:
        """The module ends: a job that is under way ends; what it has done stays."""
        if self._steps is not None:
            self._steps.cancel()
        self._queue.cleanup()

    def _begin(self, title: str) -> None:
        self._title, self._job, self._steps = title, None, None
        self.say(f"{title} …")

    def _on_done(self, done: Callable[[Any], object], result: Any) -> None:
        self._steps = None
        self.say("")
        done(result)
        self._show()

    def _on_failed(self, error: Exception) -> None:
        self._steps = None
        self.say_error(error)
        self._panel.curation.refresh()  # some of it may have been done
        self._show()

    def _on_job(self, done: Callable[[Mapping[str, Any]], object], job: PanelJob) -> None:
        if job is not self._job or job.alive == job.state.over:  # the end is told once, when its process has gone
            return
        if job.state.over:
            self._end(done, job)
        self._show()

    def _end(self, done: Callable[[Mapping[str, Any]], object], job: PanelJob) -> None:
        if job.error is not None:
            self.say(sentences(f"{job.title}: {job.error.found}", job.error.hint))
        elif job.result:
            self.say("")
            done(job.result)
        else:
            self.say(_("{title}: canceled. What was done stays.").format(title=job.title))
        discard_inputs(job.folder)
        self._panel.curation.refresh()

    def _show(self) -> None:
        ui, job = self._ui, self._job
        running = job is not None and not job.state.over
        ui.workFrame.visible = self.busy
        ui.workCancel.visible = running
        ui.workBar.maximum = job.total if job is not None and running else 0  # 0: busy, for how long is not known
        ui.workBar.value = job.done if job is not None and running else 0
        ui.workReport.visible = job is not None and job.error is not None
        self.changed.emit()

    def _on_cancel(self) -> None:
        if self._job is not None:
            self._job.cancel()

    def _on_report(self) -> None:
        if self._job is not None:
            qt.QApplication.clipboard().setText(self._job.report())
