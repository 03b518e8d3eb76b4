"""What happens now, or what is to be done first: a message, a bar, the log."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

import qt
from slicer.i18n import tr as _

_STEPS = 1000  # of the bar


class ProgressView:
    """Shows a run, or what the user should do first.

    The message has three parts: what was said last, remarks on the chosen volumes, and what is missing.
    """

    def __init__(self, ui) -> None:
        self._ui = ui
        self._report = ""
        self._logged = 0
        self._told: list[str] = []  # HTML, a line each
        self._asked: list[str] = []
        ui.progressBar.visible = False
        ui.copyReportButton.enabled = False
        ui.copyReportButton.connect("clicked()", self._on_copy)

    def show(self, run: Any) -> None:
        """Show the state of ``run`` (a :class:`~MedSegEffNetPanel.node_run.NodeRun`)."""
        bar = self._ui.progressBar
        bar.visible = not run.over
        bar.maximum = 0 if run.fraction is None else _STEPS  # 0: the bar only says that something moves
        bar.value = round((run.fraction or 0.0) * _STEPS)
        text = escape(f"{run.text}{time_left(run.seconds_left)}")
        self._told = [f"<b>{text}</b>" if run.failed else text, *(_warning(remark) for remark in run.remarks)]
        self._show_message()
        self._show_log(list(run.log), run.logged)
        self._report = run.report
        self._ui.copyReportButton.enabled = bool(run.report)

    def show_message(self, text: str) -> None:
        """Show a sentence, until there is another one."""
        self._told = [escape(text)]
        self._show_message()

    def show_reasons(self, reasons: Sequence[str], remarks: Sequence[str], installed: bool) -> None:
        """Show what is to be done first and what looks wrong; with a link where something is to be installed."""
        link = [] if installed else [f'<a href="environment">{_("Open Environment")}</a>']
        self._asked = [*map(_warning, remarks), *map(escape, reasons), *link]
        self._show_message()

    def _show_message(self) -> None:
        self._ui.messageLabel.text = "<br>".join(filter(None, [*self._told, *self._asked]))

    def _show_log(self, log: list[str], logged: int) -> None:
        view = self._ui.logText
        if logged < self._logged:  # another run
            view.clear()
            self._logged = 0
        for line in log[len(log) - min(len(log), logged - self._logged) :]:
            view.appendPlainText(line)
        self._logged = logged

    def _on_copy(self) -> None:
        qt.QApplication.clipboard().setText(self._report)


def time_left(seconds: float | None) -> str:
    """ " (about 12 s left)"; empty if it is not known or soon over."""
    if seconds is None or seconds < 0.5:
        return ""
    if seconds < 90:
        return _(" (about {seconds} s left)").format(seconds=max(1, round(seconds)))
    return _(" (about {minutes} min left)").format(minutes=round(seconds / 60))


def _warning(text: str) -> str:
    return f"⚠ {escape(text)}"
