"""Pictures of a measure that has a value at each voxel, over the image, with the borders that it was measured between."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from MedSegEffNetLib import geometry
from MedSegEffNetLib.image import Image
from MedSegEffNetLib.measures import Map
from MedSegEffNetLib.reporting import pictures
from MedSegEffNetLib.reporting.pictures import Scene, View

_BORDER = (255, 226, 60)
_OPAQUE = 0.75
_BAR = 0.16  # of the picture's height, below it
# Dark to bright, blue over green to yellow: the order can be told without seeing colors.
_SCALE = np.array([[60, 20, 110], [62, 74, 150], [38, 130, 142], [70, 180, 110], [180, 215, 50], [253, 231, 90]], float)


def slice_of(scene: Scene, label_map: Image, one: Map) -> tuple[View, int, np.ndarray]:
    """The view, the slice with most values of ``one`` in it, and the map (X, Y, Z) turned to the scene's axes."""
    order, flips = geometry.axes_towards(label_map.affine, "LPS")
    values = geometry.turn(one.values[np.newaxis], order, flips)[0]
    view = scene.main_view()
    return view, pictures.largest_slice(np.isfinite(values), view), values


def draw_borders(scene: Scene, channel: str, view: View, index: int, *, size: int = 520) -> Pillow.Image:
    """A slice with the Canny edges (Canny, IEEE PAMI 8, 1986) of its label map, longest side ``size`` pixels."""
    import SimpleITK as sitk

    picture = np.asarray(pictures.draw(scene, channel, view, index, size=size)).copy()
    labels = pictures.plane_of(scene, scene.label_maps["labels"], view, index).astype(np.uint8)
    enlarged = np.asarray(Pillow.fromarray(labels).resize(picture.shape[1::-1], Pillow.Resampling.NEAREST))
    width = max(1.0, max(picture.shape) / max(labels.shape))  # a label map's stairs are smoothed away
    steepest = 1 / (width * math.sqrt(2 * math.pi))  # slope of a step of one label, smoothed
    edges = sitk.CannyEdgeDetection(
        sitk.GetImageFromArray(enlarged.astype(np.float32)), 0.2 * steepest, 0.5 * steepest, [width**2] * 2
    )
    picture[sitk.GetArrayFromImage(edges) > 0] = _BORDER
    return Pillow.fromarray(picture)


def draw_map(
    scene: Scene, channel: str, view: View, index: int, values: np.ndarray, unit: str, *, size: int = 520
) -> Pillow.Image:
    """A slice with ``values`` (X, Y, Z; on the scene's axes) over it in colors, and the scale in ``unit`` below."""
    picture = np.asarray(pictures.draw(scene, channel, view, index, size=size))
    plane = pictures.plane_of(scene, values, view, index)
    shown = plane[np.isfinite(plane)]
    low, high = (float(end) for end in np.percentile(shown, (1, 99))) if shown.size else (0.0, 1.0)
    high = max(high, low + 1e-6)
    enlarged = Pillow.fromarray(plane.astype(np.float32)).resize(picture.shape[1::-1], Pillow.Resampling.NEAREST)
    share = (np.asarray(enlarged) - low) / (high - low)
    inside = np.isfinite(share)
    colored = picture.astype(float)
    colored[inside] += _OPAQUE * (_colors(share[inside]) - colored[inside])
    drawn = Pillow.new("RGB", (picture.shape[1], round(picture.shape[0] * (1 + _BAR))))
    drawn.paste(Pillow.fromarray(colored.astype(np.uint8)))
    _draw_scale(drawn, picture.shape[0], f"{low:.3g}", f"{high:.3g} {unit}")
    return drawn


def _colors(share: np.ndarray) -> np.ndarray:
    """Colors ``(N, 3)`` of values ``(N,)`` from 0 to 1."""
    places = np.linspace(0, 1, len(_SCALE))
    return np.stack([np.interp(share, places, _SCALE[:, part]) for part in range(3)], axis=-1)


def _draw_scale(picture: Pillow.Image, top: int, low: str, high: str) -> None:
    """A bar of all colors below row ``top``, with the values of its ends."""
    width, height = picture.size
    pixels = max(11, (height - top) // 3)
    margin = pixels // 2
    bar = np.tile(_colors(np.linspace(0, 1, width - 2 * margin)), (pixels, 1, 1)).astype(np.uint8)
    picture.paste(Pillow.fromarray(bar), (margin, top + margin // 2))
    pen, font, line = ImageDraw.Draw(picture), ImageFont.load_default(pixels), top + pixels + margin
    pen.text((margin, line), low, font=font, fill=(255, 255, 255), anchor="lt")
    pen.text((width - margin, line), high, font=font, fill=(255, 255, 255), anchor="rt")
