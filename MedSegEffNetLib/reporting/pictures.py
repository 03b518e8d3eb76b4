"""Pictures of slices with the contours of labels, drawn with NumPy and Pillow.

Views follow the radiological convention: the patient's right is on the left of axial and coronal pictures, anterior is
on the left of sagittal ones; anterior or superior is up.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from MedSegEffNetLib.geometry import Box, axes_towards, bounding_box, turn
from MedSegEffNetLib.image import Image, count_values, resample, same_grid
from MedSegEffNetLib.task import Label

View = Literal["axial", "coronal", "sagittal"]
VIEWS: tuple[View, ...] = ("axial", "coronal", "sagittal")
_NORMAL = {"axial": 2, "coronal": 1, "sagittal": 0}  # the axis that a view looks along
_LETTERS = {"axial": "RLAP", "coronal": "RLSI", "sagittal": "APSI"}  # left, right, top, bottom
_MARGIN = 0.06  # of an axis: dark border left around what is shown
_SCALE_BARS = (100, 50, 20, 10, 5, 2, 1)  # mm
_LEAST_HEIGHT = 0.5  # of the width: how far views across slices of unknown distance are stretched


@dataclass(frozen=True)
class Scene:
    """Images and label maps turned to display axes: index 0 runs to the left, 1 to posterior, 2 to superior (LPS).

    Parameters
    ----------
    channels : float or integer arrays (X, Y, Z) by name.
    windows : darkest and brightest value shown, by channel name.
    label_maps : integer arrays (X, Y, Z) by name, e.g. ``predicted``.
    spacing : mm along the three display axes.
    spacing_known : whether the file stores its geometry; otherwise no orientation letters are drawn.
    mirrored : whether slice numbers along each display axis run against the file's.
    box : the part worth showing; pictures are cut to it, slices keep their numbers.
    """

    channels: Mapping[str, np.ndarray]
    windows: Mapping[str, tuple[float, float]]
    label_maps: Mapping[str, np.ndarray]
    spacing: tuple[float, float, float]
    spacing_known: bool
    mirrored: tuple[bool, ...]
    box: Box

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of voxels along the three display axes."""
        x, y, z = next(iter(self.label_maps.values())).shape
        return x, y, z

    def views(self) -> list[View]:
        """The views worth showing: all three of a volume, that of the plane for a single slice."""
        thin = [axis for axis, length in enumerate(self.shape) if length == 1]
        return [view for view in VIEWS if not thin or _NORMAL[view] in thin]

    def main_view(self) -> View:
        """The view of the slices as they were taken: along the axis with the largest spacing, axial among equals."""
        views = self.views()
        return max(views, key=lambda view: (self.spacing[_NORMAL[view]] / min(self.spacing) > 1.5, -VIEWS.index(view)))

    def height_scale(self, view: View) -> float:
        """Height of a voxel by its width in the pictures of ``view``: true to scale where the spacing is known."""
        across, up = (axis for axis in range(3) if axis != _NORMAL[view])
        scale: float = self.spacing[up] / self.spacing[across]
        if self.spacing_known or view == "axial":
            return scale
        length = [int(part.stop - part.start) for part in self.box]
        return max(scale, _LEAST_HEIGHT * length[across] / length[up])

    def slice_name(self, view: View, index: int) -> str:
        """The number of a slice as the file counts it, from 1."""
        axis = _NORMAL[view]
        number = self.shape[axis] - index if self.mirrored[axis] else index + 1
        return f"slice {number} of {self.shape[axis]}"


def make_scene(
    channels: Mapping[str, Image], label_maps: Mapping[str, Image], window: tuple[float, float] | None = None
) -> Scene:
    """Turn images and label maps (of one grid) to the nearest display axes. Channels on another grid are resampled.

    ``window`` is the darkest and the brightest value shown of images with values below 0, as CT in Hounsfield units has;
    without it, and for other images, :func:`intensity_window` finds them.

    ``ValueError`` for an image with several channels.
    """
    like = next(iter(label_maps.values()))
    order, flips = axes_towards(like.affine, "LPS")

    def turned(array: np.ndarray) -> np.ndarray:
        view: np.ndarray = turn(array[np.newaxis], order, flips)[0]
        return view

    arrays = {}
    for name, image in channels.items():
        if image.n_channels != 1:
            raise ValueError(f"channel {name} of a report must be (X, Y, Z), not {image.array.shape}")
        on_grid = image if same_grid(image, like) else resample(image, like)
        arrays[name] = turned(on_grid.array.reshape(on_grid.shape))
    maps = {name: turned(label_map.array) for name, label_map in label_maps.items()}
    windows = {
        name: window if window and array.min() < 0 else intensity_window(array) for name, array in arrays.items()
    }
    x, y, z = (like.spacing[axis] for axis in order)
    return Scene(
        channels=arrays,
        windows=windows,
        label_maps=maps,
        spacing=(x, y, z),
        spacing_known=like.spacing_known,
        mirrored=flips,
        box=_worth_showing(arrays, windows, maps),
    )


