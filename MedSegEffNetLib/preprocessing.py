"""Preprocessing with a recorded way back: from images to what a network takes, and from its maps to the images' grid.

Each step is a frozen dataclass with ``apply(volume) -> (volume, undo)``. ``undo`` takes maps ``(R, x, y, z)`` on the
step's output grid (probabilities, say) and gives them on its input grid. A task names its steps as data
(:class:`MedSegEffNetLib.task.Step`); :class:`Pipeline` builds them, learns data-set statistics and runs them.
NumPy and SimpleITK only, so that every engine shares it.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar, Protocol

import numpy as np

from MedSegEffNetLib import clahe, geometry
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.geometry import Undo, Volume
from MedSegEffNetLib.image import Image
from MedSegEffNetLib.intensities import content, for_each, foreground, inside, percentiles, sample
from MedSegEffNetLib.resources import cache_folder
from MedSegEffNetLib.task import Channel
from MedSegEffNetLib.task import Step as StepSettings

Shape = tuple[int, int, int]
_NEGATIVE = 0.05  # of the values that are not 0; less comes of resampling alone


class PreprocessingStep(Protocol):
    """The contract of a step. One that changes the grid also has ``grid``, which tells the new one without the work."""

    name: ClassVar[str]

    def apply(self, volume: Volume) -> tuple[Volume, Undo]:
        """The processed volume and the way back to the grid of ``volume``."""


def _unchanged_grid(maps: np.ndarray) -> np.ndarray:
    return maps


@dataclass(frozen=True)
class Reorient:
    """Turn and flip the axes to the nearest of the named anatomical ones, e.g. ``LPS``: x to the left, y to posterior.

    Slices then lie as a radiologist sees them, whatever the file's order. Voxel values do not change.
    """

    name: ClassVar[str] = "reorient"
    axes: str = "LPS"

    def grid(self, shape: Shape, affine: np.ndarray) -> tuple[Shape, np.ndarray]:
        """Shape and affine after the turn."""
        order, flips = geometry.axes_towards(affine, self.axes)
        return (shape[order[0]], shape[order[1]], shape[order[2]]), geometry.turned_affine(affine, shape, order, flips)

    def apply(self, volume: Volume) -> tuple[Volume, Undo]:
        order, flips = geometry.axes_towards(volume.affine, self.axes)
        turn = functools.partial(geometry.turn, order=order, flips=flips)
        affine = geometry.turned_affine(volume.affine, volume.array.shape[1:], order, flips)
        label = None if volume.label is None else turn(volume.label[None])[0]
        back = functools.partial(geometry.turn_back, order=order, flips=flips)
        return replace(volume, array=turn(volume.array), affine=affine, label=label), back


@dataclass(frozen=True)
class CropToContent:
    """Cut away the empty border (see :func:`foreground`), keeping ``margin_mm`` around the content of any channel."""

    name: ClassVar[str] = "crop_to_content"
    margin_mm: float = 5.0

    def apply(self, volume: Volume) -> tuple[Volume, Undo]:
        margin = np.ceil(self.margin_mm / volume.spacing).astype(int).tolist()
        box = geometry.bounding_box(content(volume.array), margin)
        return geometry.crop(volume, box)


@dataclass(frozen=True)
class CenterCrop:
    """Keep at most ``size`` voxels (x, y, z) around the center."""

    name: ClassVar[str] = "center_crop"
    size: tuple[int, int, int] = (192, 160, 108)

    def grid(self, shape: Shape, affine: np.ndarray) -> tuple[Shape, np.ndarray]:
        """The shape after the cut; the affine of the uncut volume, whose spacing is the same."""
        x, y, z = (min(length, wanted) for length, wanted in zip(shape, self.size, strict=True))
        return (x, y, z), affine

    def apply(self, volume: Volume) -> tuple[Volume, Undo]:
        box = []
        for length, wanted in zip(volume.array.shape[1:], self.size, strict=True):
            start = max(0, (length - wanted) // 2)
            box.append(slice(start, min(length, start + wanted)))
        return geometry.crop(volume, (box[0], box[1], box[2]))


@dataclass(frozen=True)
class Resize:
    """Bring each slice to ``size`` (x, y) pixels, the picture's proportions kept and the rest filled with its edge."""

    name: ClassVar[str] = "resize"
    size: tuple[int, int] = (240, 240)

    def grid(self, shape: Shape, affine: np.ndarray) -> tuple[Shape, np.ndarray]:
        """Shape and affine (without the shift of its origin) after resizing."""
        factor = float((np.asarray(shape[:2]) * geometry.spacing_of(affine)[:2] / np.asarray(self.size)).max())
        scale = np.array([factor, factor, 1.0]) / [*geometry.spacing_of(affine)[:2], 1.0]
        return (*self.size, shape[2]), affine @ np.diag([*scale, 1.0])

    def apply(self, volume: Volume) -> tuple[Volume, Undo]:
        shape = volume.array.shape[1:]
        if tuple(shape[:2]) == tuple(self.size):
            return volume, _unchanged_grid
        _, affine = self.grid(shape, volume.affine)
        return geometry.resample(volume, geometry.spacing_of(affine), (*self.size, None))


