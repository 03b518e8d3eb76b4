"""Training data: cases preprocessed once, kept in memory as slices, drawn as batches."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.geometry import Volume
from MedSegEffNetLib.preprocessing import Pipeline, stack
from MedSegEffNetLib.task import Channel, SegmentationTask
from MedSegEffNetLib.training import distributed
from MedSegEffNetLib.training.config import Recipe

if TYPE_CHECKING:
    from MedSegEffNetLib.dataset.case import Case


@dataclass(frozen=True)
class Slices:
    """One case, ready for a 2D network.

    Parameters
    ----------
    case_id : the case it comes from.
    images : ``(Z, C, Y, X)`` float16, normalized (halves the memory; the networks' inputs carry noise far above it).
    targets : ``(Z, R, Y, X)`` uint8, one region a channel; background first where regions are exclusive.
    """

    case_id: str
    images: np.ndarray
    targets: np.ndarray

    def has_region(self) -> np.ndarray:
        """Which slices ``(Z,)`` hold any region."""
        return self._full

    @functools.cached_property
    def _full(self) -> np.ndarray:
        first = 1 if len(self.targets) and self.targets.shape[1] > 1 and self._exclusive() else 0
        return np.asarray(self.targets[:, first:].any(axis=(1, 2, 3)))

    def _exclusive(self) -> bool:
        return bool((self.targets.sum(axis=1) == 1).all())


def load_volume(case: Case, channels: Sequence[Channel]) -> Volume | None:
    """The images of ``case`` stacked in the order of ``channels``, with its label map; None if it has none of them.

    :class:`InputError` if there is no label map.
    """
    images, label = case.load()
    if label is None:
        raise InputError(f"case {case.id} has no label map", hint="training needs a label map for every case")
    if not any(channel.name in images for channel in channels):
        return None
    volume = stack(images, channels)
    return Volume(volume.array, volume.affine, label.array)


def to_slices(case_id: str, volume: Volume, task: SegmentationTask, pipeline: Pipeline) -> Slices:
    """Preprocess ``volume`` and cut it along its last axis."""
    prepared, _ = pipeline.apply(volume)
    if prepared.label is None:
        raise InputError(f"case {case_id} has no label map", hint="training needs a label map for every case")
    regions: list[np.ndarray] = [np.isin(prepared.label, region.labels) for region in task.regions]
    if task.activation == "softmax":
        regions.insert(0, ~np.logical_or.reduce(regions))
    images = prepared.array.transpose(3, 0, 2, 1).astype(np.float16)
    targets = np.stack(regions).transpose(3, 0, 2, 1).astype(np.uint8)
    return Slices(case_id, np.ascontiguousarray(images), np.ascontiguousarray(targets))


def with_neighbors(images: np.ndarray, index: int, context: int) -> np.ndarray:
    """Slice ``index`` of ``(Z, C, Y, X)`` with its neighbors as ``(C·(2·context+1), Y, X)``; edge slices are repeated."""
    neighbors = np.clip(np.arange(index - context, index + context + 1), 0, len(images) - 1)
    joined: np.ndarray = images[neighbors].reshape(-1, *images.shape[2:])
    return joined


def epoch_order(cases: Sequence[Slices], empties: int, generator: np.random.Generator) -> list[tuple[int, int]]:
    """(case, slice) pairs of one epoch, shuffled: all slices with a region, and ``empties`` others (-1: all)."""
    full: list[tuple[int, int]] = []
    empty: list[tuple[int, int]] = []
    for number, case in enumerate(cases):
        for index, present in enumerate(case.has_region()):
            (full if present else empty).append((number, index))
    if 0 <= empties < len(empty):
        empty = [empty[i] for i in generator.choice(len(empty), empties, replace=False)]
    order = full + empty
    generator.shuffle(order)
    return order


def batches(
    cases: Sequence[Slices], order: Sequence[tuple[int, int]], batch_size: int, context: int, change: ChannelDropout
) -> Iterator[tuple[Tensor, Tensor]]:
    """Float32 batches ``(N, C·(2·context+1), Y, X)`` and ``(N, R, Y, X)``; pictures of smaller cases are padded."""
    for start in range(0, len(order), batch_size):
        chosen = order[start : start + batch_size]
        height = max(cases[number].images.shape[2] for number, _ in chosen)
        width = max(cases[number].images.shape[3] for number, _ in chosen)
        images, targets = [], []
        for number, index in chosen:
            picture = with_neighbors(cases[number].images, index, context).astype(np.float32)
            images.append(_pad(change(picture), height, width))
            targets.append(_pad(cases[number].targets[index], height, width))
        yield torch.from_numpy(np.stack(images)), torch.from_numpy(np.stack(targets)).float()


@dataclass(frozen=True)
class SliceFeed:
    """Batches of slices for a :class:`Trainer`."""

    recipe: Recipe
    channels: tuple[Channel, ...]

    def training(
        self, cases: Sequence[Slices], draw: np.random.Generator
    ) -> tuple[int, Iterator[tuple[Tensor, Tensor]]]:
        """Number of batches of an epoch, and the batches."""
        order = epoch_order(cases, self.recipe.empties_per_epoch, draw)
        order = distributed.own_part(order, self.recipe.batch_size)
        distributed.part_ways(draw)
        dropout = ChannelDropout(self.channels, self.recipe.channel_dropout, draw.random)
        stream = batches(cases, order, self.recipe.batch_size, self.recipe.context, dropout)
        return math.ceil(len(order) / self.recipe.batch_size), stream

    def validation(self, case: Slices) -> Iterator[tuple[Tensor, Tensor]]:
        """All slices of a case in their order."""
        order = [(0, index) for index in range(len(case.images))]
        keep = ChannelDropout(self.channels, 0.0, float)
        return batches([case], order, self.recipe.batch_size, self.recipe.context, keep)


def _pad(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    rows, columns = height - picture.shape[1], width - picture.shape[2]
    return np.pad(picture, ((0, 0), (0, rows), (0, columns)), mode="edge") if rows or columns else picture


@dataclass(frozen=True)
class ChannelDropout:
    """Takes optional channels away at random, so that the network learns to do without them."""

    channels: tuple[Channel, ...]
    probability: float
    draw: Callable[[], float]

    def __call__(self, picture: np.ndarray) -> np.ndarray:
        """``(C·(2·context+1), Y, X)`` with dropped channels replaced by their substitute (or zeros)."""
        if self.probability == 0:
            return picture
        names = [channel.name for channel in self.channels]
        count = len(names)
        for position, channel in enumerate(self.channels):
            if not channel.required and self.draw() < self.probability:
                if channel.substitute:
                    picture[position::count] = picture[names.index(channel.substitute) :: count]
                else:
                    picture[position::count] = 0
        return picture
