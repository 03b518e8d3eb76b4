"""2D U-Net (Ronneberger, Fischer, Brox: U-Net, MICCAI 2015, arXiv:1505.04597) with "same" padding.

``channels`` sets the variant: ``(32, 64, 128, 256, 512)`` is the lung CT network, ``(16, 32, 64, 128, 256)`` with
``batch_norm`` and ``dropout`` the one for tumor slices, ``(64, 128, 256, 512, 1024)`` the classic one.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


def build(
    in_channels: int,
    out_channels: int,
    channels: Sequence[int] = (32, 64, 128, 256, 512),
    batch_norm: bool = False,
    dropout: float = 0.0,
) -> nn.Module:
    """A U-Net whose level ``n`` has ``channels[n]`` filters; the last entry is the bottleneck.

    Parameters
    ----------
    batch_norm : normalize after each convolution.
    dropout : rate of dropping feature maps after each level, on the way down and up.

    Returns
    -------
    Module that takes ``(N, in_channels, H, W)`` to logits ``(N, out_channels, H, W)``; H and W are multiples of
    ``2 ** (len(channels) - 1)``.
    """
    if len(channels) < 2:
        raise ValueError(f"channels has {len(channels)} entries, at least 2 are needed")
    return UNet2D(in_channels, out_channels, tuple(channels), batch_norm, dropout)


class UNet2D(nn.Module):
    """Encoder of convolution pairs and max pooling, decoder of transposed convolutions with concatenated skips."""

    def __init__(
        self, in_channels: int, out_channels: int, channels: tuple[int, ...], batch_norm: bool, dropout: float
    ) -> None:
        super().__init__()
        self.divisor = 2 ** (len(channels) - 1)
        widths = (in_channels, *channels)
        self.encoder = nn.ModuleList(
            _double_convolution(widths[level], widths[level + 1], batch_norm) for level in range(len(channels))
        )
        self.upsample = nn.ModuleList(
            nn.ConvTranspose2d(channels[level + 1], channels[level], kernel_size=2, stride=2)
            for level in reversed(range(len(channels) - 1))
        )
        self.decoder = nn.ModuleList(
            _double_convolution(2 * channels[level], channels[level], batch_norm)
            for level in reversed(range(len(channels) - 1))
        )
        self.pool = nn.MaxPool2d(2)
        self.dropout = nn.Dropout2d(dropout)
        self.head = nn.Conv2d(channels[0], out_channels, kernel_size=1)

    def forward(self, images: Tensor) -> Tensor:
        """Logits ``(N, R, H, W)`` of images ``(N, C, H, W)``."""
        features = images
        skips: list[Tensor] = []
        for level, block in enumerate(self.encoder):
            features = block(features if level == 0 else self.dropout(self.pool(features)))
            skips.append(features)
        skips.pop()
        for upsample, block in zip(self.upsample, self.decoder, strict=True):
            features = self.dropout(torch.cat([upsample(features), skips.pop()], dim=1))
            features = block(features)
        return self.head(features)  # type: ignore[no-any-return]


def _double_convolution(in_channels: int, out_channels: int, batch_norm: bool) -> nn.Sequential:
    layers: list[nn.Module] = []
    for width in (in_channels, out_channels):
        layers.append(nn.Conv2d(width, out_channels, kernel_size=3, padding=1))
        if batch_norm:
            layers.append(nn.BatchNorm2d(out_channels))
        layers.append(nn.ReLU(inplace=True))
    return nn.Sequential(*layers)
