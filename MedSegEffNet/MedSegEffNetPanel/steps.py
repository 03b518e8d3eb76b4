"""Long work in short steps, so that the window never waits for it.

Work is a generator that yields between steps of a few milliseconds and returns its result. :func:`run` drives it from a
timer of the window, :func:`finish` at once, for scripts. All work under way takes turns at one timer: two of them hold
the window up no longer than one. What needs no node (files, NumPy) can be done in a thread of
Python meanwhile, see :func:`in_thread`.
"""

from __future__ import annotations

import functools
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from typing import Any, ParamSpec, TypeVar

import qt

T = TypeVar("T")
P = ParamSpec("P")
Work = Generator[None, None, T] | Iterator[None]

SLICE = 0.008  # s of work between two looks at the window's events; a step that is begun is ended
_POLL = 0.005  # s that a thread of Python is given at each look


class Steps:
    """Work under way in the window's event loop; made by :func:`run`."""

    def __init__(self, work: Work[Any], done: Callable[[Any], object], failed: Callable[[Exception], object]) -> None:
        self._work: Any = work
        self._busy = False  # a step is being done
        self._done, self._failed = done, failed

    @property
    def over(self) -> bool:
        """Whether the work has ended, failed or been canceled."""
        return self._work is None

    def cancel(self) -> None:
        """Stop where the work stands and let it clean up; neither ``done`` nor ``failed`` is called.

        Called from within a step, it lets that step end.
        """
        work, self._work = self._work, None
        if not self._busy:
            _close(work)

    def advance(self) -> None:
        """Work for a slice of time."""
        work = self._work
        self._busy = True
        try:
            ended = self._advance(work)
        except Exception as error:
            ended = functools.partial(self._failed, error)
        finally:
            self._busy = False
        if self._work is None:  # canceled by the step itself
            _close(work)
        elif ended is not None:
            self._work = None
            ended()

    def _advance(self, work: Any) -> Callable[[], object] | None:
        """Do steps until it is the window's turn; gives what is to be called when the work is done."""
        end = time.perf_counter() + SLICE
        try:
            while self._work is not None and time.perf_counter() < end:
                next(work)
        except StopIteration as stop:
            return functools.partial(self._finish, stop.value)
        return None

    def _finish(self, result: Any) -> None:
        try:
            self._done(result)
        except Exception as error:
            self._failed(error)


def _close(work: Any) -> None:
    if hasattr(work, "close"):
        work.close()


class _Line:
    """The work under way; whoever is first in line gets the window's next moment."""

    def __init__(self) -> None:
        self._works: deque[Steps] = deque()
        self._timer: Any = None

    def join(self, work: Steps) -> None:
        """Put ``work`` at the end."""
        self._works.append(work)
        if self._timer is None:
            self._timer = qt.QTimer()
            self._timer.setInterval(0)
            self._timer.connect("timeout()", self._turn)
        self._timer.start()

    def _turn(self) -> None:
        while self._works and self._works[0].over:
            self._works.popleft()
        if not self._works:
            self._timer.stop()
            return
        work = self._works.popleft()  # not in line meanwhile: a step that lets the window live is not entered again
        try:
            work.advance()
        finally:
            if not work.over:
                self.join(work)


_line = _Line()


def run(work: Work[Any], done: Callable[[Any], object], failed: Callable[[Exception], object]) -> Steps:
    """Do ``work`` step by step while the window lives on; returns before the first step.

    Parameters
    ----------
    work : a generator; each of its steps should take less than 20 ms.
    done : called with what the generator returns.
    failed : called with the exception that ended it, or that ``done`` raised.
    """
    steps = Steps(work, done, failed)
    _line.join(steps)
    return steps


def finish(work: Generator[None, None, T]) -> T:
    """Do all of ``work`` now, and give what it returns; its exceptions come through."""
    while True:
        try:
            next(work)
        except StopIteration as stop:
            return stop.value


def in_thread(function: Callable[P, T], *values: P.args, **named: P.kwargs) -> Generator[None, None, T]:
    """Work that calls ``function`` in a thread and waits for it in steps; its exception is raised here.

    The function must leave nodes, VTK objects and widgets alone: they belong to the window's thread. When the work is
    canceled the thread runs on to its end, and its result is dropped. Slicer's window holds Python's lock while it
    waits for events, so the thread gets its turns from the steps, each of which waits a moment for it.
    """
    results: list[T] = []
    errors: list[BaseException] = []

    def work() -> None:
        try:
            results.append(function(*values, **named))
        except BaseException as error:  # carried to the caller's thread
            errors.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(_POLL)
        yield
    if errors:
        raise errors[0]
    return results[0]
