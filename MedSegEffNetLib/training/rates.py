"""Optimizers by name, and the learning rate over the epochs."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import nn

from MedSegEffNetLib.training.config import Recipe


def make_optimizer(network: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """The recipe's optimizer for all parameters of the network that learn."""
    builders: dict[str, Callable[..., torch.optim.Optimizer]] = {
        "adam": torch.optim.Adam,
        "adamw": torch.optim.AdamW,
        "sgd": lambda parameters, **rest: torch.optim.SGD(parameters, momentum=0.9, nesterov=True, **rest),
    }
    learning = [parameter for parameter in network.parameters() if parameter.requires_grad]
    return builders[recipe.optimizer](learning, lr=recipe.learning_rate, weight_decay=recipe.weight_decay)


def rate_at(recipe: Recipe, epoch: float, factor: float) -> float:
    """The learning rate at ``epoch`` (whole and part); ``factor`` is what the plateaus so far have made of it."""
    if recipe.schedule == "cosine":
        factor = 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, epoch / recipe.epochs)))
    elif recipe.schedule == "step":
        factor = recipe.decay ** (int(epoch) // recipe.patience)
    if epoch < recipe.warmup:
        factor *= max(epoch, 1e-3) / recipe.warmup
    return recipe.learning_rate * factor
