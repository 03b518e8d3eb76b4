"""Images for a command: from --input, --case and --batch to images by channel, all checked before any work."""

from __future__ import annotations

import argparse
import contextlib
import itertools
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from MedSegEffNetLib.errors import InputError

if TYPE_CHECKING:
    from MedSegEffNetLib.image import Image
    from MedSegEffNetLib.models.bundle import Bundle
    from MedSegEffNetLib.task import Channel

ALL = ""  # key of a file or folder that holds all channels


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """``--input``, ``--case`` and ``--batch``, of which one is given."""
    group = parser.add_mutually_exclusive_group(required=True)
    group.add_argument(
        "--input", metavar="CHANNEL=FILE", nargs="+", action="extend", dest="inputs",
        help="a channel's image (file, folder of slices or DICOM series); FILE alone if its components are the channels, "
        "t1,flair=FILE if they are these",
    )  # fmt: skip
    group.add_argument("--case", type=Path, metavar="FOLDER", help="folder whose files' names tell the channels")
    group.add_argument("--batch", type=Path, metavar="FOLDER", help="folder of case folders; the same again resumes")


def given_paths(arguments: argparse.Namespace, bundle: Bundle) -> dict[str, Path]:
    """What is to be read, by channel name (names joined by commas: its components), or one entry under :data:`ALL`.

    Raises
    ------
    InputError
        A channel is unknown or given twice, or a text is no ``CHANNEL=FILE``.
    """
    from MedSegEffNetLib.task import find_channel

    if arguments.case is not None:
        return {ALL: arguments.case}
    if len(arguments.inputs) == 1 and ("=" not in arguments.inputs[0] or Path(arguments.inputs[0]).exists()):
        return {ALL: Path(arguments.inputs[0])}
    paths: dict[str, Path] = {}
    for text in arguments.inputs:
        name, equals, file = text.partition("=")
        if not (equals and file):
            raise InputError(f"--input {text}", expected="CHANNEL=FILE, e.g. flair=case1/flair.nii.gz")
        channels = [find_channel(bundle.task_id, bundle.channels, part).name for part in name.split(",")]
        before = {part: path for key, path in paths.items() for part in key.split(",")}
        for channel in channels:
            if channel in before:
                raise InputError(
                    f"channel {channel} is given twice: {before[channel]} and {file}", expected="one file a channel"
                )
            before[channel] = Path(file)
        paths[",".join(channels)] = Path(file)
    return paths


def read_inputs(paths: Mapping[str, Path], bundle: Bundle, *, is_case: bool) -> dict[str, Image]:
    """The images by channel name; with ``is_case`` the only path is a folder whose files' names tell the channels."""
    from MedSegEffNetLib.dataset.channels import load_case_images, split_components
    from MedSegEffNetLib.image import read, read_several
    from MedSegEffNetLib.task import find_channel, get_task

    if is_case:
        return load_case_images(paths[ALL], get_task(bundle.task_id))
    if ALL in paths:
        return split_components(_with_doubt(read(paths[ALL]), paths[ALL]), bundle.channels, str(paths[ALL]))
    images = read_several(paths)
    found: dict[str, Image] = {}
    for key, path in paths.items():
        if "," in key:
            parts = [find_channel(bundle.task_id, bundle.channels, name) for name in key.split(",")]
            found |= split_components(_with_doubt(images[key], path), parts, str(path))
        else:
            found[key] = _with_doubt(images[key].gray(), path, bundle.channels, key)
    return found


def _with_doubt(image: Image, path: Path, channels: Sequence[Channel] = (), given: str = "") -> Image:
    """``image`` with a note where the file's name says that it is a label map, or another channel than the ``given``."""
    from MedSegEffNetLib.dataset.series_names import channel_of, is_label

    told = channel_of(path.name, "", channels)
    titles = {channel.name: channel.title for channel in channels}
    if is_label(path):
        doubt = f"{path.name} is called like a label map, not like an image."
    elif told not in (None, given):
        doubt = (
            f"The file {path.name} looks like {titles[told]}, given as {titles[given]}: check that it is the right one."
        )
    else:
        return image
    return replace(image, notes=(*image.notes, doubt))


def files_read(paths: Iterable[Path], bundle: Bundle) -> list[Path]:
    """Every file that an output must not replace: the paths, and the images and label maps in those that are folders."""
    from MedSegEffNetLib.dataset.channels import image_files, match_channels
    from MedSegEffNetLib.dataset.series_names import is_label
    from MedSegEffNetLib.formats import READERS, suffix_of

    found = list(paths)
    for folder in [path for path in found if path.is_dir()]:
        files = image_files(folder)
        found += [path for path in files if is_label(path) or READERS[suffix_of(path, READERS)] in ("slices", "npy")]
        with contextlib.suppress(InputError):  # what is missing or ambiguous is told when the folder is read
            found += match_channels(files, bundle.channels).values()
    return found


def check_output(path: Path, inputs: Sequence[Path] = (), suffixes: Sequence[str] = ()) -> None:
    """Refuse an output that cannot be written, has an unknown suffix, or would replace an input."""
    from MedSegEffNetLib.atomic import check_writable

    if suffixes and not path.name.lower().endswith(tuple(suffixes)):
        raise InputError(f"output {path.name}", expected="a name that ends in " + ", ".join(suffixes))
    for given in inputs:
        same = os.path.realpath(path) == os.path.realpath(given)
        if same or (path.exists() and given.exists() and os.path.samefile(path, given)):
            raise InputError(
                f"output {path} is also an input, or a label map of the case",
                expected="a file of its own",
                hint="choose another name, or move the file that is there",
            )
    check_writable(path)


def check_apart(outputs: Sequence[Path]) -> None:
    """Refuse outputs of which one would replace another one, or would have to be a folder for it."""
    places = [Path(os.path.realpath(path).casefold()) for path in outputs]
    for (first, place), (second, other) in itertools.combinations(zip(outputs, places, strict=True), 2):
        if place == other or place in other.parents or other in place.parents:
            raise InputError(
                f"the outputs {first} and {second} are in each other's way",
                expected="a file of its own for every output",
                hint="choose another name for one of them",
            )
