"""Background jobs: each a process and its run folder, followed by the events in the folder.

Nothing here waits. A job that was started detached goes on when Slicer ends and is found again by its folder.
"""

from __future__ import annotations

import contextlib
import enum
import shutil
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import qt
from slicer.i18n import tr as _

from MedSegEffNetLib import atomic
from MedSegEffNetLib.errors import MedSegEffNetError
from MedSegEffNetLib.job import EVENTS, REQUEST, STOP, read_events
from MedSegEffNetPanel.job_report import make_report, refusal, sentence
from MedSegEffNetPanel.processes import ChildProcess, DetachedProcess, Interpreter, Process, RemoteProcess
from MedSegEffNetPanel.remote import FILE, Errand, Place, where
from MedSegEffNetPanel.signals import Signal

__all__ = ["Interpreter", "JobError", "JobQueue", "JobState", "PanelJob"]

POLL_MS = 200
STOP_SECONDS = 5.0  # from the file STOP to terminate
TERMINATE_SECONDS = 3.0  # from terminate to kill
EXIT_SECONDS = 10.0  # from a job's last event to the end of its process
LOG_LINES = 2000
_BYTES = 1 << 15  # of events that are read at once: some milliseconds of work
_FULL = 20 << 20  # bytes; a disk with less is full


class JobState(enum.Enum):
    """Where a job is; the last three are its end."""

    QUEUED = enum.auto()
    STARTING = enum.auto()
    RUNNING = enum.auto()
    STOPPING = enum.auto()
    FINISHED = enum.auto()
    STOPPED = enum.auto()
    FAILED = enum.auto()

    @property
    def over(self) -> bool:
        """Whether nothing more will come."""
        return self in (JobState.FINISHED, JobState.STOPPED, JobState.FAILED)


@dataclass(frozen=True)
class JobError:
    """Why a job failed: what was found, what was expected, what to do, the error's class, a report to send."""

    found: str
    expected: str = ""
    hint: str = ""
    type: str = ""
    report: str = ""


