"""Random changes of training slices or volumes, a whole batch at once.

Rotation, zoom, shift, flips and the cut to the patch are one affine grid, so each picture is interpolated once. All
slices of a volume are moved alike.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class Augmentation:
    """How far the random changes go; 0 switches one off.

    Parameters
    ----------
    rotation_degrees : largest rotation to either side.
    zoom : largest relative change of size, e.g. 0.15 for 85 % … 115 %.
    shift : largest shift as a fraction of the patch.
    flip_left_right, flip_up_down : probabilities.
    intensity : largest relative change of each channel's contrast, and shift in standard deviations.
    gamma : largest change of the exponent, e.g. 0.3 for 0.7 … 1/0.7.
    noise : largest standard deviation of added Gaussian noise.
    bias_field : largest amplitude of a smooth multiplicative field.
    blur : probability of losing resolution (half, then back); volumes lose it along the depth, as thick slices do.
    """

    rotation_degrees: float = 0.0
    zoom: float = 0.0
    shift: float = 0.0
    flip_left_right: float = 0.0
    flip_up_down: float = 0.0
    intensity: float = 0.0
    gamma: float = 0.0
    noise: float = 0.0
    bias_field: float = 0.0
    blur: float = 0.0

    def __post_init__(self) -> None:
        for setting in fields(self):
            if getattr(self, setting.name) < 0:
                raise ValueError(f"augmentation {setting.name} is {getattr(self, setting.name)}, not 0 or more")
        for name in ("zoom", "gamma"):
            if getattr(self, name) >= 1:
                raise ValueError(f"augmentation {name} is {getattr(self, name)}, not below 1")

    @classmethod
    def from_mapping(cls, settings: Mapping[str, Any]) -> Augmentation:
        """From a recipe's ``augmentation``; ``ValueError`` names a setting that does not exist."""
        unknown = set(settings) - {setting.name for setting in fields(cls)}
        if unknown:
            raise ValueError(f"augmentation has no setting {', '.join(sorted(unknown))}")
        return cls(**settings)


def augment(
    images: Tensor, targets: Tensor, settings: Augmentation, size: tuple[int, int], generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Changed copies of a batch, cut to ``size`` (height, width).

    Parameters
    ----------
    images : ``(N, C, H, W)`` or ``(N, C, D, H, W)``, normalized.
    targets : ``(N, R, …)`` of 0, 1 and -1 (not known), moved along with the images.
    """
    grid = _grid(images, settings, size, generator)
    images = _sample(images, grid, "bilinear", "border")
    if (targets < 0).any():  # a mean of 1 and "not known" would be 0
        targets = _sample(targets, grid, "nearest", "zeros")
    else:
        targets = (_sample(targets, grid, "bilinear", "zeros") > 0.5).to(images.dtype)
    return _change_intensities(images, settings, generator), targets


def cut(images: Tensor, targets: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """The central ``size`` of a batch, padded by edge values where the pictures are smaller."""
    grid = _grid(images, Augmentation(), size, torch.Generator())
    return _sample(images, grid, "nearest", "border"), _sample(targets, grid, "nearest", "zeros")


def _sample(pictures: Tensor, grid: Tensor, mode: str, outside: str) -> Tensor:
    """``(N, C, …, H, W)`` at the points of ``grid`` ``(N, h, w, 2)``, the same ones in every slice."""
    flat = pictures.flatten(1, -3)
    moved = functional.grid_sample(flat, grid, mode=mode, padding_mode=outside, align_corners=False)
    return moved.unflatten(1, pictures.shape[1:-2])


def _uniform(count: int, limit: float, generator: torch.Generator) -> Tensor:
    return (torch.rand(count, generator=generator) * 2 - 1) * limit


def _grid(images: Tensor, settings: Augmentation, size: tuple[int, int], generator: torch.Generator) -> Tensor:
    count, height, width = images.shape[0], images.shape[-2], images.shape[-1]
    angle = _uniform(count, math.radians(settings.rotation_degrees), generator)
    scale = 1 / (1 + _uniform(count, settings.zoom, generator))
    flip_x = torch.where(torch.rand(count, generator=generator) < settings.flip_left_right, -1.0, 1.0)
    flip_y = torch.where(torch.rand(count, generator=generator) < settings.flip_up_down, -1.0, 1.0)
    # A patch lies anywhere in the picture: beyond the shift asked for, by as much as it is smaller.
    free = [max(0.0, 1 - part / whole) for part, whole in zip(size, (height, width), strict=True)]
    shift_y = _uniform(count, settings.shift * size[0] / height + (free[0] if settings.shift else 0), generator)
    shift_x = _uniform(count, settings.shift * size[1] / width + (free[1] if settings.shift else 0), generator)
    rows, columns = size[0] / height, size[1] / width
    aspect = height / width
    theta = torch.zeros(count, 2, 3)
    theta[:, 0, 0] = torch.cos(angle) * scale * flip_x * columns
    theta[:, 0, 1] = -torch.sin(angle) * scale * flip_y * rows * aspect
    theta[:, 1, 0] = torch.sin(angle) * scale * flip_x * columns / aspect
    theta[:, 1, 1] = torch.cos(angle) * scale * flip_y * rows
    theta[:, 0, 2] = shift_x
    theta[:, 1, 2] = shift_y
    return functional.affine_grid(theta, [count, 1, *size], align_corners=False).to(images)


def _change_intensities(images: Tensor, settings: Augmentation, generator: torch.Generator) -> Tensor:
    count, channels = images.shape[:2]
    lengths = list(images.shape[2:])
    space = tuple(range(2, images.ndim))

    def per_channel(limit: float) -> Tensor:
        return _uniform(count * channels, limit, generator).view(count, channels, *(1 for _ in space)).to(images)

    if settings.gamma:
        low, high = images.amin(space, keepdim=True), images.amax(space, keepdim=True)
        exponent = (1 - settings.gamma) ** per_channel(1.0)
        span = (high - low).clamp_min(1e-6)
        images = ((images - low) / span).clamp_min(1e-6) ** exponent * span + low
    if settings.intensity:
        images = images * (1 + per_channel(settings.intensity)) + per_channel(settings.intensity)
    if settings.bias_field:
        coarse = _uniform(count * 4 ** len(space), settings.bias_field, generator).view(count, 1, *(4 for _ in space))
        smooth = "bicubic" if len(space) == 2 else "trilinear"
        field = functional.interpolate(coarse, lengths, mode=smooth, align_corners=False)
        darkest = images.amin(space, keepdim=True)  # black, which a field leaves black
        images = (images - darkest) * (1 + field.to(images)) + darkest
    if settings.noise:
        level = per_channel(settings.noise).abs()
        images = images + torch.randn(images.shape, generator=generator).to(images) * level
    if settings.blur:
        chosen = torch.rand(count, generator=generator) < settings.blur
        if chosen.any():
            images[chosen] = _lose_resolution(images[chosen], lengths)
    return images


def _lose_resolution(images: Tensor, lengths: list[int]) -> Tensor:
    if len(lengths) == 2:
        small = functional.avg_pool2d(images, 2)
        return functional.interpolate(small, lengths, mode="bilinear", align_corners=False)
    small = functional.avg_pool3d(images, (4, 1, 1), ceil_mode=True)
    return functional.interpolate(small, lengths, mode="trilinear", align_corners=False)
