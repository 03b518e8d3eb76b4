"""A missing image of a case, made from those at hand: preprocessing, network, and the way back to the images' grid."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from MedSegEffNetLib.errors import InputError, OutOfMemory
from MedSegEffNetLib.geometry import Undo
from MedSegEffNetLib.image import Image
from MedSegEffNetLib.inference import engine, plan
from MedSegEffNetLib.inference.checks import Checked, check_images
from MedSegEffNetLib.inference.clock import Clock
from MedSegEffNetLib.inference.options import Options, Setup
from MedSegEffNetLib.intensities import foreground
from MedSegEffNetLib.job import Job
from MedSegEffNetLib.models.bundle import Bundle
from MedSegEffNetLib.preprocessing import Pipeline, stack
from MedSegEffNetLib.synthesis.planes import Planes
from MedSegEffNetLib.task import reference_channel

BATCH_SIZE = 4
_BACKGROUND = -9.0  # where a model's preprocessing does not name another value
_LOST = 0.01  # of the head: less beyond what the network sees is not worth a word
_BASE_MB = {"openvino": 250, "torch": 500}  # the interpreter with NumPy and the engine
_BYTES_A_PIXEL = 1000  # feature maps of the generator
_BYTES_A_VOXEL = 16  # of each image, while it is prepared
_ENOUGH = 10  # patients from whom a channel was learnt: fewer are told of
_CONTRAST = "t1ce"
_CONTRAST_CAUTION = (
    "Contrast enhancement cannot be known from images without contrast agent: where this image shows enhancement, or "
    "none, it is a guess."
)


@dataclass(frozen=True)
class Synthesis:
    """An image that was made.

    Parameters
    ----------
    image : float32 on the grid of the inputs, in the range of the target's training images; background 0. It carries the
        model's name as its mark.
    normalized : ``(X, Y, Z)`` float32 on the same grid, as the network made it (zero mean, unit variance); 0 outside.
    inside : ``(X, Y, Z)`` boolean, where the network has made something.
    target, inputs : names of the channels.
    warnings : sentences for the user.
    measured : ``seconds`` in all and of the stages ``preparing``, ``network`` and ``finishing``; ``peak_mb`` of main
        memory (None: unknown); ``engine``, ``device`` and ``precision`` of the network, in words as ``setup``; ``slices``.
    """

    image: Image
    normalized: np.ndarray
    inside: np.ndarray
    target: str
    inputs: tuple[str, ...]
    warnings: tuple[str, ...]
    measured: dict[str, Any]


def targets_of(bundle: Bundle) -> tuple[str, ...]:
    """The channels that a synthesis model can make; an :class:`InputError` if it is another kind of model."""
    if bundle.kind != "synthesis":
        raise InputError(
            f"{bundle.name} is a model of the task {bundle.task_id} and makes no images",
            expected="a model of mri-synthesis",
            hint="see `medsegeffnet models list`",
        )
    return bundle.targets


def check_request(images: Mapping[str, Image], bundle: Bundle, target: str) -> None:
    """Raise an :class:`InputError` if ``target`` cannot be made from ``images`` (by channel name)."""
    targets = targets_of(bundle)
    if target not in targets:
        raise InputError(f"{bundle.name} cannot make {target}", expected="one of " + ", ".join(targets))
    if target in images:
        raise InputError(
            f"{target} is given and wanted at the same time",
            expected="a target that is not among the inputs",
            hint=f"leave {target} out of --input to have it made (--real compares with it), or name another --target",
        )
    for name, image in images.items():
        if image.synthesised:
            raise InputError(
                f"channel {name} is no image of a scanner: {image.synthesised} made it",
                expected="images of a scanner as inputs",
                hint="leave it out: what a network made up tells another one nothing",
            )


class Synthesizer:
    """A synthesis model that is ready to make image after image; its network stays open."""

    def __init__(self, bundle: Bundle, options: Options) -> None:
        targets_of(bundle)
        self.bundle, self.options = bundle, options
        self.pipeline = Pipeline.from_steps(bundle.preprocessing)
        self.channels = [channel.name for channel in bundle.channels]
        self.planes = Planes(len(self.channels), int(bundle.info["networks"][0]["context"]))
        self.divisor = int(bundle.info["networks"][0]["divisor"])
        values = [step.arguments.get("value") for step in bundle.preprocessing if step.name == "mark_background"]
        self.background = np.float32(values[-1] if values else _BACKGROUND)
        self._opened: tuple[Setup, tuple[int, ...], engine.Engine] | None = None

    def check(self, images: Mapping[str, Image], target: str) -> Checked:
        """The images on one grid, with warnings; an :class:`InputError` says why ``target`` cannot be made from them."""
        checked = check_images(images, self.bundle.channels, resampled=self.options.resample)
        check_request(checked.images, self.bundle, target)
        return checked

    def make(self, images: Mapping[str, Image] | Checked, target: str, job: Job) -> Synthesis:
        """Make the channel ``target`` of a case.

        Parameters
        ----------
        images : by channel name; those that :meth:`check` has returned are not checked again.

        Raises
        ------
        InputError
            The images do not fit, or memory will not do; nothing has been computed.
        OutOfMemory
            Memory ran out and no smaller way of working was left.
        Stopped
            The job was asked to stop.
        """
        checked = images if isinstance(images, Checked) else self.check(images, target)
        started, clock = time.perf_counter(), Clock()
        grid = checked.images[reference_channel(self.bundle.channels, checked.images)]
        self._plan(checked.images, engine.choose(self.options, BATCH_SIZE), job)
        job.progress("Preparing", 0, 1)
        slices, inside, undo = self._prepared(checked.images)
        clock.lap("preparing")
        made, setup, seen = self._run(slices, inside, [name in checked.images for name in self.channels], target, job)
        del slices
        clock.lap("network")
        job.progress("Finishing", 0, 1)
        normalized, whole = _brought_back(made, inside, undo)
        image = self._in_range(grid, normalized, whole, target)
        seen_at_all = undo(np.ones((1, *inside.shape), dtype=np.float32))[0] >= 0.5
        warnings = dict.fromkeys((*checked.warnings, *self._doubts(checked.images, seen_at_all, target)))
        clock.lap("finishing")
        job.progress("Finishing", 1, 1)
        measured = {
            "seconds": round(time.perf_counter() - started, 3),
            **clock.seconds,
            "peak_mb": plan.peak_megabytes(),
            **{name: getattr(setup, name) for name in ("engine", "device", "precision")},
            "setup": str(setup),
            "slices": seen,
        }
        return Synthesis(image, normalized, whole, target, tuple(checked.images), tuple(warnings), measured)

    def normalized(self, image: Image, channel: str) -> tuple[np.ndarray, np.ndarray]:
        """An image as the network would have to make it, and where: as :class:`Synthesis` has it, on the image's grid."""
        named = [one for one in self.bundle.channels if one.name == channel]
        volume, undo = self.pipeline.apply(stack({channel: image}, named))
        return _brought_back(volume.array[0], volume.array[0] != self.background, undo)

    def _prepared(self, images: Mapping[str, Image]) -> tuple[np.ndarray, np.ndarray, Undo]:
        """The images as slices ``(Z, C, H, W)``, 0 where one is missing; the head ``(x, y, z)``; and the way back."""
        named = [channel for channel in self.bundle.channels if channel.name in images]
        volume, undo = self.pipeline.apply(stack(images, named))
        inside = (volume.array != self.background).any(axis=0)
        slices = np.zeros((inside.shape[2], len(self.channels), *inside.shape[1::-1]), dtype=np.float32)
        for row, channel in enumerate(named):
            slices[:, self.channels.index(channel.name)] = volume.array[row].transpose(2, 1, 0)
        return slices, inside, undo

    def _plan(self, images: Mapping[str, Image], setup: Setup, job: Job) -> None:
        """Tell what the work will need, and refuse it if memory will not do."""
        first = next(iter(images.values()))
        shape = self.pipeline.prepared_shape(first.shape, first.affine)
        pixels = int(np.prod(self._input_shape(shape)[1:]))
        arrays = sum(image.array.nbytes + image.array.size * _BYTES_A_VOXEL for image in images.values())
        needed = _BASE_MB[setup.engine] + (arrays + BATCH_SIZE * pixels * _BYTES_A_PIXEL) / 1e6
        rate = float(self.bundle.info["measured"].get("seconds_per_megapixel", 1.0))
        expected = plan.Plan(BATCH_SIZE, round(needed), 2 * len(images) + rate * pixels * shape[2] / 1e6)
        job.emit("plan", **expected.as_mapping())
        plan.refuse_if_too_large(expected)

    def _input_shape(self, shape: Sequence[int]) -> tuple[int, int, int]:
        """Planes, height and width of the network's input for a prepared volume of ``shape`` (x, y, z)."""
        width, height = (-(-length // self.divisor) * self.divisor for length in shape[:2])
        return self.planes.count, height, width

    def _open(self, setup: Setup, shape: tuple[int, ...]) -> engine.Engine:
        """The network for inputs of ``shape``, opened unless it is open."""
        if self._opened is None or self._opened[:2] != (setup, shape):
            self._opened = None  # memory may be short
            threads = self.options.threads or engine.default_threads()
            self._opened = setup, shape, engine.open_engine(self.bundle, 0, setup, shape, threads)
        return self._opened[2]

    def _run(
        self, slices: np.ndarray, inside: np.ndarray, given: list[bool], target: str, job: Job
    ) -> tuple[np.ndarray, Setup, int]:
        """What the network makes of ``slices`` ``(Z, C, H, W)``: ``(X, Y, Z)`` float32, how it ran, and slices seen."""
        full = np.flatnonzero(inside.any(axis=(0, 1))).tolist()
        shape = self._input_shape(inside.shape)
        wanted = self.channels.index(target)

        def batch_of(indices: list[int], size: int) -> np.ndarray:
            batch = np.zeros((size, *shape), dtype=np.float32)
            rows, columns = shape[1] - slices.shape[2], shape[2] - slices.shape[3]
            for row, index in enumerate(indices):
                planes = self.planes.make(slices, index, given, wanted)
                batch[row] = np.pad(planes, ((0, 0), (0, rows), (0, columns)), mode="edge")
            return batch

        for setup in engine.ladder(engine.choose(self.options, BATCH_SIZE)):
            try:
                network = self._open(setup, shape)
                return _each(network, batch_of, full, inside.shape, setup.batch_size, job), setup, len(full)
            except (MemoryError, RuntimeError) as error:
                if not engine.is_out_of_memory(error):
                    raise
                job.notice(f"Memory ran out with {setup}; a smaller way of working is tried.")
        raise OutOfMemory("memory ran out, even with one slice at a time", hint="close other programs")

    def _in_range(self, grid: Image, normalized: np.ndarray, inside: np.ndarray, target: str) -> Image:
        """What the network made in the range of the target's training images, which were cut to it, too."""
        (low, high), (least, most) = self.bundle.ranges[target], self.bundle.normalized[target]
        array = np.full(grid.shape, min(0.0, low), dtype=np.float32)
        scaled = low + (normalized[inside] - least) * ((high - low) / (most - least))
        array[inside] = np.clip(scaled, low, high)
        mark = f"{self.bundle.name}@{self.bundle.version}"
        return replace(grid.with_array(array), synthesised=mark, notes=())

    def _doubts(self, images: Mapping[str, Image], seen: np.ndarray, target: str) -> list[str]:
        """What there is to say of a result whose voxels ``seen`` were not cut away before the network."""
        titles = {channel.name: channel.title for channel in self.bundle.channels}
        found = []
        shown = (foreground(image.array.astype(np.float32, copy=False)) for image in images.values())
        head: np.ndarray = functools.reduce(np.logical_or, shown)  # one by one: memory is fullest here
        lost = int(np.count_nonzero(head & ~seen)) / max(1, int(np.count_nonzero(head)))
        if lost > _LOST:
            found.append(
                f"{lost:.0%} of what the images show lies beyond the part that the model sees; there the result is empty."
            )
        count = self.bundle.patients.get(target, _ENOUGH)
        if count < _ENOUGH:
            learnt = "one patient" if count == 1 else f"{count} patients"
            found.append(f"What {titles[target]} looks like the model knows from {learnt} alone.")
        if target == _CONTRAST:
            found.append(_CONTRAST_CAUTION)
        if target in self.bundle.cautions:
            found.append(self.bundle.cautions[target])
        sources = ", ".join(titles[name] for name in images)
        return [f"{titles[target]} was made by a network from {sources}. It is no measurement.", *found]


def _each(
    network: engine.Engine,
    batch_of: Callable[[list[int], int], np.ndarray],
    full: list[int],
    shape: tuple[int, ...],
    size: int,
    job: Job,
) -> np.ndarray:
    """The network's pictures of the slices ``full`` in a volume of ``shape`` (x, y, z), 0 elsewhere."""
    made = np.zeros(shape[::-1], dtype=np.float32)
    for start in range(0, len(full), size):
        indices = full[start : start + size]
        pictures = network(batch_of(indices, size))
        made[indices] = pictures[: len(indices), 0, : shape[1], : shape[0]]
        job.progress("Synthesizing", min(start + size, len(full)), len(full))
        job.check_stop()
    return made.transpose(2, 1, 0)


def _brought_back(made: np.ndarray, inside: np.ndarray, undo: Undo) -> tuple[np.ndarray, np.ndarray]:
    """``made`` and ``inside`` ``(x, y, z)`` on the grid of the images.

    Where the way back interpolates, values are weighted by how much of a voxel lies inside.
    """
    maps = undo(np.stack([made * inside, inside.astype(np.float32)]))
    whole = maps[1] >= 0.5
    normalized = np.zeros(whole.shape, dtype=np.float32)
    np.divide(maps[0], maps[1], out=normalized, where=whole)
    return normalized, whole
