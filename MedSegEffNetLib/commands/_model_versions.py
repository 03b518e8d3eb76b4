"""``models compare``, ``promote`` and ``rollback``: a new version earns its place, and gives it up again."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from MedSegEffNetLib.errors import InputError

if TYPE_CHECKING:
    from MedSegEffNetLib.job import Job

_NEW = "a training's run folder, a model's folder, or name@version"


def add_actions(actions: Any) -> list[argparse.ArgumentParser]:
    """Add the three actions to those of ``models``; returns their parsers."""
    compare = actions.add_parser("compare", help="measure a new model against the one before it, on held-out cases")
    compare.add_argument("model", metavar="RUN-or-MODEL", help=_NEW)
    compare.add_argument(
        "--against", default="", metavar="MODEL", help="the old one, if not the one that training started from"
    )
    compare.add_argument("--data", type=Path, metavar="FOLDER", help="cases with label maps, if not those of the run")
    compare.add_argument("--snapshot", default="", metavar="ID", help="a snapshot of the data set")
    compare.add_argument("--split", default="test", metavar="NAME", help="which of the cases (default: test), or all")
    compare.add_argument("--output", type=Path, metavar="FOLDER", help="for the results (default: RUN/comparison)")
    compare.add_argument("--margin", type=float, metavar="DICE", help="loss that counts as none (default: 0.01)")
    compare.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    compare.add_argument("--engine", default="auto", help="auto, openvino or torch")
    compare.add_argument("--threads", type=int, metavar="N", help="CPU threads (default: all cores)")
    promote = actions.add_parser("promote", help="make a compared model the current version of your models")
    promote.add_argument("model", metavar="RUN-or-MODEL", help=_NEW)
    promote.add_argument("--name", default="", metavar="NAME", help="if not that of the model it was trained from")
    promote.add_argument("--comparison", type=Path, metavar="FOLDER", help="of `models compare`, if not RUN/comparison")
    promote.add_argument(
        "--override", metavar="REASON", help="promote all the same; the reason goes into the model's card"
    )
    promote.add_argument("--margin", type=float, metavar="DICE", help="loss that counts as none, if not as compared")
    rollback = actions.add_parser("rollback", help="make the version before the current one again; nothing is deleted")
    rollback.add_argument("model", metavar="NAME", help="a model's name, or a task")
    rollback.add_argument("--to", default="", metavar="VERSION", help="which version, an earlier or a later one")
    return [compare, promote, rollback]


def compare(arguments: argparse.Namespace) -> None:
    """Compare, print table and verdicts."""
    from MedSegEffNetLib import model_comparison
    from MedSegEffNetLib.commands._inputs import check_output
    from MedSegEffNetLib.inference.options import Options
    from MedSegEffNetLib.job import Job
    from MedSegEffNetLib.models import comparisons
    from MedSegEffNetLib.terminal import ProgressLine

    options = Options(arguments.device, arguments.engine, threads=arguments.threads, probabilities=False)
    contest = model_comparison.prepare(
        arguments.model,
        against=arguments.against,
        data=arguments.data,
        snapshot=arguments.snapshot,
        split=arguments.split,
        output=arguments.output,
        margin=comparisons.MARGIN if arguments.margin is None else arguments.margin,
    )
    output = contest.output.resolve()
    for name in (comparisons.FILE, comparisons.PAGE, comparisons.PAIRED):
        check_output(output / name)
    job = Job.open(arguments.folder, _request(arguments, data=contest.data.resolve(), output=output,
                                              snapshot=contest.snapshot))  # fmt: skip
    job.listeners.append(ProgressLine())
    with job:
        for warning in contest.warnings:
            job.notice(warning)
        content = model_comparison.compare(contest, options, job)
        job.finish(output=output, page=output / comparisons.PAGE, verdict=content["verdict"],
                   regions=content["regions"], warnings=content["warnings"])  # fmt: skip
    print(_table(content))
    for sentence in content["sentences"]:
        print(sentence)
    print(output / comparisons.PAGE)


def promote(arguments: argparse.Namespace) -> None:
    """Promote and print ``name@version``."""
    from MedSegEffNetLib.job import Job
    from MedSegEffNetLib.models import promotion, registry
    from MedSegEffNetLib.terminal import ProgressLine

    if arguments.override is not None and not arguments.override.strip():
        raise InputError(
            "--override without a reason", expected="a sentence that says why", hint="it goes into the card"
        )
    settings = {
        "name": arguments.name,
        "comparison": arguments.comparison,
        "override": arguments.override or "",
        "margin": arguments.margin,
    }
    checked = promotion.check(arguments.model, **settings)
    now = registry.current(checked.name)
    job = Job.open(arguments.folder, _request(arguments))
    job.listeners.append(ProgressLine())
    with job:
        old = checked.comparison["old"] if checked.comparison else ""
        if old and now and old != f"{now.name}@{now.version}":
            job.notice(f"It was compared with {old}, while {now.name}@{now.version} is in use.")
        bundle = promotion.promote(arguments.model, **settings, told=told(job))
        model = f"{bundle.name}@{bundle.version}"
        job.finish(model=model, folder=bundle.folder)
    print(model)


def rollback(arguments: argparse.Namespace, job: Job) -> None:
    """Roll back and print ``name@version``."""
    from MedSegEffNetLib.models import registry, versions

    versions.rollback(arguments.model, arguments.to)
    bundle = registry.find(arguments.model)
    job.finish(model=f"{bundle.name}@{bundle.version}", folder=bundle.folder)
    print(f"{bundle.name}@{bundle.version}")


def _request(arguments: argparse.Namespace, **resolved: Any) -> dict[str, Any]:
    given = {name: value for name, value in vars(arguments).items() if name not in ("run", "folder")}
    return {**given, **resolved}


def told(job: Job) -> Callable[[str, int, int], None]:
    """What tells a job how far a stage is, and stops where the job is asked to."""

    def tell(stage: str, done: int, total: int) -> None:
        job.check_stop()
        job.progress(stage, done, total)

    return tell


def _table(content: Mapping[str, Any]) -> str:
    from MedSegEffNetLib.terminal import number, table

    rows = []
    for region, figures in content["regions"].items():
        sides = [figures[side][part] for side in ("old", "new") for part in ("mean", "std", "median")]
        change = [figures[name] for name in ("difference", "low", "high", "p")]
        rows.append([region, *map(number, [*sides, *change]), str(figures["n"]), figures["verdict"]])
    header = [
        "Dice of",
        "old mean",
        "SD",
        "median",
        "new mean",
        "SD",
        "median",
        "new - old",
        "95 % from",
        "to",
        "p",
        "n",
    ]
    return table(rows, [*header, "verdict"])
