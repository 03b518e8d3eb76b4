"""Errors that nobody could catch: raised in a slot, an event handler or an observer of VTK. A test fails for them."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from types import TracebackType
from typing import Any

_texts: list[str] = []


def record(error: BaseException) -> None:
    """Keep the error, and print it where it would be printed in Slicer."""
    text = "".join(traceback.format_exception(error))
    _texts.append(text)
    sys.stderr.write(text)


def take() -> list[str]:
    """The errors since the last call, as texts with their tracebacks."""
    taken = list(_texts)
    _texts.clear()
    return taken


def call(function: Callable[..., Any], *values: Any) -> Any:
    """Call a receiver of a signal; its errors are recorded, as no caller is there to see them."""
    try:
        return function(*values)
    except Exception as error:
        record(error)
        return None


def install() -> None:
    """Record also what Qt and VTK give to the interpreter as unhandled."""

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        record(error.with_traceback(trace))

    sys.excepthook = hook
