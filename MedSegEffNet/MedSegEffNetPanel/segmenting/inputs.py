"""The channels: filled in from the scene by themselves, checked, mended by a click."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import qt
import slicer
import vtk
from slicer.i18n import tr as _

from MedSegEffNetLib.task import reference_channel
from MedSegEffNetPanel import bridge, matching, steps
from MedSegEffNetPanel.segmenting.channel_table import ChannelTable
from MedSegEffNetPanel.segmenting.request import Source
from MedSegEffNetPanel.signals import Signal

_SETTLE = 300  # ms after a volume was added: it gets its name and its voxels after that event


class Inputs:
    """Which volume is which channel.

    Attributes
    ----------
    changed : emitted when a choice or a state has changed. problem : emitted with a sentence when resampling failed.
    leaving : emitted with a node that is about to be removed from the scene.
    make_wanted : emitted with the name of a channel that a network is to make. makeable : those that one can make.
    """

    def __init__(self, ui, panel) -> None:
        self._panel = panel
        self.table = ChannelTable(ui.channelGrid)
        self.channels: tuple[Any, ...] = ()
        self.changed = Signal()
        self.problem = Signal()
        self.leaving = Signal()
        self.make_wanted = self.table.make_wanted
        self.makeable: frozenset[str] = frozenset()
        self._states: dict[str, matching.ChannelState] = {}
        self._observers: list[int] = []
        self._resampling: Any = None
        self._looking: Any = None  # into the headers of the chosen volumes' files
        self._filled: set[str] = set()  # channels that were chosen here, not by the user
        self._enabled = True
        self._known: set[str] = set()  # volumes that were there at the last look
        self._settle = qt.QTimer()
        self._settle.setSingleShot(True)
        self._settle.setInterval(_SETTLE)
        self._settle.connect("timeout()", self._on_settled)
        self.table.changed.connect(self._on_chosen)
        self.table.resample_wanted.connect(self._on_resample)

    def show_model(self, channels: Sequence[Any]) -> None:
        """Rows for the channels of a model; volumes chosen before stay chosen."""
        if tuple(channels) != self.channels:
            self.stop()
            self.channels = tuple(channels)
            self.table.set_channels(self.channels)
            self._take_parameters()
        self._fill_empty()

    def enter(self) -> None:
        """Watch the scene, and fill in what has come meanwhile."""
        scene = slicer.mrmlScene
        if not self._observers:
            self._observers = [
                scene.AddObserver(scene.NodeAddedEvent, self._on_node_event),
                scene.AddObserver(scene.NodeRemovedEvent, self._on_node_event),
                scene.AddObserver(scene.NodeAboutToBeRemovedEvent, self._on_leaving),
            ]
        self._fill_empty()

    def leave(self) -> None:
        """Watch the scene no longer."""
        for observer in self._observers:
            slicer.mrmlScene.RemoveObserver(observer)
        self._observers = []
        self._settle.stop()

    def stop(self) -> None:
        """End a resampling; nothing of it stays. A look into files ends too."""
        if self._looking is not None:
            self._looking.cancel()
            self._looking = None
        if self._resampling is not None:
            self._resampling.cancel()
            self._resampling = None
            self.table.enable(self._enabled)

    def scene_changed(self) -> None:
        """Take the choices of another scene."""
        self._take_parameters()
        self._known = {candidate.id for candidate in bridge.candidates()}
        self._fill_empty()

    def fill(self, nodes: Sequence[Any] = ()) -> bool:
        """Choose all channels anew from the names of ``nodes`` (none: of all volumes); False: the names do not tell."""
        wanted = {node.GetID() for node in nodes}
        candidates = [one for one in bridge.candidates() if not wanted or one.id in wanted]
        found = matching.fill_channels(candidates, self.channels)
        if found:
            for channel in self.channels:
                self._choose(channel.name, _node(found.get(channel.name)))
            self._filled = set(found)
        self._show_states()
        return bool(found)

    def take(self, nodes: Mapping[str, Any]) -> None:
        """Choose these volumes by channel, as the user would; other rows stay as they are."""
        for name, node in nodes.items():
            self._choose(name, node)
        self._filled -= nodes.keys()
        self._show_states()

    def sources(self) -> dict[str, Source]:
        """The chosen volumes by channel; the components of a color volume are the channels in their order."""
        nodes = self._given()
        color = next((node for node in nodes.values() if bridge.components(node) > 1), None)
        if color is not None:
            return {channel.name: Source(color.GetID(), number) for number, channel in enumerate(self.channels)}
        return {name: Source(node.GetID()) for name, node in nodes.items()}

    def reference(self) -> Any:
        """The volume that gives the result its grid and its name; None: none is chosen."""
        nodes = self._given()
        return nodes[reference_channel(self._by_weight(), nodes)] if nodes else None

    def sequences(self) -> dict[str, int]:
        """Time points by the id of each chosen volume that shows a sequence of more than one."""
        lengths = {node.GetID(): bridge.sequence_length(node) for node in self._given().values()}
        return {node_id: length for node_id, length in lengths.items() if length > 1}

    def reasons(self) -> list[str]:
        """Why nothing can be computed from these channels; empty: it can."""
        if self._resampling is not None:
            return [_("A volume is being resampled.")]
        return list(dict.fromkeys(state.sentence for state in self._states.values() if state.blocks))

    def remarks(self) -> list[str]:
        """What looks wrong and does not block."""
        return [state.sentence for state in self._states.values() if state.doubtful and not state.blocks]

    def enable(self, on: bool) -> None:
        """Let the channels be changed, or not while they are read."""
        self._enabled = on
        self.table.enable(on and self._resampling is None)

    def _by_weight(self) -> tuple[Any, ...]:
        """The channels, first those that sooner give the result its grid."""
        return self.channels

    def _judged(self, facts: Mapping[str, matching.Candidate | None]) -> dict[str, matching.ChannelState]:
        return matching.channel_states(self.channels, facts)

    def _given(self) -> dict[str, Any]:
        return {name: node for name, node in self.table.nodes().items() if node is not None}

    def _take_parameters(self) -> None:
        for channel in self.channels:
            self.table.choose(channel.name, self._panel.parameters.channel(channel.name))

    def _fill_empty(self) -> None:
        """Choose all channels, if none is chosen; else volumes that have arrived, for channels that are empty.

        A channel that the user emptied stays so.
        """
        candidates = bridge.candidates()
        ids = {candidate.id for candidate in candidates}
        new, self._known = ids - self._known, ids
        chosen = {name: node.GetID() for name, node in self._given().items()}
        found = matching.fill_channels(candidates, self.channels) if new or not chosen else {}
        if all(found.get(name, node_id) == node_id for name, node_id in chosen.items()):
            for name, node_id in found.items():
                if name not in chosen and (node_id in new or not chosen):
                    self._choose(name, _node(node_id))
                    self._filled.add(name)
        self._show_states()

    def _choose(self, name: str, node: Any) -> None:
        self.table.choose(name, node)
        self._panel.parameters.set_channel(name, node)

    def _on_chosen(self, name: str) -> None:
        node = self.table.nodes()[name]
        self._filled.discard(name)
        self._panel.parameters.set_channel(name, node)
        if node is not None and bridge.components(node) > 1:
            for channel in self.channels:
                self._choose(channel.name, node)
        self._show_states()

    def _show_states(self) -> None:
        facts = {name: bridge.facts(node) for name, node in self.table.nodes().items()}
        self._states = self._judged(facts)
        self.table.show_states(self._states, self.makeable if self._given() else ())
        self._look()
        self.changed.emit()

    def _look(self) -> None:
        """Ask the files of the chosen volumes whether a network made these; what was filled in so is taken out."""
        nodes = bridge.unseen(self._given().values())
        if nodes and (self._looking is None or self._looking.over):
            work = bridge.look(nodes)
            self._looking = steps.run(work, done=self._looked, failed=lambda error: self.problem.emit(str(error)))

    def _looked(self, found: bool) -> None:
        if not found:
            self._look()  # others may have been chosen meanwhile
            return
        for name, node in self._given().items():
            if self._enabled and name in self._filled and bridge.made_by(node):
                self._choose(name, None)
        self._show_states()

    def _on_node_event(self, caller: Any, event: Any) -> None:
        self._settle.start()

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def _on_leaving(self, caller: Any, event: Any, node: Any) -> None:
        """A selector would choose the neighbor of a node that goes: the channel is emptied before."""
        for name, chosen in self.table.nodes().items():
            if chosen is node:
                self._choose(name, None)
        self.leaving.emit(node)

    def _on_settled(self) -> None:
        if self._enabled:
            self._fill_empty()
        else:
            self._settle.start()  # a run shows what it was started with; look again later

    def _on_resample(self, name: str) -> None:
        work = bridge.resample_like(self.table.nodes()[name], self.reference())
        self._resampling = steps.run(work, done=lambda made: self._on_resampled(name, made), failed=self._on_failed)
        self.table.enable(False)
        self.changed.emit()

    def _on_resampled(self, name: str, made: Any) -> None:
        self._resampling = None
        self.table.enable(self._enabled)
        self._choose(name, made)
        self._show_states()

    def _on_failed(self, error: Exception) -> None:
        self._resampling = None
        self.table.enable(self._enabled)
        self.problem.emit(str(error))
        self._show_states()


def _node(node_id: str | None) -> Any:
    return slicer.mrmlScene.GetNodeByID(node_id) if node_id else None
