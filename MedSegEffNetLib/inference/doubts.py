"""What makes one doubt that a case is one that the model was made for.

A task names its checks (:attr:`MedSegEffNetLib.task.SegmentationTask.checks`), keys of :data:`CHECKS`: functions from
images to sentences. They look at a few ten thousand voxels and take some milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from MedSegEffNetLib import geometry
from MedSegEffNetLib.image import Image
from MedSegEffNetLib.task import Channel, SegmentationTask, Step

Images = Mapping[str, Image]

_FEW_VALUES = 12  # a label map seldom has more; an image, even of 8 bits, seldom fewer
_CT = "ct"  # the channel's name in tasks on CT
_AIR_BELOW = -500  # Hounsfield units; MR images, normalized ones too, stay far above

_LEAST_EXTENT = 60.0  # mm that a volume must cover in every direction, for a network that sees volumes
_SPACING_TOLERANCE = 0.1  # of the spacing that the network takes
_THICK = 3.0  # mm between slices

_DARK = 0.1  # of an image's brightness (percentile 98)
_DARK_SHARE = 0.15  # of what is no background: skull-stripped brains have 1 to 9 %, whole heads 23 to 68 %
_BACKGROUND_SHARE = 0.1  # of all voxels have the background's value, at least, where it was cut away
_LARGEST_BRAIN = 2.5  # liters: the inside of an adult's skull has 1.1 to 1.9

_TISSUE = -400  # Hounsfield units; less is air or lung
_BONE = 250
_AIR_SHARE = 0.18  # of the body in the slice with the most air in it: chests have 0.24 and more, bellies up to 0.15
_AIR_BALANCE = 0.25  # of the air lies in the half of the body that has less of it
_BONE_IN_FRONT = -0.04  # of the body's depth; the spine draws the bones' center behind the middle, 0.1 on average


def find_doubts(task: SegmentationTask, images: Images) -> list[str]:
    """Sentences about the images of a case, ready for the network; empty if nothing is doubtful."""
    found = [text for name, image in images.items() if (text := _suspicion(task.channel(name), image))]
    found += _placement(task, next(iter(images.values())))
    return found + [sentence for name in task.checks for sentence in CHECKS[name](images)]


def resampling(image: Image, steps: Sequence[Step]) -> list[str]:
    """What is to be said where the preprocessing brings ``image`` to another voxel size."""
    wanted = next((step.arguments["spacing"] for step in steps if step.name == "resample"), None)
    if wanted is None or not image.spacing_known:
        return []
    spacing = np.asarray(image.spacing)
    if np.allclose(sorted(spacing), sorted(wanted), rtol=_SPACING_TOLERANCE):
        return []
    text = (
        f"The voxels measure {_sizes(spacing)} mm: they are resampled to {_sizes(wanted)} mm for the network, "
        "and the result is brought back."
    )
    if spacing.max() >= _THICK:
        text += f" Details between slices {spacing.max():.3g} mm apart are guesswork; expect a less certain result."
    return [text]


def synthesised(channels: Sequence[Channel], images: Images) -> list[str]:
    """What is to be said of the images that a network made."""
    titles = {channel.name: channel.title for channel in channels}
    return [
        f"{titles[name]} is no image of a scanner: {image.synthesised} synthesised it from the others. No scanner saw "
        "what it shows, least of all contrast enhancement; what is segmented from it rests on a guess."
        for name, image in images.items()
        if image.synthesised
    ]


def skull_stripped(images: Images) -> list[str]:
    """Whether heads are given where the skull should have been cut away.

    Where it was, all that is not brain has one value, and hardly a voxel of the rest is dark. Skull, air cells and the
    noise of the air around a head are; where the air was set to one value, what is left of a head is larger than a brain.
    """
    image = next(iter(images.values()))
    steps = tuple(max(1, length // 48) for length in image.shape)
    sample = image.array[tuple(slice(None, None, step) for step in steps)]
    values, counts = np.unique(sample, return_counts=True)
    background = values[counts.argmax()]
    distance = np.abs(sample.astype(np.float32) - np.float32(background)).ravel()
    content = distance[distance > 0]
    if not content.size:
        return []
    dark = np.count_nonzero(content < _DARK * np.percentile(content, 98)) / content.size
    liters = content.size * np.prod(steps) * np.prod(image.spacing) / 1e6
    stripped = counts.max() / sample.size > _BACKGROUND_SHARE and dark < _DARK_SHARE
    if stripped and not (image.spacing_known and liters > _LARGEST_BRAIN):
        return []
    return [
        "The images do not look skull-stripped, and the model has learnt from brains without skull and skin: strip "
        "them first (e.g. with HD-BET or SynthStrip), or expect false findings."
    ]


def chest_ct(images: Images) -> list[str]:
    """Whether a CT in Hounsfield units shows a chest, and its front where its header has it. Other images pass."""
    image = next(iter(images.values()))
    order, flips = geometry.axes_towards(image.affine, "LPS")
    volume = geometry.turn(image.array[np.newaxis], order, flips)[0]
    steps = (*(max(1, length // 64) for length in volume.shape[:2]), max(1, volume.shape[2] // 8))
    slices = volume[tuple(slice(None, None, step) for step in steps)]
    if slices.min() >= 0:  # 8-bit slices: no gray value is known to be air
        return []
    if slices.min() > _TISSUE:
        return [f"No value lies below {slices.min():g} HU, so that lung cannot be told from fat: give the whole range."]
    bodies = [_body(slices[..., number]) for number in range(slices.shape[2])]
    shares = [_air(body, slices[..., number]) for number, body in enumerate(bodies)]
    found = []
    if max(shares, default=0.0) < _AIR_SHARE:
        found.append(
            "This does not look like a chest CT: no slice shows two lungs. The model knows no other part of the body."
        )
    depths = [_bone_depth(body, slices[..., number]) for number, body in enumerate(bodies)]
    known = [depth for depth in depths if depth is not None]
    if known and np.mean(known) < _BONE_IN_FRONT:
        found.append(
            "The spine lies in front, by the file's orientation: the images seem to be upside down. Check the "
            "orientation in the viewer before you use left, right, front and back."
        )
    return found


CHECKS: dict[str, Callable[[Images], list[str]]] = {"skull_stripped": skull_stripped, "chest_ct": chest_ct}


def _suspicion(channel: Channel, image: Image) -> str:
    """What makes one doubt that ``image`` is what it is given as; empty if nothing does."""
    name, title = channel.name, channel.title
    low = float(image.array.min())
    if name != _CT and low < _AIR_BELOW:
        return f"Channel {title} has values down to {low:g}, as CT in Hounsfield units has: is it the right image?"
    sample = np.unique(image.array.ravel(order="K")[:: max(1, image.array.size // 1_000_000)])
    if len(sample) <= _FEW_VALUES and np.array_equal(sample, np.round(sample)):
        return f"Channel {title} has only {len(sample)} different values, as a label map has: is it the right image?"
    return ""


def _placement(task: SegmentationTask, image: Image) -> list[str]:
    """Doubts about where the voxels lie. A 2D task takes pictures as they are usually shown; that is no doubt."""
    found = []
    if not image.orientation_known and (task.dimensions == 3 or image.spacing_known):
        found.append(
            "The files store no orientation: left, right, front and back may be mistaken"
            + (", and the network may see the head turned." if task.dimensions == 3 else ".")
        )
    if task.dimensions == 3 and not image.spacing_known:
        found.append("The files store no voxel size: where voxels are not 1 mm, the network sees a distorted head.")
    extent = min(length * step for length, step in zip(image.shape, image.spacing, strict=True))
    if task.dimensions == 3 and image.spacing_known and extent < _LEAST_EXTENT:
        found.append(f"The images cover {extent:.3g} mm only: the network has learnt from whole heads.")
    return found


def _body(plane: np.ndarray) -> np.ndarray:
    """The largest piece of tissue in a slice (x, y) of Hounsfield units, with what it encloses (boolean)."""
    import SimpleITK as sitk

    tissue = sitk.GetImageFromArray((plane > _TISSUE).astype(np.uint8))
    pieces = sitk.RelabelComponent(sitk.ConnectedComponent(sitk.BinaryFillhole(tissue)))
    return np.asarray(sitk.GetArrayFromImage(pieces) == 1)


def _air(body: np.ndarray, plane: np.ndarray) -> float:
    """Share of the body (x, y) that is air, if both of its halves have their part of it; else 0."""
    air = body & (plane <= _TISSUE)
    columns = np.flatnonzero(body.any(axis=1))
    if not columns.size or not air.any():
        return 0.0
    middle = (columns[0] + columns[-1] + 1) // 2
    left = np.count_nonzero(air[:middle]) / np.count_nonzero(air)
    share = float(np.count_nonzero(air) / np.count_nonzero(body))
    return share if min(left, 1 - left) >= _AIR_BALANCE else 0.0


def _bone_depth(body: np.ndarray, plane: np.ndarray) -> float | None:
    """How far behind the body's middle its bones lie on average, by its depth; None where there are hardly any."""
    bone = np.nonzero(body & (plane > _BONE))[1]
    rows = np.flatnonzero(body.any(axis=0))
    if bone.size < 5:
        return None
    return float((bone.mean() - (rows[0] + rows[-1]) / 2) / (rows[-1] - rows[0] + 1))


def _sizes(lengths: Any) -> str:
    return " × ".join(f"{length:.3g}" for length in lengths)
