"""A synthetic brain patient: T1, FLAIR and T1 post-contrast of a head with a glioma-like lesion, from a recipe.

A head of nested ellipsoids (scalp, skull, fluid, brain with furrowed grey matter and ventricles) and a tumor of irregular
outline; intensities in 8 bits as in the shipped model's training data. It shows that the program works, not how well.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.image import Image
from MedSegEffNetLib.resources import resources_folder

RECIPE = Path("SampleCases") / "synthetic_brain.json"
_TISSUES = ("air", "scalp", "skull", "csf", "grey", "white", "tumor", "core")


@dataclass(frozen=True)
class Patient:
    """``images`` by channel name and the true ``label_map`` (1 = tumor), all on one grid."""

    images: dict[str, Image]
    label_map: Image


def make_patient(recipe: Mapping[str, Any] | None = None) -> Patient:
    """The patient of ``recipe`` (default: the shipped one); the same recipe gives the same voxels."""
    recipe = recipe or _shipped_recipe()
    draw = np.random.default_rng(int(recipe["seed"]))
    affine = _affine(recipe["shape"], recipe["spacing"])
    tissues = _tissues(recipe, _positions(recipe["shape"], affine), draw)
    images = {}
    for channel, intensities in recipe["intensities"].items():
        table = np.array([intensities[tissue] for tissue in _TISSUES], dtype=np.float32)
        images[channel] = Image(_scan(table[tissues], recipe, draw), affine)
    return Patient(images, Image((tissues >= _TISSUES.index("tumor")).astype(np.uint8), affine))


def _shipped_recipe() -> Mapping[str, Any]:
    path = resources_folder() / RECIPE
    if not path.is_file():
        raise InputError(f"the recipe {path} is missing", hint="install MedSegEffNet again")
    recipe: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return recipe


def _affine(shape: list[int], spacing: list[float]) -> np.ndarray:
    """Axial slices as scanners store them: x to the left, y to posterior, z to superior, 0 in the middle."""
    affine = np.diag([-spacing[0], -spacing[1], spacing[2], 1.0])
    affine[:3, 3] = -affine[:3, :3] @ ((np.asarray(shape) - 1) / 2)
    return affine


def _positions(shape: list[int], affine: np.ndarray) -> list[np.ndarray]:
    """x, y, z (RAS, mm) of every voxel, ready for broadcasting."""
    axes = [affine[axis, axis] * np.arange(shape[axis]) + affine[axis, 3] for axis in range(3)]
    return list(np.meshgrid(*axes, indexing="ij", sparse=True))


def _tissues(recipe: Mapping[str, Any], place: list[np.ndarray], draw: np.random.Generator) -> np.ndarray:
    """Index of :data:`_TISSUES` for every voxel."""
    shape, spacing = tuple(recipe["shape"]), recipe["spacing"]
    wobble = _smooth_noise(shape, spacing, 16.0, draw)
    semi, center = recipe["head_semi_axes_mm"], recipe["head_center_mm"]

    def inside(margin: float, roughness: float = 0.0) -> np.ndarray:
        radius = sum(((p - c) / (a - margin)) ** 2 for p, c, a in zip(place, center, semi, strict=True))
        return np.sqrt(radius) < 1 + roughness * wobble

    skull, fluid, surface = np.cumsum([recipe["scalp_mm"], recipe["skull_mm"], recipe["csf_mm"]])
    tissues = np.zeros(shape, dtype=np.uint8)
    tissues[inside(0.0, 0.01)] = _TISSUES.index("scalp")
    tissues[inside(skull, 0.01)] = _TISSUES.index("skull")
    tissues[inside(fluid)] = _TISSUES.index("csf")
    brain = inside(surface, 0.015)
    tissues[brain] = _TISSUES.index("white")
    folds = _smooth_noise(shape, spacing, recipe["folds_mm"], draw)
    _add_cortex(tissues, np.abs(folds), brain, inside(surface + recipe["cortex_mm"], 0.03), inside(surface + 3.0, 0.02))
    _add_ventricles(tissues, place, wobble)
    _add_tumor(tissues, recipe["tumor"], place, brain, wobble + 0.8 * folds)
    return tissues


def _add_cortex(
    tissues: np.ndarray, folds: np.ndarray, brain: np.ndarray, deep: np.ndarray, covered: np.ndarray
) -> None:
    """Grey matter on the surface and along the furrows, which are where a smooth random field passes through zero."""
    grey, csf = _TISSUES.index("grey"), _TISSUES.index("csf")
    tissues[brain & ~covered] = grey
    tissues[brain & ~deep & (folds < 0.5)] = grey
    tissues[brain & ~deep & (folds < 0.13)] = csf


def _add_ventricles(tissues: np.ndarray, place: list[np.ndarray], wobble: np.ndarray) -> None:
    """Two lateral ventricles that bend outward to the back, and the gap between the hemispheres."""
    x, y, z = place
    bend = 9.0 + 0.0045 * np.minimum(y - 10, 0) ** 2
    lateral = ((np.abs(x) - bend) / 5.0) ** 2 + (y / 34.0) ** 2 + ((z - 4.0) / 13.0) ** 2
    csf = _TISSUES.index("csf")
    tissues[(lateral < 1 + 0.25 * wobble) & (tissues >= csf)] = csf
    # The gap closes toward an arch, where the bridge between the hemispheres lies, and toward the base of the brain.
    arch = np.sqrt((y / 46.0) ** 2 + ((z + 6.0) / 38.0) ** 2) - 1 + 0.06 * wobble
    width = 1.3 * np.clip(5 * arch, 0, 1) * np.clip((z + 0.7 * np.abs(y) - 22 + 6 * wobble) / 24, 0, 1)
    tissues[(np.abs(x + 0.8 * wobble) < width) & (tissues > csf)] = csf


def _add_tumor(
    tissues: np.ndarray, tumor: Mapping[str, Any], place: list[np.ndarray], brain: np.ndarray, rough: np.ndarray
) -> None:
    distance = np.sqrt(sum((p - c) ** 2 for p, c in zip(place, tumor["center_mm"], strict=True)))
    grown = brain & (distance < tumor["radius_mm"] * (1 + 0.2 * rough))
    tissues[grown] = _TISSUES.index("tumor")
    tissues[grown & (distance < tumor["core_radius_mm"] * (1 + 0.2 * rough))] = _TISSUES.index("core")


def _smooth_noise(shape: tuple[int, ...], spacing: list[float], length: float, draw: np.random.Generator) -> np.ndarray:
    """Gaussian noise of unit variance that varies over ``length`` mm."""
    noise = _blur(draw.standard_normal(shape).astype(np.float32), [length / step for step in spacing])
    normalized: np.ndarray = (noise - noise.mean()) / noise.std()
    return normalized


def _scan(ideal: np.ndarray, recipe: Mapping[str, Any], draw: np.random.Generator) -> np.ndarray:
    """What a scanner makes of it: blur within the slice, a bias field, texture and noise (Rician), 8 bits."""
    spacing = recipe["spacing"]
    image = _blur(ideal, [recipe["blur_mm"] / spacing[0], recipe["blur_mm"] / spacing[1], 0.0])
    image *= 1 + recipe["bias"] * _smooth_noise(image.shape, spacing, 45.0, draw)
    image *= 1 + 0.04 * _smooth_noise(image.shape, spacing, 2.5, draw)
    noisy = np.hypot(image + draw.normal(0, recipe["noise"], image.shape), draw.normal(0, recipe["noise"], image.shape))
    return np.clip(np.round(noisy), 0, 255).astype(np.uint8)


def _blur(image: np.ndarray, sigmas: list[float]) -> np.ndarray:
    """Gaussian blur with ``sigmas`` in voxels along x, y, z; below a third of a voxel there is none."""
    import SimpleITK as sitk

    blurred = sitk.GetImageFromArray(np.ascontiguousarray(image.T))
    for axis, sigma in enumerate(sigmas):
        if sigma > 0.3:
            order = sitk.RecursiveGaussianImageFilter.ZeroOrder
            blurred = sitk.RecursiveGaussian(blurred, float(sigma), False, order, axis)
    result: np.ndarray = sitk.GetArrayFromImage(blurred).T
    return result
