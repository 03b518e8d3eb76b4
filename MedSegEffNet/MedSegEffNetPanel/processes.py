"""Processes that Slicer starts and never waits for: one that ends with Slicer, and one that outlives it."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import qt
from slicer.i18n import tr as _

from MedSegEffNetLib.job import running_process

OUTPUT = "output.txt"  # what the process prints, in its run folder
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
    """What a job asks of its process. ``problem``: why it could not be started; ``ending``: how it ended, if known."""

    problem: str
    ending: str

    def alive(self) -> bool:
        """Whether it runs, as far as can be told without waiting."""

    def terminate(self) -> None:
        """Ask the system to end it; Windows has no such request for a program without a window."""

    def kill(self) -> None:
        """End it at once."""


class ChildProcess:
    """A process that ends with Slicer; ``ended`` is called when it has ended or could not be started."""

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
        if process is not None:
            with contextlib.suppress(OSError):  # it has just ended
                os.kill(process, number)


def process_environment(variables: Mapping[str, str]) -> qt.QProcessEnvironment:
    """``variables`` as Qt wants them."""
    environment = qt.QProcessEnvironment()
    for name, value in variables.items():
        environment.insert(name, value)
    return environment


def _prepared(interpreter: Interpreter, arguments: Sequence[str], folder: Path) -> qt.QProcess:
    process = qt.QProcess()
    process.setProgram(interpreter.program)
    process.setArguments([*interpreter.prefix, *arguments])
    process.setProcessEnvironment(process_environment(interpreter.variables))
    process.setWorkingDirectory(str(folder))
    # Into a file: no pipe that fills up, or breaks when Slicer ends.
    process.setProcessChannelMode(qt.QProcess.MergedChannels)
    process.setStandardOutputFile(str(folder / OUTPUT))
    return process


def _ending(code: int, crashed: bool) -> str:
    if not crashed:
        return _("it ended with code {code}").format(code=code)
    names = {number.value: number.name for number in signal.Signals}
    if os.name != "nt" and code in names:
        return _("it was ended from outside by {signal}").format(signal=names[code])
    return _("it crashed with code {code:#x}").format(code=code & 0xFFFFFFFF)
