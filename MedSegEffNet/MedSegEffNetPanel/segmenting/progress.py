"""What happens now: one sentence, a bar, the log."""

from __future__ import annotations

from typing import Any

import qt
from slicer.i18n import tr as _

_STEPS = 1000  # of the bar


class ProgressView:
    """Shows a run, or what the user should do first."""

    def __init__(self, ui) -> None:
        self._ui = ui
        self._report = ""
        self._logged = 0
        self._asks = False  # whether the message says what to do first
        ui.progressBar.visible = False
        ui.copyReportButton.enabled = False
        ui.copyReportButton.connect("clicked()", self._on_copy)

    def show(self, run: Any) -> None:
        """Show the state of ``run`` (a :class:`~MedSegEffNetPanel.segmenting.run.SegmentRun`)."""
        bar = self._ui.progressBar
        bar.visible = not run.over
        bar.maximum = 0 if run.fraction is None else _STEPS  # 0: the bar only says that something moves
        bar.value = round((run.fraction or 0.0) * _STEPS)
        self.show_message(f"{run.text}{time_left(run.seconds_left)}")
        self._show_log(run.log, run.logged)
        self._report = run.report
        self._ui.copyReportButton.enabled = bool(run.report)

    def show_message(self, text: str) -> None:
        """Show a sentence, until there is another one."""
        self._asks = False
        self._ui.messageLabel.text = text

    def show_reasons(self, reasons: list[str], installed: bool) -> None:
        """Show what is to be done first; with a link where something is to be installed."""
        if not reasons and not self._asks:
            return  # what the last run said stays
        text = "<br>".join(reasons)
        if not installed:
            text += f' <a href="environment">{_("Open Environment")}</a>'
        self.show_message(text)
        self._asks = bool(reasons)

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
    """ "…, about 12 s left"; empty if it is not known."""
    if seconds is None or seconds < 0.5:
        return ""
    if seconds < 90:
        return _(" (about {seconds} s left)").format(seconds=max(1, round(seconds)))
    return _(" (about {minutes} min left)").format(minutes=round(seconds / 60))
