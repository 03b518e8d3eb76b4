"""Waiting for something while the window lives, and how long the window stood still meanwhile."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from types import TracebackType

from PySide6 import QtCore

_TICK = 5  # ms
_STOP = 0.05  # s that the window may stand still
_PACE = 0.006  # s that the sum below takes on the computer that this was set for


class LoopWatch:
    """Measures the longest time between two ticks of a timer in the event loop; use it in a ``with`` block.

    Attributes
    ----------
    longest : seconds.
    longest_work : seconds that the thread itself computed meanwhile. It stays small when other processes have the
        processor, but does not see a wait; on a busy machine look at both.
    """

    def __init__(self) -> None:
        self.longest = self.longest_work = 0.0
        self._last = self._worked = 0.0
        self._timer = QtCore.QTimer()
        self._timer.setTimerType(QtCore.Qt.TimerType.PreciseTimer)
        self._timer.setInterval(_TICK)
        self._timer.timeout.connect(self._tick)

    def _tick(self) -> None:
        now, worked = time.perf_counter(), time.thread_time()
        self.longest = max(self.longest, now - self._last)
        self.longest_work = max(self.longest_work, worked - self._worked)
        self._last, self._worked = now, worked

    def __enter__(self) -> LoopWatch:
        self._last, self._worked = time.perf_counter(), time.thread_time()
        self._timer.start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._timer.stop()
        self._tick()


@functools.cache
def stop_limit() -> float:
    """Seconds that the window may stand still: 50 ms, and more on a slower computer, which the tests do not judge."""
    times = []
    for _ in range(9):
        began = time.thread_time()
        sum(number * number for number in range(100_000))
        times.append(time.thread_time() - began)
    return _STOP * max(1.0, min(times) / _PACE)


def delete_later_is_now() -> None:
    """Delete what ``deleteLater`` was called for: Qt does so only when a loop that runs by itself is reached again."""
    QtCore.QCoreApplication.sendPostedEvents(None, QtCore.QEvent.Type.DeferredDelete.value)


def wait_until(condition: Callable[[], object], seconds: float = 10.0) -> bool:
    """Let the window live until ``condition`` holds; False: it did not within ``seconds``."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        QtCore.QCoreApplication.processEvents(QtCore.QEventLoop.ProcessEventsFlag.AllEvents, 20)
        delete_later_is_now()
        time.sleep(0.001)
    return True


def live(seconds: float) -> None:
    """Let the window live for a while."""
    wait_until(lambda: False, seconds)
