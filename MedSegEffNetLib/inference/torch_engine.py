"""torch on a GPU, or on the CPU where there is no OpenVINO."""

from __future__ import annotations

import contextlib

import numpy as np
import torch

from MedSegEffNetLib import networks
from MedSegEffNetLib.inference.options import Setup
from MedSegEffNetLib.models.bundle import Bundle

_TYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16, "float32": torch.float32}


class TorchEngine:
    """A network in torch, channels last, in mixed precision unless ``float32`` is asked for."""

    def __init__(self, bundle: Bundle, network: int, setup: Setup, threads: int) -> None:
        entry = bundle.info["networks"][network]
        module = networks.build(entry["name"], entry["arguments"])
        module.load_state_dict(bundle.state_dict(network))
        torch.set_num_threads(threads)
        self._device = torch.device(setup.device)
        self._type = _TYPES[setup.precision]
        self._layout = torch.preserve_format if entry.get("depth") else torch.channels_last
        self._module = module.eval().to(self._device, memory_format=self._layout)

    @torch.inference_mode()
    def __call__(self, batch: np.ndarray) -> np.ndarray:
        """``(N, C, …)`` float32 to logits."""
        images = torch.from_numpy(batch).to(self._device, memory_format=self._layout)
        mixed = self._type is not torch.float32
        with torch.autocast(self._device.type, self._type) if mixed else contextlib.nullcontext():
            logits = self._module(images)
        result: np.ndarray = logits.float().cpu().numpy()
        return result
