"""Processes that Slicer starts and never waits for: one that ends with Slicer, and one that outlives it."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import signal
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import qt
from slicer.i18n import tr as _

from MedSegEffNetLib import atomic
from MedSegEffNetLib.errors import MedSegEffNetError
from MedSegEffNetLib.job import LOCK, STOP, running_process
from MedSegEffNetLib.processes import has_ended
from MedSegEffNetPanel.remote import END, OUTPUT, STATE, Errand, Place, with_own_models

START_SECONDS = 60.0  # a first start from a slow disk, looked at by a virus scanner, takes long
_LOOK_SECONDS = 1.0  # between two looks at a lock: on macOS each is a program of its own


@dataclass(frozen=True)
class Interpreter:
    """A Python and how to call our module in it.

    Attributes
    ----------
    program : path. prefix : words before the command's own. variables : the whole environment of the process.
    """

    program: str
    prefix: tuple[str, ...]
    variables: Mapping[str, str]


class Process(Protocol):
    """What a job asks of its process.

    Attributes
    ----------
    problem : why it could not be started. ending : how it ended, if known.
    news : what the user should know of it now that no event tells; empty: nothing.
    patience : seconds that it gets, when asked to stop, to end by itself.
    """

    problem: str
    ending: str
    news: str
    patience: float

    def alive(self) -> bool:
        """Whether it runs, as far as can be told without waiting."""

    def terminate(self) -> None:
        """Ask the system to end it; Windows has no such request for a program without a window."""

    def kill(self) -> None:
        """End it at once."""


class ChildProcess:
    """A process that ends with Slicer; ``ended`` is called when it has ended or could not be started."""

    news = ""
    patience = 0.0

    def __init__(
        self, interpreter: Interpreter, arguments: Sequence[str], folder: Path, ended: Callable[[], object]
    ) -> None:
        self.problem = ""
        self.ending = ""
        self._ended = ended
        self._process = _prepared(interpreter, arguments, folder)
        self._process.connect("finished(int,QProcess::ExitStatus)", self._on_finished)
        self._process.connect("errorOccurred(QProcess::ProcessError)", self._on_error)
        self._process.start()

    def alive(self) -> bool:
        """Whether it runs."""
        return bool(self._process.state() != qt.QProcess.NotRunning)

    def terminate(self) -> None:
        """SIGTERM where there are signals."""
        self._process.terminate()

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()

    def _on_finished(self, code: int, status: object) -> None:
        self.ending = _ending(code, status == qt.QProcess.CrashExit)
        self._tell()

    def _on_error(self, error: object) -> None:
        if error == qt.QProcess.FailedToStart:
            self.problem = str(self._process.errorString())
            self._tell()

    def _tell(self) -> None:
        qt.QTimer.singleShot(0, self._ended)  # later: whoever is told drops the process, which is still in its signal


class DetachedProcess:
    """A process that outlives Slicer, known by the lock in its run folder; nobody tells us how it ended."""

    ending = ""
    news = ""
    patience = 0.0

    def __init__(self, folder: Path, arrived: Callable[[], bool]) -> None:
        self.problem = ""
        self._folder = folder
        self._arrived = arrived
        self._patience = 0.0  # moment until which a lock may be still to come
        self._next_look = 0.0
        self._number: int | None = None

    @classmethod
    def start(
        cls, interpreter: Interpreter, arguments: Sequence[str], folder: Path, arrived: Callable[[], bool]
    ) -> DetachedProcess:
        """Start it; whether it lives shows when it has taken its folder, or ``arrived`` says that it has been there."""
        made = cls(folder, arrived)
        if _prepared(interpreter, arguments, folder).startDetached():
            made._patience = time.monotonic() + START_SECONDS
        else:
            made.problem = _("{program} could not be started").format(program=interpreter.program)
        return made

    def alive(self) -> bool:
        """Whether a process holds the folder, or may still be on its way there."""
        now = time.monotonic()
        if now >= self._next_look:
            self._next_look = now + _LOOK_SECONDS
            self._number = running_process(self._folder)
            if self._number is not None or self._arrived():
                self._patience = 0.0  # it has come; when it goes it has gone
        return self._number is not None or now < self._patience

    def terminate(self) -> None:
        """SIGTERM where there are signals; on Windows this ends it."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once."""
        self._signal(getattr(signal, "SIGKILL", signal.SIGTERM))

    def _signal(self, number: int) -> None:
        process = running_process(self._folder)
        if process is not None and self._on_this_host():
            with contextlib.suppress(OSError):  # it has just ended
                os.kill(process, number)

    def _on_this_host(self) -> bool:
        """Whether the number in the lock is that of a process here."""
        try:
            lock = json.loads((self._folder / LOCK).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return False
        return bool(lock.get("host") == platform.node())


class RemoteProcess:
    """A process on another machine, known by what its follower tells (see :mod:`MedSegEffNetPanel.follower`).

    The follower is a process of this machine that outlives Slicer; one that has died is started again. What runs on the
    other machine depends on neither.
    """

    patience = 300.0  # a step of a large network, a checkpoint, and the way there

    def __init__(self, follower: Interpreter, folder: Path, launch: str) -> None:
        self.problem = self.ending = self.news = ""
        self._follower, self._folder, self._launch = follower, folder, launch
        self._next_look = self._next_start = 0.0
        self._alive = True

    @classmethod
    def start(cls, follower: Interpreter, place: Place, arguments: Sequence[str], folder: Path) -> RemoteProcess:
        """Start the command ``arguments`` at ``place``."""
        made = cls(follower, folder, uuid.uuid4().hex[:12])
        try:
            for name in (STOP, END, STATE):
                (folder / name).unlink(missing_ok=True)
            Errand(place, made._launch, tuple(with_own_models(arguments))).write(folder)
        except (OSError, MedSegEffNetError) as error:
            made.problem, made._alive = str(error), False
        return made

    def alive(self) -> bool:
        """Whether it is not known to have ended; a lost connection says nothing."""
        now = time.monotonic()
        if self._alive and now >= self._next_look:
            self._next_look = now + _LOOK_SECONDS
            self._look()
        return self._alive

    def terminate(self) -> None:
        """SIGTERM."""
        self._order("TERM")

    def kill(self) -> None:
        """SIGKILL."""
        self._order("KILL")

    def _look(self) -> None:
        try:
            told = json.loads((self._folder / STATE).read_text(encoding="utf-8"))
            known = told["launch"] == self._launch
            self.news = told["text"] if known else ""
            if known and told["over"]:
                self.ending, self.problem, self._alive = told["ending"], told["problem"], False
            elif known and not has_ended(told):
                return
        except (OSError, ValueError, KeyError, TypeError):  # not written yet
            pass
        if self._alive and time.monotonic() >= self._next_start:
            self._next_start = time.monotonic() + START_SECONDS
            if not _prepared(self._follower, (str(self._folder),), self._folder, "follower.txt").startDetached():
                self.problem = _("{program} could not be started").format(program=self._follower.program)
                self._alive = False

    def _order(self, name: str) -> None:
        with contextlib.suppress(MedSegEffNetError):  # a full disk
            atomic.write_text(self._folder / END, f"{self._launch} {name}\n")


def process_environment(variables: Mapping[str, str]) -> qt.QProcessEnvironment:
    """``variables`` as Qt wants them."""
    environment = qt.QProcessEnvironment()
    for name, value in variables.items():
        environment.insert(name, value)
    return environment


def _prepared(interpreter: Interpreter, arguments: Sequence[str], folder: Path, output: str = OUTPUT) -> qt.QProcess:
    process = qt.QProcess()
    process.setProgram(interpreter.program)
    process.setArguments([*interpreter.prefix, *arguments])
    process.setProcessEnvironment(process_environment(interpreter.variables))
    process.setWorkingDirectory(str(folder))
    # Into a file: no pipe that fills up, or breaks when Slicer ends.
    process.setProcessChannelMode(qt.QProcess.MergedChannels)
    process.setStandardOutputFile(str(folder / output))
    return process


def _ending(code: int, crashed: bool) -> str:
    if not crashed:
        return _("it ended with code {code}").format(code=code)
    names = {number.value: number.name for number in signal.Signals}
    if os.name != "nt" and code in names:
        return _("it was ended from outside by {signal}").format(signal=names[code])
    return _("it crashed with code {code:#x}").format(code=code & 0xFFFFFFFF)
