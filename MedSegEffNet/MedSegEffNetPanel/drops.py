"""Files and folders that are dropped on a widget."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import qt


class PathDrop(qt.QObject):
    """Takes what is dropped on ``widget`` and ``wanted``, and hands each path to ``receive``; other drops pass by.

    ``wanted`` may ask the disk, which can take long on a network: that is done when a drag comes in and when it is
    dropped, and never while it moves. For a list or table ``widget`` is its viewport. Keep this object as long as the
    widget.
    """

    def __init__(self, widget: Any, wanted: Callable[[Path], bool], receive: Callable[[Path], object]) -> None:
        qt.QObject.__init__(self)
        self._wanted, self._receive = wanted, receive
        self._dragged: list[Path] = []  # what is wanted of the drag that is over the widget
        widget.acceptDrops = True
        widget.installEventFilter(self)

    def eventFilter(self, watched: Any, event: Any) -> bool:
        """Qt's way to look at the events of another object: True keeps an event from it."""
        kind = event.type()
        if kind not in (qt.QEvent.DragEnter, qt.QEvent.DragMove, qt.QEvent.Drop):
            return False
        if kind != qt.QEvent.DragMove:
            self._dragged = [path for path in _paths(event.mimeData()) if self._wanted(path)]
        if self._dragged:
            event.acceptProposedAction()
        if kind == qt.QEvent.Drop:
            for path in self._dragged:
                self._receive(path)
        return bool(self._dragged)


def _paths(data: Any) -> list[Path]:
    return [Path(url.toLocalFile()) for url in data.urls() if url.isLocalFile()] if data.hasUrls() else []
