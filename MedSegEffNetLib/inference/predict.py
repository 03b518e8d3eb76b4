"""Segmentation of one case, from images to a label map on their grid."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from MedSegEffNetLib import postprocessing
from MedSegEffNetLib.errors import OutOfMemory
from MedSegEffNetLib.image import Image
from MedSegEffNetLib.inference import engine, ensemble, plan, slices, volumes
from MedSegEffNetLib.inference.checks import check_images
from MedSegEffNetLib.inference.options import Options, Setup
from MedSegEffNetLib.job import Job
from MedSegEffNetLib.models.bundle import Bundle
from MedSegEffNetLib.preprocessing import Pipeline, stack
from MedSegEffNetLib.task import Channel, reference_channel


@dataclass(frozen=True)
class Result:
    """What a segmentation gives.

    Parameters
    ----------
    label_map : uint8 on the grid of the input.
    probabilities : ``(R, X, Y, Z)`` float32 on the same grid, one map a region.
    volumes_ml : volume of each label by name, in mL.
    warnings : sentences for the user.
    measured : ``seconds`` in all and of the stages ``preparing``, ``network`` and ``finishing``; ``peak_mb`` of main
        memory (None: unknown); ``engine``, ``device`` and ``precision`` of the network, in words as ``setup``;
        ``slices`` that it saw; ``networks`` that voted.
    """

    label_map: Image
    probabilities: np.ndarray
    volumes_ml: dict[str, float]
    warnings: tuple[str, ...]
    measured: dict[str, Any]


def segment_case(images: Mapping[str, Image], bundle: Bundle, options: Options, job: Job) -> Result:
    """Segment one case with a model.

    Parameters
    ----------
    images : by channel name.

    Raises
    ------
    InputError
        The images do not fit the model, or memory will not do; nothing has been computed.
    OutOfMemory
        Memory ran out and no smaller way of working was left.
    Stopped
        The job was asked to stop.
    """
    try:
        return _segment(images, bundle, options, job)
    except (MemoryError, RuntimeError) as error:
        if not engine.is_out_of_memory(error):
            raise
        raise OutOfMemory(
            "memory ran out while the images were prepared or the result was brought back onto their grid",
            hint="close other programs, or crop or resample the images to fewer voxels",
        ) from error


def _segment(images: Mapping[str, Image], bundle: Bundle, options: Options, job: Job) -> Result:
    clock = _Clock()
    checked, warnings = check_images(images, bundle.channels, resampled=options.resample)
    grid = checked[reference_channel(bundle.channels, checked)]
    votes = ensemble.choose(bundle, options.ensemble, checked)
    channels = _channels_seen(bundle, votes, checked)
    pipeline = Pipeline.from_steps(bundle.preprocessing)
    prepared = pipeline.prepared_shape(grid.shape, grid.affine)
    expected = plan.estimate(bundle, grid.shape, prepared, options.flips, len(channels), len(votes.networks))
    job.emit("plan", **expected.as_mapping())
    plan.refuse_if_too_large(expected)
    job.progress("Preparing", 0, 1)
    volume, undo = pipeline.apply(stack(checked, channels))
    clock.lap("preparing")
    names = [channel.name for channel in channels]
    maps, setup, seen = _run_networks(bundle, votes, volume.array, names, options, expected.batch_size, job)
    clock.lap("network")
    job.progress("Finishing", 0, 1)
    maps = undo(maps)
    label_map = grid.with_array(_label_map(maps, bundle, grid))
    volumes_ml = postprocessing.volumes_ml(label_map.array, bundle.labels, grid.spacing)
    clock.lap("finishing")
    job.progress("Finishing", 1, 1)
    if bundle.info["activation"] == "softmax":
        maps = maps[1:]
    measured = {
        "seconds": round(sum(clock.seconds.values()), 3),
        **clock.seconds,
        "peak_mb": plan.peak_megabytes(),
        **{name: getattr(setup, name) for name in ("engine", "device", "precision")},
        "setup": str(setup),
        "slices": seen,
        "networks": list(votes.networks),
    }
    return Result(label_map, maps, volumes_ml, (*warnings, *votes.warnings), measured)


def _channels_seen(bundle: Bundle, votes: ensemble.Votes, given: Mapping[str, Image]) -> list[Channel]:
    """The channels to prepare: all of the model's, or those of the networks that vote where each has its own."""
    if not bundle.info.get("ensembles"):
        return list(bundle.channels)
    wanted = {name for entry in bundle.info["networks"] if entry["key"] in votes.networks for name in entry["channels"]}
    return [channel for channel in bundle.channels if channel.name in wanted and channel.name in given]


def _run_networks(
    bundle: Bundle,
    votes: ensemble.Votes,
    array: np.ndarray,
    names: list[str],
    options: Options,
    batch_size: int,
    job: Job,
) -> tuple[np.ndarray, Setup, int]:
    """Run every network that votes on its channels of ``array`` ``(C, X, Y, Z)``; returns the slices seen, too."""
    ballot = ensemble.Ballot(votes, [region.name for region in bundle.regions])
    setup = engine.choose(options, batch_size)
    cutter: slices.SliceCutter | volumes.StackCutter | None = None
    keys = [str(entry["key"]) for entry in bundle.info["networks"]]
    for done, key in enumerate(votes.networks):
        number = keys.index(key)
        entry = bundle.info["networks"][number]
        seen = array[[names.index(name) for name in entry["channels"]]] if len(keys) > 1 else array
        if entry.get("depth"):
            cutter = volumes.StackCutter(seen, entry["depth"], entry["divisor"])
        else:
            cutter = slices.SliceCutter(seen, entry["context"], entry["divisor"])
        maps, setup = _run_network(bundle, number, cutter, options, setup, job, (done, len(votes.networks)))
        ballot.add(key, maps)
    if cutter is None:
        raise RuntimeError("no network of the model votes")
    return ballot.result(), setup, len(cutter.full)


def _run_network(
    bundle: Bundle,
    number: int,
    cutter: slices.SliceCutter | volumes.StackCutter,
    options: Options,
    start: Setup,
    job: Job,
    turn: tuple[int, int],
) -> tuple[np.ndarray, Setup]:
    """Probabilities of one network, and the setup that did it; ``turn`` is which of how many networks it is."""
    threads = options.threads or engine.default_threads()
    exclusive = bundle.info["activation"] == "softmax"

    def progress(done: int, total: int) -> None:
        job.progress("Segmenting", turn[0] * total + done, turn[1] * total)
        job.check_stop()

    for setup in engine.ladder(start):
        try:
            network = engine.open_engine(bundle, number, setup, cutter.input_shape, threads)
            if isinstance(cutter, volumes.StackCutter):
                return volumes.predict(network, cutter, exclusive, options.flips, progress), setup
            return slices.predict(network, cutter, setup.batch_size, exclusive, options.flips, progress), setup
        except (MemoryError, RuntimeError) as error:
            if not engine.is_out_of_memory(error):
                raise
            job.notice(f"Memory ran out with {setup}; a smaller way of working is tried.")
    raise OutOfMemory("memory ran out, even with one slice at a time", hint="close other programs, or use --device cpu")


def _label_map(maps: np.ndarray, bundle: Bundle, grid: Image) -> np.ndarray:
    info = bundle.info
    return postprocessing.regions_to_label_map(
        maps,
        bundle.regions,
        info["thresholds"],
        info["activation"],
        info["nested"],
        info["postprocessing"],
        grid.spacing,
    )


class _Clock:
    """Seconds between laps, by name."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.seconds[name] = round(now - self._last, 3)
        self._last = now
