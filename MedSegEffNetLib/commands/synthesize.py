"""Make a missing image of a case from those at hand."""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from MedSegEffNetLib.commands import _inputs
from MedSegEffNetLib.errors import InputError

if TYPE_CHECKING:
    from MedSegEffNetLib.models.bundle import Bundle
    from MedSegEffNetLib.synthesis.predict import Synthesis

HELP = "make a missing MRI sequence from those at hand; the result is marked as made by a network"
_VOLUMES = (".nii.gz", ".nii", ".nrrd", ".mha", ".mhd")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Model, images, target, output and how to run."""
    parser.add_argument(
        "model", metavar="MODEL", help="name, name@version, folder, or a task's id for its default model"
    )
    parser.add_argument(
        "--input", metavar="CHANNEL=FILE", nargs="+", action="extend", dest="inputs", required=True,
        help="a channel's image (file, folder of slices or DICOM series); t1,flair=FILE if its components are these",
    )  # fmt: skip
    parser.add_argument("--target", required=True, metavar="CHANNEL", help="the image to make, e.g. t1ce")
    parser.add_argument(
        "--output", required=True, type=Path, metavar="FILE",
        help=f"the image ({', '.join(_VOLUMES)}; a name without suffix: a folder for a DICOM series); "
        "'synthesised' is added to its name",
    )  # fmt: skip
    parser.add_argument("--mark", action="store_true", help="write SYNTHESISED into the corner of every slice")
    parser.add_argument("--report", type=Path, metavar="FILE", help="page with the inputs beside the result (.html)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    parser.add_argument("--engine", default="auto", help="auto, openvino or torch")
    parser.add_argument("--threads", type=int, metavar="N", help="CPU threads (default: all cores)")
    parser.add_argument("--resample", action="store_true", help="bring channels of other grids onto the first one's")
    parser.add_argument("--run", type=Path, metavar="FOLDER", dest="folder", help="make it a job with events")
    parser.set_defaults(case=None)


def run(arguments: argparse.Namespace) -> None:
    """Check everything, make the image, write it, and say what it is."""
    from MedSegEffNetLib.inference import engine
    from MedSegEffNetLib.inference.options import Options
    from MedSegEffNetLib.job import Job
    from MedSegEffNetLib.models.registry import find
    from MedSegEffNetLib.synthesis import marks
    from MedSegEffNetLib.synthesis.predict import Synthesizer, targets_of
    from MedSegEffNetLib.task import find_channel
    from MedSegEffNetLib.terminal import ProgressLine

    started = time.perf_counter()
    options = Options(arguments.device, arguments.engine, False, arguments.threads, arguments.resample)
    bundle = find(arguments.model)
    targets_of(bundle)
    target = find_channel(bundle.task_id, bundle.channels, arguments.target).name
    paths = _inputs.given_paths(arguments, bundle)
    output = marks.named_output(arguments.output)
    _check_outputs(output, arguments.report, _inputs.files_read(paths.values(), bundle), arguments.folder)
    marks.refuse_to_replace(output)
    engine.warm_up(options)
    synthesizer = Synthesizer(bundle, options)
    images = synthesizer.check(_inputs.read_inputs(paths, bundle, is_case=False), target)
    job = Job.open(arguments.folder, _request(arguments, paths, bundle, output, target))
    job.listeners.append(ProgressLine())
    with job:
        result = synthesizer.make(images, target, job)
        warnings = [*_of_name(arguments.output, output), *result.warnings]
        _write(output, marks.burnt_in(result.image) if arguments.mark else result.image, bundle, target)
        if arguments.report:
            from MedSegEffNetLib.synthesis.report import write_report

            write_report(arguments.report, output.name, images.images, result, bundle, warnings)
        job.finish(**_told(output, arguments.report, result, warnings))
    for warning in warnings:
        print(f"Warning: {warning}")
    print(f"{output} ({time.perf_counter() - started:.1f} s; {result.measured['setup']})")
    if arguments.report:
        print(arguments.report)


def _check_outputs(output: Path, report: Path | None, inputs: list[Path], folder: Path | None) -> None:
    """Refuse outputs that cannot be written, or that would replace an input, each other or the files of the run."""
    from MedSegEffNetLib import job
    from MedSegEffNetLib.formats import READERS, dicom_seg, suffix_of

    if suffix_of(output, READERS) or "." in output.name:
        _inputs.check_output(output, inputs, _VOLUMES)
    else:
        dicom_seg.require()
        if output.exists() and (not output.is_dir() or any(output.iterdir())):
            raise InputError(f"{output} is there already", expected="a new folder for the DICOM series")
        _inputs.check_output(output / "0001.dcm", inputs)
    if report:
        _inputs.check_output(report, inputs, (".html",))
    of_run = [folder / name for name in (job.REQUEST, job.EVENTS, job.LOCK, job.STOP)] if folder else []
    _inputs.check_apart([output, *([report] if report else []), *of_run])


def _write(output: Path, image: Any, bundle: Bundle, target: str) -> None:
    from MedSegEffNetLib.formats import READERS, dicom_seg, suffix_of
    from MedSegEffNetLib.image import write

    if suffix_of(output, READERS):
        write(output, image)
        return
    from MedSegEffNetLib import atomic

    title = next(channel.title for channel in bundle.channels if channel.name == target)
    with atomic.replacing(output) as temporary:
        dicom_seg.write_series(temporary, image, dicom_seg.Study(output.name, output.name), 1, title)


def _of_name(wanted: Path, output: Path) -> list[str]:
    if wanted == output:
        return []
    return [f"The file is called {output.name}, not {wanted.name}, so that its name says what it is."]


def _told(output: Path, report: Path | None, result: Synthesis, warnings: list[str]) -> dict[str, Any]:
    """The fields of the event ``finished``, see :mod:`MedSegEffNetLib.job`."""
    return {
        "output": output.resolve(),
        "report": report and report.resolve(),
        "target": result.target,
        "inputs": result.inputs,
        "synthesised": result.image.synthesised,
        "warnings": warnings,
        "measured": result.measured,
    }


def _request(
    arguments: argparse.Namespace, paths: Mapping[str, Path], bundle: Bundle, output: Path, target: str
) -> dict[str, object]:
    """The request with every path in full, for the job's folder."""
    settings = {name: value for name, value in vars(arguments).items() if name not in ("run", "folder", "case")}
    return {
        **settings,
        "inputs": {channel: path.resolve() for channel, path in paths.items()},
        "output": output.resolve(),
        "report": arguments.report and arguments.report.resolve(),
        "target": target,
        "model": f"{bundle.name}@{bundle.version}",
    }
