"""The settings of a synthesis training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from MedSegEffNetLib.training.settings import Settings, check_number

CHOICES = {
    "crop": ("center", "content"),
    "precision": ("float32", "bfloat16"),
    "monitor": ("ssim", "psnr", "l1", "epoch"),
}
_WHOLE = {
    "epochs": (1, 1_000_000),
    "batch_size": (1, 4096),
    "discriminator_batch_size": (1, 4096),
    "patch": (0, 4096),
    "context": (0, 16),
    "samples_per_epoch": (0, 1_000_000_000),
    "validation_slices": (1, 100_000),
    "direct_epochs": (0, 1_000_000),
    "patience": (1, 1_000_000),
    "critic_epochs": (0, 1_000_000),
    "seed": (0, 2**32 - 1),
}
_WEIGHTS = ("adversarial", "gradient_penalty", "classification", "reconstruction", "segmentation", "l1", "ssim")
_REAL = {
    "learning_rate": (1e-12, 1.0),
    "decay": (1e-6, 1.0),
    "ema": (0.0, 0.99999),
    "validation_fraction": (0.001, 0.999),
    "critic_share": (0.01, 0.99),
    "brain_depth": (0.0, 50.0),
    **dict.fromkeys(_WEIGHTS, (0.0, 1e6)),
}


@dataclass(frozen=True)
class GanRecipe(Settings):
    """How a generator is trained against a discriminator and a segmentation U-Net.

    Parameters
    ----------
    epochs : number of passes.
    batch_size : slices a step of the generator.
    discriminator_batch_size : slices a step of the discriminator, which takes as many steps as make up a batch.
    patch : height and width of the patches that are cut from the slices; 0: whole slices.
    crop : ``center``, the task's crop around the middle, or ``content``: around the head, none of which is cut away.
    brain_depth : mm below the surface of a whole head from where on it is learnt as a brain alone, too: as good as a
        skull-stripped image would be, if roughly cut; 0: heads are not.
    context : neighboring slices on either side that the generator sees besides those it works on.
    samples_per_epoch : slices drawn in an epoch; 0: each once.
    validation_slices : of a case at most, evenly spaced, that it is validated on after an epoch.
    rotations : whether patches are turned by 90° or 180° at random; they are always flipped left-right.
    direct_epochs : first epochs, with the losses ``l1`` and ``ssim`` alone.
    learning_rate, patience, decay : of Adam, the same for both networks; multiplied by ``decay`` every ``patience`` epochs.
    ema : decay a step of the running average of the generator's weights, which is what is validated and kept; 0: none.
    adversarial, gradient_penalty, classification, reconstruction, segmentation : weights of the losses, see
        :mod:`MedSegEffNetLib.training.gan_losses`; 0 leaves one out.
    l1, ssim : weights of the direct losses, which registered images allow.
    critic_epochs : of the segmentation U-Net, which is trained first.
    critic_share : part of the training patients that it is trained on.
    critic_apart : whether the generator is not trained on these patients.
    critic, discriminator : arguments of the segmentation U-Net and of the discriminator.
    monitor : validation figure by which the best weights are kept; ``epoch``: the last ones are.
    precision : ``bfloat16`` uses mixed precision.
    with_synthesised : whether cases with images that a network made are learnt from and validated on.
    validation_fraction : part by patient where the data bring no split.
    network : arguments that replace those of the task's network.
    """

    epochs: int = 200
    batch_size: int = 5
    discriminator_batch_size: int = 1
    patch: int = 0
    crop: str = "center"
    brain_depth: float = 0.0
    context: int = 0
    samples_per_epoch: int = 0
    validation_slices: int = 8
    rotations: bool = True
    direct_epochs: int = 0
    learning_rate: float = 2e-4
    patience: int = 25
    decay: float = 0.5
    ema: float = 0.999
    adversarial: float = 1.0
    gradient_penalty: float = 10.0
    classification: float = 1.0
    reconstruction: float = 10.0
    segmentation: float = 10.0
    l1: float = 10.0
    ssim: float = 10.0
    critic_epochs: int = 20
    critic_share: float = 0.5
    critic_apart: bool = True
    critic: Mapping[str, Any] = field(default_factory=lambda: {"channels": [16, 32, 64, 128, 256], "batch_norm": True})
    discriminator: Mapping[str, Any] = field(default_factory=lambda: {"channels": [32, 64, 128, 256, 256]})
    monitor: str = "ssim"
    precision: str = "float32"
    with_synthesised: bool = False
    seed: int = 0
    validation_fraction: float = 0.2
    network: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                raise ValueError(f"{name} is '{getattr(self, name)}', not one of {', '.join(choices)}")
        for name in ("rotations", "critic_apart", "with_synthesised"):
            if not isinstance(getattr(self, name), bool):
                raise ValueError(f"{name} is {getattr(self, name)}, not true or false")
        for name, (least, most) in _WHOLE.items():
            check_number(name, getattr(self, name), int, least, most)
        for name, (lowest, highest) in _REAL.items():
            check_number(name, getattr(self, name), float, lowest, highest)
        if not any(getattr(self, name) for name in ("adversarial", "l1", "ssim")):
            raise ValueError("adversarial, l1 and ssim are all 0: nothing says what a picture should look like")
        least = 2 ** len(self.discriminator["channels"])
        if 0 < self.patch < least:
            raise ValueError(f"patch is {self.patch}, and the discriminator takes {least} or more")
        if self.direct_epochs and not (self.l1 or self.ssim):
            raise ValueError("direct_epochs without l1 and ssim: there is nothing to learn from in them")

    def rate(self, epoch: int) -> float:
        """The learning rate of ``epoch`` (from 0)."""
        return self.learning_rate * self.decay ** (epoch // self.patience)

    def weight(self, loss: str, epoch: int) -> float:
        """The weight of ``loss`` in ``epoch`` (from 0)."""
        direct = epoch < self.direct_epochs and loss not in ("l1", "ssim")
        return 0.0 if direct else float(getattr(self, loss))
