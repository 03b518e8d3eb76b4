"""Synthetic 2D MRI of the heel's skin at a microscopy coil, with its four layers: the same image for the same seed.

It stands in for patients' images, of which no public set is known, in tests, examples and a first training. What is
drawn, and where it is from:

- Grid, coil: 3 T, coil of 23 mm diameter at the heel, pixels of 0.06 and 0.07 mm, multi-echo T2; a moisturizer lengthens
  T2 of the stratum corneum by half and hardly that of the layers below (Mesrar et al., Skin Research and Technology 23,
  2017, doi:10.1111/srt.12333); 384 × 384 pixels as in the task skin-layers.
- Look of the layers: stratum corneum bright where it holds water, epidermis a fine bright and even line, dermis dark and
  uneven with a papillary and a reticular part, fat bright, with inclusions that reach into the dermis
  ("High-resolution magnetic resonance imaging in study of the skin: normal patterns", European Journal of Radiology 80,
  2011, doi:10.1016/j.ejrad.2010.06.002).
- The sole is thickest at the heel (Strzalkowski et al., Physiological Reports 3, 2015, doi:10.14814/phy2.12425), the
  border of epidermis and dermis interdigitates, and fibrous septa run through the fat (Wang et al., Foot & Ankle
  International 32, 2011, PMC4227595; the heel and the first metatarsal were examined).

Thickness, curvature, relaxation times and brightness are drawn from ranges that are wider than those of any one study, so
that a network does not learn one scanner's look: they are no measurements. The sole has sweat ducts and no hair; hairs are
drawn in a few images, as at the heel's upper rim. Most images have the surface above, as the coil lies; some are stored on
their side, and the affine tells it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from MedSegEffNetLib.image import Image
from MedSegEffNetLib.synthetic import scanner

SIZE = 384  # pixels along either side, as in the task skin-layers
SLICE_MM = 1.0
CORNEUM, EPIDERMIS, DERMIS, FAT = 1, 2, 3, 4  # labels of the task skin-layers

# Least and most of what is drawn for a heel.
_PIXEL_MM = (0.055, 0.085)
_RADIUS_MM = (20.0, 70.0)  # of the surface's curve
_TOP = (0.03, 0.24)  # of the image's height: where the skin begins
_TILT_DEGREES = (-14.0, 14.0)
_CORNEUM_MM = (0.45, 1.5)
_EPIDERMIS_MM = (0.25, 0.7)
_DERMIS_MM = (0.9, 2.4)
_ECHO_MS = (12.0, 45.0)
_T2_MS = {CORNEUM: (16.0, 45.0), EPIDERMIS: (34.0, 60.0), DERMIS: (13.0, 26.0), FAT: (45.0, 80.0)}
_LEAST_CONTRAST = 0.12  # logarithm of the ratio of two layers' signals
_ON_ITS_SIDE = 0.2  # share of images
_WATER = {CORNEUM: (0.45, 0.8), EPIDERMIS: (0.75, 1.0), DERMIS: (0.65, 0.9), FAT: (0.7, 1.0)}  # proton density


@dataclass(frozen=True)
class HeelSkin:
    """``image`` (float32, ``(X, Y, 1)``) and its ``label_map`` (uint8: 0 air, 1 … 4 from the surface inward)."""

    image: Image
    label_map: Image


def make_heel(seed: int, size: int = SIZE) -> HeelSkin:
    """The heel of ``seed``: a sagittal slice of 1 mm and ``size`` × ``size`` pixels, each 0.055 to 0.085 mm wide."""
    draw = np.random.default_rng(seed)
    x, y = _positions(size, draw.uniform(*_PIXEL_MM))
    along, depth = _surface(x, y, draw)
    borders = _borders(along, draw)
    labels = np.zeros((size, size), dtype=np.uint8)
    for label, border in zip((CORNEUM, EPIDERMIS, DERMIS, FAT), borders, strict=True):
        labels[depth >= border] = label
    _cut_fissures(labels, along, depth, borders, draw)
    signal = _signal(labels, along, depth, borders, draw)
    _add_outside(signal, labels, depth, draw)
    fat = np.where(labels == FAT, signal, 0)
    coil = scanner.loop_sensitivity(depth, x, draw)
    picture = scanner.acquire(signal - fat, fat, coil, draw)
    # x to the front and y upward from the sole, or, for a file on its side, the other way round.
    pixel_mm = y[0, 1]
    affine = np.array([[0, 0, SLICE_MM, 0], [pixel_mm, 0, 0, 0], [0, pixel_mm, 0, 0], [0, 0, 0, 1.0]])
    if draw.random() < _ON_ITS_SIDE:
        affine = affine[:, [1, 0, 2, 3]]
        picture, labels = picture.T, labels.T
    return HeelSkin(Image(picture[:, :, None], affine), Image(labels[:, :, None], affine))


def _positions(size: int, pixel_mm: float) -> tuple[np.ndarray, np.ndarray]:
    """x (0 in the middle) and y (0 at the upper edge) of the pixels ``[x, y]`` in mm."""
    pixels = np.arange(size) * pixel_mm
    return (pixels - pixels.mean())[:, None], pixels[None, :]


def _surface(x: np.ndarray, y: np.ndarray, draw: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Position along the skin and depth below its surface of every pixel, in mm; depth is negative in air."""
    radius, top = draw.uniform(*_RADIUS_MM), draw.uniform(*_TOP) * y.max()
    tilt = np.radians(draw.uniform(*_TILT_DEGREES))
    center_x, center_y = radius * np.sin(tilt) + draw.uniform(-2, 2), top + radius * np.cos(tilt)
    along = radius * np.arctan2(x - center_x, center_y - y)
    depth = radius - np.hypot(x - center_x, y - center_y)
    depth += _wave(along, 6.0, draw.uniform(0.05, 0.35), draw)
    return along, depth


