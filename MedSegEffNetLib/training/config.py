"""The settings of a training, as a frozen dataclass that validates itself."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from MedSegEffNetLib.training.settings import Settings, check_number

if TYPE_CHECKING:
    from MedSegEffNetLib.task import SegmentationTask

# The settings of MedSegEffNetLib.augmentation.Augmentation, which needs torch; a test holds them together.
AUGMENTATIONS = {
    *("rotation_degrees", "zoom", "shift", "flip_left_right", "flip_up_down"),
    *("intensity", "gamma", "noise", "bias_field", "blur"),
}
CHOICES = {
    "optimizer": ("adam", "adamw", "sgd"),
    "schedule": ("constant", "plateau", "cosine", "step"),
    "monitor": ("dice", "iou", "accuracy", "loss", "epoch"),
    "loss": ("bce", "soft_dice", "ce_dice", "mse"),
    "precision": ("float32", "bfloat16"),
    "trained": ("all", "decoder"),
}
_PIXELS = (16, 4096)  # of a slice's side
# How far a strength above 1 may raise a change: one that is always there teaches no more than one that never is.
_SOMETIMES = 0.5  # probabilities
_HIGHEST = {"rotation_degrees": 180.0, "zoom": 0.9, "gamma": 0.9, "shift": 0.5}
_HARDLY = 1e-6
_PROBABILITIES = ("flip_left_right", "flip_up_down", "blur")
# Least and most of each number.
_WHOLE = {
    "epochs": (1, 1_000_000),
    "batch_size": (1, 4096),
    "size": (0, _PIXELS[1]),
    "context": (0, 16),
    "empties_per_epoch": (-1, 1_000_000_000),
    "samples_per_epoch": (0, 1_000_000_000),
    "patience": (1, 1_000_000),
    "early_stopping": (0, 1_000_000),
    "seed": (0, 2**32 - 1),
}
_REAL = {
    "learning_rate": (1e-12, 100.0),
    "weight_decay": (0.0, 100.0),
    "decay": (1e-6, 1.0),
    "warmup": (0.0, 1e6),
    "validation_fraction": (0.001, 0.999),
    "augmentation_strength": (0.0, 3.0),
    "background_noise": (0.0, 0.49),  # a target of 0.5 is no background any more
    **dict.fromkeys(("ema", "channel_dropout", "synthetic_share", "test_fraction"), (0.0, 0.99999)),
}


@dataclass(frozen=True)
class Recipe(Settings):
    """How a network is trained.

    Parameters
    ----------
    epochs : number of passes at most.
    batch_size : slices (volumes in 3D) a step.
    patch_size : height and width (and depth in 3D) of what the network sees while training; empty: the preprocessed size.
    size : pixels of a slice after the task's ``resize`` step; 0: as the task says.
    context : neighboring slices on either side that the network sees besides the one it segments.
    empties_per_epoch : slices without any region drawn anew for each epoch; -1: all of them.
    samples_per_epoch : volumes (3D) drawn in an epoch; 0: as many as there are cases.
    synthetic_share : part of these volumes that are synthetic patients with tumors (3D brain MRI alone).
    channels : channels to train a network for, in a task with one network a channel; empty: all that the cases have.
    trained : ``all``, or ``decoder``: the encoder's weights and statistics stay those of the model to start from.
    with_synthesised : whether cases whose images a network made are learnt from and validated on.
    optimizer, learning_rate, weight_decay : ``adam``, ``adamw`` or ``sgd`` (Nesterov momentum 0.9).
    schedule : ``plateau`` multiplies the rate by ``decay`` after ``patience`` epochs without improvement of the monitor,
        ``step`` every ``patience`` epochs, ``cosine`` falls to 1 % at the last epoch, ``constant`` stays.
    warmup : epochs over which the rate rises from 0.
    loss : ``bce`` (cross-entropy), ``soft_dice``, ``ce_dice`` (their sum) or ``mse``.
    background_noise : largest value that background targets are raised to at random.
    monitor : validation figure by which the best weights are kept; ``epoch``: the last ones are, whatever the figures.
    also_monitor : further such figures; the best weights by each become a model of their own, ``model-<figure>``.
    early_stopping : epochs without improvement of the monitor after which the training ends; 0: never.
    ema : decay a step of the running average of the weights, which is what is validated and kept; 0: none.
    channel_dropout : probability that an optional channel is taken away (its substitute stands in).
    precision : ``bfloat16`` uses mixed precision.
    seed : the same seed, cases and settings give the same training again.
    validation_fraction, test_fraction : parts by patient where the data bring no split.
    network : arguments that replace those of the task's network.
    augmentation : settings of :class:`MedSegEffNetLib.augmentation.Augmentation`.
    augmentation_strength : what all of them are multiplied by, see :attr:`changes`.
    """

    epochs: int = 100
    batch_size: int = 16
    patch_size: tuple[int, ...] = ()
    size: int = 0
    context: int = 0
    empties_per_epoch: int = -1
    samples_per_epoch: int = 0
    synthetic_share: float = 0.0
    channels: tuple[str, ...] = ()
    trained: str = "all"
    with_synthesised: bool = False
    optimizer: str = "adam"
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    schedule: str = "constant"
    patience: int = 10
    decay: float = 0.1
    warmup: float = 0.0
    loss: str = "ce_dice"
    background_noise: float = 0.0
    monitor: str = "dice"
    also_monitor: tuple[str, ...] = ()
    early_stopping: int = 0
    ema: float = 0.0
    channel_dropout: float = 0.0
    precision: str = "float32"
    seed: int = 0
    validation_fraction: float = 0.2
    test_fraction: float = 0.0
    network: Mapping[str, Any] = field(default_factory=dict)
    augmentation: Mapping[str, Any] = field(default_factory=dict)
    augmentation_strength: float = 1.0

    def __post_init__(self) -> None:
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                raise ValueError(f"{name} is '{getattr(self, name)}', not one of {', '.join(choices)}")
        if not isinstance(self.with_synthesised, bool):
            raise ValueError(f"with_synthesised is {self.with_synthesised}, not true or false")
        for name, (least, most) in _WHOLE.items():
            check_number(name, getattr(self, name), int, least, most)
        for name, (lowest, highest) in _REAL.items():
            check_number(name, getattr(self, name), float, lowest, highest)
        unknown = set(self.also_monitor) - (set(CHOICES["monitor"]) - {self.monitor})
        if unknown:
            raise ValueError(f"also_monitor names {', '.join(sorted(unknown))}, not figures beside {self.monitor}")
        if len(self.patch_size) not in (0, 2, 3):
            raise ValueError(f"patch_size has {len(self.patch_size)} numbers, not 2 (3 for volumes)")
        for length in self.patch_size:
            check_number("patch_size", length, int, *_PIXELS)
        if 0 < self.size < _PIXELS[0]:
            raise ValueError(f"size is {self.size}, not 0 or {_PIXELS[0]} and more")
        if self.validation_fraction + self.test_fraction >= 1:
            raise ValueError("validation_fraction and test_fraction leave nothing to train on")
        unknown = set(self.augmentation) - AUGMENTATIONS
        if unknown:
            raise ValueError(f"augmentation has no setting {', '.join(sorted(unknown))}")
        for name, value in self.augmentation.items():
            check_number(f"augmentation.{name}", value, float, 0, 0.99 if name in ("zoom", "gamma") else 360)

    @property
    def changes(self) -> dict[str, float]:
        """:attr:`augmentation` at its strength; beyond 1 no probability rises above a half.

        Where patches are cut at random (``shift``), they still are at strength 0: the network must see all of a picture.
        """
        found = {}
        for name, value in self.augmentation.items():
            most = _SOMETIMES if name in _PROBABILITIES else _HIGHEST.get(name, math.inf)
            found[name] = min(value * self.augmentation_strength, max(value, most))
        if self.patch_size and self.augmentation.get("shift"):
            found["shift"] = max(found["shift"], _HARDLY)
        return found


def recipe_of(task: SegmentationTask, network: str, context: int | None = None) -> Recipe:
    """The recipe that a training of ``network`` begins with.

    Parameters
    ----------
    context : of the model that the training goes on with, whose network and size of slices stay as they are.
    """
    recipe = Recipe.from_mapping({**task.recipe, **task.network_recipes.get(network, {})})
    return recipe if context is None else recipe.replaced(context=context, size=0, network={})
