"""Screenshots: the panel beside four views, as in Slicer's window."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from PySide6 import QtCore, QtWidgets

from harness import views

PANEL_WIDTH, VIEWS_WIDTH, HEIGHT = 480, 800, 900


def picture(panel_widget: Any, path: Path, *, height: int = HEIGHT, bottom: bool = False) -> None:
    """Write a PNG of the panel's window as it is, with the views beside it.

    Parameters
    ----------
    panel_widget : the widget that a user scrolls: the module's widget, or its scroll area.
    height : of the picture in pixels.
    bottom : show the end of a panel that is longer than the picture, not its beginning.
    """
    manager = sys.modules["slicer"].app.layoutManager()
    window = QtWidgets.QWidget()
    window.setObjectName("picture")
    layout = QtWidgets.QHBoxLayout(window)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(4)
    shot = QtWidgets.QLabel()
    shot.setPixmap(_panel(panel_widget, height, bottom))
    shot.setAlignment(QtCore.Qt.AlignmentFlag.AlignTop)
    shot.setFixedSize(PANEL_WIDTH, height)
    layout.addWidget(shot)
    layout.addWidget(views.ViewPictures(manager, VIEWS_WIDTH, height))
    window.setFixedSize(PANEL_WIDTH + VIEWS_WIDTH + 4, height)
    path.parent.mkdir(parents=True, exist_ok=True)
    if not window.grab().save(str(path)):
        raise OSError(f"{path} could not be written")
    window.deleteLater()


def _panel(widget: Any, height: int, bottom: bool) -> Any:
    area = widget if isinstance(widget, QtWidgets.QScrollArea) else _area_of(widget)
    target = area or widget
    target.resize(PANEL_WIDTH, height)
    QtCore.QCoreApplication.processEvents()
    if area is not None:
        bar = area.verticalScrollBar()
        bar.setValue(bar.maximum() if bottom else bar.minimum())
        QtCore.QCoreApplication.processEvents()
    return target.grab()


def _area_of(widget: Any) -> Any:
    while widget is not None and not isinstance(widget, QtWidgets.QScrollArea):
        widget = widget.parentWidget()
    return widget
