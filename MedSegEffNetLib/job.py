"""A job's folder: what was asked, what happens, how to stop it. Standard library only; Slicer's panel reads it too.

``job.json`` is the request; ``events.jsonl`` has one event a line, appended; a file ``STOP`` asks the job to end in good
order; ``lock.json`` names the process that works on it. Whoever reads the folder knows the whole state.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import math
import os
import platform
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from MedSegEffNetLib import __version__, atomic
from MedSegEffNetLib.errors import InputError, MedSegEffNetError, Stopped

SCHEMA = 1
REQUEST = "job.json"
EVENTS = "events.jsonl"
STOP = "STOP"
LOCK = "lock.json"
_PROGRESS_INTERVAL = 0.2  # seconds between two progress events of one stage

Event = dict[str, Any]


class Job:
    """A long command's events; with a folder, written there.

    Used as a context manager: emits ``started``, and at the end ``finished``, ``stopped`` or ``failed``.
    """

    def __init__(self, folder: Path | None, request: Mapping[str, Any]) -> None:
        self.folder = folder
        self.request = dict(request)
        self.listeners: list[Callable[[Event], None]] = []
        self._sequence = 0
        self._results: dict[str, Any] = {}
        self._stage = ""
        self._stage_start = 0.0
        self._stage_offset = 0
        self._last_progress = -math.inf

    @classmethod
    def open(cls, folder: Path | None, request: Mapping[str, Any]) -> Job:
        """A job in ``folder`` (made if need be; None: nothing is written). One that was begun there is continued.

        Raises
        ------
        InputError
            Another process works on the folder, or a newer version of this program wrote it.
        """
        job = cls(folder, request)
        if folder is not None:
            read_request(folder)
            folder.mkdir(parents=True, exist_ok=True)
            _take_lock(folder)
            (folder / STOP).unlink(missing_ok=True)
            events, _ = read_events(folder)
            job._sequence = max((event["sequence"] for event in events), default=0)
            _repair_last_line(folder / EVENTS)
            content = {
                "schema": SCHEMA,
                "request": _plain(job.request),
                "versions": {"medsegeffnet": __version__, "python": platform.python_version()},
                "time": _now(),
            }
            atomic.write_json(folder / REQUEST, content)
        return job

    def __enter__(self) -> Job:
        self.emit("started", request=self.request, process=os.getpid())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self.emit("finished", **self._results)
            elif isinstance(error, Stopped):
                self.emit("stopped", message=str(error))
            else:
                hint = error.hint if isinstance(error, MedSegEffNetError) else ""
                message = error.found if isinstance(error, MedSegEffNetError) else str(error) or type(error).__name__
                self.emit("failed", type=type(error).__name__, message=message, hint=hint)
        finally:
            if self.folder is not None:
                (self.folder / LOCK).unlink(missing_ok=True)

    def emit(self, kind: str, **fields: Any) -> None:
        """Append an event; ``fields`` must not be called version, sequence, time or event."""
        self._sequence += 1
        event: Event = {"version": SCHEMA, "sequence": self._sequence, "time": _now(), "event": kind, **_plain(fields)}
        if self.folder is not None:
            with open(self.folder / EVENTS, "a", encoding="utf-8") as file:
                file.write(json.dumps(event, allow_nan=False) + "\n")
        for listener in self.listeners:
            listener(event)

    def notice(self, text: str) -> None:
        """Say something that the user should know and that is no failure."""
        self.emit("notice", text=text)

    def progress(self, stage: str, done: int, total: int) -> None:
        """``done`` of ``total`` parts of ``stage``; the event has ``seconds_left``. Not more than five a second."""
        now = time.monotonic()
        if stage != self._stage:
            self._stage, self._stage_start, self._stage_offset, self._last_progress = stage, now, done, -math.inf
        if done < total and now - self._last_progress < _PROGRESS_INTERVAL:
            return
        self._last_progress = now
        advanced = done - self._stage_offset
        left = (now - self._stage_start) / advanced * (total - done) if advanced > 0 else None
        self.emit("progress", stage=stage, done=done, total=total, seconds_left=left)

    def check_stop(self) -> None:
        """Raise :class:`Stopped` if the file ``STOP`` has appeared in the folder."""
        if self.folder is not None and (self.folder / STOP).exists():
            raise Stopped("stopped as asked by the file STOP; run the same command again to go on")

    def finish(self, **results: Any) -> None:
        """What the ``finished`` event will carry."""
        self._results = results


def read_request(folder: Path) -> dict[str, Any] | None:
    """``job.json`` of ``folder``, or None where no job was begun; an :class:`InputError` if it cannot be used."""
    path = folder / REQUEST
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file", expected="a folder for the run", hint="name another --run folder")
    if not path.is_file():
        return None
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        schema = int(content["schema"])
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is damaged ({error})", hint="use another --run folder") from error
    if schema > SCHEMA:
        raise InputError(
            f"{folder} was written by a newer version (schema {schema})",
            expected=f"schema {SCHEMA} or older",
            hint="update MedSegEffNet, or use another --run folder",
        )
    return content


def read_events(folder: Path, offset: int = 0) -> tuple[list[Event], int]:
    """The events written after byte ``offset`` and the offset to ask from next time.

    A line that is still being written (or that a killed process left torn) is left for the next call.
    """
    path = folder / EVENTS
    if not path.is_file():
        return [], offset
    with open(path, "rb") as file:
        file.seek(offset)
        content = file.read()
    whole = content[: content.rfind(b"\n") + 1]
    events = []
    for line in whole.splitlines():
        with contextlib.suppress(ValueError):  # a torn line that a later process closed
            events.append(json.loads(line))
    return events, offset + len(whole)


def running_process(folder: Path) -> int | None:
    """The process that works on ``folder`` now, or None; a lock that a killed process left does not count.

    On another host's lock nothing can be asked: its process counts as running while the lock is there.
    """
    try:
        lock = json.loads((folder / LOCK).read_text(encoding="utf-8"))
        process, host = int(lock["process"]), str(lock["host"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if host == platform.node() and not _alive(process):
        return None
    return process


def _take_lock(folder: Path) -> None:
    process = running_process(folder)
    if process is not None and process != os.getpid():
        raise InputError(
            f"process {process} works on {folder} already",
            expected="a run folder that no other process uses",
            hint=f"wait for it, stop it with a file {STOP} in the folder, or use another --run folder",
        )
    atomic.write_json(folder / LOCK, {"process": os.getpid(), "host": platform.node(), "time": _now()})


def _alive(process: int) -> bool:
    if sys.platform == "win32":
        handle = ctypes.windll.kernel32.OpenProcess(0x1000, False, process)  # PROCESS_QUERY_LIMITED_INFORMATION
        if handle:
            ctypes.windll.kernel32.CloseHandle(handle)
        return bool(handle)
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _repair_last_line(path: Path) -> None:
    """End a line that a killed process left torn, so that the next event gets its own."""
    if path.is_file() and path.stat().st_size:
        with open(path, "rb+") as file:
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                file.write(b"\n")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _plain(value: Any) -> Any:
    """``value`` as JSON knows it: NaN and infinity become null, paths texts, NumPy numbers numbers."""
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple | set):
        return [_plain(part) for part in value]
    if value is None or isinstance(value, bool | int | str):
        return value
    if hasattr(value, "item"):
        return _plain(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return str(value)
