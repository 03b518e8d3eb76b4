"""Volumes to files, a job, and what it made back to nodes. Nothing in the scene changes before the end."""

from __future__ import annotations

import traceback
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from enum import Enum, auto
from pathlib import Path
from typing import TYPE_CHECKING, Any

import slicer
from slicer.i18n import tr as _

from MedSegEffNetLib.errors import InputError, MedSegEffNetError
from MedSegEffNetPanel import steps
from MedSegEffNetPanel.job_report import make_report
from MedSegEffNetPanel.jobs import LOG_LINES, JobState, PanelJob
from MedSegEffNetPanel.run_folders import discard_inputs
from MedSegEffNetPanel.signals import Signal
from MedSegEffNetPanel.wording import sentences

if TYPE_CHECKING:
    from MedSegEffNetPanel.panel import Panel


class Phase(Enum):
    """Where a run is."""

    EXPORT = auto()
    COMPUTE = auto()
    IMPORT = auto()
    OVER = auto()


class NodeRun:
    """What a section does with one press, in short steps; :attr:`changed` is emitted with the run.

    A section's own run says how: :meth:`_export`, :meth:`_command`, :meth:`_import` and :meth:`_told`.

    Attributes
    ----------
    text : what happens now, or how it ended. remarks : what the user should know beside it.
    failed : it ended, and not because the user wanted it. result : of a run that succeeded, else None.
    fraction : 0 to 1, None: not known. seconds_left : None: not known. report : for "Copy report".
    log : sentences, capped. logged : how many there were in all.

    Raises
    ------
    MedSegEffNetError
        No folder could be made for it.
    """

    def __init__(self, panel: Panel, kind: str, title: str) -> None:
        """``kind`` names the run's folder; ``title`` is what the job does, in words."""
        self._panel, self._title = panel, title
        self._phase = Phase.EXPORT
        self._steps: Any = None
        self._job: Any = None  # a PanelJob, from the end of the export on
        self.folder: Path = panel.new_run(kind)
        self.changed = Signal()
        self.text = _("Writing the volumes …")
        self.remarks: list[str] = []
        self.failed = False
        self.fraction: float | None = 0.0
        self.seconds_left: float | None = None
        self.report = ""
        self.log: deque[str] = deque(maxlen=LOG_LINES)
        self.logged = 0
        self._taken = 0  # sentences of the job's log
        self.result: Any = None

    @property
    def over(self) -> bool:
        """Whether the run has ended, in whatever way."""
        return self._phase is Phase.OVER

    def start(self) -> None:
        """Begin; returns at once."""
        self.changed.emit(self)
        self._steps = steps.run(self._export(), done=self._submit, failed=self._fail)

    def cancel(self, why: str) -> None:
        """End the run in whatever phase it is; the scene stays as it was, ``why`` is shown."""
        if self.over:
            return
        if self._phase is not Phase.COMPUTE and self._steps is not None:
            self._steps.cancel()
        job = self._job
        self._end(why)
        if job is not None:
            job.cancel()

    def _export(self) -> Iterator[None]:
        """Write every volume."""
        raise NotImplementedError

    def _command(self) -> list[str]:
        """The words of the command, whose files are all in the run's folder."""
        raise NotImplementedError

    def _importing(self) -> str:
        """What is told while :meth:`_import` works."""
        raise NotImplementedError

    def _import(self) -> Generator[None, None, Any]:
        """Make nodes of what the job made; gives the run's result."""
        raise NotImplementedError

    def _told(self) -> str:
        """How a run that succeeded has ended."""
        return _("Done in {seconds:.1f} s.").format(seconds=self._job.result["measured"]["seconds"])

    def _stage(self) -> str:
        """What happens now."""
        return str(self._job.stage or self._job.title)

    def _on_event(self, job: PanelJob, event: dict[str, Any]) -> None:
        """The job has told something."""

    def _submit(self, nothing: Any) -> None:
        self._phase = Phase.COMPUTE
        self._job = self._panel.jobs.submit(self._title, self._command(), self.folder)
        self._job.changed.connect(self._on_job)
        self._job.event.connect(self._on_event)
        self._on_job(self._job)

    def _on_job(self, job: PanelJob) -> None:
        new = min(job.logged - self._taken, len(job.log))
        self._note(job.log[len(job.log) - new :])
        self._taken = job.logged
        if self._phase is not Phase.COMPUTE:
            return
        if job.state is JobState.FINISHED:
            self._begin_import()
        elif job.error is not None:
            self.failed = True
            self._end(sentences(job.error.found, job.error.hint))
        elif job.state.over:
            self._end(_("Stopped; the scene is as it was."))
        else:
            self.text = self._stage()
            self.fraction = job.done / job.total if job.total else None
            self.seconds_left = job.seconds_left
            self.changed.emit(self)

    def _begin_import(self) -> None:
        self._phase = Phase.IMPORT
        self.text, self.fraction, self.seconds_left = self._importing(), None, None
        self.changed.emit(self)
        self._steps = steps.run(self._import(), done=self._succeed, failed=self._fail)

    def _succeed(self, result: Any) -> None:
        self.result = result
        self._remark(self._job.result.get("warnings", ()))
        self._end(self._told())

    def _remark(self, texts: Iterable[str]) -> None:
        new = [text for text in map(sentences, texts) if text not in self.remarks]
        self.remarks += new
        self._note(new)

    def _note(self, lines: list[str]) -> None:
        self.log.extend(lines)
        self.logged += len(lines)

    def _fail(self, error: Exception) -> None:
        self.failed = True
        if isinstance(error, MedSegEffNetError):
            self._end(sentences(error.found, error.hint))
        else:
            self.report = "".join(traceback.format_exception(error))
            self._end(
                _("This is a fault of the program ({error}). Please send what Copy report gives.").format(error=error)
            )

    def _end(self, text: str) -> None:
        self._phase = Phase.OVER
        self.text, self.fraction, self.seconds_left = text, None, None
        head = self._job.report() if self._job else make_report(self.folder, self._title, list(self.log))
        self.report = "\n".join(filter(None, (head, self.report)))
        self.changed.emit(self)
        if self._job is None or not self._job.alive:
            self._discard_inputs()
        else:  # its process still reads them
            self._job.changed.connect(self._discard_inputs)

    def _discard_inputs(self, job: PanelJob | None = None) -> None:
        """Leave no copies of the patient's images about."""
        if job is None or not job.alive:
            discard_inputs(self.folder)


def node_of(node_id: str) -> Any:
    """The node with this id; an :class:`InputError` if it has left the scene."""
    node = slicer.mrmlScene.GetNodeByID(node_id)
    if node is None:
        raise InputError(_("a volume of this case is no longer in the scene"), hint=_("load it again, and start anew"))
    return node


def existing(path: Path) -> Path | None:
    """``path`` if there is a file, else None."""
    return path if path.is_file() else None
