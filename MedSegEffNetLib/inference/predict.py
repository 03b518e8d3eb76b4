"""Segmentation of one case, from images to a label map on their grid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from MedSegEffNetLib import postprocessing
from MedSegEffNetLib.errors import OutOfMemory
from MedSegEffNetLib.geometry import Undo, Volume
from MedSegEffNetLib.image import Image, joined_marks
from MedSegEffNetLib.inference import engine, ensemble, plan, quality, slices
from MedSegEffNetLib.inference.checks import Checked, check_images
from MedSegEffNetLib.inference.clock import Clock
from MedSegEffNetLib.inference.doubts import resampling, synthesised
from MedSegEffNetLib.inference.options import Options, Setup
from MedSegEffNetLib.inference.voters import Voter, run
from MedSegEffNetLib.job import Job
from MedSegEffNetLib.measures import Row, measure_all
from MedSegEffNetLib.models.bundle import Bundle
from MedSegEffNetLib.preprocessing import Pipeline, stack
from MedSegEffNetLib.task import Channel, SegmentationTask, list_tasks, reference_channel


@dataclass(frozen=True)
class Result:
    """What a segmentation gives.

    Parameters
    ----------
    label_map : uint8 on the grid of the input.
    probabilities : ``(R, X, Y, Z)`` float32 on the same grid, one map a region; none where they were not to be kept.
    volumes_ml : volume of each label by name, in mL.
    warnings : sentences for the user.
    measured : ``seconds`` in all and of the stages ``preparing``, ``network`` and ``finishing``; ``peak_mb`` of main
        memory (None: unknown); ``engine``, ``device`` and ``precision`` of the network, in words as ``setup``;
        ``slices`` that it saw; ``networks`` that voted, and the ``ensemble`` that told them to, where there are several.
    quality : whether something speaks against the result; its reasons are among the warnings.
    measurements : what the task measures on the label map beyond volumes.
    """

    label_map: Image
    probabilities: np.ndarray
    volumes_ml: dict[str, float]
    warnings: tuple[str, ...]
    measured: dict[str, Any]
    quality: quality.Quality
    measurements: tuple[Row, ...] = ()


def segment_case(images: Mapping[str, Image] | Checked, bundle: Bundle, options: Options, job: Job) -> Result:
    """Segment one case with a model.

    Parameters
    ----------
    images : by channel name; those that were checked before are not checked again.

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


def _segment(images: Mapping[str, Image] | Checked, bundle: Bundle, options: Options, job: Job) -> Result:
    clock = Clock()
    if not isinstance(images, Checked):
        images = check_images(images, bundle.channels, resampled=options.resample, dimensions=bundle.dimensions)
    checked, warnings = images
    grid = checked[reference_channel(bundle.channels, checked)]
    votes = ensemble.choose(bundle, options.ensemble, checked)
    channels = _channels_seen(bundle, votes, checked)
    pipeline = Pipeline.from_steps(bundle.preprocessing)
    prepared = pipeline.prepared_shape(grid.shape, grid.affine)
    parts = _parts(checked, pipeline, bundle, options)
    at_once = max(next(iter(part.images.values())).array.size for part in parts)
    expected = plan.estimate(bundle, checked, prepared, at_once, len(votes.networks), options)
    job.emit("plan", **expected.as_mapping())
    plan.refuse_if_too_large(expected)
    job.progress("Preparing", 0, 1)
    setup = engine.choose(options, expected.batch_size)
    voters = [Voter.of(bundle, key, [channel.name for channel in channels]) for key in votes.networks]
    result, meter, seen = Regions(bundle, grid, options), quality.Meter.of(bundle), 0
    with ThreadPoolExecutor(2) as beside:
        coming = beside.submit(_prepare, parts[0], pipeline, channels, voters, setup, options, beside)
        for number, part in enumerate(parts):
            volume, undo = coming.result()
            if number + 1 < len(parts):
                coming = beside.submit(_prepare, parts[number + 1], pipeline, channels, (), setup, options, beside)
            clock.lap("preparing")
            ballot = ensemble.Ballot(votes, [region.name for region in bundle.regions])
            setup, count = run(voters, ballot, volume.array, setup, options, job, (number, len(parts)))
            clock.lap("network")
            if count:
                meter.add(ballot.result(), ballot.counts())
                result.add(ballot.result(), undo, part.where)
            seen += count
            clock.lap("finishing")
    if not seen:
        raise slices.nothing_left()
    job.progress("Finishing", 0, 1)
    seen_images = {channel.name: checked[channel.name] for channel in channels if channel.name in checked}
    label_map = replace(grid.with_array(result.label_map()), synthesised=joined_marks(seen_images.values()))
    volumes_ml = postprocessing.volumes_ml(label_map.array, bundle.labels, grid.spacing)
    doubts = (*votes.doubts, *synthesised(bundle.channels, seen_images))
    judged = quality.assess(bundle, checked, label_map, meter.measures(), volumes_ml, doubts)
    measurements = _measurements(bundle, label_map)
    clock.lap("finishing")
    job.progress("Finishing", 1, 1)
    measured = {
        "seconds": round(sum(clock.seconds.values()), 3),
        **clock.seconds,
        "peak_mb": plan.peak_megabytes(),
        **{name: getattr(setup, name) for name in ("engine", "device", "precision")},
        "setup": str(setup),
        "slices": seen,
        "networks": list(votes.networks),
        **({"ensemble": options.ensemble or bundle.ensembles[0]} if len(bundle.ensembles) > 1 else {}),
    }
    warnings = (*warnings, *resampling(grid, bundle.preprocessing), *votes.warnings, *judged.reasons)
    return Result(label_map, result.probabilities, volumes_ml, warnings, measured, judged, measurements)


