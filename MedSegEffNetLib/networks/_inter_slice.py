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


def convolve(features: Tensor, layer: nn.Conv3d, weight: Tensor) -> Tensor:
    """``layer`` on ``(N, C, D, H, W)`` with ``weight`` in place of its own.

    Under autocast on a CPU it goes by slices: torch's 3D convolution in bfloat16 is slow there, and its way back ends the
    process on some machines.
    """
    if features.device.type == "cpu" and torch.is_autocast_enabled("cpu"):
        return convolve_slices(features, layer, weight)
    return functional.conv3d(features, weight, layer.bias, layer.stride, layer.padding)  # type: ignore[arg-type]


def convolve_slices(features: Tensor, layer: nn.Conv3d, weight: Tensor) -> Tensor:
    """The same as a 2D convolution of each slice, to which its neighbors are joined as further channels."""
    taps, step, margin = weight.shape[2], layer.stride[0], int(layer.padding[0])
    slices = features.movedim(1, -1)  # (N, D, H, W, C): the order in memory that 2D convolutions like best
    if (taps, margin) == (step, 0):
        slices = slices.unflatten(1, (-1, taps)).movedim(2, 4).flatten(4)
    else:
        slices = functional.pad(slices, (0, 0, 0, 0, 0, 0, margin, margin))
        reach = slices.shape[1] - taps + 1
        slices = torch.cat([slices[:, tap : tap + reach : step] for tap in range(taps)], dim=4)
    pictures, filters = slices.flatten(0, 1).movedim(-1, 1), weight.transpose(1, 2).flatten(1, 2)
    plane = [int(length) for length in layer.padding[1:]]
    convolved = functional.conv2d(pictures, filters, layer.bias, layer.stride[1:], plane)
    return convolved.unflatten(0, slices.shape[:2]).transpose(1, 2)


class Conv3d(nn.Conv3d):
    """A 3D convolution that can be trained in bfloat16 on a CPU too."""

    def forward(self, features: Tensor) -> Tensor:
        """The convolution of ``(N, C, D, H, W)``."""
        return convolve(features, self, self.weight)


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
        return convolve(features, self, weight)


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
        layers = [Conv3d(in_channels, out_channels, kernel, stride, padding, bias=False), normalization]
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
