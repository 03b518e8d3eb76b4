"""A synthesis training from a data folder to a model: ``run/`` holds the job's files, checkpoints and, at the end, ``model/``.

The segmentation U-Net's checkpoints lie in ``critic/``.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Unpack

import numpy as np
import torch
from torch import nn

import MedSegEffNetLib
from MedSegEffNetLib import atomic, networks
from MedSegEffNetLib.dataset.case import Case
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.inference.doubts import skull_stripped
from MedSegEffNetLib.job import Event, Job, read_request
from MedSegEffNetLib.models.build_synthesis import FinishedSynthesis, build_synthesis_bundle
from MedSegEffNetLib.models.registry import find
from MedSegEffNetLib.networks.stargan_unet import Discriminator
from MedSegEffNetLib.preprocessing import Pipeline
from MedSegEffNetLib.synthesis.planes import Planes
from MedSegEffNetLib.task import Step, SynthesisTask, get_task
from MedSegEffNetLib.training import checkpoint, gan_critic
from MedSegEffNetLib.training.board import Board
from MedSegEffNetLib.training.finishing import MODEL, is_synthesised
from MedSegEffNetLib.training.gan import GanTrainer
from MedSegEffNetLib.training.gan_cases import split_cases
from MedSegEffNetLib.training.gan_config import GanRecipe
from MedSegEffNetLib.training.gan_data import GanCase, GanFeed, Levels, prepare
from MedSegEffNetLib.training.loop import Trainer
from MedSegEffNetLib.training.request import (
    Asked,
    Resolved,
    check_parent,
    check_same_request,
    check_weights,
    parent_as_begun,
)
from MedSegEffNetLib.training.run import seed_everything, tell_data, use_threads

CRITIC = "critic"
LEVELS = "levels.json"


@dataclass(frozen=True)
class SynthesisRequest(Resolved[SynthesisTask, GanRecipe]):
    """The training of a generator."""

    @property
    def layout(self) -> Planes:
        """Of the generator's input."""
        return Planes(len(self.task.channels), self.recipe.context)

    @property
    def network_arguments(self) -> dict[str, Any]:
        """The generator's arguments with its numbers of channels."""
        return {**self.arguments, "in_channels": self.layout.count, "out_channels": 1}


def train(
    task_id: str,
    data: Path,
    run: Path,
    *,
    threads: int | None = None,
    finish: bool = False,
    listener: Callable[[Event], None] | None = None,
    **asked: Unpack[Asked],
) -> Path:
    """As :func:`MedSegEffNetLib.training.run.train`, for a synthesis task.

    ``data`` may also hold several folders, each in one of the layouts. A case needs two images at least; its label map is
    optional. From a ``parent`` the generator starts; the discriminator and the segmentation U-Net are trained anew.
    """
    asked["parent"] = parent_as_begun(run, asked.get("parent"))
    request = resolve(task_id, data, **asked)
    with torch.device("meta"):
        generator = networks.build(request.network, request.network_arguments)
    divisor = int(generator.divisor)  # type: ignore[arg-type]
    if request.parent:
        check_weights(request.parent, generator.state_dict())
    check_same_request(run, request)
    if finish and read_request(run) is None:
        raise InputError(f"no training was begun in {run}", expected="a run folder", hint="leave out --finish")
    cases = split_cases(data, request.snapshot, request.task, request.recipe)
    use_threads(threads)
    job = Job.open(run, request.as_mapping())
    if listener is not None:
        job.listeners.append(listener)
    with job:
        tell_data(cases, job)
        if not finish:
            _train(request, cases, divisor, run, job)
        job.finish(model=_build(request, cases, run).name)
    return run / MODEL


