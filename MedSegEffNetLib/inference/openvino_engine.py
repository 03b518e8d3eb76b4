"""OpenVINO on the CPU: what most users have, without torch."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import openvino as ov

from MedSegEffNetLib.inference.options import Setup
from MedSegEffNetLib.models.bundle import Bundle
from MedSegEffNetLib.models.ir import make_ir


class OpenVINOEngine:
    """A network compiled for one input shape."""

    def __init__(self, bundle: Bundle, network: int, setup: Setup, input_shape: tuple[int, ...], threads: int) -> None:
        core = _core()
        model = core.read_model(_ir_of(bundle, network))
        model.reshape([setup.batch_size, *input_shape])
        settings = {
            "INFERENCE_PRECISION_HINT": "bf16" if setup.precision == "bfloat16" else "f32",
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,
            "PERFORMANCE_HINT": "LATENCY",
        }
        self._request = core.compile_model(model, "CPU", settings).create_infer_request()

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        """``(N, C, …)`` float32 to logits, which the next call overwrites; N is the batch size of the setup."""
        self._request.infer([np.ascontiguousarray(batch)], share_inputs=True)
        logits: np.ndarray = self._request.get_output_tensor(0).data
        return logits.astype(np.float32, copy=False)


@functools.cache
def _core() -> ov.Core:
    return ov.Core()


def cpu_precision() -> str:
    """``bfloat16`` where the CPU computes in it, else ``float32``."""
    return "bfloat16" if "BF16" in _core().get_property("CPU", "OPTIMIZATION_CAPABILITIES") else "float32"


def _ir_of(bundle: Bundle, network: int) -> Path:
    """The network's OpenVINO files: those of the model, or made from its weights where they are missing."""
    entry = bundle.info["networks"][network]
    if entry.get("ir"):
        names = (entry["ir"], str(Path(entry["ir"]).with_suffix(".bin").as_posix()))
        bundle.verify(names)
        return bundle.folder / entry["ir"]
    return make_ir(bundle, network)
