"""Signals without Qt, so that jobs and settings can be used and tested without a window."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Signal:
    """Calls every connected function with what is emitted, in the order of connection."""

    def __init__(self) -> None:
        self._receivers: list[Callable[..., Any]] = []

    def connect(self, receiver: Callable[..., Any]) -> None:
        """Call ``receiver`` from now on; connected twice it is still called once."""
        if receiver not in self._receivers:
            self._receivers.append(receiver)

    def disconnect(self, receiver: Callable[..., Any]) -> None:
        """Call ``receiver`` no longer; nothing happens if it was not connected."""
        if receiver in self._receivers:
            self._receivers.remove(receiver)

    def emit(self, *values: Any) -> None:
        """Call the receivers that are connected now."""
        for receiver in list(self._receivers):
            receiver(*values)
