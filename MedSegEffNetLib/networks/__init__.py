"""Networks, one file each: the file's name is the network's key.

Each file has ``build(in_channels, out_channels, **arguments) -> torch.nn.Module``. A network knows no task. Its attribute
``divisor`` tells the number that height and width (and depth, in 3D) of its input must be multiples of.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from MedSegEffNetLib.errors import InputError

if TYPE_CHECKING:
    from torch import nn


def list_networks() -> list[str]:
    """Keys of all networks; imports none of them."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))


def build(name: str, arguments: Mapping[str, Any]) -> nn.Module:
    """Build the network called ``name`` with random weights (or those its arguments ask for).

    Raises
    ------
    InputError
        There is no such network, or it does not take these arguments.
    """
    if name not in list_networks():
        raise InputError(f"there is no network '{name}'", expected="one of " + ", ".join(list_networks()))
    module = importlib.import_module(f"{__name__}.{name}")
    try:
        network: nn.Module = module.build(**arguments)
    except (TypeError, ValueError, RuntimeError, ArithmeticError, LookupError) as error:
        raise InputError(f"network {name} cannot be built: {error}", hint="correct the network's arguments") from error
    return network
