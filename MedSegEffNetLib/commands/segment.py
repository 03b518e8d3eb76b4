"""Segment a case, or every case of a folder."""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from MedSegEffNetLib.commands import _inputs
from MedSegEffNetLib.commands._outputs import LABEL_MAPS, Outputs, probability_files, volume_table
from MedSegEffNetLib.errors import InputError

if TYPE_CHECKING:
    from MedSegEffNetLib.models.bundle import Bundle

HELP = "segment a case, or every case of a folder: images in, a label map on their grid out"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Model, images, outputs and how to run."""
    parser.add_argument(
        "model", metavar="MODEL", help="name, name@version, folder, or a task's id for its default model"
    )
    _inputs.add_arguments(parser)
    parser.add_argument(
        "--output", required=True, type=Path, metavar="FILE",
        help=f"label map ({', '.join(LABEL_MAPS)}); with --batch a folder, which gets a folder a case",
    )  # fmt: skip
    parser.add_argument(
        "--name", default="", metavar="TEXT", help="what the report calls the case (default: the output's name)"
    )
    in_batch = "with --batch a name in each case's folder"
    parser.add_argument("--report", type=Path, metavar="FILE", help=f"report with pictures (.html); {in_batch}")
    parser.add_argument(
        "--probabilities", type=Path, metavar="FOLDER", help=f"keep a probability map a region here; {in_batch}"
    )
    parser.add_argument(
        "--uncertainty", type=Path, metavar="FILE", help=f"volume from 0 (sure) to 1 (an even chance); {in_batch}"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    parser.add_argument("--engine", default="auto", help="auto, openvino or torch")
    parser.add_argument("--flips", action="store_true", help="average with the mirrored image's prediction")
    parser.add_argument(
        "--ensemble", default="", metavar="NAME",
        help="which networks vote, of a model of several (`models show` lists them)",
    )  # fmt: skip
    parser.add_argument("--threads", type=int, metavar="N", help="CPU threads (default: all cores)")
    parser.add_argument(
        "--resample",
        action="store_true",
        help="bring channels of other grids onto the first one's (a required one, if there is any)",
    )
    parser.add_argument(
        "--complete",
        action="store_true",
        help="have missing optional channels made by the installed model of mri-synthesis; the result is marked and doubtful",
    )
    parser.add_argument("--run", type=Path, metavar="FOLDER", dest="folder", help="make it a job with events")


def run(arguments: argparse.Namespace) -> None:
    """Check everything, segment, write, and print the volumes."""
    from MedSegEffNetLib.inference import ensemble
    from MedSegEffNetLib.inference.options import Options
    from MedSegEffNetLib.models.registry import find

    if arguments.name and arguments.batch is not None:
        raise InputError(
            f"--name {arguments.name} with --batch", expected="--name for a single case", hint="leave it out"
        )
    options = Options(
        arguments.device,
        arguments.engine,
        arguments.flips,
        arguments.threads,
        arguments.resample,
        arguments.ensemble,
        probabilities=bool(arguments.probabilities or arguments.uncertainty),
    )
    bundle = find(arguments.model)
    if bundle.kind == "synthesis":
        raise InputError(
            f"{bundle.name} makes images and segments none",
            expected="a model that segments, see `medsegeffnet models list`",
            hint=f"to make an image: medsegeffnet synthesize {arguments.model} --input … --target …",
        )
    ensemble.check(bundle, options.ensemble)
    if arguments.batch is None:
        _run_one(arguments, bundle, options)
    else:
        from MedSegEffNetLib.commands._batch import run_batch

        paths = {"batch": arguments.batch}
        run_batch(arguments, bundle, options, _request(arguments, paths, bundle))


def _run_one(arguments: argparse.Namespace, bundle: Bundle, options: Any) -> None:
    from MedSegEffNetLib.image import joined_marks
    from MedSegEffNetLib.inference import engine, ensemble
    from MedSegEffNetLib.inference.checks import check_images
    from MedSegEffNetLib.inference.predict import segment_case
    from MedSegEffNetLib.job import Job
    from MedSegEffNetLib.synthesis import completing
    from MedSegEffNetLib.task import reference_channel
    from MedSegEffNetLib.terminal import ProgressLine

    started = time.perf_counter()
    paths = _inputs.given_paths(arguments, bundle)
    files = probability_files(arguments.probabilities, bundle)
    outputs = Outputs(arguments.output, arguments.report, arguments.uncertainty, files)
    outputs.check(_inputs.files_read(paths.values(), bundle), arguments.folder)
    engine.warm_up(options)
    given = _inputs.read_inputs(paths, bundle, is_case=arguments.case is not None)
    checked = check_images(given, bundle.channels, resampled=arguments.resample, dimensions=bundle.dimensions)
    images = checked.images
    maker = completing.find_model() if arguments.complete else None
    ensemble.choose(bundle, options.ensemble, completing.names(images, maker))
    outputs.check_marks(maker.name if maker else joined_marks(images.values()))
    outputs.check_fits(images[reference_channel(bundle.channels, images)])
    job = Job.open(arguments.folder, _request(arguments, paths, bundle))
    job.listeners.append(ProgressLine())
    with job:
        if maker:
            checked = completing.completed(checked, bundle, maker, options, job)
        result = segment_case(checked, bundle, options, job)
        outputs.write(checked.images, result, bundle, arguments.name or arguments.output.name)
        job.finish(**outputs.told(result))
    print(volume_table(result, bundle))
    for row in result.measurements:
        print(f"{row.name}: {row.text}")
    print(f"Quality: {result.quality.flag}")
    for warning in result.warnings:
        print(f"{'Doubtful' if warning in result.quality.reasons else 'Warning'}: {warning}")
    print(f"{arguments.output} ({time.perf_counter() - started:.1f} s; {result.measured['setup']})")
    for path in outputs.files()[1:]:
        print(path)


def _request(arguments: argparse.Namespace, paths: Mapping[str, Path], bundle: Bundle) -> dict[str, object]:
    """The request with every path in full, for the job's folder."""
    unwanted = ("run", "folder", "case", "batch")
    settings = {name: value for name, value in vars(arguments).items() if name not in unwanted}
    named = {} if arguments.batch is None else {"report", "probabilities", "uncertainty"}
    files = {name: value.resolve() for name, value in settings.items() if isinstance(value, Path) and name not in named}
    inputs = {channel or "all": path.resolve() for channel, path in paths.items()}
    return {**settings, **files, "inputs": inputs, "model": f"{bundle.name}@{bundle.version}"}
