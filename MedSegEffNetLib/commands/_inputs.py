"""Images for a command: from --input and --case to images by channel, all checked before any work."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from MedSegEffNetLib.errors import InputError

if TYPE_CHECKING:
    from MedSegEffNetLib.image import Image
    from MedSegEffNetLib.models.bundle import Bundle


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """``--input`` and ``--case``, of which one is given."""
    group = parser.add_mutually_exclusive_group(required=True)
    group.add_argument(
        "--input", metavar="CHANNEL=FILE", nargs="+", action="extend", dest="inputs",
        help="a channel's image (file, folder of slices or DICOM series); FILE alone if its components are the channels",
    )  # fmt: skip
    group.add_argument("--case", type=Path, metavar="FOLDER", help="folder whose files' names tell the channels")


def input_paths(arguments: argparse.Namespace) -> list[Path]:
    """Every file and folder that is read."""
    if arguments.case is not None:
        return [arguments.case]
    return [Path(text.partition("=")[2] or text) for text in arguments.inputs]


def read_inputs(arguments: argparse.Namespace, bundle: Bundle) -> dict[str, Image]:
    """The images by channel name; an :class:`InputError` for a channel that is unknown or given twice."""
    from MedSegEffNetLib.dataset.channels import load_case_images, split_components
    from MedSegEffNetLib.image import read
    from MedSegEffNetLib.task import find_channel, get_task

    if arguments.case is not None:
        return load_case_images(arguments.case, get_task(bundle.task_id))
    if len(arguments.inputs) == 1 and _is_file_alone(arguments.inputs[0]):
        return split_components(read(arguments.inputs[0]), bundle.channels, arguments.inputs[0])
    files: dict[str, str] = {}
    for text in arguments.inputs:
        name, equals, file = text.partition("=")
        if not equals:
            raise InputError(f"--input {text}", expected="CHANNEL=FILE, e.g. flair=case1/flair.nii.gz")
        channel = find_channel(bundle.task_id, bundle.channels, name).name
        if channel in files:
            raise InputError(f"channel {channel} is given twice: {files[channel]} and {file}", expected="one file a channel")
        files[channel] = file
    return {channel: read(file) for channel, file in files.items()}


def check_output(path: Path, inputs: Sequence[Path], suffixes: Sequence[str] = ()) -> None:
    """Refuse an output that cannot be written, has an unknown suffix, or would replace an input."""
    from MedSegEffNetLib.atomic import check_writable

    if suffixes and not path.name.lower().endswith(tuple(suffixes)):
        raise InputError(f"output {path.name}", expected="a name that ends in " + ", ".join(suffixes))
    for given in inputs:
        same = os.path.realpath(path) == os.path.realpath(given)
        if same or (path.exists() and given.exists() and os.path.samefile(path, given)):
            raise InputError(f"output {path} is also an input", expected="a file of its own", hint="choose another name")
    check_writable(path)


def _is_file_alone(text: str) -> bool:
    return "=" not in text or Path(text).exists()
