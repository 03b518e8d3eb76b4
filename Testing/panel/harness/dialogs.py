"""Dialogs that would wait for a user: each is recorded and answered at once."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from PySide6 import QtWidgets

_Button = QtWidgets.QMessageBox.StandardButton
_YES = (_Button.Ok, _Button.Yes, _Button.Retry, _Button.Save)


@dataclass
class Dialogs:
    """What was shown, and what is answered.

    Attributes
    ----------
    shown : texts of the message boxes in their order, each as (kind, text); kinds: message, file.
    answers : of the next questions (True: yes, or the name of a button) and file dialogs (a path); without one: yes,
        and no path.
    """

    shown: list[tuple[str, str]] = field(default_factory=list)
    answers: deque[Any] = field(default_factory=deque)

    def texts(self) -> list[str]:
        """The texts alone."""
        return [text for _, text in self.shown]

    def reset(self) -> None:
        """Forget everything."""
        self.shown.clear()
        self.answers.clear()


DIALOGS = Dialogs()


def message_box(text: str, parent: Any = None, **keys: Any) -> Any:
    """In place of ``slicer.util.messageBox``."""
    buttons = keys.get("standardButtons", _Button.Ok)
    question = len([one for one in _Button if one.value and one in buttons]) > 1
    DIALOGS.shown.append(("message", text))
    yes = DIALOGS.answers.popleft() if question and DIALOGS.answers else True
    if isinstance(yes, str):
        return _Button[yes]
    wanted = _YES if yes else (_Button.Cancel, _Button.No, _Button.Close)
    return next(button for button in wanted if button in buttons)


class QFileDialog(QtWidgets.QFileDialog):
    """Its static functions give what the test answers, as texts like PythonQt."""

    @staticmethod
    def _ask(title: str) -> str:
        DIALOGS.shown.append(("file", title))
        return str(DIALOGS.answers.popleft()) if DIALOGS.answers else ""

    @staticmethod
    def getExistingDirectory(parent: Any = None, caption: str = "", directory: str = "", options: Any = None) -> str:  # type: ignore[override]
        """A folder, or an empty text."""
        return QFileDialog._ask(caption)

    @staticmethod
    def getOpenFileName(  # type: ignore[override]
        parent: Any = None, caption: str = "", directory: str = "", filter: str = "", selected: Any = None
    ) -> str:
        """A file, or an empty text."""
        return QFileDialog._ask(caption)

    @staticmethod
    def getSaveFileName(  # type: ignore[override]
        parent: Any = None, caption: str = "", directory: str = "", filter: str = "", selected: Any = None
    ) -> str:
        """A file, or an empty text."""
        return QFileDialog._ask(caption)