def _worth_showing(
    channels: Mapping[str, np.ndarray], windows: Mapping[str, tuple[float, float]], maps: Mapping[str, np.ndarray]
) -> Box:
    """The box, with a margin, around all labels and whatever is brighter than the darkest twentieth of a window."""
    shown: np.ndarray = np.zeros_like(next(iter(maps.values())), dtype=bool)
    for name, array in channels.items():
        low, high = windows[name]
        shown |= array > low + 0.05 * (high - low)
    for label_map in maps.values():
        shown |= label_map > 0
    return bounding_box(shown, [round(_MARGIN * length) for length in shown.shape])


def intensity_window(array: np.ndarray) -> tuple[float, float]:
    """Percentiles 1 and 99 of the finite values above the smallest one, which is air or what was cut away."""
    sample = array[tuple(slice(None, None, 2 if length > 64 else 1) for length in array.shape)]
    values = sample[np.isfinite(sample)].astype(np.float32)
    if not values.size:
        return 0.0, 1.0
    above = values[values > values.min()]
    if not above.size:
        return float(values.min()), float(values.min()) + 1
    low, high = np.percentile(above, (1, 99))
    return float(low), float(max(high, low + 1e-6 * max(1.0, abs(float(low)))))


def largest_slice(label_map: np.ndarray, view: View) -> int:
    """Index of the slice with the most labeled voxels along the axis of ``view``; the middle one if none is labeled.

    Voxels of a label count by the root of how many it has, so that a lesion is not lost in the organ around it.
    """
    axis = _NORMAL[view]
    others = tuple(other for other in range(3) if other != axis)
    areas = np.zeros(label_map.shape[axis])
    for value, voxels in count_values(label_map).items():
        if value:
            areas += np.count_nonzero(label_map == value, axis=others) / voxels**0.5
    return int(areas.argmax()) if areas.any() else label_map.shape[axis] // 2


def labeled_slices(label_map: np.ndarray, view: View, at_most: int) -> list[int]:
    """Up to ``at_most`` slice indices, evenly spread over the labeled part; over the whole if nothing is labeled.

    The labeled part begins and ends with a slice whose labeled area is at least a twentieth of the largest.
    """
    axis = _NORMAL[view]
    areas = np.count_nonzero(label_map, axis=tuple(other for other in range(3) if other != axis))
    labeled = np.flatnonzero(areas >= max(1, areas.max() / 20))
    first, last = (int(labeled[0]), int(labeled[-1])) if labeled.size else (0, label_map.shape[axis] - 1)
    return sorted({round(index) for index in np.linspace(first, last, min(at_most, last - first + 1))})


def clearest_channel(scene: Scene, name: str) -> str:
    """The channel whose values inside the label map ``name`` differ most from those of the tissue around them.

    Measured on the slice with the largest labeled area, as the difference of means by the standard deviation.
    """
    view = scene.main_view()
    index = largest_slice(scene.label_maps[name], view)
    inside = plane_of(scene, scene.label_maps[name], view, index) > 0

    def contrast(channel: str) -> float:
        plane = np.nan_to_num(plane_of(scene, scene.channels[channel], view, index).astype(np.float32))
        tissue = (plane > scene.windows[channel][0]) & ~inside
        if not inside.any() or not tissue.any():
            return 0.0
        return float(abs(plane[inside].mean() - plane[tissue].mean()) / (plane[inside | tissue].std() + 1e-6))

    return max(scene.channels, key=contrast)


