"""Data of a synthesis training: cases with their images prepared, cut into patches, drawn with any choice of inputs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from MedSegEffNetLib import geometry
from MedSegEffNetLib.dataset.case import Case
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.geometry import Volume
from MedSegEffNetLib.intensities import content, percentiles, sample
from MedSegEffNetLib.intensities import inside as inside_values
from MedSegEffNetLib.preprocessing import Pipeline, stack
from MedSegEffNetLib.synthesis.planes import Planes
from MedSegEffNetLib.task import SynthesisTask
from MedSegEffNetLib.training.gan_config import GanRecipe

BACKGROUND = -9.0
Change = Callable[[np.ndarray], np.ndarray]
_LEAST = 0.02  # of a slice that must be inside of the head to learn from it
_TRIES = 4  # for a patch with as much
_THIN = 0.25  # of the samples, in which neighbors look like the slice itself, as they do where slices are thin


@dataclass(frozen=True)
class Levels:
    """Values of one image inside of the head: the 1st and 99th percentile after N4, and what preparing made of them."""

    low: float
    high: float
    lowest: float
    highest: float


@dataclass(frozen=True)
class GanCase:
    """A case, ready to learn from.

    Parameters
    ----------
    patient : whose it is.
    images : ``(Z, C, Y, X)`` float16, prepared; a missing channel's are 0. :data:`BACKGROUND` outside of the head.
    given : for each channel whether the case has it.
    inside : ``(Z, Y, X)`` bool, the head.
    tumor : ``(Z, Y, X)`` bool, or None where it is not known.
    spans : peak-to-peak of each channel's values inside.
    """

    case_id: str
    patient: str
    images: np.ndarray
    given: tuple[bool, ...]
    inside: np.ndarray
    tumor: np.ndarray | None
    spans: tuple[float, ...]

    def slices(self) -> list[int]:
        """Those with enough of the head in them."""
        return np.flatnonzero(self.inside.mean(axis=(1, 2)) > _LEAST).tolist()


@dataclass(frozen=True)
class Batch:
    """Slices to learn from.

    Parameters
    ----------
    planes : ``(N, K, H, W)``, see :class:`MedSegEffNetLib.synthesis.planes.Planes`.
    real : ``(N, 1, H, W)``, the wanted pictures. target : ``(N,)``, which channel they are.
    source : ``(N,)``, one of the channels given. original : ``(N, 1, H, W)``, its pictures.
    inside : ``(N, 1, H, W)`` bool. span : ``(N,)``, peak-to-peak of the real channel.
    tumor : ``(N, 1, H, W)``, 1 or 0; -1 where it is not known.
    """

    planes: Tensor
    real: Tensor
    target: Tensor
    source: Tensor
    original: Tensor
    inside: Tensor
    span: Tensor
    tumor: Tensor


def prepare(
    case: Case, task: SynthesisTask, pipeline: Pipeline, depth: float = 0.0
) -> tuple[GanCase, dict[str, Levels]]:
    """``case`` with its images prepared, and the levels of each; channels that it lacks do not count.

    ``depth`` : mm below the surface of the head down to which it is cut away.

    Raises
    ------
    InputError
        It has fewer than two of the task's channels.
    """
    images, label = case.load()
    there = [channel for channel in task.channels if channel.name in images]
    if len(there) < 2:
        raise InputError(
            f"case {case.id} has {len(there)} of the images {', '.join(one.name for one in task.channels)}",
            expected="two at least: one to start from, one to make",
        )
    stacked = stack(images, there)
    volume = Volume(stacked.array, stacked.affine, None if label is None else label.array > 0)
    first, rest = _at_clipping(pipeline)
    corrected, _ = first.apply(volume)
    if depth:
        kept = geometry.deep(geometry.filled(content(corrected.array)), corrected.spacing, depth)
        corrected = replace(corrected, array=np.where(kept, corrected.array, np.float32(0)))
    prepared, _ = rest.apply(corrected)
    inside = ~(prepared.array == BACKGROUND).all(axis=0)
    levels = {}
    pictures = np.zeros((inside.shape[2], len(task.channels), inside.shape[1], inside.shape[0]), dtype=np.float16)
    for number, channel in enumerate(there):
        low, high = percentiles(sample(inside_values(corrected.array[number])), 1, 99)
        values = prepared.array[number][inside]
        levels[channel.name] = Levels(float(low), float(high), float(values.min()), float(values.max()))
        pictures[:, task.channels.index(channel)] = prepared.array[number].T
    spans = [levels[one.name].highest - levels[one.name].lowest if one in there else 0.0 for one in task.channels]
    tumor = None if prepared.label is None else np.ascontiguousarray(prepared.label.T)
    given = tuple(channel in there for channel in task.channels)
    name = f"{case.id} (brain)" if depth else case.id
    return GanCase(name, case.patient, pictures, given, np.ascontiguousarray(inside.T), tumor, tuple(spans)), levels


def _at_clipping(pipeline: Pipeline) -> tuple[Pipeline, Pipeline]:
    """The steps before the values are clipped, and the others."""
    names = [part.name for part in pipeline.parts]
    cut = names.index("clip_percentiles") if "clip_percentiles" in names else len(names)
    return Pipeline(pipeline.parts[:cut]), Pipeline(pipeline.parts[cut:])


@dataclass(frozen=True)
class GanFeed:
    """Draws batches. Each depends on the seed, the epoch and its number alone, so that any one can be drawn again.

    Parameters
    ----------
    recipe : the settings.
    layout : of the planes.
    divisor : that height and width of whole slices are padded to multiples of.
    """

    recipe: GanRecipe
    layout: Planes
    divisor: int

    def order(self, cases: Sequence[GanCase], epoch: int) -> list[list[tuple[int, int]]]:
        """The batches of an epoch: numbers of case and slice. Shuffled; an incomplete batch at the end is dropped.

        :class:`InputError` if there is nothing to draw.
        """
        every = [(number, index) for number, case in enumerate(cases) for index in case.slices()]
        if not every:
            raise InputError(
                "no slice shows enough of a head",
                expected=f"more than {_LEAST:.0%} of a slice inside of the head, in one of the cases at least",
                hint="set crop=content where the head lies off the middle, and look at the images and their voxel sizes",
            )
        draw = np.random.default_rng([self.recipe.seed, epoch])
        wanted = self.recipe.samples_per_epoch or len(every)
        chosen: list[int] = []
        while len(chosen) < wanted:
            chosen += draw.permutation(len(every))[: wanted - len(chosen)].tolist()
        size = min(self.recipe.batch_size, wanted)
        return [[every[one] for one in chosen[start : start + size]] for start in range(0, wanted - size + 1, size)]

    def batch(self, cases: Sequence[GanCase], chosen: Sequence[tuple[int, int]], epoch: int, number: int) -> Batch:
        """The slices ``chosen``, each with inputs, target, patch and changes drawn at random."""
        draw = np.random.default_rng([self.recipe.seed, epoch, number])
        return self._collate([self._draw(cases[case], index, draw) for case, index in chosen])

    def whole(self, case: GanCase, target: int) -> Iterator[Batch]:
        """Evenly spaced slices of ``case``, whole and unchanged: ``target`` from all other channels that it has."""
        given = tuple(there and channel != target for channel, there in enumerate(case.given))
        slices = case.slices()
        count = min(self.recipe.validation_slices, len(slices))
        chosen = [slices[int((place + 0.5) * len(slices) / count)] for place in range(count)]
        for start in range(0, count, self.recipe.batch_size):
            yield self._collate(
                [
                    self._item(case, index, given, target, given.index(True), lambda part: part, self.layout.context)
                    for index in chosen[start : start + self.recipe.batch_size]
                ]
            )

    def _draw(self, case: GanCase, index: int, draw: np.random.Generator) -> dict[str, Any]:
        there = np.flatnonzero(case.given)
        target = int(draw.choice(there))
        others = there[there != target]
        inputs = draw.choice(others, draw.integers(1, len(others) + 1), replace=False)
        given = tuple(channel in inputs for channel in range(len(case.given)))
        top, left = self._place(case.inside[index], draw)
        turns = int(draw.integers(3)) if self.recipe.rotations else 0
        flip = bool(draw.integers(2))
        reach = 0 if draw.random() < _THIN else self.layout.context

        def change(part: np.ndarray) -> np.ndarray:
            if self.recipe.patch:
                part = part[..., top : top + self.recipe.patch, left : left + self.recipe.patch]
            part = np.rot90(part, turns, axes=(-2, -1))
            return part[..., ::-1] if flip else part

        return self._item(case, index, given, target, int(draw.choice(inputs)), change, reach)

    def _place(self, inside: np.ndarray, draw: np.random.Generator) -> tuple[int, int]:
        """Where a patch begins: anywhere, but with something of the head in it where a few tries find that."""
        size = self.recipe.patch or max(inside.shape)
        for _ in range(_TRIES):
            top, left = (int(draw.integers(max(1, length - size + 1))) for length in inside.shape)
            if inside[top : top + size, left : left + size].mean() > _LEAST:
                break
        return top, left

    def _item(
        self, case: GanCase, index: int, given: tuple[bool, ...], target: int, source: int, change: Change, reach: int
    ) -> dict[str, Any]:
        """A slice whose neighbors are at most ``reach`` slices away."""
        offsets = np.arange(-self.layout.context, self.layout.context + 1).clip(-reach, reach)
        near = (index + offsets).clip(0, len(case.images) - 1)
        pictures = change(case.images[near])
        middle = pictures[self.layout.context]
        inside = change(case.inside[index])
        tumor = np.full(inside.shape, -1, dtype=np.int8) if case.tumor is None else change(case.tumor[index])
        return {
            "planes": self.layout.make(pictures, self.layout.context, given, target),
            "real": middle[None, target],
            "original": middle[None, source],
            "inside": inside[None],
            "tumor": tumor[None],
            "target": target,
            "source": source,
            "span": case.spans[target],
        }

    def _collate(self, items: Sequence[dict[str, Any]]) -> Batch:
        sides = [max(self.recipe.patch, *(item["real"].shape[axis] for item in items)) for axis in (1, 2)]
        height, width = (-(-side // self.divisor) * self.divisor for side in sides)
        filled: dict[str, Tensor] = {}
        for name, value, kind in (
            *(("planes", 0.0, torch.float32), ("real", BACKGROUND, torch.float32)),
            *(("original", BACKGROUND, torch.float32), ("inside", 0, torch.bool), ("tumor", -1, torch.float32)),
        ):
            parts = np.full((len(items), *items[0][name].shape[:1], height, width), value, dtype=np.float32)
            for part, item in zip(parts, items, strict=True):
                _, rows, columns = item[name].shape
                part[:, :rows, :columns] = item[name]
                if name == "planes":
                    self._fill_margin(part, item, rows, columns)
            filled[name] = torch.from_numpy(parts).to(kind)
        numbers = {name: torch.tensor([item[name] for item in items]) for name in ("target", "source", "span")}
        return Batch(**filled, **numbers)

    def _fill_margin(self, planes: np.ndarray, item: dict[str, Any], rows: int, columns: int) -> None:
        """Beyond the picture there is background, and the planes that tell what is given and wanted go on."""
        count = self.layout.channels * (2 * self.layout.context + 1)
        told = item["planes"][count:, 0, 0]
        values = np.concatenate([np.tile(told[: self.layout.channels], 2 * self.layout.context + 1) * BACKGROUND, told])
        planes[:, rows:, :] = values[:, None, None]
        planes[:, :, columns:] = values[:, None, None]
