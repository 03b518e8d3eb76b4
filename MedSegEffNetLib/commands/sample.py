"""Make synthetic images, to try the program without a patient's data."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from MedSegEffNetLib.errors import InputError

if TYPE_CHECKING:
    from MedSegEffNetLib.job import Job

HELP = "write synthetic images: a brain patient, or skin to train on"
BRAIN, SKIN = "tumor-slices", "skin-layers"
_LARGEST_SEED = 2**32 - 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to make and where to write."""
    parser.add_argument(
        "task", nargs="?", choices=(BRAIN, SKIN), default=BRAIN, metavar="TASK",
        help=f"{BRAIN} (default): the images of one patient; {SKIN}: images and label maps of heels",
    )  # fmt: skip
    parser.add_argument(
        "--output", required=True, type=Path, metavar="FOLDER",
        help=f"gets synthetic_CHANNEL.nii.gz, or for {SKIN} images/ and labels/",
    )  # fmt: skip
    parser.add_argument("--cases", type=int, default=1, metavar="N", help=f"how many heels ({SKIN}; default: 1)")
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help=f"of the first heel; the others count up ({SKIN}; default: 0)"
    )
    parser.add_argument(
        "--size", type=int, default=384, metavar="N", help=f"pixels along a side ({SKIN}; default: 384)"
    )
    parser.add_argument("--run", type=Path, metavar="FOLDER", dest="folder", help="make it a job with events")


def run(arguments: argparse.Namespace) -> None:
    """Make the images and write a file each."""
    from MedSegEffNetLib.commands._inputs import check_output
    from MedSegEffNetLib.job import Job

    folder = arguments.output.resolve()
    check_output(folder / "synthetic.nii.gz")
    first, count = arguments.seed, arguments.cases
    size = arguments.size
    if arguments.task == BRAIN and (first, count, size) != (0, 1, 384):
        raise InputError(
            f"--cases, --seed or --size for {BRAIN}", expected="none: there is one brain patient", hint=f"name {SKIN}"
        )
    if count < 1 or not 0 <= first <= _LARGEST_SEED - count or not 64 <= size <= 4096:
        raise InputError(
            f"--cases {count} --seed {first} --size {size}",
            expected="at least one case, a seed of 0 or more and 64 to 4096 pixels",
        )
    request = {
        "command": "sample",
        "task": arguments.task,
        "output": folder,
        "cases": count,
        "seed": first,
        "size": size,
    }
    with Job.open(arguments.folder, request) as job:
        if arguments.task == SKIN:
            _write_heels(folder, range(first, first + count), size, job)
        else:
            _write_patient(folder, job)


def _write_patient(folder: Path, job: Job) -> None:
    from MedSegEffNetLib.image import write
    from MedSegEffNetLib.synthetic.brain_patient import make_patient

    images = make_patient().images
    files = {channel: folder / f"synthetic_{channel}.nii.gz" for channel in images}
    for number, (channel, image) in enumerate(images.items()):
        job.progress("Writing", number, len(images))
        write(files[channel], image)
    job.finish(images=files)
    for path in files.values():
        print(path)


def _write_heels(folder: Path, seeds: range, size: int, job: Job) -> None:
    """Images and label maps in the layout of :mod:`MedSegEffNetLib.dataset.readers.image_pairs`."""
    from MedSegEffNetLib.image import write, write_label_map
    from MedSegEffNetLib.synthetic.heel_skin import make_heel
    from MedSegEffNetLib.task import get_segmentation_task

    labels = get_segmentation_task(SKIN).labels
    for number, seed in enumerate(seeds):
        job.progress("Writing", number, len(seeds))
        job.check_stop()
        heel, name = make_heel(seed, size), f"heel-{seed:05d}.nii.gz"
        write(folder / "images" / name, heel.image)
        write_label_map(folder / "labels" / name, heel.label_map, labels)
    job.finish(folder=folder, cases=len(seeds))
    print(f"{len(seeds)} images and label maps: {folder}")
