"""A variational auto-encoder branch that rebuilds a network's input, as a regularization of its encoder.

After Myronenko, "3D MRI brain tumor segmentation using autoencoder regularization", BrainLes 2018, arXiv:1810.11654.
"""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn
from torch.nn import functional

_LATENT = 16
_WEIGHT = 0.1  # of both terms, as published


class ReconstructionBranch(nn.Module):
    """From the deepest features of an image encoder (stride 32) to the input at a quarter of its height and width.

    Parameters
    ----------
    in_channels : of the features.
    slices : channels times depth of the input, which become the channels of the rebuilt image.
    """

    def __init__(self, in_channels: int, slices: int) -> None:
        super().__init__()
        self.distribution = nn.Conv2d(in_channels, 2 * _LATENT, kernel_size=1)
        widths = (_LATENT, 64, 64, 64)
        layers: list[nn.Module] = []
        for width, next_width in itertools.pairwise(widths):
            layers += [
                nn.Upsample(scale_factor=2.0),
                nn.Conv2d(width, next_width, kernel_size=3, padding=1),
                nn.GroupNorm(8, next_width),
                nn.ReLU(inplace=True),
            ]
        self.rebuild = nn.Sequential(*layers, nn.Conv2d(widths[-1], slices, kernel_size=3, padding=1))

    def forward(self, features: Tensor, volumes: Tensor) -> Tensor:
        """The weighted loss: squared error of the rebuilt input, and the divergence of the latent code from a normal."""
        mean, log_variance = self.distribution(features).float().chunk(2, dim=1)
        log_variance = log_variance.clamp(-10, 10)
        code = mean + torch.randn_like(mean) * (0.5 * log_variance).exp()
        rebuilt = self.rebuild(code)
        target = functional.avg_pool2d(volumes.flatten(1, 2), 4)
        divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).mean()
        return _WEIGHT * (functional.mse_loss(rebuilt.float(), target.float()) + divergence)
