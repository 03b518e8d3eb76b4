"""A child process whose lines are read as they come, ended when the job is to stop."""

from __future__ import annotations

import queue
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence

_POLL = 0.3  # seconds between two looks for the file STOP
_PATIENCE = 5  # seconds for the child to end when it is asked to


def run(
    command: Sequence[str], variables: Mapping[str, str], check: Callable[[], None], line: Callable[[str], None]
) -> int:
    """Run ``command`` and hand each of its lines (both outputs) to ``line``; gives its exit code.

    ``check`` is called all the time, also while the child says nothing; when it raises, the child is ended first.
    """
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=dict(variables),
        encoding="utf-8",
        errors="replace",
    )
    lines: queue.Queue[str | None] = queue.Queue()
    threading.Thread(target=_read, args=(process, lines), daemon=True).start()
    try:
        while (text := _next(lines)) is not None:
            check()
            if text:
                line(text)
    except BaseException:
        _end(process)
        raise
    return process.wait()


def _read(process: subprocess.Popen[str], lines: queue.Queue[str | None]) -> None:
    if process.stdout is not None:
        for text in process.stdout:
            lines.put(text.rstrip())
    lines.put(None)


def _next(lines: queue.Queue[str | None]) -> str | None:
    """The next line; empty after a while without one, so that a silent child can be stopped too."""
    try:
        return lines.get(timeout=_POLL)
    except queue.Empty:
        return ""


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
