"""What is segmented or synthesised: tasks, declared as data.

A task is one file in :mod:`MedSegEffNetLib.tasks` that defines ``TASK``; the file's name with ``-`` for ``_`` is the
task's id. Tasks know neither torch nor any network class: networks, preprocessing steps, losses and readers are named
by the keys of their registries, and the settings are validated where these dataclasses are made.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from MedSegEffNetLib.errors import InputError

Color = tuple[int, int, int]


@dataclass(frozen=True)
class Code:
    """A coded term, e.g. ``Code("SCT", "108369006", "Neoplasm")`` (coding scheme, value, meaning)."""

    scheme: str
    value: str
    meaning: str


@dataclass(frozen=True)
class Terminology:
    """Slicer's terminology entry of a segment: category, type and, where it helps, an anatomic region."""

    category: Code
    type: Code
    region: Code | None = None


@dataclass(frozen=True)
class Channel:
    """One input image of a task.

    Parameters
    ----------
    name : key used on the command line, e.g. ``t1ce``.
    title : how people write it, e.g. ``T1 post-contrast``.
    aliases : other spellings met in file names and series descriptions, lower case.
    required : whether the task can be run without it.
    substitute : name of the channel that stands in when this optional one is missing; empty: filled with zeros.
    """

    name: str
    title: str
    aliases: tuple[str, ...] = ()
    required: bool = True
    substitute: str = ""


@dataclass(frozen=True)
class Label:
    """One value of the label map with its name, display color (RGB, 0-255) and terminology."""

    value: int
    name: str
    color: Color
    terminology: Terminology

    def __post_init__(self) -> None:
        if not 1 <= self.value <= 255:
            raise ValueError(f"label {self.name}: value {self.value} is not in 1..255 (0 is background)")


@dataclass(frozen=True)
class Region:
    """What the network predicts in one output channel: a set of labels.

    Parameters
    ----------
    name : short name used in tables, e.g. ``WT``.
    title : e.g. ``whole tumor``.
    labels : label values that make up the region.
    writes : label value that is written where this is the innermost region found.
    """

    name: str
    title: str
    labels: tuple[int, ...]
    writes: int


@dataclass(frozen=True)
class Step:
    """A preprocessing step by its key in :mod:`MedSegEffNetLib.preprocessing`, with its arguments."""

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Measure:
    """A measure of a result by the name of its file in :mod:`MedSegEffNetLib.measures`, with its arguments."""

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Network:
    """A network by the name of its file in :mod:`MedSegEffNetLib.networks`, with its arguments."""

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Ensemble:
    """How the networks of a task with one network a channel vote.

    Parameters
    ----------
    name : key used on the command line, e.g. ``first``.
    title : what it does, in words.
    votes : region → channel → weight of its network's probabilities in the mean.
    """

    name: str
    title: str
    votes: Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class Citation:
    """Where a task comes from."""

    text: str
    url: str = ""


@dataclass(frozen=True)
class PublishedFigure:
    """A figure that a publication gives for the task, shown beside ours.

    Parameters
    ----------
    system : what was measured, in words, e.g. ``T1ce network``.
    metric : name in :mod:`MedSegEffNetLib.metrics`.
    mean, std, median : as published; None: not given.
    data : what it was measured on, in words.
    source : the publication, in words.
    region : name of a region; empty: all labels together (pixel accuracy only).
    ensemble : name of the ensemble or network of ours that it stands beside; empty: the model as it is.
    """

    system: str
    metric: str
    mean: float
    data: str
    source: str
    region: str = ""
    std: float | None = None
    median: float | None = None
    ensemble: str = ""


@dataclass(frozen=True)
class VolumeRange:
    """The volumes, in mL, that a region can have in a patient; ``always``: every patient has it."""

    low: float
    high: float
    always: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.low < self.high:
            raise ValueError(f"volumes from {self.low} to {self.high} mL are no range")


