"""Synthetic patients among the training volumes: their tissue maps are kept, their images drawn anew each time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Tensor

from MedSegEffNetLib import atomic
from MedSegEffNetLib.dataset.case import Case
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.image import Image
from MedSegEffNetLib.inference.doubts import skull_stripped
from MedSegEffNetLib.preprocessing import Pipeline
from MedSegEffNetLib.synthetic import brain_maps, brain_tumors
from MedSegEffNetLib.task import SegmentationTask
from MedSegEffNetLib.training.data import load_volume
from MedSegEffNetLib.training.volumes import Prepared, VolumeFeed, as_prepared

PATIENTS = 200  # different tissue maps in a training

Batch = tuple[Tensor, Tensor]


def check_task(task: SegmentationTask) -> None:
    """Raise :class:`InputError` if the synthetic patients are none of ``task``'s: other images or labels than theirs."""
    sequences = {channel.name for channel in task.channels} <= set(brain_tumors.SEQUENCES)
    labels = {label.value for label in task.labels} == set(brain_tumors.LABEL_OF_TISSUE.tolist()) - {0}
    if not (task.ensembles and task.dimensions == 3 and sequences and labels):
        raise InputError(
            f"there are no synthetic patients for {task.id}",
            expected="synthetic_share 0, or the task brain-tumor",
            hint="leave out synthetic_share",
        )


@dataclass(frozen=True)
class PatientMaps:
    """The tissue maps of a training's synthetic patients, each made when it is first asked for.

    Parameters
    ----------
    cases : real cases; the skull-stripped ones among them give their anatomy.
    task, pipeline : of the training.
    folder : where they are kept.
    seed : the same seed and cases give the same maps.
    """

    cases: Sequence[Case]
    task: SegmentationTask
    pipeline: Pipeline
    folder: Path
    seed: int

    def get(self, number: int) -> np.ndarray:
        """Tissues ``(X, Y, Z)`` uint8, of 1 mm, of patient ``number``."""
        path = self.folder / f"{number:03d}.npz"
        if not path.is_file():
            draw = np.random.default_rng([self.seed, number])
            tissues = brain_maps.patient(self._anatomy_of_one(draw), draw)
            with atomic.replacing(path) as temporary:
                np.savez_compressed(temporary, tissues=tissues)
        with np.load(path, allow_pickle=False) as stored:
            kept: np.ndarray = stored["tissues"]
        return kept

    def _anatomy_of_one(self, draw: np.random.Generator) -> np.ndarray:
        """That of a case drawn among those that are skull-stripped."""
        for number in draw.permutation(len(self.cases)):
            anatomy = self._anatomy(self.cases[number])
            if anatomy is not None:
                return anatomy
        raise InputError(
            "no training case is skull-stripped, and synthetic patients are made from brains alone",
            expected="at least one case whose skull was cut away",
            hint="strip the images first (e.g. with HD-BET or SynthStrip), or set synthetic_share=0",
        )

    def _anatomy(self, case: Case) -> np.ndarray | None:
        """From the case's first image in the order of the task's channels; None if it shows a whole head."""
        for channel in self.task.channels:
            volume = load_volume(case, [channel])
            if volume is not None and skull_stripped({channel.name: Image(volume.array[0], volume.affine)}):
                return None
            if volume is not None:
                prepared, _ = self.pipeline.apply(volume)
                image, tumor = prepared.array[0], prepared.label
                if tumor is not None:
                    return brain_maps.anatomy(image, tumor > 0, channel.name, _background(image))
        raise InputError(f"case {case.id} has no images", expected="T1, T1ce, T2 or FLAIR")


@dataclass(frozen=True)
class SyntheticFeed:
    """The batches of ``volumes``, of which the recipe's ``synthetic_share`` are synthetic patients, seen in ``sequence``.

    A batch is made while the network works on the one before.
    """

    volumes: VolumeFeed
    maps: PatientMaps
    sequence: str

    def training(self, cases: Sequence[Prepared], draw: np.random.Generator) -> tuple[int, Iterator[Batch]]:
        """Number of batches of an epoch, and the batches."""
        count, real = self.volumes.training(cases, draw)
        return count, _one_ahead(self._mixed(count, real, _background(cases[0].images[0]), draw))

    def validation(self, case: Prepared) -> Iterator[Batch]:
        """The whole real case, alone."""
        return self.volumes.validation(case)

    def _mixed(
        self, count: int, real: Iterator[Batch], background: float, draw: np.random.Generator
    ) -> Iterator[Batch]:
        recipe = self.volumes.recipe
        for _ in range(count):
            if draw.random() < recipe.synthetic_share:
                patients = [self._patient(background, draw) for _ in range(recipe.batch_size)]
                yield self.volumes.batch(patients, draw)
            else:
                yield next(real)

    def _patient(self, background: float, draw: np.random.Generator) -> Prepared:
        number = int(draw.integers(PATIENTS))
        tissues = self.maps.get(number)
        counts = np.bincount(tissues.ravel(order="K"), minlength=len(brain_tumors.TISSUES))
        brightness = brain_tumors.draw_brightness(self.sequence, draw).normalized(counts)
        image = brain_tumors.render(tissues, brightness, draw, background)
        return as_prepared(f"synthetic {number}", image[None], brain_tumors.label_map(tissues), self.maps.task)


def _background(image: np.ndarray) -> float:
    """The value outside of the brain: that of the corners."""
    return float(np.median(image[np.ix_(*[(0, -1)] * 3)]))


def _one_ahead(batches: Iterator[Batch]) -> Iterator[Batch]:
    """``batches``, each made by another thread while the one before is in use."""
    with ThreadPoolExecutor(1) as thread:
        coming = thread.submit(next, batches, None)
        while (batch := coming.result()) is not None:
            coming = thread.submit(next, batches, None)
            yield batch
