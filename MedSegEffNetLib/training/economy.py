"""What a training does when memory runs out: a step down a ladder, each of which costs a little more than the one before."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torch import nn

_SHARES = (0.75, 0.5)  # of a patch's sides


@dataclass(frozen=True)
class Economy:
    """How far down the ladder a training is; kept in its checkpoints.

    Parameters
    ----------
    checkpointing : feature maps are computed again on the way back instead of being kept.
    share : of height and width of the patches that the recipe asks for.
    parts : that a batch is learnt from in, one after the other; the gradients add up.
    validation_parts : the same for the batches of a validation.
    """

    checkpointing: bool = False
    share: float = 1.0
    parts: int = 1
    validation_parts: int = 1

    def as_mapping(self) -> dict[str, Any]:
        """Ready for a checkpoint."""
        return asdict(self)

    def smaller(self, network: nn.Module, size: tuple[int, int], batch_size: int) -> tuple[Economy, str] | None:
        """The next step down and how to tell it, or None at the end of the ladder.

        ``size`` is height and width of the patches that the recipe asks for, in multiples of the network's divisor.
        """
        return next(self._steps(network, size, batch_size), None)

    def _steps(self, network: nn.Module, size: tuple[int, int], batch_size: int) -> Iterator[tuple[Economy, str]]:
        if not self.checkpointing and _switches(network):
            yield replace(self, checkpointing=True), "feature maps are computed again instead of being kept (slower)"
        for share in _SHARES:
            patch = shrink(size, share, network)
            if share < self.share and patch != shrink(size, self.share, network):
                yield replace(self, share=share), f"patches are {patch[0]} × {patch[1]} pixels now"
            if self.parts < batch_size:
                parts = min(2 * self.parts, batch_size)
                text = f"a batch of {batch_size} is learnt from in {parts} parts, whose gradients add up"
                yield replace(self, parts=parts), text

    def apply(self, network: nn.Module) -> None:
        """Switch on in ``network`` what can be switched on there."""
        if self.checkpointing:
            for module in _switches(network):
                module.checkpointing = True  # type: ignore[assignment]


def shrink(size: tuple[int, int], share: float, network: nn.Module) -> tuple[int, int]:
    """``share`` of height and width, no less than the network's divisor and in multiples of it."""
    divisor = int(network.divisor)  # type: ignore[arg-type]
    height, width = (min(side, max(divisor, round(side * share / divisor) * divisor)) for side in size)
    return height, width


def release() -> None:
    """Give back what a failed step held."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _switches(network: nn.Module) -> list[nn.Module]:
    """The modules that can compute feature maps again and do not yet."""
    return [module for module in network.modules() if getattr(module, "checkpointing", None) is False]
