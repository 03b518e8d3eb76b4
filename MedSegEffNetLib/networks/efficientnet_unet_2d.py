"""U-Net decoder with skip connections on an EfficientNet encoder.

The full resolution is reached by a sub-voxel head (pixel shuffle, Shi et al., CVPR 2016, arXiv:1609.05158) instead of a
decoder level: on a CPU that level would cost more than all the others.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from MedSegEffNetLib.networks._efficientnet import EfficientNetEncoder


def build(
    in_channels: int,
    out_channels: int,
    variant: str = "b0",
    decoder_channels: Sequence[int] = (96, 64, 48, 32),
    encoder_weights: str = "none",
    drop_connect: float = 0.2,
    dropout: float = 0.0,
) -> nn.Module:
    """A U-Net on the EfficientNet ``variant`` (``b0`` … ``b7`` or ``lite0``).

    Parameters
    ----------
    decoder_channels : widths of the decoder at strides 16, 8, 4 and 2.
    encoder_weights : ``none``, ``imagenet`` or a file, see :class:`EfficientNetEncoder`.
    drop_connect : stochastic depth of the encoder while training.
    dropout : rate of dropping feature maps before the head while training.

    Returns
    -------
    Module that takes ``(N, in_channels, H, W)`` to logits ``(N, out_channels, H, W)``; H and W are multiples of 32.
    """
    if len(decoder_channels) != 4:
        raise ValueError(f"decoder_channels has {len(decoder_channels)} entries, 4 are needed (strides 16, 8, 4, 2)")
    if not 0 <= drop_connect < 1:
        raise ValueError(f"drop_connect is {drop_connect}, not in 0 … 1")
    encoder = EfficientNetEncoder(variant, in_channels, encoder_weights, drop_connect)
    return EfficientNetUNet2D(encoder, out_channels, tuple(decoder_channels), dropout)


class EfficientNetUNet2D(nn.Module):
    """Encoder → four decoder levels that upsample and join a skip → sub-voxel head."""

    divisor = 32

    def __init__(
        self, encoder: EfficientNetEncoder, out_channels: int, decoder_channels: tuple[int, ...], dropout: float
    ) -> None:
        super().__init__()
        self.encoder = encoder
        *skips, width = encoder.widths
        levels = []
        for skip, next_width in zip(reversed(skips), decoder_channels, strict=True):
            levels.append(_DecoderLevel(width, skip, next_width))
            width = next_width
        self.decoder = nn.ModuleList(levels)
        self.dropout = nn.Dropout2d(dropout)
        self.head = nn.Conv2d(width, 4 * out_channels, kernel_size=3, padding=1)
        self.shuffle = nn.PixelShuffle(2)

    def forward(self, images: Tensor) -> Tensor:
        """Logits ``(N, R, H, W)`` of images ``(N, C, H, W)``."""
        *skips, features = self.encoder(images)
        for level, skip in zip(self.decoder, reversed(skips), strict=True):
            features = level(features, skip)
        return self.shuffle(self.head(self.dropout(features)))  # type: ignore[no-any-return]


class _DecoderLevel(nn.Module):
    """Upsample by 2, join the skip, convolve twice."""

    def __init__(self, in_channels: int, skip_channels: int, out_channels: int) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            _convolution(in_channels + skip_channels, out_channels), _convolution(out_channels, out_channels)
        )

    def forward(self, features: Tensor, skip: Tensor) -> Tensor:
        """Features of twice the height and width, joined with those of the encoder."""
        features = functional.interpolate(features, scale_factor=2.0, mode="nearest")
        return self.convolutions(torch.cat([features, skip], dim=1))  # type: ignore[no-any-return]


def _convolution(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel_size=3, padding=1, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    )
