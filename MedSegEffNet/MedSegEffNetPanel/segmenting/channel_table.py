"""One row a channel: which volume it is, its state, and the button that mends it."""

from __future__ import annotations

import functools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from MedSegEffNetLib.task import Channel
from MedSegEffNetPanel.signals import Signal

_VOLUMES = ["vtkMRMLScalarVolumeNode", "vtkMRMLVectorVolumeNode"]


@dataclass
class Row:
    """The widgets of a channel."""

    title: Any
    selector: Any
    state: Any
    mend: Any


class ChannelTable:
    """Rows in a grid. :attr:`changed` is emitted with the channel's name when the user (or the scene) chooses another
    volume, :attr:`resample_wanted` or :attr:`make_wanted` with it when its button is pressed."""

    def __init__(self, grid: qt.QGridLayout) -> None:
        self._grid = grid
        self._rows: dict[str, Row] = {}
        self.changed = Signal()
        self.resample_wanted = Signal()
        self.make_wanted = Signal()

    def set_channels(self, channels: Sequence[Channel]) -> None:
        """Make the rows anew, without a chosen volume."""
        for row in self._rows.values():
            for widget in (row.title, row.selector, row.state, row.mend):
                self._grid.removeWidget(widget)
                widget.hide()
                widget.deleteLater()
        self._rows = {channel.name: self._row(number, channel) for number, channel in enumerate(channels)}

    def nodes(self) -> dict[str, Any]:
        """The chosen volume node (or None) by channel name."""
        return {name: row.selector.currentNode() for name, row in self._rows.items()}

    def choose(self, name: str, node: Any) -> None:
        """Choose ``node`` (None: no volume) without emitting :attr:`changed`."""
        selector = self._rows[name].selector
        was = selector.blockSignals(True)
        selector.setCurrentNode(node)
        selector.blockSignals(was)

    def show_states(self, states: Mapping[str, Any], makeable: Collection[str] = ()) -> None:
        """Show each channel's state: its word, its sentence as a tooltip, and the button where it mends something.

        ``makeable`` names the channels that a network can make where none is given.
        """
        for number, (name, row) in enumerate(self._rows.items()):
            state = states[name]
            row.state.text = state.word
            row.state.toolTip = row.selector.toolTip = state.sentence
            makes = not state.given and name in makeable
            if makes:
                row.mend.text = _("Make …")
                row.mend.toolTip = _("Have a network make this image from the others, in the section Synthesize.")
            else:
                row.mend.text = _("Resample")
                row.mend.toolTip = _(
                    "Make a copy of this volume on the grid of the model's main channel and choose it."
                )
            self._grid.addWidget(row.mend, number, 2 if makes else 3)  # there is little room beside a long state
            row.state.visible = not makes
            row.mend.visible = makes or state.can_resample

    def enable(self, on: bool) -> None:
        """Let volumes be chosen, or not while a job reads them."""
        for row in self._rows.values():
            row.selector.enabled = on
            row.mend.enabled = on

    def _row(self, number: int, channel: Channel) -> Row:
        row = Row(qt.QLabel(f"{channel.title}:"), self._selector(channel), qt.QLabel(), qt.QToolButton())
        row.mend.visible = False
        row.mend.connect("clicked()", functools.partial(self._on_mend, channel.name))
        for column, widget in enumerate((row.title, row.selector, row.state, row.mend)):
            self._grid.addWidget(widget, number, column)
        self._grid.setColumnStretch(1, 1)
        return row

    def _selector(self, channel: Channel) -> Any:
        selector = slicer.qMRMLNodeComboBox()
        selector.objectName = f"channel_{channel.name}"
        selector.nodeTypes = _VOLUMES
        selector.showChildNodeTypes = False  # a label map is a child type of a scalar volume
        selector.addEnabled = False
        selector.removeEnabled = False
        selector.noneEnabled = True
        selector.noneDisplay = _("Choose a volume") if channel.required else _("Not given (optional)")
        selector.setMRMLScene(slicer.mrmlScene)
        selector.setCurrentNode(None)
        selector.connect("currentNodeChanged(vtkMRMLNode*)", functools.partial(self._on_chosen, channel.name))
        return selector

    def _on_mend(self, name: str) -> None:
        wanted = self.make_wanted if self._rows[name].selector.currentNode() is None else self.resample_wanted
        wanted.emit(name)

    def _on_chosen(self, name: str, node: Any) -> None:
        self.changed.emit(name)
