"""Measure a model on labelled cases."""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "measure a model on labelled cases: summary.json, per_case.csv, report.html"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Model, data, split and output."""
    parser.add_argument("model", metavar="MODEL", help="name, name@version, folder, or a task's id")
    parser.add_argument("--data", required=True, type=Path, metavar="FOLDER", help="cases with label maps")
    parser.add_argument("--split", required=True, metavar="NAME", help="train, val, test, or all")
    parser.add_argument("--output", required=True, type=Path, metavar="FOLDER", help="folder for the results")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    parser.add_argument("--engine", default="auto", help="auto, openvino or torch")
    parser.add_argument("--flips", action="store_true", help="average with the mirrored images' predictions")
    parser.add_argument("--threads", type=int, metavar="N", help="CPU threads (default: all cores)")
    parser.add_argument("--run", type=Path, metavar="FOLDER", dest="folder", help="make it a job with events")


def run(arguments: argparse.Namespace) -> None:
    """Evaluate and print the table."""
    from MedSegEffNetLib.evaluation import evaluate, summary_table
    from MedSegEffNetLib.inference.options import Options
    from MedSegEffNetLib.job import Job
    from MedSegEffNetLib.models.registry import find
    from MedSegEffNetLib.terminal import ProgressLine

    options = Options(arguments.device, arguments.engine, arguments.flips, arguments.threads)
    bundle = find(arguments.model)
    request = {name: value for name, value in vars(arguments).items() if name not in ("run", "folder")}
    job = Job.open(arguments.folder, request)
    job.listeners.append(ProgressLine())
    with job:
        summary = evaluate(bundle, arguments.data, arguments.split, arguments.output, options, job)
        job.finish(output=arguments.output, summary=summary)
    print(summary_table(summary))
    print(arguments.output / "report.html")
