"""Measure a model on labelled cases."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from MedSegEffNetLib.errors import InputError

if TYPE_CHECKING:
    from MedSegEffNetLib.inference.options import Options
    from MedSegEffNetLib.job import Job
    from MedSegEffNetLib.models.bundle import Bundle

EACH = "all"
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
    parser.add_argument(
        "--ensemble", default="", metavar="NAME",
        help="which networks vote, of a model of several; all: its default, and a table of every one",
    )  # fmt: skip
    parser.add_argument(
        "--segmentation", default="", metavar="MODEL",
        help="of a model that makes images: model that segments the real and the made ones, to compare their Dice",
    )  # fmt: skip
    parser.add_argument("--threads", type=int, metavar="N", help="CPU threads (default: all cores)")
    parser.add_argument("--run", type=Path, metavar="FOLDER", dest="folder", help="make it a job with events")


def run(arguments: argparse.Namespace) -> None:
    """Evaluate and print the table."""
    from MedSegEffNetLib import evaluation, report
    from MedSegEffNetLib.commands._inputs import check_output
    from MedSegEffNetLib.inference import ensemble
    from MedSegEffNetLib.inference.options import Options
    from MedSegEffNetLib.models.registry import find

    each = arguments.ensemble == EACH
    options = Options(
        arguments.device, arguments.engine, arguments.flips, arguments.threads,
        ensemble="" if each else arguments.ensemble,
    )  # fmt: skip
    bundle = find(arguments.model)
    if bundle.kind == "synthesis":
        _evaluate_synthesis(arguments, bundle, options)
        return
    if arguments.segmentation:
        raise InputError(f"--segmentation with {bundle.name}, which segments itself", hint="leave --segmentation out")
    if not each:
        ensemble.check(bundle, arguments.ensemble)
    data, split, output = arguments.data, arguments.split, arguments.output
    for name in (report.SUMMARY, report.PER_CASE, report.ABOUT, report.PAGE):
        check_output(output / name)
    cases = evaluation.cases_of(bundle, data, split)
    with _job(arguments, bundle) as job:
        summary = evaluation.evaluate(bundle, cases, output, options, job, **_told(arguments, bundle))
        rows = evaluation.evaluate_each(bundle, cases, output, options, job) if each else {}
        if rows:  # the page again, with their table
            report.write_evaluation_page(output / report.PAGE, report.read_evaluation(output))
        job.finish(output=output.resolve(), summary=summary)
    print(evaluation.summary_table(summary))
    if rows:
        print(evaluation.ensemble_table(rows))
    print(output / report.PAGE)


def _evaluate_synthesis(arguments: argparse.Namespace, bundle: Bundle, options: Options) -> None:
    """Compare the images that a model makes with the real ones, and print the table."""
    from MedSegEffNetLib.commands._inputs import check_output
    from MedSegEffNetLib.models.registry import find
    from MedSegEffNetLib.synthesis import evaluation, report
    from MedSegEffNetLib.terminal import table

    if arguments.flips or arguments.ensemble:
        raise InputError(f"--flips and --ensemble have no meaning for {bundle.name}, which makes images")
    segmenter = find(arguments.segmentation) if arguments.segmentation else None
    data, split, output = arguments.data, arguments.split, arguments.output
    for name in (evaluation.ROWS, evaluation.SUMMARY, evaluation.PAGE):
        check_output(output / name)
    cases = evaluation.cases_of(bundle, data, split)
    with _job(arguments, bundle) as job:
        told = _told(arguments, bundle)
        summary = evaluation.evaluate(bundle, cases, output, options, job, segmenter=segmenter, **told)
        job.finish(output=output.resolve(), summary=summary)
    print(table(report.summary_table(summary), ["inputs → target", "region", "metric", "mean", "SD", "median", "n"]))
    print(output / evaluation.PAGE)


def _job(arguments: argparse.Namespace, bundle: Bundle) -> Job:
    """The evaluation as a job, its paths in full."""
    from MedSegEffNetLib.job import Job
    from MedSegEffNetLib.terminal import ProgressLine

    request = {name: value for name, value in vars(arguments).items() if name not in ("run", "folder")}
    paths = {"data": arguments.data.resolve(), "output": arguments.output.resolve()}
    job = Job.open(arguments.folder, {**request, **paths, "model": f"{bundle.name}@{bundle.version}"})
    job.listeners.append(ProgressLine())
    return job


def _told(arguments: argparse.Namespace, bundle: Bundle) -> dict[str, Any]:
    """What the page says of the evaluation."""
    data, split = arguments.data.name, arguments.split
    title = f"{bundle.name} {bundle.version} on {data}, {split}"
    return {"title": title, "provenance": {"data": data, "split": split}}
