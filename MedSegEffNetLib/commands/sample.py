"""Make the synthetic patient's images, to try a model without a patient's data."""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "write the images of a synthetic patient"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where to write."""
    parser.add_argument("--output", required=True, type=Path, metavar="FOLDER", help="gets synthetic_CHANNEL.nii.gz")
    parser.add_argument("--run", type=Path, metavar="FOLDER", dest="folder", help="make it a job with events")


def run(arguments: argparse.Namespace) -> None:
    """Make the patient and write a file a channel."""
    from MedSegEffNetLib.commands._inputs import check_output
    from MedSegEffNetLib.image import write
    from MedSegEffNetLib.job import Job
    from MedSegEffNetLib.synthetic.brain_patient import make_patient

    folder = arguments.output.resolve()
    check_output(folder / "synthetic.nii.gz")
    with Job.open(arguments.folder, {"command": "sample", "output": folder}) as job:
        images = make_patient().images
        files = {channel: folder / f"synthetic_{channel}.nii.gz" for channel in images}
        for number, (channel, image) in enumerate(images.items()):
            job.progress("Writing", number, len(images))
            write(files[channel], image)
        job.finish(images=files)
    for path in files.values():
        print(path)
