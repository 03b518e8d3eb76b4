"""Follows a job on another machine: ``python -m MedSegEffNetPanel.follower RUN`` for a run folder with ``remote.json``.

A process of its own, so that Slicer never waits for a network. It copies what the job needs, starts it, mirrors the run
folder (events, lock, results) until the job's end, and passes on a stop. It can be killed and started again at any time:
the job does not depend on it. ``follower.json`` tells what it knows: ``launch``, ``text`` (what the user should know; empty:
all is well), ``over`` with ``ending`` or ``problem``, and which process it is. Knows no Qt.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, TypeVar

from MedSegEffNetLib import atomic
from MedSegEffNetLib.dataset.snapshots import FOLDER as SNAPSHOTS
from MedSegEffNetLib.dataset.snapshots import read_snapshot
from MedSegEffNetLib.dataset.store import Dataset
from MedSegEffNetLib.errors import InputError, MedSegEffNetError
from MedSegEffNetLib.job import EVENTS, LOCK, REQUEST, STOP, read_events
from MedSegEffNetLib.processes import has_ended, identity
from MedSegEffNetPanel.far_side import ENDED, GONE, NOT_STARTED, Beside, LostConnection, Ssh
from MedSegEffNetPanel.remote import END, STATE, Errand

T = TypeVar("T")
_ROUND_SECONDS = 3.0  # between two looks
_LOST_SECONDS = 60.0  # at most, between two tries to connect again
_START_SECONDS = 90.0  # from the start to the job's process
_RESULTS_SECONDS = 15.0  # at least, between two copies of results
_WINK = 0.25  # s


class _Canceled(Exception):
    """The user took the job back before it was started."""


class Follower:
    """Follows one job.

    Parameters
    ----------
    folder : the run folder here. errand : what runs, and where.
    """

    def __init__(self, folder: Path, errand: Errand) -> None:
        self.folder, self.errand = folder, errand
        self.copies = errand.place  # knows the copies too, once they are made
        self.started = self._stopped = False
        self._ended_by = ""
        self._text: str | None = None
        self._offset = 0
        self._sequence = max((event["sequence"] for event in read_events(folder)[0]), default=0)
        self._fetched = 0.0
        place, run = errand.place, errand.place.there(folder)
        self.far: Ssh | Beside = Beside(place, run or "", folder)
        if place.is_ssh:
            self.far = Ssh(place, run or "", self._check_wanted)

    @property
    def copying(self) -> bool:
        """Whether the run folder is a copy of the one there."""
        return isinstance(self.far, Ssh) and self.errand.place.there(self.folder) is None

    def follow(self) -> None:
        """To the job's end."""
        self._tell(f"Connecting to {self.errand.place.host} …")
        try:
            self._patiently(self._start)
            self._tell("")
            state = self._watch()
        except _Canceled:
            self._over(ending="it was stopped before it started")
        except MedSegEffNetError as error:
            self._over(problem=" ".join(filter(None, (error.found, error.hint))))
        else:
            (self.folder / LOCK).unlink(missing_ok=True)  # of a process that was killed
            self._over(ending=_in_words(state, self.errand.place.host))

    def _start(self) -> None:
        """Everything before the job's process: each part can be done again."""
        far, launch, base = self.far, self.errand.launch, ""
        self.copies = self.errand.place
        if isinstance(far, Ssh) and self.errand.place.folder:
            base = far.make_folder(self.errand.place.folder)
            if self.copying:
                far.run = f"{base}/runs/{_short(self.folder)}"
                self._knows(self.folder, far.run)
        arguments = [self._there(word, base) for word in self.errand.arguments]
        if far.look(launch, 0).state == NOT_STARTED:
            far.check()
            self._send(far, arguments)
            far.start(arguments, launch)
        self.started = True

    def _there(self, word: str, base: str) -> str:
        """A word of the command as it must be there; notes what has to be copied for it."""
        path = Path(word)
        if not path.is_absolute():
            return word
        there = self.copies.there(path)
        if there is None:
            there = f"{base}/data/{_short(path)}"
            self._knows(path, there)
        return there

    def _knows(self, here: Path, there: str) -> None:
        self.copies = replace(self.copies, paths=(*self.copies.paths, (str(here), there)))

    def _send(self, far: Ssh | Beside, arguments: Sequence[str]) -> None:
        """Copy the data and the model to start from."""
        for here, there in self.copies.paths[len(self.errand.place.paths) :]:
            folder = Path(here)
            if isinstance(far, Ssh) and folder != self.folder:
                self._tell(f"Copying {folder.name} to {self.errand.place.host} …")
                far.make_folder(there)
                far.send(folder, there, needed_files(folder, arguments))

    def _watch(self) -> str:
        """Look and look again; returns the job's last state."""
        began = time.monotonic()
        while True:
            state = self._patiently(self._round)
            if state == NOT_STARTED and time.monotonic() - began > _START_SECONDS:
                state = GONE
            if state == GONE or state.startswith(ENDED):
                return state
            self._wait(_ROUND_SECONDS)

    def _round(self) -> str:
        """One look: orders there, results and then events here, so that what an event names is there already."""
        far, launch = self.far, self.errand.launch
        if (self.folder / STOP).exists():
            if self.copying:
                far.stop()  # each time: a process that only begins clears its folder
            self._stopped = True
        order = _order(self.folder, launch)
        if order and order != self._ended_by:
            far.end(launch, order)
            self._ended_by = order
        look = far.look(launch, self._offset)
        if self.copying and isinstance(far, Ssh):
            self._mirror(far, look.state, look.lock, look.events)
        return look.state

    def _mirror(self, far: Ssh, state: str, lock: str, events: bytes) -> None:
        whole = events[: events.rfind(b"\n") + 1]
        lines = [line for line in whole.splitlines() if self._is_new(line)]
        over = state == GONE or state.startswith(ENDED)
        last = any(b'"event": "finished"' in line for line in lines)
        due = time.monotonic() - self._fetched > _RESULTS_SECONDS
        if over or last or (due and any(b'"event": "progress"' not in line for line in lines)):
            far.fetch(self.folder, everything=over or last)
            self._fetched = time.monotonic()
        if lines and not (self.folder / REQUEST).is_file():
            self._keep_request(far.read(REQUEST))
        with (self.folder / EVENTS).open("ab") as file:
            for line in lines:
                file.write(self._as_here(line))
        self._sequence = max([self._sequence, *(json.loads(line)["sequence"] for line in lines)])
        self._offset += len(whole)
        if over or not lock:
            (self.folder / LOCK).unlink(missing_ok=True)
        else:
            atomic.write_text(self.folder / LOCK, lock)

    def _is_new(self, line: bytes) -> bool:
        try:
            return int(json.loads(line)["sequence"]) > self._sequence
        except (ValueError, KeyError, TypeError):  # a line that a killed process left torn
            return False

    def _as_here(self, line: bytes) -> bytes:
        """An event as it would be here; only that of the start names folders that were copied."""
        if b'"event": "started"' not in line:
            return line + b"\n"
        event = json.loads(line)
        return json.dumps({**event, "request": self._local(event["request"])}).encode() + b"\n"

    def _keep_request(self, text: bytes) -> None:
        with contextlib.suppress(ValueError, KeyError):  # not there yet
            content = json.loads(text)
            atomic.write_json(self.folder / REQUEST, {**content, "request": self._local(content["request"])})

    def _local(self, request: dict[str, Any]) -> dict[str, Any]:
        return {name: self.copies.here(v) if isinstance(v, str) else v for name, v in request.items()}

    def _patiently(self, part: Callable[[], T]) -> T:
        """``part``, tried again and again while there is no connection."""
        pause, since = _ROUND_SECONDS, time.strftime("%H:%M")
        while True:
            try:
                result = part()
            except LostConnection as error:
                host = self.errand.place.host
                self._tell(f"No connection to {host} since {since} ({error}). The job goes on there; trying again …"
                           if self.started else f"No connection to {host} ({error}); trying again …")  # fmt: skip
                self._wait(pause)
                pause = min(2 * pause, _LOST_SECONDS)
            else:
                if self.started:
                    self._tell("")
                return result

    def _wait(self, seconds: float) -> None:
        """Until it is time, or the user wants something."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._check_wanted()
            if (self.folder / STOP).exists() and not self._stopped:
                return
            if _order(self.folder, self.errand.launch) not in ("", self._ended_by):
                return
            time.sleep(_WINK)

    def _check_wanted(self) -> None:
        """Raise if the user takes the job back before it has started."""
        if not self.started and ((self.folder / STOP).exists() or _order(self.folder, self.errand.launch)):
            raise _Canceled

    def _tell(self, text: str) -> None:
        if text != self._text:
            self._text = text
            self._write(text=text)

    def _over(self, *, ending: str = "", problem: str = "") -> None:
        self._write(over=True, ending=ending, problem=problem)

    def _write(self, **told: Any) -> None:
        content = {"text": "", "over": False, "ending": "", "problem": "", **told}
        atomic.write_json(self.folder / STATE, {**identity(), "launch": self.errand.launch, **content})


def follows(folder: Path) -> bool:
    """Whether a follower works on the folder now, as far as its last words tell."""
    try:
        content = json.loads((folder / STATE).read_text(encoding="utf-8"))
        return not content["over"] and not has_ended(content)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def alone(folder: Path) -> IO[bytes] | None:
    """A file that this process holds, to be kept open, or None where another follower does.

    The system lets go of it when the process ends, in whatever way.
    """
    file = (folder / "follower.lock").open("ab")
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        file.close()
        return None
    except OSError:  # a file system without locks
        return file
    return file


def _order(folder: Path, launch: str) -> str:
    """The signal that the panel asks for; empty: none."""
    try:
        asked, name = (folder / END).read_text(encoding="utf-8").split()
    except (OSError, ValueError):
        return ""
    return name if asked == launch else ""


def needed_files(folder: Path, arguments: Sequence[str]) -> list[str]:
    """The files of a data set that a training needs; empty: the whole folder.

    :class:`InputError` if images lie elsewhere.
    """
    if not (folder / "dataset.json").is_file():
        return []
    dataset = Dataset.open(folder)
    snapshot = arguments[arguments.index("--snapshot") + 1] if "--snapshot" in arguments else ""
    found = read_snapshot(dataset, snapshot) if snapshot else None
    cases = [entry["case"] for entry in found.cases] if found else [summary.id for summary in dataset.list()]
    outside = [case for case in cases if any(image.referenced for image in dataset.read(case).images.values())]
    if outside:
        raise InputError(
            f"the images of {len(outside)} cases lie outside of the data set {folder.name} (e.g. {outside[0]})",
            expected="a data set that holds its images, to copy it to another machine",
            hint="share the folders of the images and map them, or import the cases with copies of their images",
        )
    lists = [f"{SNAPSHOTS}/{found.id}.json"] if found else []
    there = [name for name in ("dataset.json", "splits.json") if (folder / name).is_file()]
    return [*there, *lists, *(f"cases/{case}" for case in cases)]


def _short(folder: Path) -> str:
    """A name for a copy of ``folder``, the same each time; it ends with the folder's own, as the model names its data."""
    digits = hashlib.sha256(str(folder).encode()).hexdigest()[:8]
    return f"{digits}/{re.sub(r'[^A-Za-z0-9_.-]', '_', folder.name)}"


def _in_words(state: str, host: str) -> str:
    code = state.removeprefix(ENDED).strip()
    if state == GONE:
        return f"it is no longer there; {host} may have been started anew"
    return f"it ended with code {code} on {host}"


def main(words: Sequence[str]) -> int:
    """Follow the job of the run folder ``words[0]``, unless somebody does."""
    folder = Path(words[0])
    errand = Errand.read(folder)
    if errand is None:
        print(f"Error: {folder} has no job on another machine", file=sys.stderr)
        return 2
    held = alone(folder)
    if held is not None:
        with held:
            Follower(folder, errand).follow()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
