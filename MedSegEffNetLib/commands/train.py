"""Train a model."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from MedSegEffNetLib.errors import InputError, MissingPackage
from MedSegEffNetLib.task import get_task

if TYPE_CHECKING:
    from MedSegEffNetLib.training.preflight import Preflight

HELP = "train a model; the same --run folder again resumes"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Task, data, run folder and settings."""
    parser.add_argument("task", metavar="TASK", help="see `medsegeffnet tasks`")
    parser.add_argument("--data", required=True, type=Path, metavar="FOLDER", help="cases with label maps")
    parser.add_argument(
        "--snapshot", default="", metavar="ID", help="a snapshot of the data set, see `dataset snapshot`"
    )
    parser.add_argument("--run", required=True, type=Path, metavar="FOLDER", dest="folder", help="the job's folder")
    parser.add_argument("--network", metavar="NAME", help="network, if not the task's first")
    parser.add_argument("--from", metavar="MODEL", dest="parent", help="model whose weights to start from")
    parser.add_argument(
        "--set", metavar="KEY=VALUE", nargs="+", action="extend", default=[], dest="settings",
        help="settings of the recipe, e.g. epochs=20 augmentation.zoom=0.1",
    )  # fmt: skip
    parser.add_argument("--threads", type=int, metavar="N", help="CPU threads (default: all cores but one)")
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument(
        "--check", action="store_true",
        help="do not train: look at the data, and measure two steps for the time and memory that it will take",
    )  # fmt: skip
    instead.add_argument(
        "--overfit", action="store_true", help="do not train: try whether the network can learn one case by heart"
    )
    instead.add_argument(
        "--finish", action="store_true", help="train no further: the best weights so far become the model"
    )


def run(arguments: argparse.Namespace) -> None:
    """Train or resume and say where the model is; or look at the training before it starts."""
    settings = {}
    for text in arguments.settings:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise InputError(f"--set {text}", expected="KEY=VALUE, e.g. epochs=20")
        settings[key] = value
    from MedSegEffNetLib.terminal import ProgressLine

    if "torch" not in sys.modules:  # its threads read this as they start: waiting, they must not keep the cores busy
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    first = os.environ.get("RANK", "0") == "0"  # of several processes that torchrun has started
    if not first and (arguments.check or arguments.overfit):
        return  # the first one does it alone
    what = (arguments.task, arguments.data, arguments.folder)
    how: dict[str, Any] = {
        "snapshot": arguments.snapshot,
        "network": arguments.network,
        "parent": arguments.parent,
        "settings": settings,
        "threads": arguments.threads,
        "listener": ProgressLine() if first else None,
    }
    try:
        if arguments.check:
            from MedSegEffNetLib.training.preflight import check

            _print_check(check(*what, **how))
        elif arguments.overfit:
            from MedSegEffNetLib.training.probe import overfit

            print(overfit(*what, **how).text)
        else:
            model = _training(arguments.task)(*what, **how, finish=arguments.finish)
            if first:
                print(f"Model: {model}")
    except ModuleNotFoundError as error:
        raise MissingPackage("training", error.name or "torch", "Training") from error


def _training(task_id: str) -> Callable[..., Path]:
    """What trains a network for this task."""
    if get_task(task_id).kind == "synthesis":
        from MedSegEffNetLib.training import gan_run

        return gan_run.train
    from MedSegEffNetLib.training.run import train

    return train


def _print_check(found: Preflight) -> None:
    """The check in words; :class:`InputError` if the training should not start."""
    from MedSegEffNetLib.terminal import duration, table

    regions = next(iter(found.labels.values()))
    rows = [
        [name, str(size["cases"]), str(size["patients"]), *(str(found.labels[name][region]) for region in regions)]
        for name, size in found.splits.items()
    ]
    print(table(rows, ["Split", "Cases", "Patients", *regions]))
    if found.seconds_per_epoch is not None and found.seconds_total is not None:
        print(f"Time: {duration(found.seconds_per_epoch)} an epoch, {duration(found.seconds_total)} at most")
    print(f"Memory: {found.memory_mb or 'unknown'} MB, {found.memory_free_mb or 'unknown'} MB free")
    if found.gpu_memory_mb is not None:
        print(f"Memory of the GPU: {found.gpu_memory_mb} MB, {found.gpu_memory_free_mb} MB free")
    print(f"Disk: {found.disk_mb} MB, {found.disk_free_mb} MB free")
    for text in found.notes:
        print(f"  {text}")
    for text in found.warnings:
        print(f"Warning: {text}")
    if found.errors:
        raise InputError(
            "this training should not start:\n" + "\n".join(f"  - {text}" for text in found.errors),
            expected="nothing of that",
            hint="mend the data, then check again",
        )
