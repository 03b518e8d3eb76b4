"""The other machine as the follower of a job sees it: over ssh, or behind a command of this machine. Knows no Qt."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from MedSegEffNetLib import __version__
from MedSegEffNetLib.errors import InputError, MedSegEffNetError
from MedSegEffNetLib.job import running_process
from MedSegEffNetPanel.remote import OUTPUT, Place, quoted

RUNNING, NOT_STARTED, GONE = "running", "not started", "gone"
ENDED = "ended"  # followed by the exit code
_ANSWER_SECONDS = 120.0  # a container's first start takes long
_COPY_SECONDS = 24 * 3600.0
_WINK = 0.25  # s, between two looks at what is waited for
_LOST = (255, 10, 12, 30, 35)  # ssh(1); rsync(1): sockets, data stream, timeouts
_VANISHED = 24  # rsync(1): a file went while it was copied, as temporary ones do
# What the other side alone works with, and what is fetched in another way.
_ITS_OWN = ("/events.jsonl", "/lock.json", "/job.json", "/STOP", "/.launch-*", ".tmp-*", ".old-*", ".lock.json-*")
_NO_WINDOW = 0x08000000 if sys.platform == "win32" else 0  # CREATE_NO_WINDOW


class LostConnection(Exception):
    """The other machine does not answer; nothing is said about what runs there."""


@dataclass(frozen=True)
class Look:
    """What is to be seen: the state, the lock's text (empty: none), and the events from an offset on."""

    state: str
    lock: str = ""
    events: bytes = b""


class FarSide(Protocol):
    """Where a job runs, and its run folder there."""

    def check(self) -> None:
        """Raise :class:`MedSegEffNetError` if jobs cannot run there."""

    def start(self, arguments: Sequence[str], launch: str) -> None:
        """Start the job; a second time with the same ``launch`` does nothing."""

    def look(self, launch: str, offset: int) -> Look:
        """How the job is, and what has happened since byte ``offset`` of its events."""

    def stop(self) -> None:
        """Ask it to end in good order."""

    def end(self, launch: str, name: str) -> None:
        """Send its process the signal ``name``: ``TERM`` or ``KILL``."""


class Ssh:
    """Another machine over ssh, with POSIX's shell.

    Parameters
    ----------
    place : where. run : the run folder there; empty: not known yet.
    between : called now and then while something is waited for; what it raises ends the waiting.
    """

    def __init__(self, place: Place, run: str, between: Callable[[], None]) -> None:
        self._place, self.run, self._between = place, run, between

    def check(self) -> None:
        """Whether our library is there, in this version."""
        command = quoted([*self._place.python, "-m", "MedSegEffNetLib", "--version"])
        output = self._shell(f"{command} 2>&1 || true").decode("utf-8", errors="replace")
        check_version(output, f"{self._place.host}: {' '.join(self._place.python)}")

    def make_folder(self, folder: str) -> str:
        """Make ``folder`` there; returns its full path."""
        return self._shell(f"mkdir -p {quoted([folder])} && cd {quoted([folder])} && pwd -P").decode().strip()

    def start(self, arguments: Sequence[str], launch: str) -> None:
        """Start the job so that it does not depend on the connection."""
        command = quoted([*self._place.python, "-m", "MedSegEffNetLib", *arguments, "--run", self.run])
        mark = f".launch-{launch}"
        kept = (
            f"{command} >{OUTPUT} 2>&1 </dev/null & echo $! >{mark}/process; wait $!; "
            f"echo $? >{mark}/code && mv {mark}/code {mark}/ended"
        )
        self._shell(
            f"mkdir -p {quoted([self.run])} && cd {quoted([self.run])} || exit 3\n"
            f"mkdir {mark} 2>/dev/null || exit 0\n"  # made once: a start whose answer was lost is not done again
            f"nohup sh -c {shlex.quote(kept)} >/dev/null 2>&1 </dev/null &\n"
        )

    def look(self, launch: str, offset: int) -> Look:
        """One connection for state, lock and events, in this order: the events of a job that has ended are all there."""
        mark = f".launch-{launch}"
        answer = self._shell(
            f"cd {quoted([self.run])} 2>/dev/null || {{ echo {NOT_STARTED}; exit 0; }}\n"
            f'if [ -f {mark}/ended ]; then echo {ENDED} "$(cat {mark}/ended)"\n'
            f"elif [ ! -f {mark}/process ]; then echo {NOT_STARTED}\n"
            f'elif kill -0 "$(cat {mark}/process)" 2>/dev/null; then echo {RUNNING}\n'
            f"else echo {GONE}; fi\n"
            "if [ -f lock.json ]; then tr -d '\\n' <lock.json; fi; echo\n"
            f"if [ -f events.jsonl ]; then tail -c +{offset + 1} events.jsonl; fi\n"
        )
        state, lock, events = [*answer.split(b"\n", 2), b"", b""][:3]
        if not state:
            raise LostConnection("the answer is empty")
        return Look(state.decode(), lock.decode(), events)

    def read(self, name: str) -> bytes:
        """A file of the run folder; empty if there is none."""
        return self._shell(f"cat {quoted([f'{self.run}/{name}'])} 2>/dev/null || true")

    def stop(self) -> None:
        """The file STOP."""
        self._shell(f"touch {quoted([f'{self.run}/STOP'])}")

    def end(self, launch: str, name: str) -> None:
        """The process and those that it started (``torchrun`` starts several)."""
        process = f'"$(cat {quoted([f"{self.run}/.launch-{launch}/process"])})"'
        self._shell(f"pkill -{name} -P {process} 2>/dev/null; kill -{name} {process} 2>/dev/null || true")

    def send(self, folder: Path, there: str, names: Sequence[str] = ()) -> None:
        """Copy ``folder`` (of it only ``names``, files and whole folders, where any are given) as ``there``."""
        chosen = ["--recursive", "--files-from=-"] if names else []
        words = ["--archive", "--partial", *chosen, f"{folder.as_posix()}/", f"{self._place.host}:{there}/"]
        self._rsync(words, "\n".join(names))

    def fetch(self, folder: Path, *, everything: bool) -> None:
        """Copy what the job made into the run folder here; checkpoints are large and come with ``everything``."""
        left = [*_ITS_OWN, *([] if everything else ["checkpoints"])]
        words = ["--archive", "--partial", *(f"--exclude={name}" for name in left)]
        self._rsync([*words, f"{self._place.host}:{self.run}/", f"{folder.as_posix()}/"])

    def _shell(self, script: str) -> bytes:
        """What ``script`` prints there. It goes by standard input: no login shell reads anything into it."""
        words = [*self._place.ssh, self._place.host, "sh", "-s"]
        return _called(words, script.encode(), _ANSWER_SECONDS, self._between)

    def _rsync(self, words: Sequence[str], given: str = "") -> None:
        words = ["rsync", "--rsh", shlex.join(self._place.ssh), *words]
        _called(words, given.encode(), _COPY_SECONDS, self._between)


