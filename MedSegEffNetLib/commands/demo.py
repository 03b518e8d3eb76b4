"""Show the main job on a patient: a synthetic one, or a real one of a data set that nobody has trained on."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from MedSegEffNetLib.errors import InputError

if TYPE_CHECKING:
    from MedSegEffNetLib.image import Image

HELP = "segment a sample patient with the shipped model and write label map and report"
MODEL = "tumor-slices"
LABEL_MAP = "tumor.seg.nrrd"
REPORT = "report.html"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where to write, and where real data may lie."""
    parser.add_argument(
        "--output", type=Path, default=Path("demo-output"), metavar="FOLDER", help="default: demo-output"
    )
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="labelled cases; the first of split 'val' is taken")


def run(arguments: argparse.Namespace) -> None:
    """Segment, write, and print where the results are and how well they agree with the true label map."""
    from MedSegEffNetLib import metrics
    from MedSegEffNetLib.commands._inputs import check_output
    from MedSegEffNetLib.commands._outputs import volume_table, write_report
    from MedSegEffNetLib.image import write, write_label_map
    from MedSegEffNetLib.inference.options import Options
    from MedSegEffNetLib.inference.predict import segment_case
    from MedSegEffNetLib.job import Job
    from MedSegEffNetLib.models.registry import find
    from MedSegEffNetLib.terminal import ProgressLine

    folder: Path = arguments.output
    for name in (LABEL_MAP, REPORT):
        check_output(folder / name)
    bundle = find(MODEL)
    patient, images, true = _real_patient(arguments.data) if arguments.data else _synthetic_patient()
    print(f"Patient: {patient}")
    job = Job.open(None, {"command": "demo"})
    job.listeners.append(ProgressLine())
    with job:
        result = segment_case(images, bundle, Options(), job)
    write_label_map(folder / LABEL_MAP, result.label_map, bundle.labels)
    write_report(folder / REPORT, f"{bundle.info['title']}: {patient}", images, result, bundle)
    dice = metrics.case_metrics(result.label_map.array > 0, true.array > 0, true.spacing, ["dice"])["dice"]
    print(volume_table(result, bundle))
    print(f"Dice against the true label map: {dice:.3f}")
    if not arguments.data:
        for channel, image in images.items():
            write(folder / f"synthetic_{channel}.nii.gz", image)
        print(f"Images: {folder / 'synthetic_*.nii.gz'}")
    print(f"Label map (opens in 3D Slicer): {folder / LABEL_MAP}")
    print(f"Report (opens in a browser): {folder / REPORT}")


def _real_patient(data: Path) -> tuple[str, dict[str, Image], Image]:
    """Name, images and true label map of the first validation case. Nothing of it is copied but the report's pictures."""
    from MedSegEffNetLib.dataset.readers import read_folder
    from MedSegEffNetLib.task import SegmentationTask, get_task

    task = get_task(MODEL)
    if not isinstance(task, SegmentationTask):
        raise TypeError(f"{MODEL} is no segmentation task")
    cases = sorted((case for case in read_folder(data, task) if case.split == "val"), key=lambda case: case.id)
    if not cases:
        raise InputError(f"{data} has no validation cases", expected="cases of split 'val'", hint="leave --data out")
    images, true = cases[0].load()
    if true is None:
        raise InputError(f"case {cases[0].id} has no label map", expected="labelled cases", hint="leave --data out")
    return f"{cases[0].id} ({data.name}, not seen in training)", images, true


def _synthetic_patient() -> tuple[str, dict[str, Image], Image]:
    from MedSegEffNetLib.synthetic.brain_patient import make_patient

    made = make_patient()
    return "synthetic (made from a recipe; no real person)", made.images, made.label_map
