"""A training from a data folder to a model: ``run/`` holds the job's files, ``checkpoints/`` and, at the end, ``model/``."""

from __future__ import annotations

import json
import platform
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

import MedSegEffNetLib
from MedSegEffNetLib import networks
from MedSegEffNetLib.augmentation import Augmentation
from MedSegEffNetLib.dataset.case import Case
from MedSegEffNetLib.dataset.readers import read_folder
from MedSegEffNetLib.dataset.splits import split_by_patient
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.job import Event, Job, read_request
from MedSegEffNetLib.models.build import FinishedTraining, build_bundle
from MedSegEffNetLib.models.bundle import Bundle
from MedSegEffNetLib.models.registry import find
from MedSegEffNetLib.preprocessing import Pipeline
from MedSegEffNetLib.task import SegmentationTask, Step, get_segmentation_task
from MedSegEffNetLib.training import checkpoint
from MedSegEffNetLib.training.config import Recipe
from MedSegEffNetLib.training.data import Slices, load_volume, to_slices
from MedSegEffNetLib.training.loop import Trainer

MODEL = "model"


@dataclass(frozen=True)
class Request:
    """A training, resolved: what is written into the run's ``job.json`` and must be the same when it is resumed."""

    task: SegmentationTask
    data: Path
    network: str
    arguments: Mapping[str, Any]
    preprocessing: tuple[Step, ...]
    recipe: Recipe
    parent: Bundle | None

    @property
    def in_channels(self) -> int:
        """Input channels of the network, neighbors included."""
        return len(self.task.channels) * (2 * self.recipe.context + 1)

    @property
    def out_channels(self) -> int:
        """One a region, and one for the background where they are exclusive."""
        return len(self.task.regions) + (self.task.activation == "softmax")

    @property
    def network_arguments(self) -> dict[str, Any]:
        """The network's arguments with its numbers of channels."""
        return {"in_channels": self.in_channels, "out_channels": self.out_channels, **self.arguments}

    def as_mapping(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            "command": "train",
            "task": self.task.id,
            "data": str(self.data.resolve()),
            "network": self.network,
            "arguments": dict(self.arguments),
            "preprocessing": [{"name": step.name, "arguments": dict(step.arguments)} for step in self.preprocessing],
            "recipe": self.recipe.as_mapping(),
            "parent": f"{self.parent.name}@{self.parent.version}" if self.parent else None,
            "seed": self.recipe.seed,
        }


def train(
    task_id: str,
    data: Path,
    run: Path,
    *,
    network: str | None = None,
    parent: str | None = None,
    settings: Mapping[str, str] | None = None,
    listener: Callable[[Event], None] | None = None,
) -> Path:
    """Train, or go on with the training in ``run``; returns the folder of the finished model.

    Parameters
    ----------
    data : folder in one of the layouts of :mod:`MedSegEffNetLib.dataset.readers`.
    run : the job's folder. If a training was begun there, it is resumed.
    network : network key; the task's first one by default.
    parent : model to start from.
    settings : recipe settings as texts, e.g. ``{"epochs": "5", "augmentation.zoom": "0.1"}``.
    listener : called with each event.

    Raises
    ------
    InputError
        Anything about the request is wrong; nothing has been written.
    """
    request = resolve(task_id, data, network=network, parent=parent, settings=settings or {})
    _check_buildable(request)
    _check_same_request(run, request)
    cases = _split(request)
    job = Job.open(run, request.as_mapping())
    if listener is not None:
        job.listeners.append(listener)
    with job:
        folder = _train(request, cases, run, job)
        job.finish(model=folder.name)
    return folder


def resolve(
    task_id: str, data: Path, *, network: str | None, parent: str | None, settings: Mapping[str, str]
) -> Request:
    """The request with every default filled in; an :class:`InputError` says what does not fit."""
    task = get_segmentation_task(task_id)
    if task.dimensions != 2:
        raise InputError(f"{task_id} is a 3D task; this version trains 2D tasks", hint="see `medsegeffnet tasks`")
    bundle = find(parent) if parent else None
    if bundle and bundle.task_id != task.id:
        raise InputError(
            f"{bundle.name} is a model of task {bundle.task_id}", expected=f"a model of {task.id} to start from"
        )
    if bundle:
        entry = bundle.info["networks"][0]
        if network not in (None, entry["name"]):
            raise InputError(
                f"--network {network} with a start from {bundle.name}, whose network is {entry['name']}",
                expected="the network of the model to start from",
                hint="leave out --network, or start without a model",
            )
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
    recipe = Recipe.from_mapping({**task.recipe, **task.network_recipes.get(network, {})})
    if bundle:
        recipe = recipe.replaced(context=int(entry["context"]), size=0, network={})
    recipe = recipe.with_texts(settings)
    if recipe.size:
        preprocessing = tuple(
            Step(step.name, {"size": [recipe.size, recipe.size]}) if step.name == "resize" else step
            for step in preprocessing
        )
    arguments = {k: v for k, v in {**defaults, **recipe.network}.items() if k not in ("in_channels", "out_channels")}
    return Request(task, data, network, arguments, preprocessing, recipe, bundle)