@dataclass(frozen=True)
class Resample:
    """Bring the volume to ``spacing`` (x, y, z) in mm."""

    name: ClassVar[str] = "resample"
    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0)

    def grid(self, shape: Shape, affine: np.ndarray) -> tuple[Shape, np.ndarray]:
        """Shape and affine (without the shift of its origin) after resampling."""
        scale = np.asarray(self.spacing) / geometry.spacing_of(affine)
        x, y, z = (max(1, round(length / step)) for length, step in zip(shape, scale, strict=True))
        return (x, y, z), affine @ np.diag([*scale, 1.0])

    def apply(self, volume: Volume) -> tuple[Volume, Undo]:
        if np.allclose(volume.spacing, self.spacing, rtol=1e-3):
            return volume, _unchanged_grid
        return geometry.resample(volume, np.asarray(self.spacing, dtype=float), (None, None, None))


@dataclass(frozen=True)
class DivideByMaximum:
    """Divide by the maximum over the whole training set, so that values lie in 0..1 (learnt)."""

    name: ClassVar[str] = "divide_by_maximum"
    maximum: float | None = None

    def learn(self, volumes: Iterable[Volume]) -> DivideByMaximum:
        """The step with the largest value in ``volumes``."""
        return replace(self, maximum=float(max(volume.array.max() for volume in volumes)))

    def apply(self, volume: Volume) -> tuple[Volume, Undo]:
        return replace(volume, array=volume.array / np.float32(_learnt(self, self.maximum))), _unchanged_grid


@dataclass(frozen=True)
class Standardize:
    """Subtract the mean of the training set and divide by its standard deviation (learnt, one pair for all channels)."""

    name: ClassVar[str] = "standardize"
    mean: float | None = None
    std: float | None = None

    def learn(self, volumes: Iterable[Volume]) -> Standardize:
        """The step with mean and standard deviation of all values in ``volumes``."""
        count, total, squares = 0, 0.0, 0.0
        for volume in volumes:
            values = volume.array.astype(np.float64, copy=False)
            count, total, squares = count + values.size, total + values.sum(), squares + np.square(values).sum()
        mean = total / count
        return replace(self, mean=float(mean), std=float(np.sqrt(max(squares / count - mean**2, 1e-12))))

    def apply(self, volume: Volume) -> tuple[Volume, Undo]:
        mean, std = _learnt(self, self.mean), _learnt(self, self.std)
        return replace(volume, array=(volume.array - np.float32(mean)) / np.float32(std)), _unchanged_grid


@dataclass(frozen=True)
class ClipPercentiles:
    """Clip each channel to its percentiles ``low`` and ``high`` over the :func:`foreground`."""

    name: ClassVar[str] = "clip_percentiles"
    low: float = 1.0
    high: float = 99.0

    def __post_init__(self) -> None:
        if not 0 <= self.low < self.high <= 100:
            raise ValueError(f"clip_percentiles: {self.low} and {self.high} are not increasing within 0..100")

    def apply(self, volume: Volume) -> tuple[Volume, Undo]:
        array = np.empty_like(volume.array)
        for_each(self._clip, volume.array, array)
        return replace(volume, array=array), _unchanged_grid

    def _clip(self, image: np.ndarray, clipped: np.ndarray) -> None:
        low, high = percentiles(sample(inside(image)), self.low, self.high)
        np.clip(image, low, high, out=clipped)


