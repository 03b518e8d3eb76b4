"""Segment a case."""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from MedSegEffNetLib.commands import _inputs
from MedSegEffNetLib.errors import InputError

if TYPE_CHECKING:
    from MedSegEffNetLib.image import Image
    from MedSegEffNetLib.inference.predict import Result
    from MedSegEffNetLib.models.bundle import Bundle
    from MedSegEffNetLib.task import Region

HELP = "segment a case: images in, a label map on their grid out"
_SUFFIXES = (".seg.nrrd", ".nii.gz", ".nii", ".nrrd", ".mha", ".mhd", ".npy", ".png")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Model, images, output and how to run."""
    parser.add_argument(
        "model", metavar="MODEL", help="name, name@version, folder, or a task's id for its default model"
    )
    _inputs.add_arguments(parser)
    parser.add_argument(
        "--output", required=True, type=Path, metavar="FILE", help=f"label map ({', '.join(_SUFFIXES)})"
    )
    parser.add_argument("--report", type=Path, metavar="FILE", help="report with pictures (.html)")
    parser.add_argument("--probabilities", type=Path, metavar="FOLDER", help="keep a probability map a region here")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    parser.add_argument("--engine", default="auto", help="auto, openvino or torch")
    parser.add_argument("--flips", action="store_true", help="average with the mirrored image's prediction")
    parser.add_argument("--threads", type=int, metavar="N", help="CPU threads (default: all cores)")
    parser.add_argument("--resample", action="store_true", help="bring channels of other grids onto the first one's")
    parser.add_argument("--run", type=Path, metavar="FOLDER", dest="folder", help="make it a job with events")


def run(arguments: argparse.Namespace) -> None:
    """Check everything, segment, write, and print the volumes."""
    from MedSegEffNetLib.image import write_label_map
    from MedSegEffNetLib.inference.checks import check_images
    from MedSegEffNetLib.inference.options import Options
    from MedSegEffNetLib.inference.predict import segment_case
    from MedSegEffNetLib.job import Job
    from MedSegEffNetLib.models.registry import find
    from MedSegEffNetLib.terminal import ProgressLine

    started = time.perf_counter()
    options = Options(arguments.device, arguments.engine, arguments.flips, arguments.threads, arguments.resample)
    bundle = find(arguments.model)
    paths = _inputs.given_paths(arguments, bundle)
    _check_outputs(arguments, bundle, _inputs.files_read(paths.values(), bundle))
    given = _inputs.read_inputs(arguments, paths, bundle)
    images, warnings = check_images(given, bundle.channels, resampled=arguments.resample)
    _check_fits(arguments.output, next(iter(images.values())))
    job = Job.open(arguments.folder, _request(arguments, paths, bundle))
    job.listeners.append(ProgressLine())
    with job:
        result = segment_case(images, bundle, options, job)
        result = replace(result, warnings=tuple(dict.fromkeys((*warnings, *result.warnings))))
        write_label_map(arguments.output, result.label_map, bundle.labels)
        if arguments.probabilities:
            _write_probabilities(arguments.probabilities, result, bundle)
        if arguments.report:
            write_report(arguments.report, arguments.output.name, images, result, bundle)
        job.finish(
            output=arguments.output,
            report=arguments.report,
            volumes_ml=result.volumes_ml,
            warnings=result.warnings,
            **result.measured,
        )
    print(volume_table(result, bundle))
    for warning in result.warnings:
        print(f"Warning: {warning}")
    print(f"{arguments.output} ({time.perf_counter() - started:.1f} s; {result.measured['setup']})")
    if arguments.report:
        print(arguments.report)


def volume_table(result: Result, bundle: Bundle) -> str:
    """The volume of each label, in mL, or in voxels where the spacing is not known."""
    import numpy as np

    from MedSegEffNetLib.terminal import table

    counts = np.bincount(result.label_map.array.ravel(order="K"), minlength=256)
    known = result.label_map.spacing_known
    rows = [
        [
            str(label.value),
            label.name,
            str(counts[label.value]),
            f"{result.volumes_ml[label.name]:.2f}" if known else "unknown",
        ]
        for label in bundle.labels
    ]
    return table(rows, ["value", "label", "voxels", "mL"])


def _check_outputs(arguments: argparse.Namespace, bundle: Bundle, inputs: list[Path]) -> None:
    _inputs.check_output(arguments.output, inputs, _SUFFIXES)
    if arguments.report:
        _inputs.check_output(arguments.report, inputs, (".html",))
    if arguments.probabilities:
        for region in bundle.regions:
            _inputs.check_output(_probability_path(arguments.probabilities, region), inputs)


def _check_fits(output: Path, grid: Image) -> None:
    if output.suffix.lower() == ".png" and grid.shape[2] != 1:
        raise InputError(
            f"output {output.name} is a picture and the case has {grid.shape[2]} slices",
            expected="a name that ends in " + ", ".join(_SUFFIXES[:-1]),
        )


def _probability_path(folder: Path, region: Region) -> Path:
    return folder / f"{region.name}.nii.gz"


def _request(arguments: argparse.Namespace, paths: Mapping[str, Path], bundle: Bundle) -> dict[str, object]:
    """The request with every path in full, for the job's folder."""
    settings = {name: value for name, value in vars(arguments).items() if name not in ("run", "folder", "case")}
    files = {name: value.resolve() for name, value in settings.items() if isinstance(value, Path)}
    inputs = {channel or "all": path.resolve() for channel, path in paths.items()}
    return {**settings, **files, "inputs": inputs, "model": f"{bundle.name}@{bundle.version}"}


def _write_probabilities(folder: Path, result: Result, bundle: Bundle) -> None:
    from MedSegEffNetLib.image import write

    for region, values in zip(bundle.regions, result.probabilities, strict=True):
        write(_probability_path(folder, region), result.label_map.with_array(values))


def write_report(path: Path, title: str, images: Mapping[str, Image], result: Result, bundle: Bundle) -> None:
    """The HTML report of one segmentation."""
    from MedSegEffNetLib.models.card import excerpt
    from MedSegEffNetLib.report import write_segmentation_report

    write_segmentation_report(
        path,
        title=title,
        channels=images,
        label_map=result.label_map,
        labels=bundle.labels,
        regions=bundle.regions,
        volumes_ml=result.volumes_ml,
        model=f"{bundle.name} {bundle.version}",
        card=excerpt(bundle.card),
        warnings=result.warnings,
        measured=result.measured,
    )
