"""Which volume is which channel, and whether the choice is sound. Knows names and grids, no nodes.

A wrong guess is worse than none: whatever can be read in two ways stays empty for the user to choose.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from slicer.i18n import tr as _

from MedSegEffNetLib.dataset.series_names import channel_of, is_label, of_two_patients
from MedSegEffNetLib.task import Channel, reference_channel
from MedSegEffNetPanel.grid import Grid


@dataclass(frozen=True)
class Candidate:
    """A volume as the panel knows it.

    Attributes
    ----------
    id : of the node. name : of the node. description : of its DICOM series; may be empty.
    group : patient or folder in the data tree; volumes of two groups are not mixed. Empty: not known.
    components : numbers a voxel. grid : None without voxels. fingerprint : equal for equal images.
    synthesised : the model that made it; empty: it comes from a scanner, for all it says.
    """

    id: str
    name: str
    description: str = ""
    group: str = ""
    components: int = 1
    grid: Grid | None = None
    fingerprint: str = ""
    synthesised: str = ""


@dataclass(frozen=True)
class ChannelState:
    """How it stands with one channel.

    Attributes
    ----------
    word : for the narrow column: "ok", "missing" ... sentence : what is the matter, and what to do.
    blocks : nothing can be computed so. can_resample : a copy on the grid of the reference would mend it.
    doubtful : it may be wrong, and the user should look. given : a volume is chosen.
    """

    word: str
    sentence: str
    blocks: bool = False
    can_resample: bool = False
    doubtful: bool = False
    given: bool = True


def fill_channels(candidates: Sequence[Candidate], channels: Sequence[Channel]) -> dict[str, str]:
    """Node id by channel name, for the channels that can be told without doubt.

    Names and series descriptions are read by :mod:`MedSegEffNetLib.dataset.series_names`.
    Volumes of two patients are never mixed, and none that a network made is taken. Of several volumes for a channel, the
    only one on the grid of the other channels is taken. A color volume with as many components as there are channels
    serves them all where no volume has a channel's name; the only volume of the scene serves the only channel whatever
    its name.
    """
    usable = [c for c in candidates if c.grid is not None and not c.synthesised and not is_label(Path(c.name))]
    told = {c.id: channel_of(c.name, c.description, channels) if c.components == 1 else None for c in usable}
    if not any(told.values()):
        only = [c for c in usable if c.components == len(channels)]
        if len(only) != 1 or (len(channels) == 1 and len(usable) > 1):
            return {}
        return {channel.name: only[0].id for channel in channels}
    groups = dict.fromkeys(c.group for c in usable if told[c.id])
    found = [_of_group([c for c in usable if c.group == group], told) for group in groups]
    required = {channel.name for channel in channels if channel.required}
    if len(found) > 1:
        found = [chosen for chosen in found if required <= chosen.keys()]
    if len(found) != 1 or of_two_patients((chosen.name for chosen in found[0].values()), channels):
        return {}
    return {name: candidate.id for name, candidate in found[0].items()}


def _of_group(group: Sequence[Candidate], told: Mapping[str, str | None]) -> dict[str, Candidate]:
    """The candidate of each channel; where there are several, the only one on the grid of the other channels."""
    by_name: dict[str, list[Candidate]] = {}
    for candidate in group:
        if (name := told[candidate.id]) is not None:
            by_name.setdefault(name, []).append(candidate)
    found = {name: several[0] for name, several in by_name.items() if len(several) == 1}
    sure = list(found.values())
    for name, several in by_name.items():
        fitting = [candidate for candidate in several if sure and all(_same_grid(candidate, other) for other in sure)]
        if len(several) > 1 and len(fitting) == 1:
            found[name] = fitting[0]
    return found


def _same_grid(one: Candidate, other: Candidate) -> bool:
    return one.grid is not None and other.grid is not None and one.grid.same(other.grid)


def channel_states(channels: Sequence[Channel], facts: Mapping[str, Candidate | None]) -> dict[str, ChannelState]:
    """How it stands with each channel; the volume of the reference channel gives the grid."""
    given = {channel.name: chosen for channel in channels if (chosen := facts.get(channel.name)) is not None}
    color = next((chosen for chosen in given.values() if chosen.components > 1), None)
    states = {}
    for number, channel in enumerate(channels):
        chosen = given.get(channel.name)
        if chosen is None:
            states[channel.name] = _not_given(channel, channels, bool(given))
        elif color is not None:
            states[channel.name] = _of_color(number, channel, chosen, color, len(channels))
        else:
            states[channel.name] = _chosen(channel, chosen, channels, given)
    return states


def _not_given(channel: Channel, channels: Sequence[Channel], others: bool) -> ChannelState:
    """Of a model that requires none, each channel has a network of its own; ``others``: another channel is given."""
    if not any(one.required for one in channels):
        if others:
            text = _("{channel} is optional. Without it the networks of the other images decide.")
            return ChannelState(_("not given"), text.format(channel=channel.title), given=False)
        titles = ", ".join(one.title for one in channels)
        text = _("Choose a volume for one at least of {channels}.").format(channels=titles)
        return ChannelState(_("not given"), text, blocks=True, given=False)
    if channel.required:
        text = _("Choose the volume for {channel}.").format(channel=channel.title)
        return ChannelState(_("missing"), text, blocks=True, given=False)
    other = next((c.title for c in channels if c.name == channel.substitute), "")
    text = (
        _("{channel} is optional. Without it, {other} takes its place.")
        if other
        else _("{channel} is optional. Without it the model sees an empty image there and may be less exact.")
    )
    return ChannelState(_("not given"), text.format(channel=channel.title, other=other), given=False)


def _of_color(number: int, channel: Channel, chosen: Candidate, color: Candidate, count: int) -> ChannelState:
    if chosen.id != color.id:
        text = _(
            "{name} is not used while the color volume {color} gives all channels. Choose gray volumes only, or {color}."
        )
        return ChannelState(_("not used"), text.format(name=chosen.name, color=color.name), blocks=True)
    if color.components != count:
        text = _("{name} has {found} components and the model takes {count} channels. Choose another volume.")
        text = text.format(name=color.name, found=color.components, count=count)
        return ChannelState(_("wrong components"), text, blocks=True)
    text = _("Component {number} of {name} is {channel}.")
    return ChannelState(_("ok"), text.format(number=number + 1, name=color.name, channel=channel.title))


def _chosen(
    channel: Channel, chosen: Candidate, channels: Sequence[Channel], given: Mapping[str, Candidate]
) -> ChannelState:
    names = {"name": chosen.name, "channel": channel.title}
    titles = {other.name: other.title for other in channels}
    twin = next((n for n, other in given.items() if n != channel.name and other.id == chosen.id), None)
    equal = next(
        (n for n, o in given.items() if n != channel.name and o.fingerprint and o.fingerprint == chosen.fingerprint),
        None,
    )
    reference = given[reference_channel(channels, given)]
    if chosen.grid is None or reference.grid is None:
        return ChannelState(_("empty"), _("{name} holds no voxels. Load it again.").format(**names), blocks=True)
    if twin is not None:
        text = _("{name} is also chosen for {other}. Choose another volume for one of them.")
        return ChannelState(_("twice"), text.format(**names, other=titles[twin]), blocks=True)
    if equal is not None:
        text = _("{name} is the same image as {twin}, chosen for {other}. Choose another volume for one of them.")
        return ChannelState(
            _("same image"), text.format(**names, twin=given[equal].name, other=titles[equal]), blocks=True
        )
    if not chosen.grid.same(reference.grid):
        text = _("{name} has {found}, not placed as {reference} with {wanted}. Press Resample for a copy that fits.")
        text = text.format(**names, found=chosen.grid.text(), reference=reference.name, wanted=reference.grid.text())
        return ChannelState(_("other grid"), text, blocks=True, can_resample=True)
    return _judged_by_name(channel, chosen, channels, reference)


def _judged_by_name(
    channel: Channel, chosen: Candidate, channels: Sequence[Channel], reference: Candidate
) -> ChannelState:
    """Warnings: they do not block, as a name may be wrong."""
    names = {"name": chosen.name, "channel": channel.title}
    if chosen.synthesised:
        text = _("{name} was made by a network ({model}), not taken by a scanner: what is made from it is doubtful.")
        text = text.format(name=chosen.name, model=chosen.synthesised)
        return ChannelState(_("synthesised"), text, doubtful=True)
    if is_label(Path(chosen.name)):
        return ChannelState(
            _("a mask?"),
            _("{name} looks like a segmentation. Check that it is {channel}.").format(**names),
            doubtful=True,
        )
    told = channel_of(chosen.name, chosen.description, channels)
    if told not in (None, channel.name):
        names["other"] = next(c.title for c in channels if c.name == told)
        text = _("{name} looks like {other}. Check that it is {channel}.").format(**names)
        return ChannelState(_("looks like {other}").format(**names), text, doubtful=True)
    names["reference"] = reference.name
    if chosen.group != reference.group and chosen.group and reference.group:
        text = _("{name} lies elsewhere in the data tree than {reference}. Check that both are of one patient.")
        return ChannelState(_("other patient?"), text.format(**names), doubtful=True)
    if of_two_patients((chosen.name, reference.name), channels):
        text = _("{name} and {reference} are called like volumes of two patients. Check that both are of one.")
        return ChannelState(_("other patient?"), text.format(**names), doubtful=True)
    return ChannelState(_("ok"), _("{name} is {channel}.").format(**names))
