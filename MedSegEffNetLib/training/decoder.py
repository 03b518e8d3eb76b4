"""Trainings of the decoder alone: the encoder stays as it is, the statistics of its normalizations too."""

from __future__ import annotations

from torch import nn

from MedSegEffNetLib.errors import InputError


def encoder_parts(network: nn.Module) -> list[nn.Module]:
    """The modules before the decoder: those that the network names in ``encoder_parts``, else its ``encoder``.

    :class:`InputError` for a network that has none.
    """
    names = getattr(network, "encoder_parts", ("encoder",))
    parts = [part for part in (getattr(network, name, None) for name in names) if isinstance(part, nn.Module)]
    if not parts:
        raise InputError(
            f"trained=decoder with a network ({type(network).__name__}) that has no encoder",
            expected="a network with an encoder, e.g. efficientnet_unet_2d",
            hint="leave out trained=decoder",
        )
    return parts


def freeze_encoder(network: nn.Module) -> None:
    """Let none of the encoder's weights learn."""
    for part in encoder_parts(network):
        part.requires_grad_(False)


def to_training_mode(network: nn.Module, trained: str) -> None:
    """Training mode; with ``trained`` "decoder" the encoder behaves as in use: no statistics move, nothing is dropped."""
    network.train()
    if trained == "decoder":
        for part in encoder_parts(network):
            part.eval()