def resolve(task_id: str, data: Path, **asked: Unpack[Asked]) -> SynthesisRequest:
    """The request with every default filled in; an :class:`InputError` says what does not fit."""
    task, network, parent = get_task(task_id), asked.get("network"), asked.get("parent")
    if not isinstance(task, SynthesisTask):
        raise InputError(f"{task_id} is a {task.kind} task", expected="a synthesis task")
    named = {candidate.name: dict(candidate.arguments) for candidate in task.networks}
    bundle = find(parent) if parent else None
    recipe = GanRecipe.from_mapping(task.recipe)
    if bundle:
        entry = check_parent(bundle, task.id, network)
        network, arguments = str(entry["name"]), dict(entry["arguments"])
        recipe = recipe.replaced(context=int(entry["context"]))
    else:
        network = network or next(iter(named))
        if network not in named:
            raise InputError(f"there is no network '{network}' for {task_id}", expected="one of " + ", ".join(named))
        arguments = named[network]
    recipe = recipe.with_texts(asked.get("settings") or {})
    arguments = {k: v for k, v in {**arguments, **recipe.network}.items() if k not in ("in_channels", "out_channels")}
    preprocessing = task.preprocessing
    if recipe.crop == "content":
        preprocessing = tuple(Step("crop_to_content") if step.name == "center_crop" else step for step in preprocessing)
    return SynthesisRequest(task, data, network, arguments, preprocessing, recipe, asked.get("snapshot", ""), bundle)


def _train(request: SynthesisRequest, cases: Mapping[str, Sequence[Case]], divisor: int, run: Path, job: Job) -> None:
    board = Board.open(run, job)
    try:
        prepared = _prepared(request, cases, run, job)
        feed = GanFeed(request.recipe, request.layout, divisor)
        seed_everything(request.recipe.seed)
        generator = networks.build(request.network, request.network_arguments)
        if request.parent:
            generator.load_state_dict(request.parent.state_dict())
        discriminator = Discriminator(len(request.task.channels), **request.recipe.discriminator)
        names = tuple(channel.name for channel in request.task.channels)
        trainer = GanTrainer(generator, discriminator, request.recipe, feed, names, _device())
        if (run / checkpoint.LAST).is_file():
            trainer.restore(checkpoint.load(run / checkpoint.LAST))
            within = ", within the next one" if trainer.halfway else ""
            job.notice(f"resumed after epoch {trainer.epoch} of {request.recipe.epochs}{within}")
        teaching = _critics_patients(request.recipe, prepared, job)
        apart = teaching if request.recipe.critic_apart else set()
        learning = [case for case in prepared["train"] if case.patient not in apart]
        if request.recipe.direct_epochs:  # which need no segmentation network
            trainer.fit(learning, prepared["val"], run, job, request.recipe.direct_epochs)
        if teaching:
            trainer.judge_by(_critic(request, prepared, teaching, feed, run, job))
        trainer.fit(learning, prepared["val"], run, job)
    finally:
        if board is not None:
            board.close()


def _prepared(
    request: SynthesisRequest, cases: Mapping[str, Sequence[Case]], run: Path, job: Job
) -> dict[str, list[GanCase]]:
    """The cases of ``train`` and ``val``; what a plausible image of each channel is, and of how many, goes to a file."""
    pipeline = Pipeline.from_steps(request.preprocessing)
    prepared: dict[str, list[GanCase]] = {"train": [], "val": []}
    levels: dict[str, list[Levels]] = {}
    patients: dict[str, set[str]] = {}
    names = [(split, case) for split in prepared for case in cases[split]]
    for number, (split, case) in enumerate(names):
        case = _read(case)
        ready, found = prepare(case, request.task, pipeline)
        prepared[split].append(ready)
        if split == "train" and request.recipe.brain_depth and skull_stripped(case.load()[0]):
            prepared[split].append(prepare(case, request.task, pipeline, request.recipe.brain_depth)[0])
        for name in found if split == "train" else ():
            levels.setdefault(name, []).append(found[name])
            patients.setdefault(name, set()).add(case.patient)
        job.progress("Preparing", number + 1, len(names))
        job.check_stop()
    told = {
        name: {part: float(np.median([asdict(one)[part] for one in found])) for part in asdict(found[0])}
        | {"patients": len(patients[name])}
        for name, found in levels.items()
    }
    atomic.write_json(run / LEVELS, told)
    return prepared


def _read(case: Case) -> Case:
    """``case`` with what it loads in memory."""
    loaded = case.load()
    return replace(case, load=lambda: loaded)