class PanelJob:
    """One background process and its folder.

    Attributes
    ----------
    stage : what it does now. done, total : parts of the stage. seconds_left : of the stage; None: not known.
    log : sentences, capped. logged : how many there were in all. result : fields of the event ``finished``; empty before.
    error : of a job that failed. changed : emitted with the job. event : emitted with the job and each event.
    """

    def __init__(self, title: str, arguments: Sequence[str], folder: Path, *, detached: bool) -> None:
        self.title, self.arguments, self.folder, self.detached = title, tuple(arguments), folder, detached
        self.state = JobState.QUEUED
        self.stage = ""
        self.done = self.total = 0
        self.seconds_left: float | None = None
        self.result: dict[str, Any] = {}
        self.error: JobError | None = None
        self.logged = 0
        self.changed = Signal()
        self.event = Signal()
        self._log: deque[str] = deque(maxlen=LOG_LINES)
        self._process: Process | None = None
        self._news = self._former_stage = ""
        self._offset = 0  # bytes of the events that were read
        self._deadline: float | None = None  # of what is done to a process that should end
        self._steps: list[tuple[float, Callable[[], None]]] = []  # what is done to it next, and how long it gets then

    @property
    def log(self) -> list[str]:
        """What happened so far, a sentence each."""
        return list(self._log)

    @property
    def alive(self) -> bool:
        """Whether its process runs; after the job's end it may for a moment."""
        return self._process is not None

    def report(self) -> str:
        """Everything that helps to find a fault, as a text."""
        return make_report(self.folder, self.title, self.log)

    def cancel(self) -> None:
        """Ask the process to stop; terminate it and kill it if it does not. Returns at once."""
        if self.state is JobState.QUEUED:
            self._end(JobState.STOPPED)
        elif not self.state.over and self.state is not JobState.STOPPING:
            self.state = JobState.STOPPING
            self._ask_to_stop()
            self._end_process(max(STOP_SECONDS, self._process.patience if self._process else 0.0))
            self.changed.emit(self)

    def start(self, interpreter: Interpreter, place: Place | None = None) -> None:
        """Start the process; its queue calls this when the job's turn has come.

        With a ``place`` the command runs there, and ``interpreter`` is what follows it.
        """
        self.state = JobState.STARTING
        self.stage = _("Starting …")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            events = self.folder / EVENTS
            self._offset = events.stat().st_size if events.is_file() else 0  # those of a former start are old news
            atomic.check_writable(self.folder / STOP)
        except (OSError, MedSegEffNetError) as error:
            self._fail(_folder_problem(self.folder, error))
            return
        words = [*self.arguments, "--run", str(self.folder)]
        if place is not None:
            self._process = RemoteProcess.start(interpreter, place, self.arguments, self.folder)
        elif self.detached:
            (self.folder / FILE).unlink(missing_ok=True)  # a former start's, on another machine
            self._process = DetachedProcess.start(interpreter, words, self.folder, self._has_told)
        else:
            self._process = ChildProcess(interpreter, words, self.folder, self.poll)
        self.changed.emit(self)

    def follow(self, follower: Callable[[], Interpreter] | None = None) -> None:
        """Follow the process that another Slicer started in the folder; ``follower`` is for one on another machine."""
        self.state = JobState.RUNNING
        errand = Errand.read(self.folder)
        if errand is not None and follower is not None:
            self._process = RemoteProcess(follower(), self.folder, errand.launch)
        else:
            self._process = DetachedProcess(self.folder, self._has_told)

    def poll(self) -> bool:
        """Take in what has happened, a few milliseconds of it; whether there is more already."""
        process = self._process
        if process is None:
            return False
        alive = process.alive()  # before the events are read: those of a process that has gone are all there
        self._take_news(process.news)
        more = self._read()
        if more:
            return True
        if not alive:
            self._process = None
            if not self.state.over:
                self._vanished(process)
            else:
                self.changed.emit(self)
        elif self._deadline is not None:
            self._hasten()
        return False

    def abandon(self) -> None:
        """Slicer ends: a detached process goes on, another one is ended. Nobody is told any more: the widgets go as well."""
        self.changed = Signal()
        if self._process is not None and not self.detached:
            self._ask_to_stop()
            self._process.kill()

    def _take_news(self, news: str) -> None:
        """What is known of the process beside its events: it stands for the stage while there is any."""
        if news != self._news and not self.state.over:
            if not self._news:
                self._former_stage = self.stage
            self.stage = news or (self._former_stage if self.stage == self._news else self.stage)
            self._news = news
            self._note(news)
            self.changed.emit(self)

    def _has_told(self) -> bool:
        return self.state is not JobState.STARTING

    def _read(self) -> bool:
        events, offset = read_events(self.folder, self._offset, limit=_BYTES)
        if offset == self._offset:
            return False
        self._offset = offset
        for event in events:
            self._take(event)
        self.changed.emit(self)
        return True

    def _take(self, event: dict[str, Any]) -> None:
        kind = event["event"]
        self._note(sentence(event, self.stage))
        if self.state is JobState.STARTING or (kind == "started" and self.state.over):
            self._go_on()
        if kind == "progress":
            self.stage, self.done, self.total = event["stage"], event["done"], event["total"]
            self.seconds_left = event["seconds_left"]
        elif kind == "finished":
            self.result = event
            self._end(JobState.FINISHED)
        elif kind == "stopped":
            self._end(JobState.STOPPED)
        elif kind == "failed":
            error = JobError(event["message"], event["expected"], event["hint"], event["type"])
            self._fail(error)
        self.event.emit(self, event)

    def _go_on(self) -> None:
        """It runs; what an attached job's former start ended with is past."""
        self.state = JobState.RUNNING
        self.error, self.result = None, {}
        self._deadline, self._steps = None, []

    def _note(self, told: str) -> None:
        if told:
            self._log.append(told)
            self.logged += 1

    def _end(self, state: JobState) -> None:
        self.state = state
        self.seconds_left = None
        if self._process is not None:
            self._end_process(EXIT_SECONDS)  # it should exit by itself now
        self.changed.emit(self)

    def _fail(self, error: JobError) -> None:
        told = " ".join(filter(None, (error.found, error.hint)))
        if not self._log or self._log[-1] != told:
            self._note(told)
        self.error = JobError(error.found, error.expected, error.hint, error.type, self.report())
        self._end(JobState.FAILED)

    def _vanished(self, process: Process) -> None:
        refused = refusal(self.folder) if self.state is JobState.STARTING else None
        if self.state is JobState.STOPPING:
            self._end(JobState.STOPPED)
        elif refused is not None:
            self._fail(JobError(*refused, type="InputError"))
        else:
            self._fail(_why_vanished(self.folder, process))

    def _ask_to_stop(self) -> None:
        with contextlib.suppress(OSError):  # on a full disk: the process is ended without being asked
            (self.folder / STOP).touch()

    def _end_process(self, seconds: float) -> None:
        """Give the process ``seconds`` to exit, then less and less friendly reasons to."""
        if self._process is not None:
            self._deadline = time.monotonic() + seconds
            self._steps = [(TERMINATE_SECONDS, self._process.terminate), (TERMINATE_SECONDS, self._process.kill)]

    def _hasten(self) -> None:
        if self.state is JobState.STOPPING and len(self._steps) == 2:
            self._ask_to_stop()  # again: a process that is only starting clears what is left in its folder
        if self._deadline is not None and time.monotonic() >= self._deadline and self._steps:
            seconds, act = self._steps.pop(0)
            self._deadline = time.monotonic() + seconds
            act()


