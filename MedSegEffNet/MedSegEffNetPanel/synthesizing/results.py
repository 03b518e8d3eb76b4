"""What was made: figures against the real image, and the buttons that show and use it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from MedSegEffNetPanel.bridge.side_by_side import SideBySide, View
from MedSegEffNetPanel.bridge.synthesised import BLUE, FULL, RED
from MedSegEffNetPanel.signals import Signal
from MedSegEffNetPanel.wording import tip


@dataclass(frozen=True)
class Result:
    """What a finished run left: nodes by id, and files by path.

    ``figures`` are NMAE, PSNR in dB and SSIM inside the head; empty: there was no real image. ``mark``: letters in the
    corner say that a network made it.
    """

    target: str
    title: str
    made_id: str
    input_ids: Mapping[str, str]
    reference_id: str
    real_id: str = ""
    difference_id: str = ""
    figures: Mapping[str, float | None] = field(default_factory=dict)
    report: Path | None = None
    mark: bool = False


class ResultView:
    """Shows one :class:`Result` at a time; hidden while there is none.

    :attr:`use_wanted` is emitted with the channel, its node, and the nodes that it was made from by channel.
    """

    def __init__(self, ui: Any) -> None:
        self._ui = ui
        self._result: Any = None  # a Result
        self._views = SideBySide()
        self._usual_tip = ui.useButton.toolTip
        self.use_wanted = Signal()
        ui.sideButton.connect("toggled(bool)", self._on_side)
        ui.useButton.connect("clicked()", self._on_use)
        ui.reportButton.connect("clicked()", self._on_report)
        self.clear()

    def show(self, result: Result) -> None:
        """Show ``result`` in place of the one before, and it alone in the slices where they are side by side."""
        seen = self._result is not None and self._views.shown
        self._result = result
        self._ui.resultLabel.text = told(result)
        self._ui.reportButton.enabled = result.report is not None
        self._ui.useButton.enabled = not result.mark
        letters = _("The letters in the corner replace voxels: make the image without them to segment it.")
        self._ui.useButton.toolTip = tip(letters) if result.mark else self._usual_tip
        self._ui.resultFrame.visible = True
        if seen:
            self._on_side(True)

    def node_leaves(self, node: Any) -> None:
        """``node`` is about to be removed from the scene: a result is not shown without its image."""
        result = self._result
        if result is None:
            return
        if node.GetID() in (result.made_id, result.reference_id):
            self.clear()
        elif node.GetID() in (result.real_id, result.difference_id):
            self._ui.sideButton.checked = False

    def clear(self) -> None:
        """Show no result; the volumes stay, the slices are as before."""
        self._result = None
        self._ui.sideButton.checked = False
        self._ui.resultFrame.visible = False

    def _on_side(self, on: bool) -> None:
        if not on:
            self._views.leave()
        elif self._result is not None:
            self._views.show(self._shown(self._result))

    def _shown(self, result: Result) -> list[View]:
        """What stands side by side; without what has left the scene."""
        parts = [
            ("Input", _("Input"), result.reference_id),
            ("Real", _("Real"), result.real_id if result.difference_id else ""),
            ("Made", _("Synthesised"), result.made_id),
            ("Difference", _("Difference"), result.difference_id),
        ]
        scene = slicer.mrmlScene
        found = [View(part, title, scene.GetNodeByID(node_id)) for part, title, node_id in parts if node_id]
        return [view for view in found if view.volume is not None]

    def _on_use(self) -> None:
        result, scene = self._result, slicer.mrmlScene
        if result is not None:
            nodes = {channel: scene.GetNodeByID(node_id) for channel, node_id in result.input_ids.items()}
            self.use_wanted.emit(result.target, scene.GetNodeByID(result.made_id), nodes)

    def _on_report(self) -> None:
        if self._result and self._result.report:
            qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(str(self._result.report)))


def told(result: Result) -> str:
    """What was made and how near it is to the real image, as HTML."""
    node = slicer.mrmlScene.GetNodeByID(result.made_id)
    lines = [f"<b>{escape(node.GetName())}</b>"]
    if result.figures:
        lines.append(escape(_("Against the real image, inside the head: {figures}.").format(figures=figures(result))))
    if result.difference_id:
        text = _("Difference: {red} too bright, {blue} too dark; full color from {full:g} standard deviations on.")
        squares = {"red": _square(RED), "blue": _square(BLUE)}
        lines.append(text.format(full=FULL, **squares))
    return "<br>".join(lines)


def figures(result: Result) -> str:
    """NMAE, PSNR and SSIM; what was not measured is left out."""
    shown = (("nmae", "NMAE {0:.3f}"), ("psnr", "PSNR {0:.1f} dB"), ("ssim", "SSIM {0:.3f}"))
    known = ((form, result.figures.get(name)) for name, form in shown)
    return ", ".join(form.format(value) for form, value in known if value is not None)


def _square(color: tuple[float, float, float]) -> str:
    red, green, blue = (round(255 * part) for part in color)
    return f'<span style="color: rgb({red},{green},{blue})">■</span>'
