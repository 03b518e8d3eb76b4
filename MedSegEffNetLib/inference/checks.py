"""Looks at the images before any work is done."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.image import GRID_TOLERANCE, Image, resample, same_grid
from MedSegEffNetLib.task import Channel, reference_channel

SMALLEST_SLICE = 16
LARGEST_VALUE = 1e12  # squares of larger values, summed over a volume, are too large for float32
_CT = "ct"  # the channel's name in tasks on CT
_FAT = -100  # Hounsfield units; every CT has air or lung below it


class Checked(NamedTuple):
    """Images by channel that are ready to be stacked, and warnings for the user."""

    images: dict[str, Image]
    warnings: tuple[str, ...]


def check_images(
    images: Mapping[str, Image], channels: Sequence[Channel], *, resampled: bool, dimensions: int = 2
) -> Checked:
    """The images ready to be stacked, and warnings for the user.

    Parameters
    ----------
    images : by channel name.
    dimensions : 3 where the network sees volumes, 2 where it sees slices.
    resampled : bring images of other grids onto that of :func:`MedSegEffNetLib.task.reference_channel`.

    Raises
    ------
    InputError
        A required channel is missing, an image is not one channel of a sensible size, holds NaN, infinity or values
        that are beyond the network's numbers or of no known scale (CT), or lies on another grid.
    """
    by_name = {channel.name: channel for channel in channels}
    unknown = [name for name in images if name not in by_name]
    if unknown:
        raise InputError(f"unknown channel {', '.join(unknown)}", expected="one of " + ", ".join(by_name))
    missing = [channel for channel in channels if channel.required and channel.name not in images]
    if missing or not images:
        wanted = missing or channels
        raise InputError(
            "missing channel: " + ", ".join(f"{channel.name} ({channel.title})" for channel in wanted),
            expected="an image for " + ", ".join(c.name for c in channels if c.required),
            hint="give it with --input " + wanted[0].name + "=FILE",
        )
    for name, image in images.items():
        _check_image(name, image, dimensions, alone=len(channels) == 1)
    if _CT in images:
        _check_hounsfield(images[_CT])
    ordered = {channel.name: images[channel.name] for channel in channels if channel.name in images}
    titles = {channel.name: channel.title for channel in channels}
    ordered, warnings = _onto_one_grid(ordered, reference_channel(channels, ordered), titles, resampled)
    warnings += missing_channels(channels, ordered)
    warnings += _repeated({titles[name]: image for name, image in ordered.items()})
    warnings += [note for image in ordered.values() for note in image.notes]
    return Checked(ordered, tuple(dict.fromkeys(warnings)))


def missing_channels(channels: Sequence[Channel], given: Collection[str]) -> list[str]:
    """What is to be said of the optional channels that are not among the names ``given``.

    Where none is required each has its own network: what that costs is told with the votes.
    """
    titles = {channel.name: channel.title for channel in channels}
    found = []
    for channel in channels:
        if channel.name not in given and any(other.required for other in channels):
            other = titles.get(channel.substitute)
            stand_in = f"{other} stands in for it" if other else "the model does without it"
            found.append(f"Channel {channel.title} is missing: {stand_in}; expect a less certain result.")
    return found


def _check_image(name: str, image: Image, dimensions: int, *, alone: bool) -> None:
    if image.n_channels != 1:
        raise InputError(
            f"channel {name} has {image.n_channels} components a voxel",
            expected="one number a voxel",
            hint="save the picture in gray: a color picture is no image of a scanner"
            if alone
            else "give one image a channel; a color volume whose components are the channels goes without CHANNEL=",
        )
    _check_size(name, image, dimensions)
    if image.array.dtype.kind not in "uif":
        raise InputError(f"channel {name} holds values of type {image.array.dtype}", expected="numbers")
    broken = image.non_finite()
    if broken:
        raise InputError(
            f"channel {name} holds {broken} values that are NaN or infinite",
            expected="a number in every voxel",
            hint="export the image again, or replace these values",
        )
    low, high = float(image.array.min()), float(image.array.max())
    if low == high:
        raise InputError(f"channel {name} is empty: every voxel is {image.array.flat[0]}", expected="an image")
    if max(-low, high) > LARGEST_VALUE:
        raise InputError(
            f"channel {name} holds values from {low:g} to {high:g}",
            expected=f"values of at most {LARGEST_VALUE:g}",
            hint="export the image again, or replace these values: no scanner makes them",
        )


def _check_size(name: str, image: Image, dimensions: int) -> None:
    sides = sorted(image.shape)
    if dimensions == 3 and sides[0] == 1:
        raise InputError(
            f"channel {name} is a single slice ({' × '.join(map(str, image.shape))} voxels)",
            expected="a volume: this model sees many slices at once",
            hint="give the whole series, or choose a model that works slice by slice",
        )
    if min(image.shape[:2]) >= SMALLEST_SLICE:
        return
    across = sides[0] == 1 and sides[1] >= SMALLEST_SLICE
    raise InputError(
        f"channel {name} has slices of {image.shape[0]} × {image.shape[1]} pixels",
        expected=f"{SMALLEST_SLICE} × {SMALLEST_SLICE} pixels at least",
        hint="the slice lies across the file's third axis: save it as a picture, or with its plane along the first two"
        if across
        else "",
    )


def _check_hounsfield(image: Image) -> None:
    """Refuse CT of another scale: a wrong offset would pass for bone, and correcting it would be a guess."""
    least, most = float(image.array.min()), float(image.array.max())
    sample = image.array[tuple(slice(None, None, max(1, length // 64)) for length in image.shape)]
    if (least >= 0 and 1 < most <= 255) or np.percentile(sample, 0.5) < _FAT:
        return
    raise InputError(
        f"channel {_CT} has values from {least:g} to {most:g}, and no air among them: these are no Hounsfield units",
        expected="Hounsfield units (air -1000, water 0), or 8-bit slices (0 to 255)",
        hint="the values may be stored without their intercept (air 0, water about 1024): export the CT again, or "
        "subtract 1024 from every voxel"
        if most > 255
        else "export the CT again, or scale the slices to 0 to 255",
    )


def _onto_one_grid(
    images: dict[str, Image], reference: str, titles: Mapping[str, str], resampled: bool
) -> tuple[dict[str, Image], list[str]]:
    grid = images[reference]
    others = [name for name, image in images.items() if not same_grid(grid, image, GRID_TOLERANCE)]
    if not others:
        return images, []
    if not resampled:
        shapes = "; ".join(
            f"{name}: {' × '.join(map(str, images[name].shape))} voxels of "
            f"{' × '.join(f'{length:.3g}' for length in images[name].spacing)} mm"
            for name in (reference, *others)
        )
        raise InputError(
            f"the channels lie on different grids ({shapes})",
            expected=f"the grid of {reference} for all",
            hint=f"add --resample to bring {', '.join(others)} onto the grid of {reference}; "
            "images of different positions must be registered first",
        )
    brought = {name: resample(image, grid) if name in others else image for name, image in images.items()}
    return brought, [f"Channel {titles[name]} was resampled onto the grid of {titles[reference]}." for name in others]


def _repeated(images: Mapping[str, Image]) -> list[str]:
    """Which of ``images`` (by title) are equal."""
    names = list(images)
    return [
        f"Channels {first} and {second} are the same image."
        for position, first in enumerate(names)
        for second in names[position + 1 :]
        if images[first].shape == images[second].shape and np.array_equal(images[first].array, images[second].array)
    ]
