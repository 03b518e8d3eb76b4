"""Which volumes are shown to the model, and which one is only compared with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from slicer.i18n import tr as _

from MedSegEffNetLib.task import Channel
from MedSegEffNetPanel import matching
from MedSegEffNetPanel.matching import Candidate, ChannelState
from MedSegEffNetPanel.segmenting.inputs import Inputs
from MedSegEffNetPanel.segmenting.request import Source

_ROW = "Synthesis."  # before a channel's name, where the scene keeps the choices


class _Rows:
    """Keeps the choices in the scene, apart from those of the section Segment."""

    def __init__(self, panel: Any) -> None:
        self._panel = panel

    @property
    def parameters(self) -> _Rows:
        """What :class:`Inputs` asks a panel for."""
        return self

    def channel(self, name: str) -> Any:
        """The volume that is chosen, or None."""
        return self._panel.parameters.channel(_ROW + name)

    def set_channel(self, name: str, node: Any) -> None:
        """Choose ``node`` (None: no volume)."""
        self._panel.parameters.set_channel(_ROW + name, node)


class Choices(Inputs):
    """A row for each channel; a volume in the row of the target is the real image, which the model does not see."""

    def __init__(self, ui: Any, panel: Any) -> None:
        super().__init__(ui, _Rows(panel))
        self.target = ""

    def show_target(self, target: str) -> None:
        """Take another channel as the one to make; empty: none."""
        self.target = target
        self._show_states()

    def seen(self) -> dict[str, Source]:
        """The volumes that the model is shown, by channel."""
        return {name: source for name, source in self.sources().items() if name != self.target}

    def real(self) -> Source | None:
        """The real image of the target, or None."""
        return self.sources().get(self.target)

    def _by_weight(self) -> tuple[Any, ...]:
        """The target does not give the grid where there is another one."""
        return tuple(sorted(self.channels, key=lambda channel: channel.name == self.target))

    def _judged(self, facts: Mapping[str, Candidate | None]) -> dict[str, ChannelState]:
        colored = any(chosen is not None and chosen.components > 1 for chosen in facts.values())
        return judged(self.channels if colored else self._by_weight(), self.target, facts)


def judged(channels: Sequence[Channel], target: str, facts: Mapping[str, Candidate | None]) -> dict[str, ChannelState]:
    """How it stands with each channel where ``target`` is to be made from the others."""
    found = {}
    inputs = [channel for channel in channels if channel.name != target]
    titles = ", ".join(channel.title for channel in inputs)
    any_input = any(facts.get(channel.name) for channel in inputs)
    states = matching.channel_states(channels, facts)
    for channel in channels:
        chosen = facts.get(channel.name)
        if chosen is None:
            found[channel.name] = _not_given(channel, target, "" if any_input else titles)
        elif chosen.synthesised:
            found[channel.name] = _made(channel, target, chosen)
        else:
            found[channel.name] = _given(channel, target, chosen, states[channel.name])
    return found


def _not_given(channel: Channel, target: str, needed: str) -> ChannelState:
    if channel.name == target:
        text = _("{channel} is made from the others. If it was taken, choose it to compare: the model does not see it.")
        return ChannelState(_("to be made"), text.format(channel=channel.title), given=False)
    if needed:
        text = _("Choose a volume for one at least of {channels}.").format(channels=needed)
        return ChannelState(_("not given"), text, blocks=True, given=False)
    text = _("{channel} is optional: what is made rests on the images that are given.")
    return ChannelState(_("not given"), text.format(channel=channel.title), given=False)


def _made(channel: Channel, target: str, chosen: Candidate) -> ChannelState:
    if channel.name == target:
        text = _("{name} was made by a network ({model}): choose the image of a scanner to compare with, or none.")
    else:
        text = _(
            "{name} was made by a network ({model}), which tells another one nothing: choose an image of a scanner."
        )
    text = text.format(name=chosen.name, model=chosen.synthesised)
    return ChannelState(_("synthesised"), text, blocks=True)


def _given(channel: Channel, target: str, chosen: Candidate, state: ChannelState) -> ChannelState:
    if channel.name != target or state.blocks or state.doubtful:
        return state
    text = _("{name} is the real {channel}: the model does not see it, and what is made is compared with it.")
    return replace(state, word=_("real image"), sentence=text.format(name=chosen.name, channel=channel.title))
