"""NIQE's references: statistics of real slices, channel by channel, which are shipped in ``Resources/Metrics/niqe.json``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from MedSegEffNetLib import atomic
from MedSegEffNetLib.dataset.case import Case
from MedSegEffNetLib.preprocessing import Pipeline, stack
from MedSegEffNetLib.synthesis import metrics
from MedSegEffNetLib.task import Channel, SynthesisTask

_GEOMETRIC = ("center_crop", "crop_to_content", "resample", "resize")


def write_references(path: Path, task: SynthesisTask, cases: Sequence[Case], data: str) -> dict[str, int]:
    """Fit a reference of each channel that the real ``cases`` have, and write them; returns how many patches each has.

    Parameters
    ----------
    data : which cases these are, for whoever reads the file.
    """
    channels, counts = {}, {}
    for channel in task.channels:
        patches = list(_patches(task, cases, channel))
        if patches:
            features = np.concatenate(patches)
            counts[channel.name] = len(features)
            covariance = np.cov(features, rowvar=False)
            channels[channel.name] = {
                "patches": len(features),
                "mean": [float(f"{value:.5g}") for value in features.mean(axis=0)],
                "covariance": [[float(f"{value:.5g}") for value in row] for row in covariance],
            }
    atomic.write_json(path, {"data": data, "patch": metrics.PATCH, "channels": channels})
    return counts


def _patches(task: SynthesisTask, cases: Sequence[Case], channel: Channel) -> Iterator[np.ndarray]:
    """The statistics ``(patches, 36)`` of the sharpest patches of slices, prepared as a model's images are."""
    pipeline = Pipeline.from_steps([step for step in task.preprocessing if step.name not in _GEOMETRIC])
    background = next(step.arguments["value"] for step in task.preprocessing if step.name == "mark_background")
    for case in cases:
        images, _ = case.load()
        if channel.name in images and not images[channel.name].synthesised:
            volume, _ = pipeline.apply(stack({channel.name: images[channel.name]}, [channel]))
            inside = volume.array[0] != np.float32(background)
            picture, _ = metrics.scaled(volume.array[0], volume.array[0], inside)
            for index in range(inside.shape[2]):
                features = metrics.niqe_features(picture[..., index], inside[..., index], sharpest=True)
                if len(features):
                    yield features
