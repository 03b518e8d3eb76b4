"""What a training is asked to do, resolved and checked before anything is written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Generic, TypedDict, TypeVar, Unpack

import torch

from MedSegEffNetLib import networks
from MedSegEffNetLib.augmentation import Augmentation
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.job import read_request
from MedSegEffNetLib.models.bundle import Bundle
from MedSegEffNetLib.models.registry import find
from MedSegEffNetLib.task import Channel, SegmentationTask, Step, SynthesisTask, get_segmentation_task, list_tasks
from MedSegEffNetLib.training import decoder
from MedSegEffNetLib.training.config import Recipe, recipe_of
from MedSegEffNetLib.training.settings import Settings
from MedSegEffNetLib.training.synthetic import check_task

COMMAND = "train"
CHECK = "train-check"
WHOLE = "network"  # key of the network that sees all channels

TaskT = TypeVar("TaskT", SegmentationTask, SynthesisTask)
RecipeT = TypeVar("RecipeT", bound=Settings)


class Asked(TypedDict, total=False):
    """What a training may be asked besides its task and its data.

    ``snapshot``: its id, where the data are a curated data set (empty: the accepted cases as they are now); ``network``: its
    key (None: the task's first one); ``parent``: model to start from; ``settings`` of the recipe as texts, e.g.
    ``{"epochs": "5", "augmentation.zoom": "0.1"}``.
    """

    snapshot: str
    network: str | None
    parent: str | None
    settings: Mapping[str, str] | None


@dataclass(frozen=True)
class Resolved(Generic[TaskT, RecipeT]):
    """A training, resolved: what is written into the run's ``job.json`` and must be the same when it is resumed."""

    task: TaskT
    data: Path
    network: str
    arguments: Mapping[str, Any]
    preprocessing: tuple[Step, ...]
    recipe: RecipeT
    snapshot: str
    parent: Bundle | None

    def as_mapping(self) -> dict[str, Any]:
        """Ready for JSON."""
        recipe = self.recipe.as_mapping()
        return {
            "command": COMMAND,
            "task": self.task.id,
            "data": str(self.data.resolve()),
            "snapshot": self.snapshot,
            "network": self.network,
            "arguments": dict(self.arguments),
            "preprocessing": [{"name": step.name, "arguments": dict(step.arguments)} for step in self.preprocessing],
            "recipe": recipe,
            "parent": f"{self.parent.name}@{self.parent.version}" if self.parent else None,
            "seed": recipe["seed"],
        }


@dataclass(frozen=True)
class Request(Resolved[SegmentationTask, Recipe]):
    """The training of a segmentation network."""

    @property
    def networks(self) -> dict[str, tuple[Channel, ...]]:
        """Channels that each network sees, by the network's key."""
        if not self.task.ensembles:
            return {WHOLE: self.task.channels}
        named = [self.task.channel(name) for name in self.recipe.channels] or self.task.channels
        return {channel.name: (channel,) for channel in named}

    @property
    def in_channels(self) -> int:
        """Input channels of a network, neighbors included."""
        return len(next(iter(self.networks.values()))) * (2 * self.recipe.context + 1)

    @property
    def out_channels(self) -> int:
        """One a region, and one for the background where they are exclusive."""
        return len(self.task.regions) + (self.task.activation == "softmax")

    @property
    def network_arguments(self) -> dict[str, Any]:
        """The network's arguments with its numbers of channels."""
        return {"in_channels": self.in_channels, "out_channels": self.out_channels, **self.arguments}

    def with_recipe(self, recipe: Recipe) -> Request:
        """The same training by another recipe."""
        return replace(self, recipe=recipe)


def resolve(task_id: str, data: Path, **asked: Unpack[Asked]) -> Request:
    """The request with every default filled in; an :class:`InputError` says what does not fit."""
    task = get_segmentation_task(task_id)
    network, parent = asked.get("network"), asked.get("parent")
    bundle = find(parent) if parent else None
    if bundle:
        entry = check_parent(bundle, task.id, network)
        network, defaults = entry["name"], dict(entry["arguments"])
        preprocessing = tuple(Step(step["name"], step["arguments"]) for step in bundle.info["preprocessing"])
    else:
        named = {candidate.name: dict(candidate.arguments) for candidate in task.networks}
        network = network or next(iter(named))
        if network not in networks.list_networks():
            there = ", ".join(networks.list_networks())
            raise InputError(f"there is no network '{network}'", expected=f"one of {there}")
        defaults = named.get(network, {})
        preprocessing = task.preprocessing
    recipe = recipe_of(task, network, int(entry["context"]) if bundle else None).with_texts(asked.get("settings") or {})
    if recipe.synthetic_share:
        check_task(task)
    if recipe.trained == "decoder" and bundle is None:
        raise InputError(
            "trained=decoder without a model to start from",
            expected="a model whose encoder is kept",
            hint="name one with --from, or leave out trained=decoder",
        )
    if recipe.size:
        preprocessing = tuple(
            Step(step.name, {"size": [recipe.size, recipe.size]}) if step.name == "resize" else step
            for step in preprocessing
        )
    arguments = {k: v for k, v in {**defaults, **recipe.network}.items() if k not in ("in_channels", "out_channels")}
    return Request(task, data, network, arguments, preprocessing, recipe, asked.get("snapshot", ""), bundle)


def check_parent(parent: Bundle, task_id: str, network: str | None) -> Mapping[str, Any]:
    """The first network of the model that a training of ``task_id`` starts from, or an :class:`InputError`."""
    if parent.task_id != task_id:
        raise InputError(
            f"{parent.name} is a model of task {parent.task_id}", expected=f"a model of {task_id} to start from"
        )
    entry: Mapping[str, Any] = parent.info["networks"][0]
    if network not in (None, entry["name"]):
        raise InputError(
            f"--network {network} with a start from {parent.name}, whose network is {entry['name']}",
            expected="the network of the model to start from",
            hint="leave out --network, or start without a model",
        )
    return entry


def check_buildable(request: Request) -> None:
    """Build network (without memory for its weights) and augmentation once; an :class:`InputError` says what is wrong."""
    try:
        Augmentation.from_mapping(request.recipe.changes)
    except (TypeError, ValueError) as error:
        raise InputError(f"the training's settings do not fit: {error}") from error
    arguments = {**request.network_arguments}
    if "encoder_weights" in arguments:
        arguments["encoder_weights"] = "none"
    with torch.device("meta"):
        network = networks.build(request.network, arguments)
    wanted = network.state_dict()
    if request.recipe.trained == "decoder":
        decoder.encoder_parts(network)
    if request.parent is not None:
        check_weights(request.parent, wanted)


def check_weights(parent: Bundle, wanted: Mapping[str, torch.Tensor]) -> None:
    """Raise :class:`InputError` if the weights of ``parent`` do not fit in place of those ``wanted``."""
    given = parent.state_dict(0)
    if {key: value.shape for key, value in wanted.items()} != {key: value.shape for key, value in given.items()}:
        raise InputError(
            f"the weights of {parent.name} do not fit into the network with these settings",
            expected="the network as that model has it",
            hint="leave out context and network.* when a training starts from a model",
        )


def parent_as_begun(run: Path, parent: str | None) -> str | None:
    """``parent``; of a training that is resumed the version that it began with, where a name or a task is given without one.

    The name may mean another version by now: one was promoted, or rolled back.
    """
    request = (read_request(run) or {"request": {}})["request"]
    before = str(request.get("parent") or "")
    if not parent or "@" in parent or Path(parent).is_dir() or request.get("command") != COMMAND:
        return parent
    task = list_tasks().get(parent)
    name = task.default_model if task else parent
    return before if before.partition("@")[0] == name else parent


def check_same_request(run: Path, request: Resolved[Any, Any]) -> None:
    """Raise :class:`InputError` if ``run`` holds a training with other settings."""
    content = read_request(run)
    if content is None or content["request"].get("command") == CHECK:
        return
    before = dict(content["request"])
    if isinstance(before.get("recipe"), dict):  # settings that there were not yet are as they are by themselves
        before["recipe"] = {**type(request.recipe)().as_mapping(), **before["recipe"]}
    before, now = (json.loads(json.dumps(request)) for request in (before, request.as_mapping()))
    changed = [name for name in now if now[name] != before.get(name)]
    if changed:
        raise InputError(
            f"{run} holds a training with other settings ({', '.join(changed)})",
            expected="the same request, to resume it",
            hint="give the settings it was started with, or another --run folder",
        )
