"""Lock files of a data set, good also on a network folder: who holds what, since when, and whether it still counts.

A lock is made with ``O_CREAT | O_EXCL``, so that of two programs that try at once one gets it. It counts no longer when
its process has ended (same host), or when its holder has not refreshed it for :data:`STALE_AFTER` seconds (another host).
Ages are those of the folder's own clock: two computers' clocks may differ.
"""

from __future__ import annotations

import errno
import json
import os
import platform
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from MedSegEffNetLib import atomic
from MedSegEffNetLib.errors import InputError, MedSegEffNetError
from MedSegEffNetLib.processes import has_ended, identity

STALE_AFTER = 120.0  # seconds without a refresh after which another host's lock counts no longer
REFRESH_EVERY = 30.0  # how often the holder of a long lock should refresh it
_TORN_AFTER = 2.0  # seconds after which a lock file that is not whole was left by a process killed while it wrote it
_PAUSE = 0.02


@dataclass(frozen=True)
class Holder:
    """Who holds a lock. ``age``: seconds since it was taken or refreshed; ``stale``: whether it counts no longer."""

    owner: str
    host: str
    process: int
    token: str
    time: str
    age: float
    stale: bool

    def __str__(self) -> str:
        return f"{self.owner or 'somebody'} (process {self.process} on {self.host}, since {self.time})"


class Lock:
    """A lock file that this process takes, refreshes and releases; a context manager that releases it."""

    def __init__(self, path: Path, owner: str) -> None:
        self.path = path
        self.owner = owner
        self._token = uuid.uuid4().hex

    def take(self, wait: float = 0.0) -> Lock:
        """Take the lock, waiting up to ``wait`` seconds for its holder; :class:`InputError` names who holds it."""
        until = time.monotonic() + wait
        while not self._taken():
            holder = holder_of(self.path)
            # A lock that is there and cannot be read is just being given back.
            if holder is not None and holder.stale:
                _remove_stale(self.path, holder)
            elif time.monotonic() < until + (1.0 if holder is None else 0.0):
                time.sleep(_PAUSE)
            else:
                raise InputError(
                    f"{self.path.parent.name} is in use by {holder or 'another program'}",
                    expected="a case that nobody else works on",
                    hint=f"wait for them, or, if that program no longer runs, delete {self.path}",
                )
        return self

    def refresh(self) -> bool:
        """Say that the holder still works; False if the lock was lost (another program thought that this one ended)."""
        if not self.held():
            return False
        with suppress(OSError):
            os.utime(self.path)
        return True

    def held(self) -> bool:
        """Whether this process still has the lock."""
        holder = holder_of(self.path)
        return holder is not None and holder.token == self._token

    def release(self) -> None:
        """Give the lock back; nothing happens if it was lost."""
        if self.held():
            with suppress(OSError):
                self.path.unlink()

    def __enter__(self) -> Lock:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def _taken(self) -> bool:
        content = {"owner": self.owner, "token": self._token, "time": now(), **identity()}
        try:
            number = os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
        except FileExistsError:
            return False
        except PermissionError:
            if self.path.exists():  # Windows says so of a file that is just being deleted
                return False
            raise _read_only(self.path) from None
        except OSError as error:
            if error.errno == errno.EROFS:
                raise _read_only(self.path) from error
            raise atomic.write_error(self.path, error) from error
        with os.fdopen(number, "w", encoding="utf-8") as file:
            file.write(json.dumps(content))
        return True


@contextmanager
def locked(path: Path, owner: str, wait: float) -> Iterator[Lock]:
    """Hold the lock ``path`` for the block; errors as in :meth:`Lock.take`."""
    with Lock(path, owner).take(wait) as lock:
        yield lock


def check_held(lock: Lock) -> None:
    """Raise :class:`MedSegEffNetError` if the lock was lost: what follows must not write."""
    if not lock.held():
        raise MedSegEffNetError(
            f"the lock {lock.path} was taken over by another program",
            expected="a lock that is refreshed in time",
            hint="repeat what you did: nothing was overwritten",
        )


def holder_of(path: Path) -> Holder | None:
    """Who holds the lock ``path``, or None if nobody does (also of a lock file that a killed process left torn)."""
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        named = {name: str(content[name]) for name in ("owner", "host", "token", "time")}
        age = time.time() - path.stat().st_mtime if named["host"] == platform.node() else _age(path)
        stale = has_ended(content) or (named["host"] != platform.node() and age > STALE_AFTER)
        return Holder(**named, process=int(content["process"]), age=age, stale=stale)
    except OSError:  # there is none, or (Windows) another process just deletes or writes it
        return None
    except (ValueError, KeyError, TypeError):
        age = _age(path)
        return Holder("", "unknown", 0, "", "unknown", age, age > _TORN_AFTER)


def now() -> str:
    """The time as the data set's files have it: ISO 8601, UTC, milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _read_only(lock: Path) -> MedSegEffNetError:
    """What is told of a data set, or of one of its cases, that may only be read."""
    folder = lock.parent
    what = "case" if folder.parent.name == "cases" else "data set"
    return MedSegEffNetError(
        f"the {what} {folder} is read-only for you",
        expected="the right to write to this folder",
        hint="ask for that right, or work on a copy of the data set",
    )


def _age(path: Path) -> float:
    """Seconds since a file was written, both times by the clock of the disk it lies on."""
    probe = path.with_name(f".clock-{uuid.uuid4().hex[:12]}")
    try:
        written = path.stat().st_mtime
        probe.touch(exist_ok=False)
        return probe.stat().st_mtime - written
    except OSError:  # the lock is gone, or the folder may only be read
        return 0.0
    finally:
        with suppress(OSError):
            probe.unlink()


def _remove_stale(path: Path, stale: Holder) -> None:
    """Remove the lock that ``stale`` left, and no other: one that was taken since is put back."""
    aside = path.with_name(f".stale-{uuid.uuid4().hex[:12]}")
    try:
        os.replace(path, aside)
    except OSError:  # somebody else was faster
        return
    moved = holder_of(aside)
    if moved is not None and moved.token != stale.token:
        with suppress(OSError):
            os.link(aside, path)
    with suppress(OSError):
        aside.unlink()