def _measurements(bundle: Bundle, label_map: Image) -> tuple[Row, ...]:
    task = list_tasks().get(bundle.task_id)
    return tuple(measure_all(task.measures, label_map, task.labels)) if isinstance(task, SegmentationTask) else ()


def _channels_seen(bundle: Bundle, votes: ensemble.Votes, given: Mapping[str, Image]) -> list[Channel]:
    """The channels to prepare: all of the model's, or those of the networks that vote where each has its own."""
    if not bundle.info.get("ensembles"):
        return list(bundle.channels)
    wanted = {name for entry in bundle.info["networks"] if entry["key"] in votes.networks for name in entry["channels"]}
    return [channel for channel in bundle.channels if channel.name in wanted and channel.name in given]


@dataclass(frozen=True)
class _Part:
    """Images that are prepared and segmented at once, ``where`` they lie in the case, and the case's extreme values."""

    images: Mapping[str, Image]
    where: tuple[slice, slice, slice]
    extremes: tuple[float, float] | None


def _parts(images: Mapping[str, Image], pipeline: Pipeline, bundle: Bundle, options: Options) -> list[_Part]:
    """The case in one piece, or, where slices do not depend on each other, a few slices at a time."""
    first = next(iter(images.values()))
    axis = pipeline.slice_axis(first.affine)
    network, *others = bundle.info["networks"]
    if axis is None or options.probabilities or others or network["context"] or network.get("depth"):
        return [_Part(images, (slice(None), slice(None), slice(None)), None)]
    extremes = [float(end) for image in images.values() for end in (image.array.min(), image.array.max())]
    depth = max(plan.BATCH_SIZE, plan.VOXELS_AT_ONCE * first.shape[axis] // first.array.size)
    depth -= depth % plan.BATCH_SIZE
    parts = []
    for start in range(0, first.shape[axis], depth):
        x, y, z = (slice(start, start + depth) if number == axis else slice(None) for number in range(3))
        where = (x, y, z)
        pieces = {name: Image(image.array[where], image.affine) for name, image in images.items()}
        parts.append(_Part(pieces, where, (min(extremes), max(extremes))))
    return parts


def _prepare(
    part: _Part,
    pipeline: Pipeline,
    channels: list[Channel],
    voters: Sequence[Voter],
    setup: Setup,
    options: Options,
    beside: ThreadPoolExecutor,
) -> tuple[Volume, Undo]:
    """What the networks see of ``part``. The ``voters`` are opened meanwhile, once the size of their input is known."""
    placing, scaling = pipeline.split()
    volume, undo = placing.apply(replace(stack(part.images, channels), extremes=part.extremes))
    for voter in voters:
        voter.begin(setup, voter.cutter(volume.array).input_shape, options, beside)
    return scaling.apply(volume)[0], undo


class Regions:
    """The regions of a case, put together from its parts; with ``probabilities`` ``(R, X, Y, Z)`` where they are kept."""

    def __init__(self, bundle: Bundle, grid: Image, options: Options) -> None:
        self._info, self._bundle, self._grid = bundle.info, bundle, grid
        self._keeps = options.probabilities
        self.probabilities = np.empty((0, *grid.shape), dtype=np.float32)
        # A clean-up looks at whole regions, otherwise a part's labels are all that must be remembered.
        self._clean_up = self._info["postprocessing"]
        shape = (len(bundle.regions), *grid.shape[::-1]) if self._clean_up else grid.shape[::-1]
        self._found = np.zeros(shape, dtype=bool if self._clean_up else np.uint8).swapaxes(-3, -1)

    def add(self, maps: np.ndarray, undo: Undo, where: tuple[slice, slice, slice]) -> None:
        """``maps`` of the part ``where``, as they come from the networks."""
        if self._keeps:
            maps, undo = undo(maps), _as_it_is
            self.probabilities = maps[1:] if self._info["activation"] == "softmax" else maps
        masks = self._masks(maps, undo)
        if self._clean_up:
            self._found[(slice(None), *where)] = masks
        else:
            self._found[where] = self._labels(masks)

    def label_map(self) -> np.ndarray:
        """Labels ``(X, Y, Z)`` uint8."""
        return self._labels(self._found) if self._clean_up else self._found

    def _masks(self, maps: np.ndarray, undo: Undo) -> np.ndarray:
        """Where each region is, before any clean-up: ``(R, X, Y, Z)`` boolean."""
        if self._info["activation"] == "softmax":
            winner = undo(maps).argmax(axis=0)
            return np.stack([winner == number for number in range(1, len(maps))])
        # One after the other: probabilities at the images' resolution are large.
        thresholds = self._info["thresholds"]
        return np.stack([undo(maps[n : n + 1])[0] >= threshold for n, threshold in enumerate(thresholds)])

    def _labels(self, masks: np.ndarray) -> np.ndarray:
        nested = self._info["nested"] and self._info["activation"] == "sigmoid"
        regions, spacing = self._bundle.regions, self._grid.spacing
        halves = [0.5] * len(regions)
        return postprocessing.regions_to_label_map(masks, regions, halves, "sigmoid", nested, self._clean_up, spacing)


def _as_it_is(maps: np.ndarray) -> np.ndarray:
    return maps
