"""Two label maps, or two evaluations, compared."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from MedSegEffNetLib.errors import InputError

if TYPE_CHECKING:
    from MedSegEffNetLib.comparison import LabelMaps, Paired
    from MedSegEffNetLib.image import Image
    from MedSegEffNetLib.job import Job
    from MedSegEffNetLib.task import Region

HELP = "compare two label maps (table, difference map) or two evaluations (paired statistics)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What is compared, and where the results go."""
    for name in ("a", "b"):
        help_text = f"{name.upper()}: a label map, or the folder of an evaluation"
        parser.add_argument(name, metavar=name.upper(), type=Path, help=help_text)
    parser.add_argument("--output", type=Path, metavar="FOLDER", help="folder for tables, page and difference maps")
    parser.add_argument("--task", metavar="TASK", help="whose labels and regions the label maps have")
    parser.add_argument("--run", type=Path, metavar="FOLDER", dest="folder", help="make it a job with events")


def run(arguments: argparse.Namespace) -> None:
    """Compare and print the table."""
    from MedSegEffNetLib import report
    from MedSegEffNetLib.job import Job
    from MedSegEffNetLib.terminal import ProgressLine

    a, b, output = arguments.a, arguments.b, arguments.output
    evaluations = [(path / report.PER_CASE).is_file() for path in (a, b)]
    if any(evaluations) and not all(evaluations):
        names = [f"{path} is {'an evaluation' if of else 'none'}" for path, of in zip((a, b), evaluations, strict=True)]
        raise InputError("; ".join(names), expected="two label maps, or two folders of `medsegeffnet evaluate`")
    request = {"command": "compare", "a": a.resolve(), "b": b.resolve(), "task": arguments.task,
               "output": output and output.resolve()}  # fmt: skip
    if all(evaluations):
        names, paired, changed = _paired(arguments)
        with Job.open(arguments.folder, request) as job:
            job.listeners.append(ProgressLine())
            _write_evaluations(output, names, paired, changed, job)
    else:
        maps = _label_maps(arguments)
        with Job.open(arguments.folder, request) as job:
            _write_label_maps(arguments, *maps, job)


def _label_maps(arguments: argparse.Namespace) -> tuple[Image, Image, list[Region]]:
    """The label maps and their parts, checked."""
    from MedSegEffNetLib import comparison
    from MedSegEffNetLib.commands._inputs import check_output
    from MedSegEffNetLib.image import read_label_map
    from MedSegEffNetLib.task import get_segmentation_task

    task = get_segmentation_task(arguments.task) if arguments.task else None
    labels = task.labels if task else ()
    a, b = (read_label_map(path, labels) for path in (arguments.a, arguments.b))
    comparison.check_one_grid(a, b)
    parts = comparison.parts_of(a, b, task)
    if arguments.output:
        for name in ("comparison.csv", "slices.csv", "comparison.html", *_maps(parts).values()):
            check_output(arguments.output / name, (arguments.a, arguments.b))
    return a, b, parts


def _write_label_maps(arguments: argparse.Namespace, a: Image, b: Image, parts: list[Region], job: Job) -> None:
    from MedSegEffNetLib import report
    from MedSegEffNetLib.comparison import DIFFERENCES, compare_label_maps
    from MedSegEffNetLib.image import write_label_map

    found = compare_label_maps(a, b, parts)
    output = arguments.output
    if output:
        report.write_rows(output / "comparison.csv", found.rows)
        report.write_rows(output / "slices.csv", found.slices)
        names = _maps(parts)
        write_label_map(output / names[""], found.difference, DIFFERENCES)
        for part, name in names.items():
            if part:
                write_label_map(output / name, found.differences[part], DIFFERENCES[:2])
        names_ab = [path.name for path in (arguments.a, arguments.b)]
        if names_ab[0] == names_ab[1]:
            names_ab = [f"{path.resolve().parent.name}/{path.name}" for path in (arguments.a, arguments.b)]
        report.write_label_maps_page(
            output / "comparison.html", a=names_ab[0], b=names_ab[1], rows=found.rows, slices=found.slices
        )
    job.finish(output=output and output.resolve(), rows=found.rows)
    print(_label_map_table(found))


def _maps(parts: list[Region]) -> dict[str, str]:
    """File names of the difference maps by part; empty: of all labels. One label alone needs no map of its own."""
    names = {"": "difference.seg.nrrd"}
    if len(parts) > 1:
        for number, part in enumerate(parts, start=1):
            plain = "".join(letter if letter.isalnum() else "-" for letter in part.name)
            names[part.name] = f"difference-{number}-{plain}.seg.nrrd"
    return names


def _label_map_table(found: LabelMaps) -> str:
    from MedSegEffNetLib.terminal import number, table

    rows = [
        [row["part"], number(row["dice"]), number(row["hd95"], 2), number(row["assd"], 2), number(row["ml_a"], 2),
         number(row["ml_b"], 2), str(row["voxels_a"]), str(row["voxels_b"])]
        for row in found.rows
    ]  # fmt: skip
    return table(rows, ["part", "Dice", "HD95 mm", "mean mm", "A mL", "B mL", "A voxels", "B voxels"])


def _paired(arguments: argparse.Namespace) -> tuple[list[str], list[Paired], list[str]]:
    """How A and B are called, the paired figures, and the cases whose true label maps differ."""
    from MedSegEffNetLib import comparison, report
    from MedSegEffNetLib.commands._inputs import check_output

    a, b = (report.read_evaluation(path) for path in (arguments.a, arguments.b))
    names = [f"{path.resolve().name} ({found.title})" for path, found in ((arguments.a, a), (arguments.b, b))]
    if arguments.output:
        for name in ("paired.csv", "comparison.csv", "comparison.html"):
            check_output(arguments.output / name)
    return names, comparison.compare_evaluations(a.rows, b.rows), comparison.cases_with_other_truth(a.rows, b.rows)


def _write_evaluations(
    output: Path | None, names: list[str], paired: list[Paired], changed: list[str], job: Job
) -> None:
    from MedSegEffNetLib import report

    rows = [found.figures() for found in paired]
    warning = f"The true label maps are not the same in A and B: {', '.join(changed)}." if changed else ""
    if warning:
        job.notice(warning)
    if output:
        values = [
            {"case": case, "region": found.region, "metric": found.metric, "a": a, "b": b, "difference": b - a}
            for found in paired
            for case, a, b in found.values
        ]
        report.write_rows(output / "paired.csv", values)
        report.write_rows(output / "comparison.csv", rows)
        report.write_evaluations_page(
            output / "comparison.html", a=names[0], b=names[1], paired=paired, warnings=[warning] if warning else []
        )
    job.finish(output=output and output.resolve(), rows=rows)
    print(_paired_table(paired))


def _paired_table(paired: list[Paired]) -> str:
    from MedSegEffNetLib.terminal import number, table

    rows = [
        [found.region, found.metric, str(found.n),
         *map(number, (found.mean_a, found.mean_b, found.difference, found.low, found.high, found.p)),
         ", ".join(case for case, _, _ in found.worst[:3])]
        for found in paired
    ]  # fmt: skip
    return table(rows, ["region", "metric", "n", "A", "B", "B - A", "95 % from", "to", "p", "worst losses"])
