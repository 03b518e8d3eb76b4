"""The settings of a training, as a frozen dataclass that validates itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from MedSegEffNetLib.errors import InputError

# The settings of MedSegEffNetLib.augmentation.Augmentation, which needs torch; a test holds them together.
AUGMENTATIONS = {
    *("rotation_degrees", "zoom", "shift", "flip_left_right", "flip_up_down"),
    *("intensity", "gamma", "noise", "bias_field", "blur"),
}
_CHOICES = {
    "optimizer": ("adam", "adamw", "sgd"),
    "schedule": ("constant", "plateau", "cosine", "step"),
    "monitor": ("dice", "iou", "accuracy", "loss", "epoch"),
    "loss": ("bce", "soft_dice", "ce_dice", "mse"),
    "precision": ("float32", "bfloat16"),
}
_PIXELS = (16, 4096)  # of a slice's side
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
    "background_noise": (0.0, 0.49),  # a target of 0.5 is no background any more
    **dict.fromkeys(("ema", "channel_dropout", "synthetic_share", "test_fraction"), (0.0, 0.99999)),
}


@dataclass(frozen=True)
class Recipe:
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
    validation_fraction, test_fraction : parts by patient where the data bring no split.
    network : arguments that replace those of the task's network.
    augmentation : settings of :class:`MedSegEffNetLib.augmentation.Augmentation`.
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

    def __post_init__(self) -> None:
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                raise ValueError(f"{name} is '{getattr(self, name)}', not one of {', '.join(choices)}")
        for name, (least, most) in _WHOLE.items():
            _check_number(name, getattr(self, name), int, least, most)
        for name, (lowest, highest) in _REAL.items():
            _check_number(name, getattr(self, name), float, lowest, highest)
        unknown = set(self.also_monitor) - (set(_CHOICES["monitor"]) - {self.monitor})
        if unknown:
            raise ValueError(f"also_monitor names {', '.join(sorted(unknown))}, not figures beside {self.monitor}")
        if len(self.patch_size) not in (0, 2, 3):
            raise ValueError(f"patch_size has {len(self.patch_size)} numbers, not 2 (3 for volumes)")
        for length in self.patch_size:
            _check_number("patch_size", length, int, *_PIXELS)
        if 0 < self.size < _PIXELS[0]:
            raise ValueError(f"size is {self.size}, not 0 or {_PIXELS[0]} and more")
        if self.validation_fraction + self.test_fraction >= 1:
            raise ValueError("validation_fraction and test_fraction leave nothing to train on")
        unknown = set(self.augmentation) - AUGMENTATIONS
        if unknown:
            raise ValueError(f"augmentation has no setting {', '.join(sorted(unknown))}")
        for name, value in self.augmentation.items():
            _check_number(f"augmentation.{name}", value, float, 0, 0.99 if name in ("zoom", "gamma") else 360)

    @classmethod
    def from_mapping(cls, settings: Mapping[str, Any]) -> Recipe:
        """From a task's data or a run's file; an :class:`InputError` names a setting that does not exist or fit."""
        known = {setting.name for setting in fields(cls)}
        unknown = set(settings) - known
        if unknown:
            raise InputError(
                f"a training has no setting '{', '.join(sorted(unknown))}'",
                expected="one of " + ", ".join(sorted(known)),
            )
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in settings.items()
        }
        try:
            return cls(**values)
        except (TypeError, ValueError) as error:
            raise InputError(f"the training's settings do not fit: {error}") from error

    def with_texts(self, settings: Mapping[str, str]) -> Recipe:
        """The recipe with settings as they are typed: ``epochs=5``, ``augmentation.zoom=0.1``, ``network.variant=b2``."""
        values = asdict(self)
        for key, text in settings.items():
            name, _, inner = key.partition(".")
            value = _parse(text)
            if inner and isinstance(values.get(name), dict):
                values[name] = {**values[name], inner: value}
            else:
                values[key] = value
        for name, value in values.items():
            current = getattr(self, name, None)
            if isinstance(current, tuple) and isinstance(value, (int, float)):
                values[name] = (value, value)
            elif isinstance(current, tuple) and isinstance(value, str):
                values[name] = tuple(value.split(","))
            elif isinstance(current, float) and isinstance(value, int):
                values[name] = float(value)
            elif name in {s.name for s in fields(self)} and not isinstance(value, type(current) | list):
                raise InputError(f"setting {name} is '{value}'", expected=f"a {type(current).__name__}")
        return Recipe.from_mapping(values)

    def as_mapping(self) -> dict[str, Any]:
        """All settings, ready for JSON."""
        return asdict(self)

    def replaced(self, **settings: Any) -> Recipe:
        """A copy with some settings changed."""
        return replace(self, **settings)


def _check_number(name: str, value: Any, kind: type[int] | type[float], least: float, most: float) -> None:
    """Raise a ``ValueError`` if ``value`` is no number of this kind within the limits; NaN lies within none."""
    fits = isinstance(value, int if kind is int else int | float) and not isinstance(value, bool)
    if not fits or not least <= value <= most:
        what = "a whole number" if kind is int else "a number"
        raise ValueError(f"{name} is {value}, not {what} from {least:g} to {most:g}")


def _parse(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text