@dataclass(frozen=True)
class SegmentationTask:
    """Images in, a label map out.

    Parameters
    ----------
    id, title, description : ``id`` is the file's name with ``-`` for ``_``.
    dimensions : 2, slices are segmented one by one (with ``context`` neighbours), or 3.
    channels : inputs in the order in which the network takes them.
    labels, regions : regions from the outermost to the innermost. With ``activation`` ``sigmoid`` each region is a
        logit of its own and inner regions are cut to the outer ones (nested by construction where ``nested``); with
        ``softmax`` the regions are exclusive and a background logit comes first.
    preprocessing : steps from the file to the network's input; each one can be undone.
    networks : network key → arguments; the first one is the default.
    recipe : the training's settings (keys of :class:`MedSegEffNetLib.training.config.Recipe`).
    network_recipes : network key → settings that replace those of ``recipe`` for that network.
    metrics : names in :mod:`MedSegEffNetLib.metrics`, in the order of the tables.
    ensembles : a task that has some is learnt by one network a channel, and any one of its channels will do; the first
        ensemble is the default.
    default_model : the shipped model that the task's id stands for on the command line; empty: none is shipped yet.
    published : figures that an evaluation shows beside its own.
    shown_on : channel on which pictures show the labels; empty: the one in which they stand out most.
    shown_window : darkest and brightest value in pictures of CT in Hounsfield units; None: found in the image.
    plausible_ml : region → volumes that it can have; a result beyond them is told to be doubtful.
    checks : what to look for in the images of a case, keys of ``CHECKS`` in :mod:`MedSegEffNetLib.inference.doubts`.
    measures : what is measured on a result beyond the labels' volumes, with one figure or several each.
    """

    id: str
    title: str
    description: str
    dimensions: Literal[2, 3]
    channels: tuple[Channel, ...]
    labels: tuple[Label, ...]
    regions: tuple[Region, ...]
    preprocessing: tuple[Step, ...]
    networks: tuple[Network, ...]
    recipe: Mapping[str, Any]
    metrics: tuple[str, ...]
    citations: tuple[Citation, ...]
    network_recipes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    ensembles: tuple[Ensemble, ...] = ()
    activation: Literal["sigmoid", "softmax"] = "sigmoid"
    nested: bool = True
    default_model: str = ""
    published: tuple[PublishedFigure, ...] = ()
    shown_on: str = ""
    shown_window: tuple[float, float] | None = None
    plausible_ml: Mapping[str, VolumeRange] = field(default_factory=dict)
    checks: tuple[str, ...] = ()
    measures: tuple[Measure, ...] = ()
    kind: Literal["segmentation"] = "segmentation"

    def __post_init__(self) -> None:
        _check_id(self.id)
        _check_channels(self.id, self.channels)
        values = [label.value for label in self.labels]
        if len(set(values)) != len(values):
            raise ValueError(f"task {self.id}: two labels share a value: {values}")
        for region in self.regions:
            unknown = set(region.labels) | {region.writes}
            unknown -= set(values)
            if unknown:
                raise ValueError(f"task {self.id}: region {region.name} names unknown labels {sorted(unknown)}")
        if any(channel.required for channel in self.channels) == bool(self.ensembles):
            raise ValueError(f"task {self.id}: a channel must be required, or none where each has its own network")
        known = {region.name for region in self.regions}, {channel.name for channel in self.channels}
        for ensemble in self.ensembles:
            if set(ensemble.votes) != known[0] or not set().union(*ensemble.votes.values()) <= known[1]:
                raise ValueError(f"task {self.id}: ensemble {ensemble.name} does not fit the regions and channels")
        if {figure.region for figure in self.published} - {"", *known[0]} or {self.shown_on} - {"", *known[1]}:
            raise ValueError(f"task {self.id}: published or shown_on names an unknown region or channel")
        if set(self.plausible_ml) - known[0]:
            raise ValueError(f"task {self.id}: plausible_ml names an unknown region")

    def channel(self, name: str) -> Channel:
        """The channel called ``name`` or known under it as an alias; an :class:`InputError` lists those there are."""
        return find_channel(self.id, self.channels, name)

    def label(self, value: int) -> Label:
        """The label with this value; ``KeyError`` if the task has none."""
        return next(label for label in self.labels if label.value == value)