@dataclass(frozen=True)
class ZScore:
    """Zero mean and unit variance of each channel over its :func:`foreground`."""

    name: ClassVar[str] = "zscore"

    def apply(self, volume: Volume) -> tuple[Volume, Undo]:
        array = np.empty_like(volume.array)
        for_each(self._normalize, volume.array, array)
        return replace(volume, array=array), _unchanged_grid

    def _normalize(self, image: np.ndarray, normalized: np.ndarray) -> None:
        values = inside(image)
        np.subtract(image, values.mean(), out=normalized)
        normalized /= max(float(values.std()), 1e-6)


@dataclass(frozen=True)
class MarkBackground:
    """Set voxels that are background in every channel to ``value``. Comes after clipping and z-score.

    With ``fill``, dark voxels that others enclose on their slice (fluid, bone, sinuses) are none: in whole heads the
    background is then the air around the head, of whichever sequence.
    """

    name: ClassVar[str] = "mark_background"
    value: float = -9.0
    fill: bool = False

    def apply(self, volume: Volume) -> tuple[Volume, Undo]:
        inside = content(volume.array)
        array = np.where(geometry.filled(inside) if self.fill else inside, volume.array, np.float32(self.value))
        return replace(volume, array=array), _unchanged_grid


@dataclass(frozen=True)
class Window:
    """A CT window: clip to ``center`` ± ``width``/2 (in HU), scale to 0..255 and enhance the contrast slice by slice.

    ``clip_limit`` and ``tiles`` are those of :func:`MedSegEffNetLib.clahe.equalize`; a limit of 0 leaves the contrast
    alone. Volumes that lie in 0..255 already (8-bit slices) are left as they are.
    """

    name: ClassVar[str] = "window"
    center: float = -600.0
    width: float = 1500.0
    clip_limit: float = 0.0
    tiles: int = 8

    def __post_init__(self) -> None:
        if not self.width > 0 or not (self.clip_limit == 0 or self.clip_limit >= 1) or self.tiles < 1:
            raise ValueError("window takes a width above 0, a clip_limit of 0 or at least 1, and at least 1 of tiles")

    def apply(self, volume: Volume) -> tuple[Volume, Undo]:
        least, most = volume.extremes or (volume.array.min(), volume.array.max())
        if least >= 0 and most <= 255:
            return volume, _unchanged_grid
        low = np.float32(self.center - self.width / 2)
        array = np.clip((volume.array - low) * np.float32(255 / self.width), 0, 255)
        if self.clip_limit:
            array = np.stack([clahe.equalize(image, self.clip_limit, self.tiles) for image in array])
        return replace(volume, array=array.astype(np.float32, copy=False)), _unchanged_grid


@dataclass(frozen=True)
class N4:
    """N4 bias field correction (Tustison et al., IEEE TMI 2010), estimated on every ``shrink``-th voxel.

    The corrected image is kept in the user's cache folder under the hash of the image's content. An image of which many
    values are negative (a z-score, say) is left as it is: a factor cannot be estimated from their logarithm.
    """

    name: ClassVar[str] = "n4"
    shrink: int = 4

    def apply(self, volume: Volume) -> tuple[Volume, Undo]:
        array = np.stack(for_each(self._correct, volume.array))
        return replace(volume, array=array), _unchanged_grid

    def _correct(self, image: np.ndarray) -> np.ndarray:
        if np.count_nonzero(image < 0) > _NEGATIVE * np.count_nonzero(image):
            return image.astype(np.float32, copy=False)
        digest = hashlib.sha256(np.ascontiguousarray(image).data)
        digest.update(f"{image.shape}{self.shrink}".encode())
        cached = cache_folder() / "n4" / f"{digest.hexdigest()[:32]}.npy"
        if cached.is_file():
            stored: np.ndarray = np.load(cached, allow_pickle=False)
            return stored
        corrected = geometry.n4(image, foreground(image), self.shrink)
        geometry.store(cached, corrected)
        return corrected


_ON_OTHER_GRIDS = (Reorient, CropToContent, CenterCrop, Resize, Resample)
_ALL = (
    *_ON_OTHER_GRIDS,
    *(DivideByMaximum, Standardize, ClipPercentiles, ZScore, MarkBackground, Window, N4),
)
_SLICE_BY_SLICE = (Reorient, Resize, DivideByMaximum, Standardize, Window)
STEPS: dict[str, type] = {step.name: step for step in _ALL}


