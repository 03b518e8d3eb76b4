"""Files and folders that are dropped on a widget."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import qt


class PathDrop(qt.QObject):
    """Takes what is dropped on ``widget`` and ``wanted``, and hands each path to ``receive``; other drops pass by.

    For a list or table ``widget`` is its viewport. Keep this object as long as the widget.
    """

    def __init__(self, widget: Any, wanted: Callable[[Path], bool], receive: Callable[[Path], object]) -> None:
        qt.QObject.__init__(self)
        self._wanted, self._receive = wanted, receive
        widget.acceptDrops = True
        widget.installEventFilter(self)

    def eventFilter(self, watched: Any, event: Any) -> bool:
        """Qt's way to look at the events of another object: True keeps an event from it."""
        kind = event.type()
        if kind not in (qt.QEvent.DragEnter, qt.QEvent.DragMove, qt.QEvent.Drop):
            return False
        data = event.mimeData()
        paths = [Path(url.toLocalFile()) for url in data.urls() if url.isLocalFile()] if data.hasUrls() else []
        wanted = [path for path in paths if self._wanted(path)]
        if wanted:
            event.acceptProposedAction()
        if kind == qt.QEvent.Drop:
            for path in wanted:
                self._receive(path)
        return bool(wanted)