@dataclass(frozen=True)
class SynthesisTask:
    """Some channels in, a missing channel out. ``channels`` are both the possible inputs and the possible targets.

    ``cases_of`` is the segmentation task of the same channels in whose layouts its cases lie; label maps are optional.
    Of ``published`` figures ``ensemble`` names inputs and target, ``t1 → t1ce``, and ``region`` is ``image``.
    """

    id: str
    title: str
    description: str
    channels: tuple[Channel, ...]
    preprocessing: tuple[Step, ...]
    networks: tuple[Network, ...]
    recipe: Mapping[str, Any]
    metrics: tuple[str, ...]
    citations: tuple[Citation, ...]
    network_recipes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    dimensions: Literal[2, 3] = 2
    cases_of: str = ""
    published: tuple[PublishedFigure, ...] = ()
    default_model: str = ""
    kind: Literal["synthesis"] = "synthesis"

    def __post_init__(self) -> None:
        _check_id(self.id)
        _check_channels(self.id, self.channels)

    def channel(self, name: str) -> Channel:
        """The channel called ``name`` or known under it as an alias; an :class:`InputError` lists those there are."""
        return find_channel(self.id, self.channels, name)


Task = SegmentationTask | SynthesisTask


def find_channel(task_id: str, channels: tuple[Channel, ...], name: str) -> Channel:
    """The channel whose name or alias is ``name`` (case, ``-``, ``_`` and blanks do not matter)."""
    wanted = _plain(name)
    for channel in channels:
        if wanted in {_plain(spelling) for spelling in (channel.name, *channel.aliases)}:
            return channel
    raise InputError(
        f"{task_id} has no channel called '{name}'",
        expected="one of " + ", ".join(channel.name for channel in channels),
    )


def reference_channel(channels: Sequence[Channel], given: Collection[str]) -> str:
    """Name of the channel on whose grid the others are brought and the result lies.

    It is the first required channel that is among the names ``given``, else the first of ``channels`` that is;
    ``ValueError`` if none is.
    """
    names = [channel.name for channel in sorted(channels, key=lambda one: not one.required) if channel.name in given]
    if not names:
        raise ValueError(f"none of the channels {', '.join(channel.name for channel in channels)} is given")
    return names[0]


def list_tasks() -> dict[str, Task]:
    """All tasks by id, found in the package :mod:`MedSegEffNetLib.tasks`. Needs neither torch nor monai."""
    package = importlib.import_module("MedSegEffNetLib.tasks")
    found: dict[str, Task] = {}
    for module in pkgutil.iter_modules(package.__path__):
        if not module.name.startswith("_"):
            task: Task = importlib.import_module(f"MedSegEffNetLib.tasks.{module.name}").TASK
            found[task.id] = task
    return found


def get_task(task_id: str) -> Task:
    """The task with this id; an :class:`InputError` lists those there are."""
    tasks = list_tasks()
    if task_id not in tasks:
        raise InputError(f"there is no task '{task_id}'", expected="one of " + ", ".join(tasks))
    return tasks[task_id]


def get_segmentation_task(task_id: str) -> SegmentationTask:
    """The segmentation task with this id; an :class:`InputError` if it is another kind of task or none."""
    task = get_task(task_id)
    if not isinstance(task, SegmentationTask):
        raise InputError(
            f"{task_id} is a {task.kind} task", expected="a segmentation task", hint="see `medsegeffnet tasks`"
        )
    return task


def _plain(name: str) -> str:
    return re.sub(r"[\s_\-]+", "", name.lower())


def _check_id(task_id: str) -> None:
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", task_id):
        raise ValueError(f"task id '{task_id}' must be lower-case words joined by '-'")


def _check_channels(task_id: str, channels: tuple[Channel, ...]) -> None:
    spellings: dict[str, str] = {}
    for channel in channels:
        for spelling in {_plain(s) for s in (channel.name, *channel.aliases)}:
            if spelling in spellings:
                raise ValueError(f"task {task_id}: '{spelling}' names {spellings[spelling]} and {channel.name}")
            spellings[spelling] = channel.name
        if channel.substitute and channel.substitute not in {c.name for c in channels}:
            raise ValueError(f"task {task_id}: {channel.name} is substituted by unknown channel {channel.substitute}")
