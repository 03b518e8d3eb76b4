"""The page of a training or an evaluation, from its folder."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from MedSegEffNetLib.errors import InputError

HELP = "curves, pictures and tables of a training (also one that still runs) or an evaluation, as one HTML page"
_EXPECTED = "the --run folder of `medsegeffnet train`, or the --output folder of `medsegeffnet evaluate`"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Source and output."""
    parser.add_argument("source", metavar="RUN-or-EVALUATION", type=Path, help="folder of a training or an evaluation")
    parser.add_argument("--output", required=True, type=Path, metavar="FILE", help="the page to write (.html)")
    parser.add_argument("--run", type=Path, metavar="FOLDER", dest="folder", help="make it a job with events")


def run(arguments: argparse.Namespace) -> None:
    """Write the page."""
    from MedSegEffNetLib import report
    from MedSegEffNetLib.commands._inputs import check_output
    from MedSegEffNetLib.job import Job, read_events, running_process

    source, output = arguments.source, arguments.output
    check_output(output, suffixes=(".html",))
    training = _training_request(source)
    evaluation = None if training else report.read_evaluation(source)
    request = {"command": "report", "source": source.resolve(), "output": output.resolve()}
    with Job.open(arguments.folder, request) as job:
        if training:
            report.write_training_page(
                output,
                title=f"Training {source.resolve().name}",
                request=training,
                events=read_events(source)[0],
                running=running_process(source) is not None,
                cases=_cases_of_model(source / "model"),
            )
        elif evaluation:
            report.write_evaluation_page(output, evaluation)
        job.finish(output=output.resolve())
    print(output)


def _training_request(source: Path) -> dict[str, Any] | None:
    """The request of the training in ``source``; None for an evaluation; an :class:`InputError` for anything else."""
    from MedSegEffNetLib import report
    from MedSegEffNetLib.job import read_request

    if not source.is_dir():
        there = "is a file" if source.exists() else "is not there"
        raise InputError(f"{source} {there}", expected=_EXPECTED, hint="check the spelling")
    if (source / report.PER_CASE).is_file():
        return None
    content = read_request(source)
    if content is None:
        files = sorted(path.name for path in source.iterdir())
        there = ", ".join(files[:8]) + (f" and {len(files) - 8} more" if len(files) > 8 else "")
        raise InputError(
            f"{source} holds neither a training nor an evaluation, but {there or 'nothing'}", expected=_EXPECTED
        )
    request: dict[str, Any] = content["request"]
    if request.get("command") != "train":
        output = request.get("output")
        raise InputError(
            f"{source} holds a job of the command '{request.get('command', 'unknown')}'",
            expected=_EXPECTED,
            hint=f"the results of that job are in {output}" if output else "",
        )
    return request


def _cases_of_model(model: Path) -> dict[str, list[str]]:
    """Ids of the cases by split that a finished training wrote into its model; empty where there is none."""
    from MedSegEffNetLib.models.bundle import Bundle

    if not model.is_dir():
        return {}
    cases: dict[str, list[str]] = Bundle.open(model).info["provenance"].get("data", {}).get("cases", {})
    return cases