def _check_buildable(request: Request) -> None:
    """Build network (without memory for its weights) and augmentation once, before anything is written."""
    try:
        Augmentation.from_mapping(request.recipe.augmentation)
    except (TypeError, ValueError) as error:
        raise InputError(f"the training's settings do not fit: {error}") from error
    arguments = {**request.network_arguments}
    if "encoder_weights" in arguments:
        arguments["encoder_weights"] = "none"
    with torch.device("meta"):
        wanted = networks.build(request.network, arguments).state_dict()
    if request.parent is None:
        return
    given = request.parent.state_dict(0)
    if {key: value.shape for key, value in wanted.items()} != {key: value.shape for key, value in given.items()}:
        raise InputError(
            f"the weights of {request.parent.name} do not fit into the network with these settings",
            expected="the network as that model has it",
            hint="leave out context and network.* when a training starts from a model",
        )


def _check_same_request(run: Path, request: Request) -> None:
    content = read_request(run)
    if content is None:
        return
    before = content["request"]
    now = json.loads(json.dumps(request.as_mapping()))
    changed = [name for name in now if now[name] != before.get(name)]
    if changed:
        raise InputError(
            f"{run} holds a training with other settings ({', '.join(changed)})",
            expected="the same request, to resume it",
            hint="give the settings it was started with, or another --run folder",
        )


def _split(request: Request) -> dict[str, list[Case]]:
    cases = read_folder(request.data, request.task)
    if any(case.split for case in cases):
        parts = {name: [case for case in cases if case.split == name] for name in ("train", "val", "test")}
        if not parts["val"]:
            fractions = {"train": 1 - request.recipe.validation_fraction, "val": request.recipe.validation_fraction}
            parts |= split_by_patient(parts["train"], fractions, request.recipe.seed)
    else:
        held_out = request.recipe.validation_fraction + request.recipe.test_fraction
        fractions = {"train": 1 - held_out, "val": request.recipe.validation_fraction}
        if request.recipe.test_fraction:
            fractions["test"] = request.recipe.test_fraction
        parts = split_by_patient(cases, fractions, request.recipe.seed)
    for name in ("train", "val"):
        if not parts.get(name):
            raise InputError(
                f"{request.data} has no cases for '{name}'",
                expected="at least one patient to train on and another one to validate on",
            )
    return parts


def _train(request: Request, cases: Mapping[str, Sequence[Case]], run: Path, job: Job) -> Path:
    recipe = request.recipe
    _seed_everything(recipe.seed)
    pipeline = Pipeline.from_steps(request.preprocessing)
    volumes = {}
    names = [(split, case) for split in ("train", "val") for case in cases[split]]
    for number, (_, case) in enumerate(names):
        volumes[case.id] = load_volume(case, request.task)
        job.progress("Reading", number + 1, len(names))
        job.check_stop()
    if request.parent is None:
        pipeline = pipeline.learn([volumes[case.id] for case in cases["train"]])
    slices: dict[str, list[Slices]] = {"train": [], "val": []}
    for number, (split, case) in enumerate(names):
        slices[split].append(to_slices(case.id, volumes.pop(case.id), request.task, pipeline))
        job.progress("Preparing", number + 1, len(names))
        job.check_stop()
    trainer = _trainer(request, run, job)
    trainer.fit(slices["train"], slices["val"], run, job)
    return _finish(request, cases, pipeline, trainer, run)


def _trainer(request: Request, run: Path, job: Job) -> Trainer:
    network = networks.build(request.network, request.network_arguments)
    if request.parent:
        network.load_state_dict(request.parent.state_dict(0))
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    trainer = Trainer(network, request.recipe, request.task.channels, request.task.activation == "softmax", device)
    last = run / checkpoint.LAST
    if last.is_file():
        trainer.restore(checkpoint.load(last))
        job.emit("notice", text=f"resumed after epoch {trainer.epoch} of {request.recipe.epochs}")
    return trainer


def _finish(
    request: Request, cases: Mapping[str, Sequence[Case]], pipeline: Pipeline, trainer: Trainer, run: Path
) -> Path:
    best = checkpoint.load(run / checkpoint.BEST)
    encoder = getattr(trainer.network, "encoder", None)
    return build_bundle(
        run / MODEL,
        FinishedTraining(
            task=request.task,
            network=request.network,
            # The weights are in the bundle: the encoder's published ones are not fetched again.
            arguments={
                **{k: v for k, v in request.arguments.items() if k != "encoder_weights"},
                "in_channels": request.in_channels,
                "out_channels": request.out_channels,
            },
            state_dict=best["network"],
            context=request.recipe.context,
            preprocessing=pipeline.steps(),
            provenance={
                "parent": request.as_mapping()["parent"],
                "data": {"folder": request.data.name, "cases": {k: [c.id for c in v] for k, v in cases.items()}},
                "recipe": request.recipe.as_mapping(),
                "encoder_start": getattr(encoder, "start", "random"),
                "code_version": MedSegEffNetLib.__version__,
                "python": platform.python_version(),
                "torch": torch.__version__,
                "epochs_trained": trainer.epoch,
                "best_epoch": trainer.best_epoch,
                "validation": best["row"],
                "seconds": sum(row["seconds"] for row in trainer.history),
            },
        ),
    )


def _seed_everything(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
