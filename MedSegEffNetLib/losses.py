"""Losses on logits ``(N, R, …)`` against targets ``(N, R, …)`` of 0 and 1 (one region a channel).

A target below 0 is not known (say, the core of a tumor of which only the whole was drawn): it counts for nothing. One
between 0 and 0.5 is background with noise on it, which concerns the cross-entropy.

Each loss is made of sums over the batch; ``total`` adds them up over all processes that share it (see
:func:`MedSegEffNetLib.training.distributed.total`).

With ``softmax`` outputs the loss functions get all logits, background first, and one-hot targets alike.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor
from torch.nn import functional

from MedSegEffNetLib.errors import InputError

Loss = Callable[..., Tensor]
Total = Callable[[Tensor], Tensor]


def _alone(part: Tensor) -> Tensor:
    return part


def soft_dice(logits: Tensor, targets: Tensor, exclusive: bool = False, total: Total = _alone) -> Tensor:
    """1 − soft Dice, ``2·Σ(t·p) / (Σt² + Σp² + ε)`` over batch and space, averaged over regions.

    Milletari et al., V-Net, 3DV 2016, arXiv:1606.04797. Summing over the batch keeps slices without the region from
    giving a Dice of 0 or 1 by a single pixel. Targets below 0.5 count as 0: noise on the background, summed over the
    millions of voxels of a volume, would outweigh a tumor.
    """
    known = (targets >= 0).to(logits.dtype)
    probabilities = _probabilities(logits, exclusive) * known
    targets = (targets > 0.5).to(logits.dtype)
    axes = (0, *range(2, logits.ndim))
    overlap = total((targets * probabilities).sum(axes))
    size = total(targets.square().sum(axes) + probabilities.square().sum(axes))
    return 1 - ((2 * overlap + 1) / (size + 1)).mean()


def cross_entropy(logits: Tensor, targets: Tensor, exclusive: bool = False, total: Total = _alone) -> Tensor:
    """Binary cross-entropy a region, or cross-entropy over exclusive classes; mean over pixels."""
    if exclusive:
        pixels = total(targets.new_tensor(targets[:, 0].numel()))
        return total(functional.cross_entropy(logits, targets, reduction="sum")) / pixels
    known = (targets >= 0).to(logits.dtype)
    summed = functional.binary_cross_entropy_with_logits(logits, targets.clamp_min(0), known, reduction="sum")
    return total(summed) / total(known.sum()).clamp_min(1)


def mean_squared_error(logits: Tensor, targets: Tensor, exclusive: bool = False, total: Total = _alone) -> Tensor:
    """Mean squared error of the probabilities."""
    known = (targets >= 0).to(logits.dtype)
    squares = ((_probabilities(logits, exclusive) - targets).square() * known).sum()
    return total(squares) / total(known.sum()).clamp_min(1)


def cross_entropy_and_dice(logits: Tensor, targets: Tensor, exclusive: bool = False, total: Total = _alone) -> Tensor:
    """Cross-entropy − soft Dice, written as cross-entropy + (1 − soft Dice) so that it stays positive."""
    return cross_entropy(logits, targets, exclusive, total) + soft_dice(logits, targets, exclusive, total)


LOSSES: dict[str, Loss] = {
    "bce": cross_entropy,
    "soft_dice": soft_dice,
    "mse": mean_squared_error,
    "ce_dice": cross_entropy_and_dice,
}


def get_loss(name: str) -> Loss:
    """The loss called ``name``; an :class:`InputError` lists those there are."""
    if name not in LOSSES:
        raise InputError(f"there is no loss '{name}'", expected="one of " + ", ".join(LOSSES))
    return LOSSES[name]


def _probabilities(logits: Tensor, exclusive: bool) -> Tensor:
    return logits.softmax(dim=1) if exclusive else logits.sigmoid()
