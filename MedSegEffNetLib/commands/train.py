"""Train a model."""

from __future__ import annotations

import argparse
from pathlib import Path

from MedSegEffNetLib.errors import InputError, MissingPackage

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


def run(arguments: argparse.Namespace) -> None:
    """Train, or resume, and say where the model is."""
    settings = {}
    for text in arguments.settings:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise InputError(f"--set {text}", expected="KEY=VALUE, e.g. epochs=20")
        settings[key] = value
    from MedSegEffNetLib.terminal import ProgressLine

    try:
        from MedSegEffNetLib.training.run import train
    except ModuleNotFoundError as error:
        raise MissingPackage("training", error.name or "torch", "Training") from error

    model = train(
        arguments.task,
        arguments.data,
        arguments.folder,
        snapshot=arguments.snapshot,
        network=arguments.network,
        parent=arguments.parent,
        settings=settings,
        listener=ProgressLine(),
    )
    print(f"Model: {model}")
