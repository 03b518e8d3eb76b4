"""The channels: filled in from the scene by themselves, checked, mended by a click."""

from __future__ import annotations

from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from MedSegEffNetPanel import bridge, matching, steps
from MedSegEffNetPanel.model_list import ModelEntry
from MedSegEffNetPanel.segmenting.channel_table import ChannelTable
from MedSegEffNetPanel.segmenting.request import Source
from MedSegEffNetPanel.signals import Signal

_SETTLE = 300  # ms after a volume was added: it gets its name and its voxels after that event


class Inputs:
    """Which volume is which channel. :attr:`changed` is emitted when a choice or a state has changed."""

    def __init__(self, ui, panel) -> None:
        self._panel = panel
        self.table = ChannelTable(ui.channelGrid)
        self.channels: tuple[Any, ...] = ()
        self.changed = Signal()
        self._states: dict[str, matching.ChannelState] = {}
        self._observers: list[int] = []
        self._resampling: Any = None
        self._known: set[str] = set()  # volumes that were there at the last look
        self._settle = qt.QTimer()
        self._settle.setSingleShot(True)
        self._settle.setInterval(_SETTLE)
        self._settle.connect("timeout()", self._on_settled)
        self.table.changed.connect(self._on_chosen)
        self.table.resample_wanted.connect(self._on_resample)
        ui.fillButton.connect("clicked()", self.fill)

    def show_model(self, entry: ModelEntry | None) -> None:
        """Rows for the channels of a model; volumes chosen before stay chosen."""
        channels = entry.bundle.channels if entry else ()
        if channels != self.channels:
            self.channels = channels
            self.table.set_channels(channels)
            for channel in channels:
                self.table.choose(channel.name, self._panel.parameters.channel(channel.name))
        self._fill_empty()

    def enter(self) -> None:
        """Watch the scene and fill what is empty."""
        scene = slicer.mrmlScene
        if not self._observers:
            for event in (scene.NodeAddedEvent, scene.NodeRemovedEvent):
                self._observers.append(scene.AddObserver(event, self._on_node_event))
        self._fill_empty()

    def leave(self) -> None:
        """Watch the scene no longer."""
        for observer in self._observers:
            slicer.mrmlScene.RemoveObserver(observer)
        self._observers = []
        self._settle.stop()

    def scene_changed(self) -> None:
        """Take the choices of another scene."""
        for channel in self.channels:
            self.table.choose(channel.name, self._panel.parameters.channel(channel.name))
        self._fill_empty()

    def fill(self) -> None:
        """Choose all channels anew from the names of the volumes."""
        for channel in self.channels:
            self._choose(channel.name, None)
        self._fill_empty()

    def sources(self) -> dict[str, Source]:
        """The chosen volumes by channel; the components of a color volume are the channels in their order."""
        nodes = {name: node for name, node in self.table.nodes().items() if node is not None}
        color = next((node for node in nodes.values() if bridge.components(node) > 1), None)
        if color is not None:
            return {channel.name: Source(color.GetID(), number) for number, channel in enumerate(self.channels)}
        return {name: Source(node.GetID()) for name, node in nodes.items()}

    def frames(self) -> int:
        """Time points of the sequence that a chosen volume shows; 0: none shows one."""
        return max(
            (bridge.sequence_length(node) for node in self.table.nodes().values() if node is not None), default=0
        )

    def reasons(self) -> list[str]:
        """Why these channels cannot be segmented; empty: they can."""
        return [state.sentence for state in self._states.values() if state.blocks]

    def enable(self, on: bool) -> None:
        """Let the channels be changed, or not while they are read."""
        self.table.enable(on and self._resampling is None)

    def _fill_empty(self) -> None:
        """Choose all channels, if none is chosen."""
        candidates = bridge.candidates()
        self._known = {candidate.id for candidate in candidates}
        if self.channels and not any(self.table.nodes().values()):
            for name, node_id in matching.fill_channels(candidates, self.channels).items():
                self._choose(name, slicer.mrmlScene.GetNodeByID(node_id))
        self._show_states()

    def _fill_new(self) -> None:
        """Choose volumes that have arrived for channels that are empty; a channel that the user emptied stays so."""
        candidates = bridge.candidates()
        new = {candidate.id for candidate in candidates} - self._known
        found = matching.fill_channels(candidates, self.channels) if new else {}
        chosen = {name: node.GetID() for name, node in self.table.nodes().items() if node is not None}
        if all(found.get(name, node_id) == node_id for name, node_id in chosen.items()):
            for name in [name for name, node_id in found.items() if node_id in new and name not in chosen]:
                self._choose(name, slicer.mrmlScene.GetNodeByID(found[name]))

    def _choose(self, name: str, node: Any) -> None:
        self.table.choose(name, node)
        self._panel.parameters.set_channel(name, node)

    def _on_chosen(self, name: str) -> None:
        node = self.table.nodes()[name]
        self._panel.parameters.set_channel(name, node)
        if node is not None and bridge.components(node) > 1:
            for channel in self.channels:
                self._choose(channel.name, node)
        self._show_states()

    def _show_states(self) -> None:
        nodes = self.table.nodes()
        self._states = matching.channel_states(
            self.channels, {name: bridge.facts(node) for name, node in nodes.items()}
        )
        self.table.show_states(self._states)
        self.changed.emit()

    def _on_node_event(self, caller: Any, event: Any) -> None:
        self._settle.start()

    def _on_settled(self) -> None:
        self._fill_new()
        self._fill_empty()

    def _on_resample(self, name: str) -> None:
        node = self.table.nodes()[name]
        reference = next(node for node in self.table.nodes().values() if node is not None)
        work = bridge.resample_like(node, reference)
        self._resampling = steps.run(
            work,
            done=lambda made: self._on_resampled(name, made),
            failed=lambda error: self._on_resampled(name, None, str(error)),
        )
        self.changed.emit()

    def _on_resampled(self, name: str, made: Any, problem: str = "") -> None:
        self._resampling = None
        if made is not None:
            self._choose(name, made)
        else:
            slicer.util.errorDisplay(_("The volume was not resampled: {problem}").format(problem=problem))
        self._show_states()