def draw(
    scene: Scene,
    channel: str,
    view: View,
    index: int,
    *,
    contours: str = "",
    labels: Sequence[Label] = (),
    size: int = 480,
) -> Pillow.Image:
    """One slice (RGB, longest side ``size`` pixels), with the contours of the label map named by ``contours``."""
    plane = np.nan_to_num(plane_of(scene, scene.channels[channel], view, index).astype(np.float32))
    low, high = scene.windows[channel]
    gray = np.clip((plane - low) / (high - low) * 255, 0, 255).astype(np.uint8)
    height, width = gray.shape[0] * scene.height_scale(view), gray.shape[1]
    scale = size / max(height, width)
    target = (max(1, round(width * scale)), max(1, round(height * scale)))
    picture = np.asarray(Pillow.fromarray(gray).resize(target, Pillow.Resampling.BICUBIC).convert("RGB")).copy()
    if contours:
        _draw_contours(
            picture, plane_of(scene, scene.label_maps[contours], view, index), labels, max(1, round(size / 200))
        )
    drawn = Pillow.fromarray(picture)
    if scene.spacing_known:
        _draw_letters(drawn, _LETTERS[view])
        _draw_scale(drawn, scene.spacing[1 if view == "sagittal" else 0] / scale)
    return drawn


def png(picture: Pillow.Image) -> bytes:
    """The picture as a PNG file."""
    stream = io.BytesIO()
    picture.save(stream, format="PNG")
    return stream.getvalue()


def plane_of(scene: Scene, array: np.ndarray, view: View, index: int) -> np.ndarray:
    """The slice (rows, columns) of an array on display axes, cut to the scene's box, as it is seen."""
    box: list[slice | int] = [*scene.box]
    box[_NORMAL[view]] = index
    plane = array[tuple(box)].T
    return plane if view == "axial" else plane[::-1]


def _draw_scale(picture: Pillow.Image, mm_per_pixel: float) -> None:
    """Draw a bar of a round number of mm, at most a quarter of the picture, in the lower right corner."""
    width, height = picture.size
    fitting = [mm for mm in _SCALE_BARS if mm / mm_per_pixel <= width / 4]
    if not fitting or min(picture.size) < 160:
        return
    pixels = max(11, max(picture.size) // 34)
    right, bottom = width - pixels // 2, height - pixels // 2
    left = right - round(fitting[0] / mm_per_pixel)
    pen = ImageDraw.Draw(picture)
    pen.rectangle((left - 1, bottom - 4, right + 1, bottom), fill=(0, 0, 0))
    pen.rectangle((left, bottom - 3, right, bottom - 1), fill=(255, 255, 255))
    font, white, black = ImageFont.load_default(pixels), (255, 255, 255), (0, 0, 0)
    pen.text(
        (right, bottom - 7), f"{fitting[0]} mm", font=font, fill=white, anchor="rb", stroke_width=2, stroke_fill=black
    )


def _draw_contours(picture: np.ndarray, label_plane: np.ndarray, labels: Sequence[Label], width: int) -> None:
    """Draw the inner border of each label, ``width`` pixels wide, with a dark line outside it, into ``picture``."""
    size = (picture.shape[1], picture.shape[0])
    masks = {}
    for label in labels:
        # Interpolating the mask and cutting at one half rounds the steps of the voxels and keeps the area.
        soft = Pillow.fromarray(((label_plane == label.value) * np.uint8(255)).astype(np.uint8))
        mask = np.asarray(soft.resize(size, Pillow.Resampling.BILINEAR)) >= 128
        masks[label.value] = (label, mask)
        picture[_grown(mask, 1) & ~mask] //= 3
    for label, mask in masks.values():
        picture[mask & _grown(~mask, width)] = label.color


def _grown(mask: np.ndarray, steps: int) -> np.ndarray:
    """``mask`` (rows, columns) with ``steps`` layers of neighbors, in turn over edges and corners for a round shape."""
    for step in range(steps):
        padded = np.pad(mask, 1)
        grown = padded[1:-1, :-2] | padded[1:-1, 2:] | mask
        if step % 2 == 0:
            mask = grown | padded[:-2, 1:-1] | padded[2:, 1:-1]
        else:
            tall = np.pad(grown, ((1, 1), (0, 0)))
            mask = grown | tall[:-2] | tall[2:]
    return mask


def _draw_letters(picture: Pillow.Image, letters: str) -> None:
    """Write the directions at the left, right, upper and lower edge."""
    if min(picture.size) < 60:
        return
    pixels = max(12, max(picture.size) // 26)
    pen, font = ImageDraw.Draw(picture), ImageFont.load_default(pixels)
    width, height = picture.size
    margin = pixels // 3
    places = (
        ((margin, height / 2), "lm"),
        ((width - margin, height / 2), "rm"),
        ((width / 2, margin), "mt"),
        ((width / 2, height - margin), "mb"),
    )
    for letter, (place, anchor) in zip(letters, places, strict=True):
        pen.text(place, letter, font=font, fill=(255, 255, 255), anchor=anchor, stroke_width=2, stroke_fill=(0, 0, 0))