def _borders(along: np.ndarray, draw: np.random.Generator) -> list[np.ndarray]:
    """Depth in mm at which stratum corneum, epidermis, dermis and fat begin, below each pixel's place on the skin."""
    corneum = draw.uniform(*_CORNEUM_MM) * (1 + _wave(along, 5.0, draw.uniform(0.05, 0.2), draw))
    epidermis = draw.uniform(*_EPIDERMIS_MM) * (1 + _wave(along, 3.0, draw.uniform(0.05, 0.2), draw))
    dermis = draw.uniform(*_DERMIS_MM) * (1 + _wave(along, 4.0, draw.uniform(0.05, 0.2), draw))
    print_of_the_sole = _ridges(along, draw.uniform(0.4, 0.7), draw.uniform(0.0, 0.04), draw)
    second = corneum + _wave(along, 0.6, draw.uniform(0.0, 0.05), draw)
    second = np.maximum(second, 0.2)
    # Rete ridges reach down between the papillae of the dermis.
    rete = _ridges(along, draw.uniform(0.3, 0.6), draw.uniform(0.01, 0.08), draw)
    # Lobules of fat bulge up into the dermis.
    bulges = np.maximum(0, _wave(along, draw.uniform(0.8, 2.0), draw.uniform(0.1, 0.35), draw))
    fourth = second + epidermis + np.maximum(0.5, dermis - bulges)
    return [print_of_the_sole, second, second + np.maximum(0.1, epidermis + rete), fourth]