def _critics_patients(recipe: GanRecipe, prepared: Mapping[str, list[GanCase]], job: Job) -> set[str]:
    """The training patients from whom the segmentation U-Net learns; none where none is asked for or possible."""
    if not (recipe.segmentation and recipe.critic_epochs):
        return set()
    labelled = sorted({case.patient for case in prepared["train"] if case.tumor is not None})
    order = np.random.default_rng(recipe.seed).permutation(labelled).tolist()
    half = set(order[: round(len(order) * recipe.critic_share)])
    rest = {case.patient for case in prepared["train"]} - half
    if half and rest and any(case.tumor is not None for case in prepared["val"]):
        return half
    job.notice("There are too few label maps for a segmentation U-Net: the generator learns without g_seg.")
    return set()


def _critic(
    request: SynthesisRequest,
    prepared: Mapping[str, list[GanCase]],
    patients: set[str],
    feed: GanFeed,
    run: Path,
    job: Job,
) -> nn.Module:
    """The segmentation U-Net, trained (or gone on with) with the images of ``patients``."""
    recipe = request.recipe
    chosen = [case for case in prepared["train"] if case.patient in patients and case.tumor is not None]
    judged = [case for case in prepared["val"] if case.tumor is not None]
    seed_everything(recipe.seed)  # wherever the generator is
    network = gan_critic.build(len(request.task.channels), recipe.critic)
    trainer = Trainer(
        network,
        gan_critic.recipe(recipe),
        (),
        device=_device(),
        feed=gan_critic.CriticFeed(feed),
        regions=("tumor",),
        key=CRITIC,
    )
    last, best = (run / CRITIC / name for name in (checkpoint.LAST, checkpoint.BEST))
    if last.is_file():
        trainer.restore(checkpoint.load(last))
    trainer.fit(chosen, judged, run / CRITIC, job)
    network.load_state_dict(checkpoint.load(best)["network"])
    return network


def _build(request: SynthesisRequest, cases: Mapping[str, Sequence[Case]], run: Path) -> Path:
    """The model of the best weights so far; :class:`InputError` if no epoch is done."""
    if not (run / checkpoint.BEST).is_file():
        raise InputError(
            f"no epoch of the training in {run} is done",
            expected="weights of one epoch at least",
            hint="run the training's command again without --finish: it goes on where it was stopped",
        )
    best, last = (checkpoint.load(run / name) for name in (checkpoint.BEST, checkpoint.LAST))
    levels = json.loads((run / LEVELS).read_text(encoding="utf-8"))
    ranges = {name: (one["low"], one["high"]) for name, one in levels.items()}
    normalized = {name: (one["lowest"], one["highest"]) for name, one in levels.items()}
    patients = {name: int(one["patients"]) for name, one in levels.items()}
    if request.parent:  # what these data lack, it still makes as before
        ranges, normalized = {**request.parent.ranges, **ranges}, {**request.parent.normalized, **normalized}
        patients = {**request.parent.patients, **patients}
    return build_synthesis_bundle(
        run / MODEL,
        FinishedSynthesis(
            task=request.task,
            network=request.network,
            arguments=request.network_arguments,
            weights=best["network"],
            context=request.recipe.context,
            preprocessing=Pipeline.from_steps(request.preprocessing).steps(),
            ranges=ranges,
            normalized=normalized,
            patients=patients,
            provenance={
                "parent": request.as_mapping()["parent"],
                "data": {
                    "folder": request.data.name,
                    "snapshot": request.snapshot,
                    "cases": {split: [case.id for case in part] for split, part in cases.items()},
                },
                "synthesised": is_synthesised(request.parent, cases["train"]),
                "recipe": request.recipe.as_mapping(),
                "code_version": MedSegEffNetLib.__version__,
                "python": platform.python_version(),
                "torch": torch.__version__,
                "epochs_trained": last["epoch"],
                "best_epoch": int(best["row"]["epoch"]),
                "validation": best["row"],
                "seconds": sum(row["seconds"] for row in last["history"]),
            },
        ),
    )


def _device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
