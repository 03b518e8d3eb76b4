"""What a training counts while it learns and validates: hits and misses of each region, and the scores made of them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor


def predicted(logits: Tensor, exclusive: bool) -> Tensor:
    """What the logits ``(N, R, …)`` say, as bool ``(N, R, …)``; of exclusive classes the likeliest."""
    if exclusive:
        empty = torch.zeros_like(logits, dtype=torch.bool)
        return empty.scatter_(1, logits.argmax(1, keepdim=True), True)
    return logits > 0


def count(found: Tensor, targets: Tensor, exclusive: bool) -> np.ndarray:
    """True positives, false positives, false negatives and true negatives a region, ``(4, R)``; background is none.

    ``found`` is what :func:`predicted` gives, ``targets`` ``(N, R, …)`` of 0, 1 and -1 (not known, not counted).
    """
    true, false = targets > 0.5, (targets >= 0) & (targets <= 0.5)
    axes = (0, *range(2, targets.ndim))
    hits, alarms = (found & true).sum(axes), (found & false).sum(axes)
    misses, rest = (~found & true).sum(axes), (~found & false).sum(axes)
    return torch.stack([hits, alarms, misses, rest])[:, int(exclusive) :].cpu().numpy()


def dice(counts: np.ndarray) -> np.ndarray:
    """Dice of each region, ``(R,)``; 1 where there is nothing and nothing was found."""
    hits, alarms, misses, _ = counts
    found = 2 * hits + alarms + misses
    return np.where(found == 0, 1.0, 2 * hits / np.maximum(found, 1))


def means(counts: np.ndarray) -> dict[str, float]:
    """Dice, IoU and accuracy, each the mean over the regions of ``counts`` ``(4, R)``."""
    hits, alarms, misses, rest = counts
    union = hits + alarms + misses
    iou = np.where(union == 0, 1.0, hits / np.maximum(union, 1))
    accuracy = (hits + rest) / (union + rest)
    return {"dice": float(dice(counts).mean()), "iou": float(iou.mean()), "accuracy": float(accuracy.mean())}


def score(row: Mapping[str, float], monitor: str) -> float:
    """How good an epoch was: the greater, the better. Where no validation case tells the figure, the loss decides."""
    if monitor == "epoch":
        return row["epoch"]
    return row.get(f"val_{monitor}", -row["val_loss"]) if monitor != "loss" else -row["val_loss"]
