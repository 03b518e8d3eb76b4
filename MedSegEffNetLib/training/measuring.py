"""How long a training will take and how much it will need, from two of its steps and one of its validations."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from MedSegEffNetLib.dataset.case import Case
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.geometry import Volume
from MedSegEffNetLib.inference.plan import peak_megabytes
from MedSegEffNetLib.job import Event, Job
from MedSegEffNetLib.preprocessing import Pipeline
from MedSegEffNetLib.training.data import Slices, load_volume
from MedSegEffNetLib.training.halfway import Halfway
from MedSegEffNetLib.training.loop import Trainer
from MedSegEffNetLib.training.preparing import ready
from MedSegEffNetLib.training.request import Request
from MedSegEffNetLib.training.run import make_trainer, seed_everything

_CASES = 4  # that are read at most to fill a batch of slices
_STEPS = 2


@dataclass(frozen=True)
class Measured:
    """What was measured, and what follows.

    Parameters
    ----------
    seconds_per_epoch, seconds_total : of all networks; the total counts the reading of the cases.
    peak_mb : main memory at most while two cases were in it; gpu_mb, gpu_free_mb : of the GPU (None: there is none).
    case_bytes : of a prepared case.
    disk_bytes : of checkpoints and models.
    notices : what the training said meanwhile, e.g. that memory ran out. notes : how the figures were found.
    """

    seconds_per_epoch: float
    seconds_total: float
    peak_mb: int | None
    gpu_mb: int | None
    gpu_free_mb: int | None
    case_bytes: float
    disk_bytes: int
    notices: tuple[str, ...]
    notes: tuple[str, ...]


def measure(request: Request, cases: Mapping[str, Sequence[Case]], job: Job) -> Measured:
    """Prepare a few cases, take two steps and validate on one case; the network is thrown away.

    Raises
    ------
    InputError
        No case has any image. :class:`OutOfMemory`: not even the smallest way of training fits.
    """
    seed_everything(request.recipe.seed)
    told: list[Event] = []
    job.listeners.append(told.append)
    gpu_free = torch.cuda.mem_get_info()[0] // 1_000_000 if torch.cuda.is_available() else None
    try:
        key, prepared, seconds_a_case = _first_cases(request, cases, job)
        trainer = make_trainer(request.with_recipe(request.recipe.replaced(synthetic_share=0.0)), key)
        trainer.previews = None
        step = _time_steps(trainer, prepared["train"], job)
        began = time.perf_counter()
        trainer.validate(prepared["val"], job)
        validation = time.perf_counter() - began
    finally:
        job.listeners.remove(told.append)
    steps = _steps_an_epoch(request, prepared["train"], len(cases["train"]))
    count = len(request.networks)
    an_epoch = (steps * step + len(cases["val"]) * validation) * count
    reading = seconds_a_case * (len(cases["train"]) + len(cases["val"])) * count
    sizes = [case.images.nbytes + case.targets.nbytes for part in prepared.values() for case in part]
    return Measured(
        seconds_per_epoch=an_epoch,
        seconds_total=an_epoch * request.recipe.epochs + reading,
        peak_mb=peak_megabytes(),
        gpu_mb=None if gpu_free is None else torch.cuda.max_memory_allocated() // 1_000_000,
        gpu_free_mb=gpu_free,
        case_bytes=float(np.mean(sizes)),
        disk_bytes=_disk_bytes(trainer, request),
        notices=tuple(event["text"] for event in told if event["event"] == "notice"),
        notes=_notes(request, key, step, steps, validation, seconds_a_case, len(prepared["train"])),
    )


def _first_cases(
    request: Request, cases: Mapping[str, Sequence[Case]], job: Job
) -> tuple[str, dict[str, list[Any]], float]:
    """The first network that has cases, enough of them for a batch and one to validate on, and the seconds a case took."""
    for key in request.networks:
        began = time.perf_counter()
        found = {split: _loaded(cases[split], key, request, job) for split in ("train", "val")}
        volumes = {
            split: list(itertools.islice(part, _CASES if split == "train" else 1)) for split, part in found.items()
        }
        if not all(volumes.values()):
            continue
        pipeline = Pipeline.from_steps(request.preprocessing)
        if not request.task.ensembles:
            pipeline = pipeline.learn([volume for _, volume in volumes["train"]])
        prepared = {split: [ready(request, *one, pipeline) for one in part] for split, part in volumes.items()}
        spent = time.perf_counter() - began
        return key, prepared, spent / sum(map(len, prepared.values()))
    raise InputError(
        f"{request.data} has no images to train and validate with", expected="cases with " + ", ".join(request.networks)
    )


def _loaded(cases: Sequence[Case], key: str, request: Request, job: Job) -> Iterator[tuple[Case, Volume]]:
    for number, case in enumerate(cases):
        volume = load_volume(case, request.networks[key])
        job.progress("Reading", number + 1, len(cases))
        job.check_stop()
        if volume is not None:
            yield case, volume


def _time_steps(trainer: Trainer, cases: Sequence[Any], job: Job) -> float:
    """Seconds of a step: of the quickest but the first one, in which everything is set up."""
    seed = trainer.recipe.seed
    now = Halfway(_STEPS, torch.Generator().manual_seed(seed), trainer.device)
    trainer.learner.train()
    seconds = []
    for number, (images, targets) in enumerate(_batches(trainer, cases)):
        began = time.perf_counter()
        trainer.learner.learn(images, targets, now, job)
        seconds.append(time.perf_counter() - began)
        job.progress("Measuring", number + 1, _STEPS)
        job.check_stop()
    return min(seconds[1:])


def _batches(trainer: Trainer, cases: Sequence[Any]) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches of the training, as many as are measured."""
    draw = np.random.default_rng(trainer.recipe.seed)
    count = 0
    while count < _STEPS:
        _, stream = trainer.batches(cases, draw)
        for batch in itertools.islice(stream, _STEPS - count):
            count += 1
            yield batch


