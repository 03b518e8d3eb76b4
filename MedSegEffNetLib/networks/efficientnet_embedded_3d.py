"""A 2D EfficientNet embedded in a 3D network that compresses nothing but the depth.

Inter-slice encoder (3D, height and width stay whole) → an image of three channels → EfficientNet → 2D decoder → inter-slice
decoder → logits. After Messaoudi et al., "Efficient embedding network for 3D brain tumor segmentation", 2020,
arXiv:2011.11052.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from MedSegEffNetLib.geometry import stack_starts
from MedSegEffNetLib.networks._efficientnet import EfficientNetEncoder
from MedSegEffNetLib.networks._inter_slice import Conv3d, DepthShuffle, ResidualBlock, convolution
from MedSegEffNetLib.networks._reconstruction import ReconstructionBranch

IMAGE_CHANNELS = 3  # what an EfficientNet takes, and so the depth that is left at the bottom


@dataclass(frozen=True)
class Schedule:
    """How the depth shrinks.

    Parameters
    ----------
    strides : factor of each step; the network sees ``3 · product`` slices at once.
    widths : channels after each step; the faithful schedule has one more in front, for the full depth.
    full_depth : blocks at the input's depth and joined (concatenated) skips, as published; otherwise the first step is
        the stem, skips are added and the last step up is a sub-voxel head.
    """

    strides: tuple[int, ...]
    widths: tuple[int, ...]
    full_depth: bool

    def __post_init__(self) -> None:
        if not self.strides or min(self.strides) < 2:
            raise ValueError(f"strides are {self.strides}, not numbers of 2 and more")
        if len(self.widths) != len(self.strides) + self.full_depth or any(width % 8 for width in self.widths):
            raise ValueError(
                f"widths are {self.widths}, not {len(self.strides) + self.full_depth} multiples of 8 for {self.strides}"
            )


SCHEDULES = {
    "faithful": Schedule((2, 2, 3, 3), (16, 16, 32, 32, 48), full_depth=True),
    "fast": Schedule((3, 3, 4), (16, 32, 48), full_depth=False),
    "whole": Schedule((5, 5, 2), (16, 32, 64), full_depth=False),
}


def build(
    in_channels: int,
    out_channels: int,
    variant: str = "b0",
    schedule: str = "fast",
    strides: Sequence[int] = (),
    widths: Sequence[int] = (),
    norm: str = "group",
    decoder_channels: Sequence[int] = (96, 64, 48, 32),
    encoder_weights: str = "none",
    drop_connect: float = 0.2,
    reconstruction: bool = False,
    checkpointing: bool = False,
) -> nn.Module:
    """The embedded EfficientNet ``variant`` (``b0`` … ``b7`` or ``lite0``).

    Parameters
    ----------
    schedule : ``faithful``, depth 108 → 54 → 27 → 9 → 3 with blocks at every level; ``fast``, 108 → 36 → 12 → 3; or
        ``whole``, 150 → 30 → 6 → 3, which sees a brain of 1 mm slices at once instead of as two overlapping stacks.
    strides, widths : in place of the schedule's, see :class:`Schedule`.
    norm : of the 3D convolutions and the 2D decoder: ``group`` (as published), ``batch``, or ``weight`` (standardized
        filters, no cost at inference).
    decoder_channels : widths of the 2D decoder at strides 16, 8, 4 and 2.
    encoder_weights : ``none``, ``imagenet`` or a file, see :class:`EfficientNetEncoder`. The statistics of loaded
        weights stay as they are in training: a batch of one volume is one image, too little to learn them from.
    drop_connect : stochastic depth of the EfficientNet while training.
    reconstruction : a variational auto-encoder branch rebuilds the input while training; its loss is
        ``auxiliary_loss`` after a forward pass.
    checkpointing : less memory and more time in training.

    Returns
    -------
    Module that takes ``(N, in_channels, D, H, W)`` of any size to logits ``(N, out_channels, D, H, W)``.
    """
    if schedule not in SCHEDULES:
        raise ValueError(f"schedule is '{schedule}', not one of {', '.join(SCHEDULES)}")
    if len(decoder_channels) != 4:
        raise ValueError(f"decoder_channels has {len(decoder_channels)} entries, 4 are needed (strides 16, 8, 4, 2)")
    chosen = SCHEDULES[schedule]
    plan = Schedule(tuple(strides) or chosen.strides, tuple(widths) or chosen.widths, chosen.full_depth)
    encoder = EfficientNetEncoder(variant, IMAGE_CHANNELS, encoder_weights, drop_connect)
    network = EmbeddedEfficientNet3D(
        encoder, in_channels, out_channels, plan, norm, tuple(decoder_channels), checkpointing
    )
    if reconstruction:
        network.branch = ReconstructionBranch(encoder.widths[-1], in_channels * network.depth)
    return network


class EmbeddedEfficientNet3D(nn.Module):
    """Inter-slice encoder → EfficientNet → 2D decoder → inter-slice decoder.

    Attributes
    ----------
    depth : slices that it sees at once. Fewer are padded; more are seen as overlapping stacks whose logits are averaged.
    divisor : height and width are padded to multiples of it.
    encoder_parts : modules that stay as they are where the decoder alone is trained.
    auxiliary_loss : loss of the reconstruction branch in the last forward pass of a training, else None.
    """

    divisor = 32
    dimensions = 3
    encoder_parts = ("compress", "encoder")

    def __init__(
        self,
        encoder: EfficientNetEncoder,
        in_channels: int,
        out_channels: int,
        plan: Schedule,
        norm: str,
        decoder_channels: tuple[int, ...],
        checkpointing: bool,
    ) -> None:
        super().__init__()
        self.depth = IMAGE_CHANNELS * math.prod(plan.strides)
        self.compress = _InterSliceEncoder(in_channels, plan, norm, checkpointing)
        self.encoder = encoder
        self.decoder = _ImageDecoder(encoder.widths, decoder_channels, plan.widths[-1], norm)
        self.expand = _InterSliceDecoder(out_channels, plan, norm, checkpointing)
        self.branch: ReconstructionBranch | None = None
        self.auxiliary_loss: Tensor | None = None

    def train(self, mode: bool = True) -> EmbeddedEfficientNet3D:
        """Training mode; the statistics of an EfficientNet that did not start at random stay fixed."""
        super().train(mode)
        if self.encoder.start != "random":
            for module in self.encoder.modules():
                if isinstance(module, nn.BatchNorm2d | nn.SyncBatchNorm):
                    module.eval()
        return self

    def forward(self, volumes: Tensor) -> Tensor:
        """Logits ``(N, R, D, H, W)`` of volumes ``(N, C, D, H, W)`` of any size."""
        depth, height, width = (int(length) for length in volumes.shape[2:])
        missing = (-width % self.divisor, -height % self.divisor, max(0, self.depth - depth))
        if any(missing):
            columns, rows, slices = missing
            before = (columns // 2, rows // 2, slices // 2)
            margins = [part for start, whole in zip(before, missing, strict=True) for part in (start, whole - start)]
            logits = self._forward_stacks(functional.pad(volumes, margins, mode="replicate"))
            x, y, z = before
            return logits[:, :, z : z + depth, y : y + height, x : x + width]
        return self._forward_stacks(volumes)

    def _forward_stacks(self, volumes: Tensor) -> Tensor:
        starts = stack_starts(int(volumes.shape[2]), self.depth)
        if len(starts) == 1:
            return self._forward_stack(volumes)
        total, count = None, volumes.new_zeros(volumes.shape[2], 1, 1)
        for start in starts:
            logits = self._forward_stack(volumes[:, :, start : start + self.depth])
            if total is None:
                total = logits.new_zeros(*logits.shape[:2], *volumes.shape[2:])
            total[:, :, start : start + self.depth] += logits
            count[start : start + self.depth] += 1
        return total / count

    def _forward_stack(self, volumes: Tensor) -> Tensor:
        image, features, skips = self.compress(volumes)
        levels = self.encoder(image)
        self.auxiliary_loss = None
        if self.branch is not None and self.training:
            self.auxiliary_loss = self.branch(levels[-1], volumes)
        return self.expand(features + self.decoder(levels), skips)  # type: ignore[no-any-return]


class _InterSliceEncoder(nn.Module):
    """To an image ``(N, 3, H, W)``, the features ``(N, C, 3, H, W)`` it is made from, and the levels before."""

    def __init__(self, in_channels: int, plan: Schedule, norm: str, checkpointing: bool) -> None:
        super().__init__()
        widths = plan.widths
        steps, blocks = [], []
        previous = in_channels
        if plan.full_depth:
            steps.append(convolution(previous, widths[0], (3, 3, 3), norm))
            previous, widths = widths[0], widths[1:]
        for number, (stride, width) in enumerate(zip(plan.strides, widths, strict=True)):
            plane = (3, 3) if number == 0 and not plan.full_depth else (1, 1)
            kernel = (stride, *plane)
            steps.append(_step_down(previous, width, kernel, stride, norm))
            previous = width
        for width in plan.widths:
            blocks.append(ResidualBlock(width, norm, checkpointing))
        self.steps, self.blocks = nn.ModuleList(steps), nn.ModuleList(blocks)
        self.to_image = Conv3d(previous, 1, kernel_size=1)

    def forward(self, volumes: Tensor) -> tuple[Tensor, Tensor, list[Tensor]]:
        """The image ``(N, 3, H, W)``, the deepest features, and those of each level for the skips."""
        features, levels = volumes, []
        for step, block in zip(self.steps, self.blocks, strict=True):
            features = block(step(features))
            levels.append(features)
        return self.to_image(features).squeeze(1), features, levels[:-1]


def _step_down(
    in_channels: int, out_channels: int, kernel: tuple[int, int, int], stride: int, norm: str
) -> nn.Sequential:
    step = convolution(in_channels, out_channels, kernel, norm, stride=(stride, 1, 1))
    step[0].padding = (0, kernel[1] // 2, kernel[2] // 2)  # type: ignore[assignment]
    return step


class _ImageDecoder(nn.Module):
    """U-Net decoder of the image's features; a sub-voxel head makes ``(N, out_channels, 3, H, W)`` of them."""

    def __init__(self, skips: Sequence[int], widths: tuple[int, ...], out_channels: int, norm: str) -> None:
        super().__init__()
        *skips, width = skips
        levels = []
        for skip, next_width in zip(reversed(skips), widths, strict=True):
            levels.append(
                nn.Sequential(
                    convolution(width + skip, next_width, (1, 3, 3), norm),
                    convolution(next_width, next_width, (1, 3, 3), norm),
                )
            )
            width = next_width
        self.levels = nn.ModuleList(levels)
        self.head = nn.Conv2d(width, 4 * IMAGE_CHANNELS * out_channels, kernel_size=1)
        self.shuffle = nn.PixelShuffle(2)

    def forward(self, features: list[Tensor]) -> Tensor:
        """``(N, out_channels, 3, H, W)`` from the EfficientNet's features, the largest first."""
        *skips, image = features
        for level, skip in zip(self.levels, reversed(skips), strict=True):
            image = functional.interpolate(image, scale_factor=2.0, mode="nearest")
            image = level(torch.cat([image, skip], dim=1).unsqueeze(2)).squeeze(2)
        return self.shuffle(self.head(image)).unflatten(1, (-1, IMAGE_CHANNELS))  # type: ignore[no-any-return]


