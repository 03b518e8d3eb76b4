"""Networks in OpenVINO's form (IR), made from torch's. Needs torch and openvino."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from MedSegEffNetLib import atomic, networks
from MedSegEffNetLib.errors import InputError, how_to_install
from MedSegEffNetLib.resources import cache_folder

if TYPE_CHECKING:
    from torch import nn

    from MedSegEffNetLib.models.bundle import Bundle


def save_ir(network: nn.Module, in_channels: int, path: Path) -> None:
    """Write ``network`` as ``path`` (.xml) and .bin in float16, for any batch size, height and width.

    The depth of one that works on volumes is fixed: it is what the network sees at once.
    """
    import openvino as ov
    import torch

    size = 2 * int(network.divisor)  # type: ignore[arg-type]
    network = network.eval()
    depth = [int(network.depth)] if hasattr(network, "depth") else []  # type: ignore[arg-type]
    with torch.inference_mode(), warnings.catch_warnings():
        # Sizes that the graph keeps as numbers are fixed ones: the depth, and no padding.
        warnings.simplefilter("ignore", torch.jit.TracerWarning)
        model = ov.convert_model(network, example_input=torch.zeros(1, in_channels, *depth, size, size))
    model.reshape([-1, in_channels, *depth, -1, -1])
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic.foreign_writer(path):
        ov.save_model(model, path, compress_to_fp16=True)


def make_ir(bundle: Bundle, network: int) -> Path:
    """The IR of a model that carries none: made once, kept in the user's cache under the hash of the weights."""
    entry = bundle.info["networks"][network]
    folder = cache_folder() / "ir" / bundle.info["files"][entry["weights"]][:32]
    path = folder / "network.xml"
    if not path.is_file():
        try:
            module = networks.build(entry["name"], entry["arguments"])
        except ImportError as error:
            raise _needs_torch(bundle) from error
        module.load_state_dict(bundle.state_dict(network))
        with atomic.replacing(folder) as temporary:
            save_ir(module, int(entry["arguments"]["in_channels"]), temporary / "network.xml")
    return path


def _needs_torch(bundle: Bundle) -> InputError:
    return InputError(
        f"model {bundle.name} carries no OpenVINO form, and torch is not installed to make it",
        hint=f"{how_to_install('torch')}, or use a model that carries it",
    )
