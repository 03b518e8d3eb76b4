"""Training data of 3D networks: whole cases in memory, drawn as stacks of slices."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.geometry import Volume
from MedSegEffNetLib.preprocessing import Pipeline
from MedSegEffNetLib.task import SegmentationTask
from MedSegEffNetLib.training import distributed
from MedSegEffNetLib.training.config import Recipe


@dataclass(frozen=True)
class Prepared:
    """One case, ready for a 3D network.

    Parameters
    ----------
    case_id : the case it comes from.
    images : ``(C, Z, Y, X)`` float16, normalized.
    targets : ``(R, Z, Y, X)`` int8, one region a channel; -1 where it is not known.
    """

    case_id: str
    images: np.ndarray
    targets: np.ndarray


def prepare(
    case_id: str, volume: Volume, task: SegmentationTask, pipeline: Pipeline, known: Sequence[str] = ()
) -> Prepared:
    """Preprocess ``volume``, of whose label map the regions ``known`` are right (empty: all of them).

    :class:`InputError` if it has no label map.
    """
    prepared, _ = pipeline.apply(volume)
    if prepared.label is None:
        raise InputError(f"case {case_id} has no label map", hint="training needs a label map for every case")
    return as_prepared(case_id, prepared.array, prepared.label, task, known)


def as_prepared(
    case_id: str, images: np.ndarray, label: np.ndarray, task: SegmentationTask, known: Sequence[str] = ()
) -> Prepared:
    """From normalized ``images`` ``(C, X, Y, Z)`` and a label map ``(X, Y, Z)`` of which the regions ``known`` are right.

    Of another region nothing is known within the known ones around it; outside of them there is none of it. Empty: all
    regions are known.
    """
    targets = np.empty((len(task.regions), *label.shape), dtype=np.int8)
    unknown = np.full(label.shape, -1, dtype=np.int8)
    for target, region in zip(targets, task.regions, strict=True):
        inside = np.isin(label, region.labels)
        if not known or region.name in known:
            target[...] = inside
            if task.nested:
                unknown[~inside] = 0
        else:
            target[...] = unknown
    flipped = (np.ascontiguousarray(array.transpose(0, 3, 2, 1)) for array in (images.astype(np.float16), targets))
    return Prepared(case_id, *flipped)


@dataclass(frozen=True)
class VolumeFeed:
    """Batches of volumes ``(N, C, D, Y, X)`` and targets ``(N, R, D, Y, X)``, float32, for a :class:`Trainer`.

    The depth is cut here: to the third number of the recipe's ``patch_size``, around the center, or at random where the
    recipe's augmentation shifts. Height and width are cut by the augmentation.
    """

    recipe: Recipe

    def training(
        self, cases: Sequence[Prepared], draw: np.random.Generator
    ) -> tuple[int, Iterator[tuple[Tensor, Tensor]]]:
        """Number of batches of an epoch, and the batches: every case once, or ``samples_per_epoch`` in all."""
        wanted = self.recipe.samples_per_epoch or len(cases)
        rounds = [draw.permutation(len(cases)) for _ in range(-(-wanted // len(cases)))]
        size = self.recipe.batch_size
        order = distributed.own_part(np.concatenate(rounds)[:wanted].tolist(), size)
        distributed.part_ways(draw)
        groups = [order[start : start + size] for start in range(0, len(order), size)]
        return len(groups), (self.batch([cases[number] for number in group], draw) for group in groups)

    def validation(self, case: Prepared) -> Iterator[tuple[Tensor, Tensor]]:
        """The whole case, alone."""
        yield (
            torch.from_numpy(case.images[None].astype(np.float32)),
            torch.from_numpy(case.targets[None].astype(np.float32)),
        )

    def batch(self, cases: Sequence[Prepared], draw: np.random.Generator) -> tuple[Tensor, Tensor]:
        """``cases`` together, cut along the depth; smaller ones are padded by their edges."""
        windows = [self._window(case.images.shape[1], draw) for case in cases]
        images = [case.images[:, window] for case, window in zip(cases, windows, strict=True)]
        targets = [case.targets[:, window] for case, window in zip(cases, windows, strict=True)]
        shape = tuple(int(length) for length in np.max([part.shape[1:] for part in images], axis=0))
        return _together(images, shape), _together(targets, shape)

    def _window(self, depth: int, draw: np.random.Generator) -> slice:
        wanted = self.recipe.patch_size[2] if len(self.recipe.patch_size) == 3 else depth
        free = max(0, depth - wanted)
        start = int(draw.integers(free + 1)) if self.recipe.changes.get("shift") else free // 2
        return slice(start, start + min(depth, wanted))


def _together(parts: Sequence[np.ndarray], shape: Sequence[int]) -> Tensor:
    """A float32 batch of ``(C, Z, Y, X)``; smaller ones are padded by their edges to ``shape``."""
    padded = []
    for part in parts:
        margins = [(0, 0), *((0, most - length) for most, length in zip(shape, part.shape[1:], strict=True))]
        padded.append(np.pad(part, margins, mode="edge") if np.any(margins) else part)
    return torch.from_numpy(np.stack(padded).astype(np.float32))