def _learnt(step: PreprocessingStep, value: float | None) -> float:
    if value is None:
        raise InputError(
            f"preprocessing step {step.name} has no statistics yet",
            expected="the values learnt from the training data",
            hint="take the steps from a trained model, or train first",
        )
    return value


@dataclass(frozen=True)
class Pipeline:
    """Preprocessing steps in their order."""

    parts: tuple[Any, ...]

    @classmethod
    def from_steps(cls, steps: Iterable[StepSettings]) -> Pipeline:
        """Build the steps that a task or a model names; an :class:`InputError` names an unknown or unusable one."""
        parts = []
        for step in steps:
            if step.name not in STEPS:
                raise InputError(f"unknown preprocessing step '{step.name}'", expected="one of " + ", ".join(STEPS))
            arguments = {k: tuple(v) if isinstance(v, list) else v for k, v in step.arguments.items()}
            try:
                parts.append(STEPS[step.name](**arguments))
            except (TypeError, ValueError) as error:
                raise InputError(f"preprocessing step {step.name}: {error}") from error
        return cls(tuple(parts))

    def learn(self, volumes: Sequence[Volume] | Callable[[], Iterable[Volume]]) -> Pipeline:
        """The pipeline with data-set statistics of the training ``volumes`` (a sequence, or a call that yields them)."""
        parts: list[Any] = []
        for part in self.parts:
            if hasattr(part, "learn"):
                earlier = Pipeline(tuple(parts))
                source = volumes() if callable(volumes) else volumes
                part = part.learn(earlier.apply(volume)[0] for volume in source)
            parts.append(part)
        return Pipeline(tuple(parts))

    def apply(self, volume: Volume) -> tuple[Volume, Undo]:
        """Run all steps; the returned way back runs theirs in reverse."""
        undos: list[Undo] = []
        for part in self.parts:
            volume, undo = part.apply(volume)
            if undo is not _unchanged_grid:
                undos.append(undo)

        def undo_all(maps: np.ndarray) -> np.ndarray:
            for undo in reversed(undos):
                maps = undo(maps)
            return maps

        return volume, undo_all

    def split(self) -> tuple[Pipeline, Pipeline]:
        """The steps up to the last one that changes the grid, and those after it, which change values alone."""
        last = max((n for n, part in enumerate(self.parts, 1) if isinstance(part, _ON_OTHER_GRIDS)), default=0)
        return Pipeline(self.parts[:last]), Pipeline(self.parts[last:])

    def slice_axis(self, affine: np.ndarray) -> int | None:
        """The axis of images with ``affine`` whose slices can be prepared in parts; None if a step needs the whole."""
        turns = [number for number, part in enumerate(self.parts) if isinstance(part, Reorient)]
        if turns not in ([], [0]) or not all(isinstance(part, _SLICE_BY_SLICE) for part in self.parts):
            return None
        return geometry.axes_towards(affine, self.parts[0].axes)[0][2] if turns else 2

    def prepared_shape(self, shape: Shape, affine: np.ndarray) -> Shape:
        """Voxels (x, y, z) of a volume after all steps, without doing them; no less than what they will be."""
        for part in self.parts:
            if hasattr(part, "grid"):
                shape, affine = part.grid(shape, affine)
        return shape

    def steps(self) -> tuple[StepSettings, ...]:
        """The steps as data, with learnt constants, ready for JSON."""
        return tuple(StepSettings(part.name, asdict(part)) for part in self.parts)


def stack(images: Mapping[str, Image], channels: Sequence[Channel]) -> Volume:
    """The channels in their order as one volume; a missing optional channel is its substitute, or zeros.

    All images lie on one grid (the caller has checked).
    """
    first = next(iter(images.values()))
    # Images' buffers run fastest along x; the same order here makes the copies below straight ones.
    array = np.zeros((len(channels), *first.shape[::-1]), dtype=np.float32).transpose(0, 3, 2, 1)
    for target, channel in zip(array, channels, strict=True):
        source = images.get(channel.name) or images.get(channel.substitute)
        if source is not None:
            target[...] = source.array
    return Volume(array, first.affine)
