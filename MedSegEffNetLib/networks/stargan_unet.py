"""Generator and discriminator that make a missing sequence from those at hand, all targets with one pair of networks.

The generator is a U-Net (Ronneberger et al., MICCAI 2015, arXiv:1505.04597) that is told by planes of ones which
channels it is given and which one is wanted; the discriminator judges patches and names the channel (StarGAN: Choi et
al., CVPR 2018, arXiv:1711.09020; for MRI: Dai et al., Medical Physics 47, 2020).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

# Background is marked far below all tissue (-9); seen as it is, it would outweigh the tissue in the normalization.
FLOOR = -4.0


def build(
    in_channels: int, out_channels: int = 1, channels: Sequence[int] = (32, 64, 128, 256, 256), blocks: int = 2
) -> nn.Module:
    """The generator.

    Parameters
    ----------
    in_channels : planes of :class:`MedSegEffNetLib.synthesis.planes.Planes`.
    channels : filters of each level; the last entry is the bottleneck.
    blocks : residual blocks in the bottleneck.

    Returns
    -------
    Module that takes ``(N, in_channels, H, W)`` to pictures ``(N, out_channels, H, W)`` in normalized units; H and W are
    multiples of ``2 ** (len(channels) - 1)``.
    """
    if len(channels) < 2 or blocks < 0:
        raise ValueError(f"{len(channels)} levels and {blocks} blocks: at least 2 and 0 are needed")
    return Generator(in_channels, out_channels, tuple(channels), blocks)


class Generator(nn.Module):
    """Encoder of convolution pairs, the second one of each level but the first with stride 2; decoder that doubles the size."""

    def __init__(self, in_channels: int, out_channels: int, channels: tuple[int, ...], blocks: int) -> None:
        super().__init__()
        self.divisor = 2 ** (len(channels) - 1)
        widths = (in_channels, *channels)
        self.encoder = nn.ModuleList(
            nn.Sequential(
                _convolution(widths[level], widths[level + 1], stride=1 if level == 0 else 2),
                _convolution(widths[level + 1], widths[level + 1]),
            )
            for level in range(len(channels))
        )
        self.bottleneck = nn.Sequential(*(_Residual(channels[-1]) for _ in range(blocks)))
        self.decoder = nn.ModuleList(
            nn.Sequential(
                _convolution(channels[level + 1] + channels[level], channels[level]),
                _convolution(channels[level], channels[level]),
            )
            for level in reversed(range(len(channels) - 1))
        )
        # Doubling and then convolving leaves no checkerboard, as transposed convolutions do (Odena et al., Distill 2016).
        self.upsample = nn.Upsample(scale_factor=2, mode="nearest")
        self.head = nn.Conv2d(channels[0], out_channels, kernel_size=3, padding=1)

    def forward(self, planes: Tensor) -> Tensor:
        """Pictures ``(N, out_channels, H, W)`` of planes ``(N, in_channels, H, W)``."""
        features = planes.clamp(min=FLOOR)
        skips: list[Tensor] = []
        for block in self.encoder:
            features = block(features)
            skips.append(features)
        features = self.bottleneck(skips.pop())
        for block in self.decoder:
            features = block(torch.cat([self.upsample(features), skips.pop()], dim=1))
        return self.head(features)  # type: ignore[no-any-return]


class Discriminator(nn.Module):
    """Judges pictures patch by patch, and says which channel they are.

    Parameters
    ----------
    domains : number of channels to tell apart.
    channels : filters of each convolution, of which each halves the size. There is no normalization: the gradient penalty
        is one of each picture alone (Gulrajani et al., NIPS 2017, arXiv:1704.00028).
    """

    def __init__(self, domains: int, channels: Sequence[int] = (32, 64, 128, 256, 256)) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 1
        for width in channels:
            layers += [nn.Conv2d(before, width, kernel_size=4, stride=2, padding=1), nn.LeakyReLU(0.01)]
            before = width
        self.trunk = nn.Sequential(*layers)
        self.realness = nn.Conv2d(before, 1, kernel_size=3, padding=1)
        self.domain = nn.Conv2d(before, domains, kernel_size=3, padding=1)

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """How real each patch is ``(N, 1, h, w)``, and logits of the channels ``(N, domains)``.

        ``pictures`` ``(N, 1, H, W)`` in normalized units; h and w are H and W over 2 to the number of convolutions.
        """
        features = self.trunk(pictures.clamp(min=FLOOR))
        return self.realness(features), self.domain(features).mean(dim=(2, 3))


class _Residual(nn.Module):
    """What two convolutions add to their input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = _convolution(channels, channels)
        self.second = nn.Conv2d(channels, channels, kernel_size=3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, features: Tensor) -> Tensor:
        return features + self.norm(self.second(self.first(features)))  # type: ignore[no-any-return]


def _convolution(in_channels: int, out_channels: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel_size=3, stride=stride, padding=1, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    )