def _steps_an_epoch(request: Request, prepared: Sequence[Any], cases: int) -> int:
    """Of all ``cases``, of which ``prepared`` are a sample."""
    recipe = request.recipe
    if not isinstance(prepared[0], Slices):
        return math.ceil((recipe.samples_per_epoch or cases) / recipe.batch_size)
    full = np.mean([case.has_region().sum() for case in prepared]) * cases
    empty = np.mean([(~case.has_region()).sum() for case in prepared]) * cases
    wanted = full + (empty if recipe.empties_per_epoch < 0 else min(empty, recipe.empties_per_epoch))
    return max(1, math.ceil(wanted / recipe.batch_size))


def _disk_bytes(trainer: Trainer, request: Request) -> int:
    """Checkpoints (one more while the next is written), and models: weights in float16 and OpenVINO's form of them."""
    last, kept = _bytes_in(trainer.state()), _bytes_in(trainer.learner.average.state_dict())
    best = 1 + len(request.recipe.also_monitor)
    return len(request.networks) * (last + best * kept) + last + best * len(request.networks) * kept


def _bytes_in(value: Any) -> int:
    if isinstance(value, Tensor):
        return value.nbytes
    if isinstance(value, Mapping):
        return sum(map(_bytes_in, value.values()))
    return sum(map(_bytes_in, value)) if isinstance(value, list | tuple) else 0


def _notes(
    request: Request, key: str, step: float, steps: int, validation: float, reading: float, sample: int
) -> tuple[str, ...]:
    """How the figures were found, for the reader."""
    several = f", for each of {len(request.networks)} networks (measured: {key})" if len(request.networks) > 1 else ""
    counted = f" (counted on {sample} of the cases)" if request.task.dimensions == 2 else ""
    notes = [
        f"Time: {steps} steps an epoch{counted}, {step:.2g} s each (the second of two), {validation:.2g} s for each "
        f"validation case, {reading:.2g} s to prepare each case{several}; {request.recipe.epochs} epochs at most.",
        "Memory: the most that was in use in two steps and a validation, and the prepared cases, which may take half of "
        "what is free (the rest is read from disk).",
        "Disk: checkpoints, the model, previews, and prepared cases that do not fit into memory.",
    ]
    if request.recipe.synthetic_share:
        notes.append("Synthetic patients are made beside the steps and were not measured.")
    return tuple(notes)
