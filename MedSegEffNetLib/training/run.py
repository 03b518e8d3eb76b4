"""A training from a data folder to a model: ``run/`` holds the job's files, ``checkpoints/`` and, at the end, ``model/``.

Where a task has one network a channel they are trained one after the other; ``checkpoints/`` then lies in a folder each.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Unpack

import numpy as np
import torch

from MedSegEffNetLib import networks
from MedSegEffNetLib.dataset.case import Case
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.inference.engine import default_threads
from MedSegEffNetLib.job import EVENTS, REQUEST, Event, Job, read_request, running_process
from MedSegEffNetLib.preprocessing import Pipeline
from MedSegEffNetLib.training import checkpoint, distributed
from MedSegEffNetLib.training.board import Board
from MedSegEffNetLib.training.cases import split_cases
from MedSegEffNetLib.training.finishing import build_models, folder_of
from MedSegEffNetLib.training.loop import Feed, Trainer
from MedSegEffNetLib.training.preparing import CACHE, Cache, learnt_pipeline, prepared_cases, read_pipeline
from MedSegEffNetLib.training.previews import Previews
from MedSegEffNetLib.training.request import (
    CHECK,
    COMMAND,
    WHOLE,
    Asked,
    Request,
    check_buildable,
    check_same_request,
    parent_as_begun,
    resolve,
)
from MedSegEffNetLib.training.synthetic import PatientMaps, SyntheticFeed
from MedSegEffNetLib.training.volumes import VolumeFeed

SYNTHETIC = "synthetic"  # folder of the tissue maps of synthetic patients


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
    """Train, or go on with the training in ``run``; returns the folder of the finished model.

    Parameters
    ----------
    data : folder in one of the layouts of :mod:`MedSegEffNetLib.dataset.readers`.
    run : the job's folder. If a training was begun there, it is resumed.
    threads : of the processor; None: all cores but one.
    finish : train no further: the best weights so far become the model.
    listener : called with each event.
    asked : see :class:`MedSegEffNetLib.training.request.Asked`.

    Raises
    ------
    InputError
        Anything about the request is wrong; nothing has been written.
    """
    with distributed.joined():
        asked["parent"] = parent_as_begun(run, asked.get("parent"))
        request = resolve(task_id, data, **asked)
        return _train_as_asked(request, run, threads, finish, listener)


def _train_as_asked(
    request: Request, run: Path, threads: int | None, finish: bool, listener: Callable[[Event], None] | None
) -> Path:
    check_buildable(request)
    check_same_request(run, request)
    if finish and (read_request(run) or {"request": {}})["request"].get("command") != COMMAND:
        raise InputError(f"no training was begun in {run}", expected="a run folder", hint="leave out --finish")
    cases = split_cases(request.data, request.snapshot, request.task, request.recipe)
    use_threads(threads)
    if distributed.rank() == 0:
        _clear_check(run)
    job = distributed.open_job(run, request.as_mapping())
    if listener is not None and distributed.rank() == 0:
        job.listeners.append(listener)
    with job:
        tell_data(cases, job)
        folder = build_models(request, cases, read_pipeline(run), run) if finish else _train(request, cases, run, job)
        job.finish(model=folder.name)
    return folder


def use_threads(threads: int | None) -> None:
    """Compute with so many threads of the processor; None: one core is left to whoever works beside the training."""
    if threads is not None and threads < 1:
        raise InputError(f"{threads} threads", expected="1 or more")
    torch.set_num_threads(threads or max(1, (default_threads() - 1) // distributed.neighbors()))


def tell_data(cases: Mapping[str, Sequence[Case]], job: Job) -> dict[str, dict[str, int]]:
    """An event with the number of cases and patients of each split that has any; returns them."""
    sizes = {name: {"cases": len(part), "patients": len({c.patient for c in part})} for name, part in cases.items()}
    splits = {name: size for name, size in sizes.items() if size["cases"]}
    job.emit("data", splits=splits)
    return splits


def _clear_check(run: Path) -> None:
    """A folder that holds no more than a training's check becomes the training's."""
    content = read_request(run)
    if content is not None and content["request"].get("command") == CHECK and running_process(run) is None:
        for name in (REQUEST, EVENTS):
            (run / name).unlink(missing_ok=True)


def _train(request: Request, cases: Mapping[str, Sequence[Case]], run: Path, job: Job) -> Path:
    board = Board.open(run, job) if distributed.rank() == 0 else None
    try:
        if request.task.ensembles:
            tell_unknown_regions(request, cases["train"], job)
        seed_everything(request.recipe.seed)
        pipeline = learnt_pipeline(request, cases["train"], run, job)
        left = len(request.networks)
        trained = 0
        for key in request.networks:
            left -= 1
            trained += _train_one(request, cases, pipeline, key, left, run, job)
        if not trained:
            expected = "cases with " + ", ".join(request.networks)
            raise InputError(f"{request.data} has no images to train and validate with", expected=expected)
        return build_models(request, cases, pipeline, run)
    finally:
        if board is not None:
            board.close()


def _train_one(
    request: Request,
    cases: Mapping[str, Sequence[Case]],
    pipeline: Pipeline,
    key: str,
    following: int,
    run: Path,
    job: Job,
) -> bool:
    """Train one network; False for one of several that sees a channel which no case has."""
    recipe, folder = request.recipe, folder_of(run, key)
    seed_everything(recipe.seed)
    feed = None
    if recipe.synthetic_share:
        maps = PatientMaps(cases["train"], request.task, pipeline, run / SYNTHETIC, recipe.seed)
        maps.get(0)  # that no case gives an anatomy is told before all of them are prepared
        feed = SyntheticFeed(VolumeFeed(recipe), maps, key)
    trainer = make_trainer(request, key, feed)
    trainer.following = following
    if (folder / checkpoint.LAST).is_file():
        trainer.restore(checkpoint.load(folder / checkpoint.LAST))
        within = ", within the next one" if trainer.halfway else ""
        job.notice(f"resumed after epoch {trainer.epoch} of {recipe.epochs}{within}")
    if trainer.finished:
        return True
    with Cache(run / CACHE / str(distributed.rank())) as cache:
        prepared = prepared_cases(request, cases, key, pipeline, cache, job)
        if not (prepared["train"] and prepared["val"]):
            job.notice(
                f"There is no network for {key}: it takes a case with this image for training and for validation."
            )
            return False
        trainer.fit(prepared["train"], prepared["val"], folder, job)
    return True


def make_trainer(request: Request, key: str, feed: Feed | None = None) -> Trainer:
    """A training of the network ``key`` that has not begun."""
    network = networks.build(request.network, request.network_arguments)
    if request.parent:
        there = [entry.get("key") for entry in request.parent.info["networks"]]
        network.load_state_dict(request.parent.state_dict(there.index(key) if key in there else 0))
        encoder = getattr(network, "encoder", None)
        if encoder is not None:  # its statistics are learnt or stay as in the training that the model comes from
            encoder.start = request.parent.info["provenance"].get("encoder_start", "random")
    named = "" if key == WHOLE else key
    return Trainer(
        network,
        request.recipe,
        request.task.channels,
        exclusive=request.task.activation == "softmax",
        device=distributed.device(),
        feed=feed,
        regions=tuple(region.name for region in request.task.regions),
        key=named,
        previews=Previews(request.task, request.networks[key], request.recipe.context, request.recipe.epochs, named),
    )


def tell_unknown_regions(request: Request, cases: Sequence[Case], job: Job) -> None:
    """Say which regions no training case knows, and what that means."""
    known = {name for case in cases for name in case.regions or [region.name for region in request.task.regions]}
    unknown = [region.name for region in request.task.regions if region.name not in known]
    if unknown:
        outcome = "they are learnt from synthetic patients alone."
        if not request.recipe.synthetic_share:
            outcome = "they cannot be learnt. Add cases that tell them, or set synthetic_share."
        job.notice(f"The label maps of these cases do not tell {', '.join(unknown)}: {outcome}")


def seed_everything(seed: int) -> None:
    """Let all that draws start from ``seed``."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
