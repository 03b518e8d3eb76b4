"""What a small surface coil and a scanner make of a 2D slice: fall-off, blur, ringing, shifted fat, ghosts, noise.

Arrays are ``[x, y]``; y is the direction of phase encoding, along which ghosts and movement show.
"""

from __future__ import annotations

import numpy as np

_COIL_RADIUS_MM = 11.5
_SCALE = (500.0, 3000.0)  # units of the scanner that a signal of 1 has


def smooth_noise(shape: tuple[int, ...], pixels: float, draw: np.random.Generator) -> np.ndarray:
    """Gaussian noise of unit variance that varies over ``pixels`` (standard deviation of the smoothing kernel)."""
    spectrum = np.fft.rfft2(draw.standard_normal(shape))
    u, v = np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])[None, :]
    spectrum *= np.exp(-2 * (np.pi * pixels) ** 2 * (u**2 + v**2))
    noise = np.fft.irfft2(spectrum, s=shape)
    return np.asarray(noise / noise.std(), dtype=np.float32)


def loop_sensitivity(depth_mm: np.ndarray, x_mm: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """Sensitivity (1 at most) of a loop that lies on the skin: on its axis ``(1 + d²/a²)^(−3/2)`` at depth d.

    The law on the axis of a loop of radius a is Biot and Savart's; beside the axis it is taken in the distance from the
    loop's center, which is near enough for a slowly varying field. Some scanners even it out, wholly or in part.
    """
    aside = x_mm - draw.uniform(-3, 3)
    distance = np.maximum(depth_mm, 0) + draw.uniform(0.5, 2.5)
    field = (1 + (distance**2 + draw.uniform(0.3, 0.9) * aside**2) / _COIL_RADIUS_MM**2) ** -1.5
    return np.asarray((field / field.max()) ** draw.uniform(0.25, 1.0), dtype=np.float32)


def acquire(water: np.ndarray, fat: np.ndarray, coil: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """The magnitude image, float32 in a scanner's units, of two signals that add up to the slice.

    Fat is displaced along x (chemical shift), the resolution is lost by blur and by a cut of k-space, some images carry
    ghosts or a movement, and noise of equal strength in both parts of the complex signal makes it Rician.
    """
    complex_image = (water + _shifted(fat, draw.uniform(0, 3))) * coil
    k_space = np.fft.fftshift(np.fft.fft2(complex_image))
    k_space *= _transfer(k_space.shape, draw)
    if draw.random() < 0.3:
        _move(k_space, draw)
    if draw.random() < 0.3:
        _ghost(k_space, draw)
    image = np.fft.ifft2(np.fft.ifftshift(k_space))
    level = draw.uniform(0.008, 0.05) * np.percentile(np.abs(image), 99)
    noise = draw.standard_normal((2, *image.shape)) * level
    magnitude = np.hypot(image.real + noise[0], image.imag + noise[1])
    return np.asarray(magnitude * np.exp(draw.uniform(*np.log(_SCALE))), dtype=np.float32)


def _shifted(image: np.ndarray, pixels: float) -> np.ndarray:
    """``image`` displaced along x by a part of pixels; what comes in from outside is the edge."""
    place = np.arange(image.shape[0]) - pixels
    before = np.floor(place).astype(np.intp)
    weight = (place - before)[:, None]
    first, second = (image[(before + step).clip(0, len(image) - 1)] for step in (0, 1))
    return np.asarray(first * (1 - weight) + second * weight)


def _transfer(shape: tuple[int, ...], draw: np.random.Generator) -> np.ndarray:
    """What passes of each spatial frequency: blur of the thick slice, and the cut of what was not measured."""
    u, v = (np.fft.fftshift(np.fft.fftfreq(length)) for length in shape)
    radius = u[:, None] ** 2 + v[None, :] ** 2
    measured = (np.abs(u) < 0.5 * draw.uniform(0.8, 1.0))[:, None] & (np.abs(v) < 0.5 * draw.uniform(0.65, 1.0))[None]
    return np.exp(-2 * (np.pi * draw.uniform(0.6, 1.4)) ** 2 * radius) * measured


def _move(k_space: np.ndarray, draw: np.random.Generator) -> None:
    """The foot slips by up to two pixels while some lines are measured."""
    columns, lines = (np.fft.fftshift(np.fft.fftfreq(length)) for length in k_space.shape)
    start = draw.integers(0, k_space.shape[1] - 40)
    moved = slice(start, start + draw.integers(10, 40))
    aside, down = draw.uniform(-2, 2, 2)
    k_space[:, moved] *= np.exp(-2j * np.pi * (columns[:, None] * aside + lines[None, moved] * down))


def _ghost(k_space: np.ndarray, draw: np.random.Generator) -> None:
    """Every n-th line is weaker or out of phase, as with pulsation: faint copies at a part of the field of view."""
    every = draw.integers(2, 5)
    k_space[:, :: int(every)] *= 1 + draw.uniform(0.03, 0.12) * np.exp(2j * np.pi * draw.random())
