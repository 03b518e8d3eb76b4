"""Building blocks of networks that change the depth of a volume and keep its height and width.

Everything takes ``(N, C, D, H, W)`` (or ``(N, C, H, W)`` where ``dimensions`` is 2).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

NORMS = ("group", "batch", "weight")
_GROUPS = 8
# Keeps the variance through a ReLU: Brock et al., ICLR 2021, arXiv:2101.08692, section 4.1.
_RELU_GAIN = math.sqrt(2 / (1 - 1 / math.pi))


class StandardizedConv3d(nn.Conv3d):
    """A convolution whose filters have zero mean and a fixed variance, in place of a normalization of its output.

    At inference the filters are constants, so that it costs no more than the convolution itself. Qiao et al.,
    arXiv:1903.10520; scaled as in Brock et al., arXiv:2101.08692.
    """

    def __init__(self, *arguments: int | tuple[int, ...], **settings: int | tuple[int, ...] | bool) -> None:
        super().__init__(*arguments, **settings)  # type: ignore[arg-type]
        self.gain = nn.Parameter(torch.ones(self.out_channels))

    def forward(self, features: Tensor) -> Tensor:
        """The convolution of ``(N, C, D, H, W)`` with standardized filters."""
        weight = self.weight.flatten(1)
        variance, mean = torch.var_mean(weight, dim=1, keepdim=True, correction=0)
        scale = torch.rsqrt(variance * weight.shape[1] + 1e-4) * self.gain[:, None]
        weight = ((weight - mean) * scale).view_as(self.weight)
        return functional.conv3d(features, weight, self.bias, self.stride, self.padding)


def convolution(
    in_channels: int,
    out_channels: int,
    kernel: tuple[int, int, int],
    norm: str,
    stride: tuple[int, int, int] = (1, 1, 1),
    relu: bool = True,
) -> nn.Sequential:
    """A 3D convolution with its normalization (one of :data:`NORMS`) and a ReLU; padded where it keeps the size."""
    padding = tuple(length // 2 if step == 1 else 0 for length, step in zip(kernel, stride, strict=True))
    if norm == "weight":
        layers: list[nn.Module] = [
            StandardizedConv3d(in_channels, out_channels, kernel, stride=stride, padding=padding)
        ]
    elif norm in NORMS:
        normalization = nn.GroupNorm(_GROUPS, out_channels) if norm == "group" else nn.BatchNorm3d(out_channels)
        layers = [nn.Conv3d(in_channels, out_channels, kernel, stride, padding, bias=False), normalization]
    else:
        raise ValueError(f"norm is '{norm}', not one of {', '.join(NORMS)}")
    return nn.Sequential(*layers, nn.ReLU(inplace=True)) if relu else nn.Sequential(*layers)


class ResidualBlock(nn.Module):
    """Two convolutions of 3×3×3 with an identity skip.

    Parameters
    ----------
    channels : of input and output.
    norm : one of :data:`NORMS`. With ``weight`` the change starts at half its strength, which is learnt (after SkipInit:
        De, Smith, NeurIPS 2020, arXiv:2002.10444, who start very deep networks at 0; here that only delays learning).
    checkpointing : compute the features again on the way back instead of keeping them (half the memory, a third more
        time).
    """

    def __init__(self, channels: int, norm: str, checkpointing: bool = False) -> None:
        super().__init__()
        self.checkpointing = checkpointing
        self.convolutions = nn.Sequential(
            convolution(channels, channels, (3, 3, 3), norm),
            convolution(channels, channels, (3, 3, 3), norm, relu=False),
        )
        self.strength = nn.Parameter(torch.tensor(0.5)) if norm == "weight" else None

    def forward(self, features: Tensor) -> Tensor:
        """Features ``(N, C, D, H, W)``, of the same depth, height and width."""
        if self.checkpointing and self.training and torch.is_grad_enabled():
            return checkpoint(self._forward, features, use_reentrant=False)  # type: ignore[no-any-return]
        return self._forward(features)

    def _forward(self, features: Tensor) -> Tensor:
        change = self.convolutions(features)
        if self.strength is not None:
            change = change * (self.strength * _RELU_GAIN)
        return functional.relu(features + change)


class DepthShuffle(nn.Module):
    """``(N, C·factor, D, H, W)`` to ``(N, C, D·factor, H, W)``: the sub-voxel convolution of Shi et al. along the depth."""

    def __init__(self, factor: int) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, features: Tensor) -> Tensor:
        """``(N, C · factor, D, H, W)`` as ``(N, C, D · factor, H, W)``."""
        return features.unflatten(1, (-1, self.factor)).permute(0, 1, 3, 2, 4, 5).flatten(2, 3)