def _wave(along: np.ndarray, length: float, amplitude: float, draw: np.random.Generator) -> np.ndarray:
    """A random smooth curve along the skin: standard deviation ``amplitude``, varying over about ``length`` mm."""
    knots = draw.standard_normal(12 + int(np.ptp(along) / length))
    place = (along - along.min()) / length + 2
    before = np.floor(place).astype(np.intp)
    t = place - before
    # Uniform cubic B-spline through random coefficients; 0.69 is its mean standard deviation.
    weights = ((1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3)
    curve: np.ndarray = sum(weight * knots[before + shift - 1] for shift, weight in enumerate(weights)) / 6
    return amplitude * curve / 0.69


def _ridges(along: np.ndarray, period: float, amplitude: float, draw: np.random.Generator) -> np.ndarray:
    """A wave of about ``period`` mm whose phase and height wander: no two ridges are alike."""
    phase = 2 * np.pi * along / period + _wave(along, 4 * period, 1.5, draw)
    height = np.maximum(0, 1 + _wave(along, 2 * period, 0.5, draw))
    return amplitude * height * np.sin(phase)


def _cut_fissures(
    labels: np.ndarray, along: np.ndarray, depth: np.ndarray, borders: list[np.ndarray], draw: np.random.Generator
) -> None:
    """Cracks of the stratum corneum, as dry heels have: air in the shape of a wedge."""
    for _ in range(draw.integers(0, 3) if draw.random() < 0.4 else 0):
        place = draw.uniform(along.min(), along.max())
        width, reach = draw.uniform(0.1, 0.3), draw.uniform(0.3, 0.9)
        inside = np.abs(along - place - 0.15 * depth) < width / 2 * (1 - depth / (reach * borders[1]))
        labels[inside & (depth < borders[1])] = 0


def _signal(
    labels: np.ndarray, along: np.ndarray, depth: np.ndarray, borders: list[np.ndarray], draw: np.random.Generator
) -> np.ndarray:
    """Signal of the tissues before coil and noise, with their texture."""
    signal = _brightness(draw)[labels]
    # The stratum corneum holds more water the deeper it lies (Mesrar et al. wet it from outside, too).
    share = np.clip(depth / np.maximum(borders[1], 0.1), 0, 1)
    corneum = labels == CORNEUM
    signal[corneum] *= (draw.uniform(0.5, 1.1) + draw.uniform(0.0, 0.5) * share)[corneum]
    papillary = (labels == DERMIS) & (depth < borders[2] + draw.uniform(0.15, 0.4))
    signal[papillary] *= draw.uniform(1.05, 1.4)
    for label, strength in ((CORNEUM, 0.06), (EPIDERMIS, 0.05), (DERMIS, 0.16), (FAT, 0.1)):
        texture = 1 + strength * scanner.smooth_noise(labels.shape, draw.uniform(1.5, 4.0), draw)
        signal = np.where(labels == label, signal * texture, signal)
    _add_septa(signal, labels, draw)
    _add_tracts(signal, labels, along, depth, borders, draw)
    if draw.random() < 0.15:
        _add_hairs(signal, labels, along, depth, draw)
    _add_vessels(signal, labels, draw)
    return np.maximum(signal, 0).astype(np.float32)


def _brightness(draw: np.random.Generator) -> np.ndarray:
    """Spin-echo signal of air and the four layers: density · exp(−echo time / T2).

    It is drawn until neighbors differ and the dermis is darker than what lies on and below it.
    """
    while True:
        echo = draw.uniform(*_ECHO_MS)
        signal = np.zeros(5, dtype=np.float32)
        for label, limits in _T2_MS.items():
            signal[label] = draw.uniform(*_WATER[label]) * np.exp(-echo / draw.uniform(*limits))
        shades_differ = abs(np.log(signal[EPIDERMIS] / signal[CORNEUM])) > _LEAST_CONTRAST
        if shades_differ and np.log(min(signal[EPIDERMIS], signal[FAT]) / signal[DERMIS]) > 2 * _LEAST_CONTRAST:
            return signal


def _add_septa(signal: np.ndarray, labels: np.ndarray, draw: np.random.Generator) -> None:
    """Dark walls of fibers between the lobules of fat: the borders of a bent Voronoi diagram."""
    size = len(labels)
    x, y = np.mgrid[:size, :size].astype(np.float32)
    x, y = (axis + draw.uniform(2, 6) * scanner.smooth_noise(labels.shape, 20.0, draw) for axis in (x, y))
    nearest, second = np.full((2, *labels.shape), np.inf, dtype=np.float32)
    count = int(np.ceil((size / SIZE) ** 2 * draw.integers(40, 160)))
    for center in draw.uniform(-20, size + 20, (count, 2)).astype(np.float32):
        distance = np.hypot(x - center[0], y - center[1])
        second = np.minimum(second, np.maximum(nearest, distance))
        nearest = np.minimum(nearest, distance)
    wall = np.exp(-0.5 * ((second - nearest) / draw.uniform(1.2, 3.5)) ** 2)
    wall *= np.clip(0.7 + 0.4 * scanner.smooth_noise(labels.shape, 25.0, draw), 0, 1)
    signal *= np.where(labels == FAT, 1 - draw.uniform(0.3, 0.8) * wall, 1)


def _add_tracts(
    signal: np.ndarray,
    labels: np.ndarray,
    along: np.ndarray,
    depth: np.ndarray,
    borders: list[np.ndarray],
    draw: np.random.Generator,
) -> None:
    """Sweat ducts: winding through the stratum corneum, straight through the dermis; brighter or darker than around."""
    for place in draw.uniform(along.min(), along.max(), round(np.ptp(along) * draw.uniform(0.1, 0.5))):
        lean, turn = draw.uniform(-0.3, 0.3), draw.uniform(0.03, 0.08)
        winding = np.where(depth < borders[1], turn * np.sin(2 * np.pi * depth / draw.uniform(0.2, 0.35)), 0)
        near = np.exp(-0.5 * ((along - place - lean * depth - winding) / draw.uniform(0.03, 0.06)) ** 2)
        reached = (labels > 0) & (depth < borders[3] + 0.3)
        signal *= np.where(reached, 1 + draw.choice([-0.6, -0.4, 0.4]) * near, 1)


def _add_hairs(
    signal: np.ndarray, labels: np.ndarray, along: np.ndarray, depth: np.ndarray, draw: np.random.Generator
) -> None:
    """Hairs: dark, straight and slanted, from above the surface down to a bulb in the deep dermis."""
    for place in draw.uniform(along.min(), along.max(), round(np.ptp(along) * draw.uniform(0.05, 0.2))):
        lean, root = draw.uniform(-1.0, 1.0), draw.uniform(1.5, 3.0)
        aside = along - place - lean * depth
        shaft = np.exp(-0.5 * (aside / draw.uniform(0.03, 0.06)) ** 2) * (depth < root)
        bulb = np.exp(-0.5 * (np.hypot(aside, depth - root) / draw.uniform(0.08, 0.15)) ** 2)
        signal *= np.where(labels > 0, 1 - 0.8 * np.maximum(shaft, bulb), 1)


def _add_outside(signal: np.ndarray, labels: np.ndarray, depth: np.ndarray, draw: np.random.Generator) -> None:
    """What lies on the skin: a film of moisturizer, or a pad that keeps the coil off; or nothing but air."""
    kind = draw.random()
    if kind < 0.15:
        film = (labels == 0) & (depth > -draw.uniform(0.08, 0.3))
        signal[film] = draw.uniform(0.2, 0.8) * signal.max()
    elif kind < 0.25:
        gap, thickness = draw.uniform(0.15, 0.6), draw.uniform(0.5, 3.0)
        pad = (depth < -gap) & (depth > -gap - thickness)
        signal[pad] = draw.uniform(0.1, 0.6) * signal.max()


def _add_vessels(signal: np.ndarray, labels: np.ndarray, draw: np.random.Generator) -> None:
    """Vessels across the slice, in dermis and fat: dark with fast flow, bright with slow one."""
    x, y = np.arange(len(labels))[:, None], np.arange(len(labels))[None, :]
    inner = np.argwhere(labels >= DERMIS)
    count = round(len(inner) * draw.uniform(5e-5, 1.5e-4))
    for center in inner[draw.integers(0, len(inner), count)]:
        angle, radius, stretch = draw.uniform(0, np.pi), draw.uniform(0.8, 3.0), draw.uniform(1, 4)
        u = (x - center[0]) * np.cos(angle) + (y - center[1]) * np.sin(angle)
        v = (y - center[1]) * np.cos(angle) - (x - center[0]) * np.sin(angle)
        near = np.exp(-0.5 * ((u / stretch) ** 2 + v**2) / radius**2)
        signal *= np.where(labels >= DERMIS, 1 + draw.choice([-0.8, -0.5, 0.7]) * near, 1)