class Beside:
    """A command of this machine, such as a container's, that sees the run folder under a name of its own.

    Parameters
    ----------
    place : where. run : the run folder there. folder : the run folder here.
    """

    def __init__(self, place: Place, run: str, folder: Path) -> None:
        self._place, self._run, self._folder = place, run, folder
        self._process: subprocess.Popen[bytes] | None = None

    def check(self) -> None:
        """Whether our library is there, in this version."""
        command = [*self._place.python, "-m", "MedSegEffNetLib", "--version"]
        try:
            done = subprocess.run(
                command, capture_output=True, timeout=_ANSWER_SECONDS, check=False, creationflags=_NO_WINDOW
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise InputError(f"'{self._place.command}' does not work ({error})", hint="try it in a terminal") from error
        check_version((done.stdout + done.stderr).decode("utf-8", errors="replace"), self._place.command)

    def start(self, arguments: Sequence[str], launch: str) -> None:
        """Start it as a process of our own."""
        try:
            (self._folder / f".launch-{launch}").mkdir()
        except FileExistsError:
            return
        command = [*self._place.python, "-m", "MedSegEffNetLib", *arguments, "--run", self._run]
        with (self._folder / OUTPUT).open("wb") as output:
            self._process = subprocess.Popen(
                command, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, creationflags=_NO_WINDOW
            )

    def look(self, launch: str, offset: int) -> Look:
        """By the process; one that an earlier follower started is known by its lock alone. The events are here."""
        if self._process is not None:
            code = self._process.poll()
            return Look(RUNNING if code is None else f"{ENDED} {code}")
        if not (self._folder / f".launch-{launch}").is_dir():
            return Look(NOT_STARTED)
        return Look(GONE if running_process(self._folder) is None else RUNNING)

    def stop(self) -> None:
        """The file STOP is in the folder already."""

    def end(self, launch: str, name: str) -> None:
        """To the command; what it makes of that is its matter."""
        if self._process is not None:
            (self._process.kill if name == "KILL" else self._process.terminate)()


def check_version(output: str, where: str) -> None:
    """Raise :class:`InputError` if ``output`` of ``--version`` is not what this version says."""
    found = re.findall(r"^medsegeffnet (\S+)\s*$", output, re.MULTILINE)
    if not found:
        said = output.strip()[-300:] or "nothing"
        raise InputError(
            f"{where} cannot run MedSegEffNet; it says: {said}",
            expected=f"a Python with MedSegEffNet {__version__}",
            hint="install it there with its packages for training, and try the command in a terminal",
        )
    if found[0] != __version__:
        raise InputError(
            f"{where} has MedSegEffNet {found[0]}", expected=__version__, hint="install the same version on both sides"
        )


def _called(words: Sequence[str], given: bytes, seconds: float, between: Callable[[], None]) -> bytes:
    """What the program prints that gets ``given``."""
    pipe = subprocess.PIPE
    try:
        process = subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=pipe, creationflags=_NO_WINDOW)
    except OSError as error:
        raise InputError(
            f"{words[0]} could not be started ({error.strerror or error})",
            expected=f"the program {words[0]} on this computer",
            hint=f"install {words[0]}, or share the folders and map them instead of copying",
        ) from error
    try:
        output, errors = _communicate(process, given, time.monotonic() + seconds, between)
    finally:
        process.kill()  # it has ended, or nobody wants its answer any more
    said = errors.decode("utf-8", errors="replace").strip()
    if process.returncode in _LOST:
        raise LostConnection(said.splitlines()[-1] if said else f"code {process.returncode}")
    if process.returncode not in (0, _VANISHED):
        raise MedSegEffNetError(f"{words[0]} failed (code {process.returncode}): {said[-300:]}")
    return output


def _communicate(
    process: subprocess.Popen[bytes], given: bytes | None, end: float, between: Callable[[], None]
) -> tuple[bytes, bytes]:
    while True:
        try:
            return process.communicate(given, timeout=_WINK)
        except subprocess.TimeoutExpired:
            given = None  # it is on its way
            between()
            if time.monotonic() > end:
                raise LostConnection("no answer") from None
