"""Make a missing image of a case from those at hand."""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from MedSegEffNetLib.commands import _inputs
from MedSegEffNetLib.errors import InputError

if TYPE_CHECKING:
    from MedSegEffNetLib.inference.checks import Checked
    from MedSegEffNetLib.models.bundle import Bundle
    from MedSegEffNetLib.synthesis.comparison import Comparison
    from MedSegEffNetLib.synthesis.predict import Synthesis

HELP = "make a missing MRI sequence from those at hand; the result is marked as made by a network"
_VOLUMES = (".nii.gz", ".nii", ".nrrd", ".mha", ".mhd")
_MARK_CAUTION = "The letters in the corner replace voxels: make the image without --mark to segment it."


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
    parser.add_argument(
        "--real", type=Path, metavar="FILE",
        help="the target as a scanner took it, to compare with; the network does not see it",
    )  # fmt: skip
    parser.add_argument(
        "--difference", type=Path, metavar="FILE",
        help=f"with --real: made less real, in normalized units ({', '.join(_VOLUMES)}); 'synthesised' is added as above",
    )  # fmt: skip
    parser.add_argument("--mark", action="store_true", help="write SYNTHESISED into the corner of every slice")
    parser.add_argument("--report", type=Path, metavar="FILE", help="page with the inputs beside the result (.html)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    parser.add_argument("--engine", default="auto", help="auto, openvino or torch")
    parser.add_argument("--threads", type=int, metavar="N", help="CPU threads (default: all cores)")
    parser.add_argument("--resample", action="store_true", help="bring channels of other grids onto the first one's")
    parser.add_argument("--run", type=Path, metavar="FOLDER", dest="folder", help="make it a job with events")
    parser.set_defaults(case=None)


@dataclass(frozen=True)
class _Outputs:
    """What is written, under the names that it gets."""

    image: Path
    difference: Path | None
    report: Path | None

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> _Outputs:
        from MedSegEffNetLib.formats.marks import named_output

        difference = arguments.difference and named_output(arguments.difference)
        return cls(named_output(arguments.output), difference, arguments.report)

    def all(self) -> list[Path]:
        return [path for path in (self.image, self.difference, self.report) if path]


def run(arguments: argparse.Namespace) -> None:
    """Check everything, make the image, write it, and say what it is."""
    from MedSegEffNetLib.inference import engine
    from MedSegEffNetLib.inference.options import Options
    from MedSegEffNetLib.job import Job
    from MedSegEffNetLib.models.registry import find
    from MedSegEffNetLib.synthesis.comparison import compare
    from MedSegEffNetLib.synthesis.predict import Synthesizer, targets_of
    from MedSegEffNetLib.task import find_channel
    from MedSegEffNetLib.terminal import ProgressLine

    started = time.perf_counter()
    options = Options(arguments.device, arguments.engine, False, arguments.threads, arguments.resample)
    bundle = find(arguments.model)
    targets_of(bundle)
    target = find_channel(bundle.task_id, bundle.channels, arguments.target).name
    paths = _inputs.given_paths(arguments, bundle)
    read = [*paths.values(), *([arguments.real] if arguments.real else [])]
    outputs = _Outputs.of(arguments)
    _check_outputs(arguments, outputs, _inputs.files_read(read, bundle))
    engine.warm_up(options)
    synthesizer = Synthesizer(bundle, options)
    images = synthesizer.check(_inputs.read_inputs(paths, bundle, is_case=False), target)
    real = _read_real(arguments, images, bundle, target)
    job = Job.open(arguments.folder, _request(arguments, paths, bundle, outputs, target))
    job.listeners.append(ProgressLine())
    with job:
        result = synthesizer.make(images, target, job)
        compared = compare(real.images[target], result, synthesizer, job) if real else None
        warnings = _warnings(arguments, outputs, result, real, compared)
        _write_all(arguments, outputs, images, result, compared, bundle, warnings)
        job.finish(**_told(arguments, outputs, result, compared, warnings))
    for warning in warnings:
        print(f"Warning: {warning}")
    if compared:
        print(f"Compared with the real image, inside the head: {compared.in_words()}")
    print(f"{outputs.image} ({time.perf_counter() - started:.1f} s; {result.measured['setup']})")
    for path in outputs.all()[1:]:
        print(path)


def _check_outputs(arguments: argparse.Namespace, outputs: _Outputs, inputs: list[Path]) -> None:
    """Refuse outputs that cannot be written, or that would replace an input, each other or the files of the run."""
    from MedSegEffNetLib import job
    from MedSegEffNetLib.formats import READERS, dicom_seg, suffix_of
    from MedSegEffNetLib.synthesis.marks import refuse_to_replace

    image, folder = outputs.image, arguments.folder
    if suffix_of(image, READERS) or "." in image.name:
        _inputs.check_output(image, inputs, _VOLUMES)
    else:
        dicom_seg.require()
        if image.exists() and (not image.is_dir() or any(image.iterdir())):
            raise InputError(f"{image} is there already", expected="a new folder for the DICOM series")
        _inputs.check_output(image / "0001.dcm", inputs)
    if outputs.difference:
        if not arguments.real:
            raise InputError("--difference without --real", expected="the real image to take the difference from")
        _inputs.check_output(outputs.difference, inputs, _VOLUMES)
    if outputs.report:
        _inputs.check_output(outputs.report, inputs, (".html",))
    of_run = [folder / name for name in (job.REQUEST, job.EVENTS, job.LOCK, job.STOP)] if folder else []
    _inputs.check_apart([*outputs.all(), *of_run])
    for path in (image, outputs.difference):
        if path:
            refuse_to_replace(path)


def _read_real(arguments: argparse.Namespace, images: Checked, bundle: Bundle, target: str) -> Checked | None:
    """The image that ``--real`` names, ready to be compared."""
    from MedSegEffNetLib.synthesis.comparison import check_real

    if not arguments.real:
        return None
    real = _inputs.read_inputs({target: arguments.real}, bundle, is_case=False)[target]
    return check_real(real, images, bundle, target, resampled=arguments.resample)


def _write_all(
    arguments: argparse.Namespace,
    outputs: _Outputs,
    images: Checked,
    result: Synthesis,
    compared: Comparison | None,
    bundle: Bundle,
    warnings: list[str],
) -> None:
    from MedSegEffNetLib.image import write
    from MedSegEffNetLib.synthesis.marks import burnt_in

    _write(outputs.image, burnt_in(result.image) if arguments.mark else result.image, bundle, result.target)
    if compared and outputs.difference:
        write(outputs.difference, compared.difference)
    if outputs.report:
        from MedSegEffNetLib.synthesis.report import write_report

        write_report(outputs.report, outputs.image.name, images.images, result, bundle, warnings, compared)


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


def _warnings(
    arguments: argparse.Namespace,
    outputs: _Outputs,
    result: Synthesis,
    real: Checked | None,
    compared: Comparison | None,
) -> list[str]:
    """What there is to say of the names, the inputs, the result and the comparison."""
    found = [
        f"The file is called {path.name}, not {wanted.name}, so that its name says what it is."
        for wanted, path in ((arguments.output, outputs.image), (arguments.difference, outputs.difference))
        if path and path != wanted
    ]
    found += [_MARK_CAUTION] * arguments.mark
    told = (result.warnings, real.warnings if real else (), compared.warnings if compared else ())
    return list(dict.fromkeys([*(text for texts in told for text in texts), *found]))


def _told(
    arguments: argparse.Namespace,
    outputs: _Outputs,
    result: Synthesis,
    compared: Comparison | None,
    warnings: list[str],
) -> dict[str, Any]:
    """The fields of the event ``finished``, see :mod:`MedSegEffNetLib.job`."""
    return {
        "output": outputs.image.resolve(),
        "report": outputs.report and outputs.report.resolve(),
        "real": arguments.real and arguments.real.resolve(),
        "difference": outputs.difference and outputs.difference.resolve(),
        "compared": compared and {"head": compared.figures},
        "target": result.target,
        "inputs": result.inputs,
        "synthesised": result.image.synthesised,
        "warnings": warnings,
        "measured": result.measured,
    }


def _request(
    arguments: argparse.Namespace, paths: Mapping[str, Path], bundle: Bundle, outputs: _Outputs, target: str
) -> dict[str, object]:
    """The request with every path in full, for the job's folder."""
    settings = {name: value for name, value in vars(arguments).items() if name not in ("run", "folder", "case")}
    return {
        **settings,
        "inputs": {channel: path.resolve() for channel, path in paths.items()},
        "output": outputs.image.resolve(),
        "report": outputs.report and outputs.report.resolve(),
        "real": arguments.real and arguments.real.resolve(),
        "difference": outputs.difference and outputs.difference.resolve(),
        "target": target,
        "model": f"{bundle.name}@{bundle.version}",
    }
