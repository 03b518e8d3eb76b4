"""The best weights of a training become a model."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

import MedSegEffNetLib
from MedSegEffNetLib.dataset.case import Case
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.inference.ensemble import from_validation
from MedSegEffNetLib.models.build import FinishedTraining, build_bundle
from MedSegEffNetLib.models.bundle import Bundle
from MedSegEffNetLib.preprocessing import Pipeline
from MedSegEffNetLib.task import Step
from MedSegEffNetLib.training import checkpoint, distributed
from MedSegEffNetLib.training.request import WHOLE, Request

MODEL = "model"


def folder_of(run: Path, key: str) -> Path:
    """Where the checkpoints of the network ``key`` lie: the run's folder, or one in it where there are several."""
    return run if key == WHOLE else run / key


def build_models(request: Request, cases: Mapping[str, Sequence[Case]], pipeline: Pipeline, run: Path) -> Path:
    """The model of the best weights so far, and one more by each further figure; returns the first one's folder.

    Of several processes the first one builds them. :class:`InputError` if no epoch of any network is done.
    """
    if distributed.rank():
        return run / MODEL
    keys = [key for key in request.networks if (folder_of(run, key) / checkpoint.BEST).is_file()]
    if not keys:
        raise InputError(
            f"no epoch of the training in {run} is done",
            expected="weights of one epoch at least",
            hint="run the training's command again without --finish: it goes on where it was stopped",
        )
    last = {key: checkpoint.load(folder_of(run, key) / checkpoint.LAST) for key in keys}
    for figure in request.recipe.also_monitor:
        _build(
            request, cases, pipeline, run / f"{MODEL}-{figure}", _weights(run, keys, checkpoint.best_by(figure)), last
        )
    return _build(request, cases, pipeline, run / MODEL, _weights(run, keys, checkpoint.BEST), last)


def _weights(run: Path, keys: Sequence[str], name: Path) -> dict[str, dict[str, Any]]:
    return {key: checkpoint.load(folder_of(run, key) / name) for key in keys}


def _build(
    request: Request,
    cases: Mapping[str, Sequence[Case]],
    pipeline: Pipeline,
    folder: Path,
    best: Mapping[str, Mapping[str, Any]],
    last: Mapping[str, Mapping[str, Any]],
) -> Path:
    rows = [kept["row"] for kept in best.values()]
    epochs = {key: int(kept["row"]["epoch"]) for key, kept in best.items()}
    return build_bundle(
        folder,
        FinishedTraining(
            task=request.task,
            network=request.network,
            # The weights are in the bundle: the encoder's published ones are not fetched again.
            arguments={
                **{k: v for k, v in request.arguments.items() if k != "encoder_weights"},
                "in_channels": request.in_channels,
                "out_channels": request.out_channels,
            },
            weights={key: kept["network"] for key, kept in best.items()},
            context=request.recipe.context,
            preprocessing=pipeline.steps(),
            # Chosen for the model that it started from, and a better guess than none for one that is much like it.
            postprocessing=_clean_up(request.parent),
            thresholds=tuple(request.parent.info["thresholds"]) if request.parent else (),
            provenance={
                "parent": request.as_mapping()["parent"],
                "data": {
                    "folder": request.data.name,
                    "snapshot": request.snapshot,
                    "cases": {k: [c.id for c in v] for k, v in cases.items()},
                },
                "synthesised": is_synthesised(request.parent, cases["train"], request.recipe.synthetic_share),
                "recipe": request.recipe.as_mapping(),
                "encoder_start": next(iter(last.values())).get("encoder_start", "random"),
                "code_version": MedSegEffNetLib.__version__,
                "python": platform.python_version(),
                "torch": torch.__version__,
                "epochs_trained": max(kept["epoch"] for kept in last.values()),
                "best_epoch": epochs if len(epochs) > 1 else next(iter(epochs.values())),
                "validation": _means(rows),
                "seconds": sum(row["seconds"] for kept in last.values() for row in kept["history"]),
            },
            ensembles=from_validation(request.task, {key: kept["row"] for key, kept in best.items()}),
        ),
    )


def _clean_up(parent: Bundle | None) -> tuple[Step, ...]:
    steps = parent.info["postprocessing"] if parent else []
    return tuple(Step(step["name"], step["arguments"]) for step in steps)


def is_synthesised(parent: Bundle | None, cases: Sequence[Case], synthetic_share: float = 0.0) -> bool:
    """Whether the network, or ``parent`` that it started from, has learnt from images that a network or a program made."""
    inherited = parent is not None and bool(parent.info["provenance"].get("synthesised"))
    return inherited or any(case.synthesised() for case in cases) or synthetic_share > 0


def _means(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {name: float(np.mean([row[name] for row in rows if name in row])) for name in rows[0]}