class _InterSliceDecoder(nn.Module):
    """Back to the input's depth, with the skips of the encoder."""

    def __init__(self, out_channels: int, plan: Schedule, norm: str, checkpointing: bool) -> None:
        super().__init__()
        self.joined = plan.full_depth
        self.first = ResidualBlock(plan.widths[-1], norm, checkpointing)
        inner = plan.strides if plan.full_depth else plan.strides[1:]
        levels = list(zip(plan.widths[:-1], plan.widths[1:], inner, strict=True))[::-1]
        # A convolution of one voxel before the repetition along the depth does what it would do after it, for less.
        self.narrow = nn.ModuleList(convolution(deep, width, (1, 1, 1), norm) for width, deep, _ in levels)
        self.repeat = [stride for _, _, stride in levels]
        self.join = nn.ModuleList(
            convolution(2 * width, width, (1, 1, 1), norm) if self.joined else nn.Identity() for width, _, _ in levels
        )
        self.blocks = nn.ModuleList(ResidualBlock(width, norm, checkpointing) for width, _, _ in levels)
        factor = 1 if plan.full_depth else plan.strides[0]
        self.head = Conv3d(plan.widths[0], out_channels * factor, kernel_size=1)
        self.shuffle = DepthShuffle(factor) if factor > 1 else nn.Identity()

    def forward(self, features: Tensor, skips: list[Tensor]) -> Tensor:
        """Logits of the full depth from the 2D decoder's features and the inter-slice encoder's levels."""
        features = self.first(features)
        for number, skip in enumerate(reversed(skips)):
            features = self.narrow[number](features)
            features = functional.interpolate(features, scale_factor=(float(self.repeat[number]), 1.0, 1.0))
            features = self.join[number](torch.cat([features, skip], dim=1)) if self.joined else features + skip
            features = self.blocks[number](features)
        return self.shuffle(self.head(features))  # type: ignore[no-any-return]
