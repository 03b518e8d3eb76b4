"""A finished synthesis training becomes a model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from MedSegEffNetLib import atomic
from MedSegEffNetLib.models.build import all_metadata, complete, save_network, step_data
from MedSegEffNetLib.models.bundle import SCHEMA
from MedSegEffNetLib.task import Step, SynthesisTask

if TYPE_CHECKING:
    from torch import Tensor

KEY = "network"
Ranges = Mapping[str, tuple[float, float]]


@dataclass(frozen=True)
class FinishedSynthesis:
    """What a model that makes images is made from.

    Parameters
    ----------
    network, arguments : key and arguments of the generator, ``in_channels`` (its planes) included.
    weights : its state dict.
    context : neighboring slices on either side.
    preprocessing : steps of the given images.
    ranges : channel that it can make → plausible values after N4, see :attr:`~MedSegEffNetLib.models.bundle.Bundle.ranges`.
    normalized : what these are in normalized units.
    patients : channel → number of patients whose images of it were learnt from.
    provenance : what it was trained on, and how.
    """

    task: SynthesisTask
    network: str
    arguments: Mapping[str, Any]
    weights: Mapping[str, Tensor]
    context: int
    preprocessing: tuple[Step, ...]
    ranges: Ranges
    normalized: Ranges
    provenance: Mapping[str, Any]
    patients: Mapping[str, int] = field(default_factory=dict)
    version: str = "0.1.0"
    measured: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The model's name: task and kind of network."""
        return f"{self.task.id}-{self.network.split('_')[0]}"


def build_synthesis_bundle(folder: Path, training: FinishedSynthesis) -> Path:
    """Write the model to ``folder`` (in place of one that is there), as :func:`MedSegEffNetLib.models.build.build_bundle`."""
    with atomic.replacing(folder) as temporary:
        entry = save_network(temporary, KEY, training.network, training.arguments, training.weights)
        names = [channel.name for channel in training.task.channels]
        info = _info(training, {**entry, "channels": names, "context": training.context})
        pictures = names * (2 * training.context + 1)
        planes = [*pictures, *(f"{name} is given" for name in names), *(f"{name} is wanted" for name in names)]
        complete(temporary, all_metadata(training.task, training.version, info, planes, ["image that is wanted"]))
    return folder


def _info(training: FinishedSynthesis, network: dict[str, Any]) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "task": training.task.id,
        "name": training.name,
        "title": training.task.title,
        "inputs": [asdict(channel) for channel in training.task.channels],
        "targets": [channel.name for channel in training.task.channels if channel.name in training.ranges],
        "ranges": {name: list(pair) for name, pair in training.ranges.items()},
        "normalized": {name: list(pair) for name, pair in training.normalized.items()},
        "patients": dict(training.patients),
        "preprocessing": step_data(training.preprocessing),
        "networks": [network],
        "regions": [],
        "labels": [],
        "activation": "none",
        "nested": False,
        "thresholds": [],
        "postprocessing": [],
        "files": {},
        "measured": dict(training.measured),
        "provenance": json.loads(json.dumps(training.provenance)),
    }
