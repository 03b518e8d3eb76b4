"""Cases made ready for a network: in memory while they fit there, the rest as files that are mapped into it."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from MedSegEffNetLib import atomic
from MedSegEffNetLib.dataset.case import Case
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.geometry import Volume
from MedSegEffNetLib.inference.plan import free_megabytes
from MedSegEffNetLib.job import Job
from MedSegEffNetLib.preprocessing import Pipeline
from MedSegEffNetLib.task import Channel, Step
from MedSegEffNetLib.training import distributed
from MedSegEffNetLib.training.data import Slices, load_volume, to_slices
from MedSegEffNetLib.training.request import Request
from MedSegEffNetLib.training.volumes import Prepared, prepare

CACHE = "cache"
LEARNT = "preprocessing.json"
_SHARE = 0.5  # of the free memory that prepared cases may take


class Cache:
    """Keeps prepared cases, in ``folder`` what is more than ``megabytes`` (None: half of what is free now).

    A context: at its end the folder is removed.
    """

    def __init__(self, folder: Path, megabytes: float | None = None) -> None:
        free = free_megabytes()
        self._folder = folder
        share = _SHARE / distributed.neighbors()  # each process keeps cases of its own
        self._left = 1e6 * megabytes if megabytes is not None else share * 1e6 * free if free else float("inf")
        self.files = 0

    def __enter__(self) -> Cache:
        shutil.rmtree(self._folder, ignore_errors=True)  # what a killed program left
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
        with contextlib.suppress(OSError):  # other processes have their own folders beside it
            self._folder.parent.rmdir()

    def keep(self, case: Any) -> Any:
        """``case`` (:class:`Slices` or :class:`Prepared`), its arrays in memory or read from a file as they are used."""
        size = case.images.nbytes + case.targets.nbytes
        if size <= self._left:
            self._left -= size
            return case
        self._left = 0.0  # small cases that come later go to files too: memory is as good as full
        self.files += 1
        arrays = {name: getattr(case, name) for name in ("images", "targets")}
        return replace(case, **{name: self._mapped(name, array) for name, array in arrays.items()})

    def _mapped(self, name: str, array: np.ndarray) -> np.ndarray:
        path = self._folder / f"{self.files:06d}-{name}.npy"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            np.save(path, array, allow_pickle=False)
            mapped: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
        except OSError as error:
            raise atomic.write_error(path, error) from error
        return mapped


def learnt_pipeline(request: Request, cases: Sequence[Case], run: Path, job: Job) -> Pipeline:
    """The preprocessing with the statistics of the training ``cases``; kept in ``run``, so that they are learnt once.

    A training that goes on from a model learns them too: other images come in other units. Where there is one network a
    channel nothing is learnt.
    """
    path = run / LEARNT
    if distributed.from_first(path.is_file()):
        return read_pipeline(run)
    pipeline = Pipeline.from_steps(request.preprocessing)
    if not request.task.ensembles:

        def volumes() -> Any:
            for number, case in enumerate(cases):
                yield volume_of(case, request.task.channels)
                job.progress("Reading", number + 1, len(cases))
                job.check_stop()

        pipeline = pipeline.learn(volumes)
    if distributed.rank() == 0:
        atomic.write_json(path, [{"name": step.name, "arguments": dict(step.arguments)} for step in pipeline.steps()])
    return pipeline


def read_pipeline(run: Path) -> Pipeline:
    """What :func:`learnt_pipeline` has kept in ``run``; :class:`InputError` if there is nothing of use."""
    path = run / LEARNT
    try:
        steps = [Step(step["name"], step["arguments"]) for step in json.loads(path.read_text(encoding="utf-8"))]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path} cannot be read ({type(error).__name__})",
            expected="the preprocessing as the training has learnt it",
            hint="run the training's command again without --finish"
            if not path.is_file()
            else "use another --run folder",
        ) from error
    return Pipeline.from_steps(steps)


def prepared_cases(
    request: Request, cases: Mapping[str, Sequence[Case]], key: str, pipeline: Pipeline, cache: Cache, job: Job
) -> dict[str, list[Any]]:
    """The cases of ``train`` and ``val`` for the network ``key``; those without any of its images are left out.

    One at a time is read: a hundred cases at full size and in four channels would not fit into memory.
    """
    channels = request.networks[key]
    names = [(split, case) for split in ("train", "val") for case in cases[split]]
    stage = f"{key}: Preparing" if request.task.ensembles else "Preparing"
    prepared: dict[str, list[Any]] = {"train": [], "val": []}
    for number, (split, case) in enumerate(names):
        volume = load_volume(case, channels)
        if volume is not None:
            prepared[split].append(cache.keep(ready(request, case, volume, pipeline)))
        elif not request.task.ensembles:
            raise _no_images(case, channels)
        job.progress(stage, number + 1, len(names))
        job.check_stop()
    if cache.files:
        job.notice(
            f"{cache.files} of {len(names)} cases do not fit into half of the free memory: they are read from disk."
        )
    return prepared


def ready(request: Request, case: Case, volume: Volume, pipeline: Pipeline) -> Slices | Prepared:
    """``volume`` of ``case`` as the network learns from it."""
    if request.task.dimensions == 3:
        return prepare(case.id, volume, request.task, pipeline, case.regions)
    return to_slices(case.id, volume, request.task, pipeline)


def volume_of(case: Case, channels: Sequence[Channel]) -> Volume:
    """The images of ``case``; :class:`InputError` if it has none of ``channels``."""
    volume = load_volume(case, channels)
    if volume is None:
        raise _no_images(case, channels)
    return volume


def _no_images(case: Case, channels: Sequence[Channel]) -> InputError:
    return InputError(f"case {case.id} has no images", expected="one of " + ", ".join(one.name for one in channels))