class Elsewhere(Protocol):
    """Who knows of another machine."""

    def place(self, arguments: Sequence[str]) -> Place | None:
        """Where a command runs; None: here."""

    def follower(self) -> Interpreter:
        """What starts :mod:`MedSegEffNetPanel.follower`."""


class JobQueue:
    """Jobs that start one after the other.

    Detached jobs, which may take hours, have a queue of their own: Apply never waits for a training.

    Attributes
    ----------
    jobs : all of them, the oldest first. changed : emitted with the job whenever one has changed.
    """

    def __init__(self, interpreter: Callable[[], Interpreter], elsewhere: Elsewhere | None = None) -> None:
        self.jobs: list[PanelJob] = []
        self.changed = Signal()
        self._interpreter = interpreter
        self._elsewhere = elsewhere
        self._timer = qt.QTimer()
        self._timer.setInterval(POLL_MS)
        self._timer.connect("timeout()", self._on_timer)

    def submit(self, title: str, arguments: Sequence[str], folder: Path, *, detached: bool = False) -> PanelJob:
        """A job that starts when its turn comes.

        Parameters
        ----------
        arguments : the command's words; ``--run`` with the folder is added.
        detached : it goes on when Slicer ends.
        """
        job = PanelJob(title, arguments, folder, detached=detached)
        self._add(job)
        self._start_next()
        return job

    def attach(self, folder: Path) -> PanelJob | None:
        """The job that was started in ``folder``, now or by a former Slicer; None: there is none."""
        known = next((job for job in self.jobs if job.folder == folder), None)
        if known is not None or not any((folder / name).is_file() for name in (REQUEST, FILE)):
            return known
        job = PanelJob(folder.name, (), folder, detached=True)
        job.follow(self._elsewhere.follower if self._elsewhere else None)
        self._add(job)
        self._timer.start()
        return job

    def running(self) -> list[PanelJob]:
        """The jobs that are not over, waiting ones too."""
        return [job for job in self.jobs if not job.state.over]

    def cleanup(self) -> None:
        """Slicer or the module ends: detached jobs go on, the others are ended without waiting for them."""
        self._timer.stop()
        for job in self.jobs:
            job.changed.disconnect(self._on_changed)
            job.abandon()

    def _add(self, job: PanelJob) -> None:
        self.jobs.append(job)
        job.changed.connect(self._on_changed)

    def _start_next(self) -> None:
        for detached in (False, True):
            lane = [job for job in self.jobs if job.detached == detached]
            waiting = [job for job in lane if job.state is JobState.QUEUED]
            busy = next((job for job in lane if job.state is not JobState.QUEUED and not job.state.over), None)
            if busy is None and waiting:
                self._start(waiting[0])
                self._timer.start()
            for job in waiting:
                if busy is not None:
                    job.stage = _("Waiting for: {title}").format(title=busy.title)

    def _start(self, job: PanelJob) -> None:
        place = where(job.folder, self._elsewhere.place(job.arguments)) if self._elsewhere else None
        if self._elsewhere is not None and place is not None:
            job.start(self._elsewhere.follower(), place)
        else:
            job.start(self._interpreter())

    def _on_timer(self) -> None:
        more = False
        for job in [job for job in self.jobs if job.alive]:
            more = job.poll() or more
        self._timer.setInterval(0 if more else POLL_MS)
        if not any(job.alive for job in self.jobs):
            self._timer.stop()

    def _on_changed(self, job: PanelJob) -> None:
        self.changed.emit(job)
        if job.state.over:
            self._start_next()


def _folder_problem(folder: Path, error: OSError | MedSegEffNetError) -> JobError:
    if isinstance(error, OSError):
        error = atomic.write_error(folder, error)
    return JobError(error.found, error.expected, error.hint, type(error).__name__)


def _why_vanished(folder: Path, process: Process) -> JobError:
    """A process that ended without a last word."""
    if process.problem:
        hint = _("Look at the section Environment: its Python may be missing.")
        return JobError(_("The job could not be started: {problem}.").format(problem=process.problem), hint=hint)
    with contextlib.suppress(OSError):
        if shutil.disk_usage(folder).free < _FULL:
            found = _("The disk of {folder} is full: the job could not go on.").format(folder=folder)
            return JobError(found, hint=_("Free some space on that disk and start it again."), type="DiskFull")
    ending = process.ending or _("nobody saw how it ended")
    return JobError(
        _("The job's process has vanished ({ending}).").format(ending=ending),
        hint=_(
            "If memory was full the system may have ended it: close other programs and start it again. "
            "If it happens again, use Copy report."
        ),
        type="Vanished",
    )
