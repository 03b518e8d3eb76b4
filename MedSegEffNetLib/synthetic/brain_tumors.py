"""Synthetic brains with glioma-like tumors: tissue maps, and images of them in random contrasts.

In the spirit of domain randomization (Billot et al., SynthSeg, Medical Image Analysis 2023, arXiv:2107.09559): anatomy is
warped at random, a tumor of core, rim and edema grows in it, and each image is drawn anew with random intensities,
resolution, bias field and noise. Unlike there, intensities are drawn around what a sequence really shows, since a network
that sees one sequence has to tell enhancement from edema by brightness. Maps are ``(X, Y, Z)`` of 1 mm voxels, LPS.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

TISSUES = (
    *("background", "csf", "grey", "white", "vessel", "white lesion"),
    *("edema", "non-enhancing", "necrosis", "enhancing"),
)
_BACKGROUND, _CSF, _GREY, _WHITE, _VESSEL, _LESION, _EDEMA, _SOLID, _NECROSIS, _RIM = range(len(TISSUES))
# BraTS: 1 necrotic and non-enhancing core, 2 edema, 4 enhancing tumor.
LABEL_OF_TISSUE = np.array([0, 0, 0, 0, 0, 0, 2, 1, 1, 4], dtype=np.uint8)

# Brightness of each tissue (least, most) relative to white matter in T1 and T1ce, and to the brightest normal tissue in
# T2 (fluid) and to grey matter in FLAIR; read off published images, and widened.
_BRIGHTNESS: dict[str, tuple[tuple[float, float], ...]] = {
    "t1": (
        *((0, 0), (0.2, 0.5), (0.68, 0.9), (0.95, 1.05), (0.3, 1.3), (0.6, 0.95)),
        *((0.6, 0.88), (0.55, 0.85), (0.35, 0.7), (0.6, 1.05)),
    ),
    "t1ce": (
        *((0, 0), (0.2, 0.5), (0.72, 0.95), (0.95, 1.05), (1.3, 2.4), (0.6, 0.95)),
        *((0.6, 0.9), (0.55, 0.9), (0.35, 0.75), (1.2, 2.2)),
    ),
    "t2": (
        *((0, 0), (0.85, 1.1), (0.5, 0.65), (0.33, 0.47), (0.1, 0.6), (0.55, 0.85)),
        *((0.65, 0.95), (0.6, 0.9), (0.6, 1.15), (0.45, 0.8)),
    ),
    "flair": (
        *((0, 0), (0.1, 0.4), (0.95, 1.05), (0.72, 0.95), (0.2, 1.2), (1.2, 1.7)),
        *((1.3, 2.1), (1.15, 1.9), (0.3, 1.7), (1.1, 1.8)),
    ),
}
SEQUENCES = tuple(_BRIGHTNESS)


@dataclass(frozen=True)
class Kind:
    """A kind of tumor: radii in mm (least, most), and the share of the core that is rim, dead or solid."""

    edema_mm: tuple[float, float]
    core_mm: tuple[float, float]
    rim_mm: tuple[float, float]
    rim_patchiness: float
    has_rim: bool = True
    has_necrosis: bool = True


KINDS = {
    "ring": Kind((14, 38), (10, 28), (1.5, 6), 0.5),
    "solid": Kind((10, 34), (5, 18), (4, 30), 0.8, has_necrosis=False),
    "patchy": Kind((14, 36), (12, 30), (2, 7), 1.6),
    "low grade": Kind((2, 10), (14, 34), (0, 0), 0, has_rim=False, has_necrosis=False),
}
_FREQUENCY = {"ring": 0.45, "solid": 0.15, "patchy": 0.25, "low grade": 0.15}


def tissues_of(grey: np.ndarray, white: np.ndarray, brain: np.ndarray) -> np.ndarray:
    """Tissue map from probabilities (0 … 1) of grey and white matter; the rest of ``brain`` is fluid."""
    tissues = np.where(brain, _CSF, _BACKGROUND).astype(np.uint8)
    tissues[brain & (grey >= 0.4) & (grey >= white)] = _GREY
    tissues[brain & (white >= 0.4) & (white > grey)] = _WHITE
    return tissues


def warp(tissues: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """``tissues`` turned, stretched and bent at random, on the same grid; every tissue keeps its sharp border."""
    import SimpleITK as sitk

    image = sitk.GetImageFromArray(np.ascontiguousarray(tissues.T))
    center = [(length - 1) / 2 for length in tissues.shape]
    affine = sitk.AffineTransform(3)
    affine.SetCenter(center)
    affine.Scale([float(part) for part in 1 / draw.uniform(0.88, 1.1, 3)])
    for first, second in ((0, 1), (0, 2), (1, 2)):
        affine.Rotate(first, second, float(draw.uniform(-0.15, 0.15)))
    bend = sitk.BSplineTransformInitializer(image, [6, 6, 6])
    bend.SetParameters((draw.normal(0, 3.5, len(bend.GetParameters()))).tolist())
    both = sitk.CompositeTransform([affine, bend])
    warped: np.ndarray = sitk.GetArrayFromImage(sitk.Resample(image, both, sitk.sitkNearestNeighbor)).T
    return warped


def add_mimics(tissues: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """What is bright without being tumor: vessels along the surface and in the fluid, caps and spots in white matter."""
    changed = tissues.copy()
    texture = smooth_noise(tissues.shape, 3.0, draw)
    fluid = tissues == _CSF
    changed[fluid & (np.abs(texture) < draw.uniform(0.01, 0.12))] = _VESSEL
    if draw.random() < 0.5:
        spots = smooth_noise(tissues.shape, draw.uniform(3, 7), draw)
        changed[(tissues == _WHITE) & (spots > draw.uniform(2.0, 3.2))] = _LESION
    return changed


def grow_tumor(tissues: np.ndarray, draw: np.random.Generator, kind: str = "") -> np.ndarray:
    """``tissues`` with a tumor of ``kind`` (one of :data:`KINDS`; empty: any), which starts in white matter (if any).

    The front runs faster in white than in grey matter and not at all in fluid (fast marching, Sethian 1996), so that
    edema follows the tracts; the core grows rounder, and its rim is what lies near its border.
    """
    kind = kind or str(draw.choice(list(_FREQUENCY), p=list(_FREQUENCY.values())))
    form = KINDS[kind]
    coarse = tissues[::4, ::4, ::4]
    inside = np.argwhere(coarse == (_WHITE if _WHITE in coarse else coarse.max())) * 4
    seed = inside[draw.integers(len(inside))]
    rough = 0.5 * smooth_noise(tissues.shape, 9.0, draw) + 0.25 * smooth_noise(tissues.shape, 3.0, draw)
    core_mm = draw.uniform(*form.core_mm)
    whole_mm = max(core_mm + 2, draw.uniform(*form.edema_mm) + 0.6 * core_mm)
    matter = (tissues >= _GREY) & (tissues != _VESSEL)
    core_time = _arrival(matter * 0.6 + 0.4, seed) * np.exp(0.45 * rough)
    speed = np.select([tissues == _WHITE, matter], [1.0, 0.45], 0.04)
    whole_time = _arrival(speed, seed) * np.exp(0.5 * rough)
    brain = tissues > _BACKGROUND
    core = brain & (core_time < core_mm)
    grown = tissues.copy()
    grown[(tissues > _CSF) & (whole_time < whole_mm)] = _EDEMA
    grown[core] = _SOLID
    depth = core_mm - core_time
    patches = smooth_noise(tissues.shape, draw.uniform(2.5, 6.0), draw)
    if form.has_necrosis:
        grown[core & (depth > core_mm * draw.uniform(0.1, 0.45)) & (rough > draw.uniform(-1.2, 0.4))] = _NECROSIS
    if form.has_rim:
        width = draw.uniform(*form.rim_mm) * np.exp(0.4 * patches)
        grown[core & (depth < width) & (patches > form.rim_patchiness * draw.uniform(-2.5, -0.3))] = _RIM
    return grown


def label_map(tissues: np.ndarray) -> np.ndarray:
    """BraTS labels (0, 1, 2, 4) of a tissue map."""
    labels: np.ndarray = LABEL_OF_TISSUE[tissues]
    return labels


@dataclass(frozen=True)
class Brightness:
    """How bright each tissue is, and by how much its texture varies (both ``(10,)``)."""

    mean: np.ndarray
    texture: np.ndarray

    def normalized(self, counts: np.ndarray) -> Brightness:
        """As z-scores over the brain, of which ``counts`` ``(10,)`` voxels are each tissue; background is 0."""
        shares = counts[1:] / counts[1:].sum()
        mean = float((shares * self.mean[1:]).sum())
        std = float(np.sqrt((shares * ((self.mean[1:] - mean) ** 2 + self.texture[1:] ** 2)).sum()))
        return replace(self, mean=(self.mean - mean) / std, texture=self.texture / std)


def draw_brightness(sequence: str, draw: np.random.Generator) -> Brightness:
    """Random intensities of the tissues in ``sequence`` (one of :data:`SEQUENCES`)."""
    least, most = np.array(_BRIGHTNESS[sequence]).T
    span = most - least
    mean = draw.uniform(least - 0.1 * span, most + 0.1 * span)
    texture = draw.uniform(0.02, 0.06, len(mean))
    texture[_EDEMA:] *= draw.uniform(1.0, 3.0, len(mean) - _EDEMA)
    return Brightness(np.maximum(mean, 0).astype(np.float32), texture.astype(np.float32))


def render(
    tissues: np.ndarray, brightness: Brightness, draw: np.random.Generator, background: float = 0.0
) -> np.ndarray:
    """An image (float32) of a tissue map: texture, partial volume, bias field, thick slices and noise.

    Outside of the brain it is ``background``.
    """
    image = brightness.mean[tissues]
    texture = smooth_noise(tissues.shape, draw.uniform(0.7, 2.0), draw)
    texture += smooth_noise(tissues.shape, draw.uniform(3.0, 8.0), draw)
    image += brightness.texture[tissues] * texture
    thickness = draw.uniform(1.5, 5.0) if draw.random() < 0.35 else 0.0
    in_plane = draw.uniform(0.4, 1.0)
    image = blur(image, (in_plane, in_plane, max(in_plane, thickness / 2.355)))
    if draw.random() < 0.7:
        field = smooth_noise(tissues.shape, 40.0, draw)
        image = image + draw.uniform(0, 0.15) * field * (image - brightness.mean[0])
    image += draw.standard_normal(image.shape, dtype=np.float32) * np.float32(draw.uniform(0.0, 0.15))
    return np.where(tissues == _BACKGROUND, np.float32(background), image).astype(np.float32, copy=False)


def smooth_noise(shape: tuple[int, ...], length: float, draw: np.random.Generator) -> np.ndarray:
    """Gaussian noise of unit variance, float32 ``shape``, that varies over ``length`` voxels."""
    step = max(1, int(length / 1.5))
    coarse = tuple(-(-size // step) + 3 for size in shape)
    noise = blur(draw.standard_normal(coarse, dtype=np.float32), (length / step,) * 3)
    noise /= max(float(noise.std()), 1e-6)
    return _enlarge(noise, step, shape)


def _arrival(speed: np.ndarray, seed: np.ndarray) -> np.ndarray:
    """Time (mm at speed 1) at which a front from ``seed`` reaches each voxel; marched on every second voxel."""
    import SimpleITK as sitk

    coarse = sitk.GetImageFromArray(np.ascontiguousarray(speed[::2, ::2, ::2].T.astype(np.float32)))
    start = [min(int(place) // 2, length - 1) for place, length in zip(seed, coarse.GetSize(), strict=True)]
    march = sitk.FastMarchingImageFilter()
    march.AddTrialPoint(start)
    march.SetStoppingValue(60.0)
    time = sitk.GetArrayFromImage(march.Execute(coarse)).T
    return _enlarge(np.minimum(time, 60).astype(np.float32) * 2, 2, speed.shape)


def _enlarge(coarse: np.ndarray, step: int, shape: tuple[int, ...]) -> np.ndarray:
    """``coarse`` interpolated linearly to ``step`` times as many voxels, cut to ``shape``."""
    import SimpleITK as sitk

    if step == 1:
        return coarse[tuple(slice(length) for length in shape)]
    image = sitk.GetImageFromArray(np.ascontiguousarray(coarse.T))
    resampler = sitk.ResampleImageFilter()
    resampler.SetSize(list(shape))
    resampler.SetOutputSpacing([1 / step] * 3)
    resampler.SetInterpolator(sitk.sitkLinear)
    resampler.SetUseNearestNeighborExtrapolator(True)
    enlarged: np.ndarray = sitk.GetArrayFromImage(resampler.Execute(image)).T
    return enlarged


def blur(image: np.ndarray, sigmas: tuple[float, ...]) -> np.ndarray:
    """``image`` ``(X, Y, Z)`` float32 smoothed by Gaussians of ``sigmas`` voxels; below 0.3 there is none."""
    import SimpleITK as sitk

    blurred = sitk.GetImageFromArray(np.ascontiguousarray(image.T))
    for axis, sigma in enumerate(sigmas):
        if sigma > 0.3 and image.shape[axis] >= 4:
            blurred = sitk.RecursiveGaussian(blurred, float(sigma), False, 0, axis)
    result: np.ndarray = sitk.GetArrayFromImage(blurred).T
    return result
