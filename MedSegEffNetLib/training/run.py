"""A training from a data folder to a model: ``run/`` holds the job's files, ``checkpoints/`` and, at the end, ``model/``.

Where a task has one network a channel they are trained one after the other; ``checkpoints/`` then lies in a folder each.
"""

from __future__ import annotations

import functools
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
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.geometry import Volume
from MedSegEffNetLib.inference.ensemble import from_validation
from MedSegEffNetLib.job import Event, Job, read_request
from MedSegEffNetLib.models.build import FinishedTraining, build_bundle
from MedSegEffNetLib.models.bundle import Bundle
from MedSegEffNetLib.models.registry import find
from MedSegEffNetLib.preprocessing import Pipeline
from MedSegEffNetLib.task import Channel, SegmentationTask, Step, get_segmentation_task
from MedSegEffNetLib.training import checkpoint
from MedSegEffNetLib.training.cases import split_cases
from MedSegEffNetLib.training.config import Recipe
from MedSegEffNetLib.training.data import load_volume, to_slices
from MedSegEffNetLib.training.loop import Feed, Trainer
from MedSegEffNetLib.training.synthetic import PatientMaps, SyntheticFeed, check_task
from MedSegEffNetLib.training.volumes import Prepared, VolumeFeed, prepare

MODEL = "model"
SYNTHETIC = "synthetic"  # folder of the tissue maps of synthetic patients
WHOLE = "network"  # key of the network that sees all channels


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
    snapshot: str = ""

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

    def as_mapping(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            "command": "train",
            "task": self.task.id,
            "data": str(self.data.resolve()),
            "snapshot": self.snapshot,
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
    snapshot: str = "",
    network: str | None = None,
    parent: str | None = None,
    settings: Mapping[str, str] | None = None,
    listener: Callable[[Event], None] | None = None,
) -> Path:
    """Train, or go on with the training in ``run``; returns the folder of the finished model.

    Parameters
    ----------
    data : folder in one of the layouts of :mod:`MedSegEffNetLib.dataset.readers`.
    snapshot : id of a snapshot, where ``data`` is a curated data set; empty: its accepted cases as they are now.
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
    request = resolve(task_id, data, snapshot=snapshot, network=network, parent=parent, settings=settings or {})
    _check_buildable(request)
    _check_same_request(run, request)
    cases = split_cases(request.data, request.snapshot, request.task, request.recipe)
    job = Job.open(run, request.as_mapping())
    if listener is not None:
        job.listeners.append(listener)
    with job:
        sizes = {name: {"cases": len(part), "patients": len({c.patient for c in part})} for name, part in cases.items()}
        job.emit("data", splits={name: size for name, size in sizes.items() if size["cases"]})
        folder = _train(request, cases, run, job)
        job.finish(model=folder.name)
    return folder


def resolve(
    task_id: str,
    data: Path,
    *,
    snapshot: str = "",
    network: str | None,
    parent: str | None,
    settings: Mapping[str, str],
) -> Request:
    """The request with every default filled in; an :class:`InputError` says what does not fit."""
    task = get_segmentation_task(task_id)
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
    if recipe.synthetic_share:
        check_task(task)
    if recipe.size:
        preprocessing = tuple(
            Step(step.name, {"size": [recipe.size, recipe.size]}) if step.name == "resize" else step
            for step in preprocessing
        )
    arguments = {k: v for k, v in {**defaults, **recipe.network}.items() if k not in ("in_channels", "out_channels")}
    return Request(task, data, network, arguments, preprocessing, recipe, bundle, snapshot)


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


def _train(request: Request, cases: Mapping[str, Sequence[Case]], run: Path, job: Job) -> Path:
    recipe = request.recipe
    pipeline = Pipeline.from_steps(request.preprocessing)
    if request.task.ensembles:
        _tell_unknown_regions(request, cases["train"], job)
        trainers = _train_separately(request, cases, pipeline, run, job)
        return _finish(request, cases, pipeline, trainers, run)
    _seed_everything(recipe.seed)
    volumes = {}
    names = [(split, case) for split in ("train", "val") for case in cases[split]]
    for number, (_, case) in enumerate(names):
        volumes[case.id] = _volume(case, request.task.channels)
        job.progress("Reading", number + 1, len(names))
        job.check_stop()
    # A training that goes on from a model learns them too: other images come in other units.
    pipeline = pipeline.learn([volumes[case.id] for case in cases["train"]])
    make = prepare if request.task.dimensions == 3 else to_slices
    prepared: dict[str, list[Any]] = {"train": [], "val": []}
    for number, (split, case) in enumerate(names):
        prepared[split].append(make(case.id, volumes.pop(case.id), request.task, pipeline))
        job.progress("Preparing", number + 1, len(names))
        job.check_stop()
    trainer = _trainer(request, WHOLE, run, job)
    trainer.fit(prepared["train"], prepared["val"], run, job)
    return _finish(request, cases, pipeline, {WHOLE: trainer}, run)


def _volume(case: Case, channels: Sequence[Channel]) -> Volume:
    volume = load_volume(case, channels)
    if volume is None:
        raise InputError(f"case {case.id} has no images", expected="one of " + ", ".join(c.name for c in channels))
    return volume


def _train_separately(
    request: Request, cases: Mapping[str, Sequence[Case]], pipeline: Pipeline, run: Path, job: Job
) -> dict[str, Trainer]:
    """One network a channel after the other; a channel that no case has gets none."""
    trainers = {}
    recipe = request.recipe
    names = [(split, case) for split in ("train", "val") for case in cases[split]]
    maps = PatientMaps(cases["train"], request.task, pipeline, run / SYNTHETIC, recipe.seed)
    for key, channels in request.networks.items():
        _seed_everything(recipe.seed)
        feed = SyntheticFeed(VolumeFeed(recipe), maps, key) if recipe.synthetic_share else None
        trainer = _trainer(request, key, run / key, job, feed)
        prepared: dict[str, list[Prepared]] = {"train": [], "val": []}
        for number, (split, case) in enumerate(names if not trainer.finished else []):
            # One case at a time: a hundred cases at full size and in four channels would not fit into memory.
            volume = load_volume(case, channels)
            if volume is not None:
                prepared[split].append(prepare(case.id, volume, request.task, pipeline, case.regions))
            job.progress(f"{key}: Preparing", number + 1, len(names))
            job.check_stop()
        if not trainer.finished and not (prepared["train"] and prepared["val"]):
            job.notice(
                f"There is no network for {key}: it takes a case with this image for training and for validation."
            )
            continue
        trainer.fit(prepared["train"], prepared["val"], run / key, job)
        trainers[key] = trainer
    if not trainers:
        raise InputError(
            f"{request.data} has no images to train with", expected="cases with " + ", ".join(request.networks)
        )
    return trainers


def _tell_unknown_regions(request: Request, cases: Sequence[Case], job: Job) -> None:
    """Say which regions no training case knows, and what that means."""
    known = {name for case in cases for name in case.regions or [region.name for region in request.task.regions]}
    unknown = [region.name for region in request.task.regions if region.name not in known]
    if unknown:
        outcome = "they are learnt from synthetic patients alone."
        if not request.recipe.synthetic_share:
            outcome = "they cannot be learnt. Add cases that tell them, or set synthetic_share."
        job.notice(f"The label maps of these cases do not tell {', '.join(unknown)}: {outcome}")


def _trainer(request: Request, key: str, run: Path, job: Job, feed: Feed | None = None) -> Trainer:
    network = networks.build(request.network, request.network_arguments)
    if request.parent:
        there = [entry.get("key") for entry in request.parent.info["networks"]]
        network.load_state_dict(request.parent.state_dict(there.index(key) if key in there else 0))
        encoder = getattr(network, "encoder", None)
        if encoder is not None:  # its statistics are learnt or stay as in the training that the model comes from
            encoder.start = request.parent.info["provenance"].get("encoder_start", "random")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    exclusive = request.task.activation == "softmax"
    named = "" if key == WHOLE else key
    regions = tuple(region.name for region in request.task.regions)
    trainer = Trainer(network, request.recipe, request.task.channels, exclusive, device, feed, regions, named)
    last = run / checkpoint.LAST
    if last.is_file():
        trainer.restore(checkpoint.load(last))
        job.emit("notice", text=f"resumed after epoch {trainer.epoch} of {request.recipe.epochs}")
    return trainer


def _finish(
    request: Request,
    cases: Mapping[str, Sequence[Case]],
    pipeline: Pipeline,
    trainers: Mapping[str, Trainer],
    run: Path,
) -> Path:
    """The model of the best weights, and one more by each further figure."""
    build = functools.partial(_build, request, cases, pipeline, trainers, run)
    for figure in request.recipe.also_monitor:
        build(f"{MODEL}-{figure}", checkpoint.best_by(figure))
    return build(MODEL, checkpoint.BEST)


def _build(
    request: Request,
    cases: Mapping[str, Sequence[Case]],
    pipeline: Pipeline,
    trainers: Mapping[str, Trainer],
    run: Path,
    name: str,
    weights: Path,
) -> Path:
    best = {key: checkpoint.load(run / trainer.key / weights) for key, trainer in trainers.items()}
    encoder = getattr(next(iter(trainers.values())).network, "encoder", None)
    start = getattr(encoder, "start", "random")
    if request.parent:
        start = request.parent.info["provenance"].get("encoder_start", "random")
    rows = [kept["row"] for kept in best.values()]
    epochs = {key: int(kept["row"]["epoch"]) for key, kept in best.items()}
    return build_bundle(
        run / name,
        FinishedTraining(
            task=request.task,
            network=request.network,
            # The weights are in the bundle: the encoder's published ones are not fetched again.
            arguments={
                **{k: v for k, v in request.arguments.items() if k != "encoder_weights"},
                "in_channels": request.in_channels,
                "out_channels": request.out_channels,
            },
            weights={key: kept["network"] for key, kept in best.items()},
            context=request.recipe.context,
            preprocessing=pipeline.steps(),
            provenance={
                "parent": request.as_mapping()["parent"],
                "data": {
                    "folder": request.data.name,
                    "snapshot": request.snapshot,
                    "cases": {k: [c.id for c in v] for k, v in cases.items()},
                },
                "recipe": request.recipe.as_mapping(),
                "encoder_start": start,
                "code_version": MedSegEffNetLib.__version__,
                "python": platform.python_version(),
                "torch": torch.__version__,
                "epochs_trained": max(trainer.epoch for trainer in trainers.values()),
                "best_epoch": epochs if len(epochs) > 1 else next(iter(epochs.values())),
                "validation": _means(rows),
                "seconds": sum(row["seconds"] for trainer in trainers.values() for row in trainer.history),
            },
            ensembles=from_validation(request.task, {key: kept["row"] for key, kept in best.items()}),
        ),
    )


def _means(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {name: float(np.mean([row[name] for row in rows if name in row])) for name in rows[0]}


def _seed_everything(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
