"""The one place where it is decided what runs the network: OpenVINO or torch, on which device, how precisely."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

import numpy as np

from MedSegEffNetLib.errors import InputError, MissingPackage, how_to_install
from MedSegEffNetLib.inference.options import Options, Setup
from MedSegEffNetLib.models.bundle import Bundle

_NO_MEMORY = (
    *("out of memory", "not enough memory", "allocate memory", "bad_alloc", "bad allocation"),
    "alloc_failed",  # cuBLAS and cuDNN
)


class Engine(Protocol):
    """A network that is ready to run."""

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        """``(N, C, H, W)`` or ``(N, C, D, H, W)`` float32 to logits ``(N, R, …)`` float32, good until the next call."""


def choose(options: Options, batch_size: int) -> Setup:
    """The fastest setup that really works here and that ``options`` allow.

    Raises
    ------
    InputError
        What was asked for is not there; the message says what to install.
    """
    devices = _gpus() if options.device == "auto" else (options.device,)
    if options.engine != "openvino" and options.device != "cpu" and devices and _installed("torch"):
        for device in devices:
            reason = _gpu_fault(device)
            if not reason:
                return Setup("torch", device, "bfloat16" if device == "cuda" else "float32", 4 * batch_size)
            if options.device != "auto":
                raise InputError(f"the device {device} cannot be used: {reason}", hint="choose the device cpu")
    if options.device in ("cuda", "mps"):
        raise MissingPackage(f"the device {options.device}", "torch")
    if options.engine in ("auto", "openvino") and _installed("openvino"):
        return Setup("openvino", "cpu", _cpu_precision(), batch_size)
    if options.engine in ("auto", "torch") and _installed("torch"):
        return Setup("torch", "cpu", "bfloat16", batch_size)
    if options.engine != "auto":
        raise MissingPackage(f"the engine {options.engine}", options.engine)
    raise InputError(
        "nothing is installed that can run the network",
        expected="openvino (130 MB, for the CPU) or torch",
        hint=how_to_install("openvino"),
    )


def warm_up(options: Options) -> None:
    """Load the packages that :func:`choose` will take, while the caller goes on, to read images for instance."""
    ThreadPoolExecutor(1).submit(choose, options, 1)  # what it raises is raised again when the setup is chosen


def ladder(setup: Setup) -> Iterator[Setup]:
    """``setup``, then smaller ways of working to fall back on when memory runs out: batch, precision, CPU."""
    yield setup
    size = setup.batch_size
    while size > 1:
        size //= 2
        yield Setup(setup.engine, setup.device, setup.precision, size)
    if setup.device != "cpu":
        if setup.precision == "float32":
            yield Setup(setup.engine, setup.device, "float16", 1)
        engine = "openvino" if _installed("openvino") else "torch"
        yield Setup(engine, "cpu", _cpu_precision() if engine == "openvino" else "bfloat16", 1)


def open_engine(bundle: Bundle, network: int, setup: Setup, input_shape: tuple[int, ...], threads: int) -> Engine:
    """Load network number ``network`` of the model for inputs ``(setup.batch_size, *input_shape)``."""
    if setup.engine == "openvino":
        from MedSegEffNetLib.inference.openvino_engine import OpenVINOEngine

        return OpenVINOEngine(bundle, network, setup, input_shape, threads)
    from MedSegEffNetLib.inference.torch_engine import TorchEngine

    try:
        return TorchEngine(bundle, network, setup, threads)
    except ModuleNotFoundError as error:
        raise MissingPackage(f"the network of {bundle.name}", error.name or "torch") from error


def is_out_of_memory(error: BaseException) -> bool:
    """Whether ``error`` says that memory ran out, whichever library raised it."""
    text = str(error).lower()
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or any(words in text for words in _NO_MEMORY)
    )


def default_threads() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # an import hook that hides it
        return False


def _cpu_precision() -> str:
    from MedSegEffNetLib.inference.openvino_engine import cpu_precision

    return cpu_precision()


def _gpus() -> tuple[str, ...]:
    """The GPUs worth asking torch about: loading it takes most of a second, and a GPU without a driver is no use."""
    if sys.platform == "darwin":
        return ("mps",)
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return ("cuda",) if Path("/dev/kfd").exists() else ()  # AMD's driver: torch calls its GPUs cuda as well
    return ("cuda",)


def _gpu_fault(device: str) -> str:
    """Why ``device`` cannot be used; empty when a small computation on it gives the right result."""
    import torch

    try:
        if device == "cuda" and not torch.cuda.is_available():
            return "torch sees no CUDA GPU (a CPU build of torch, no GPU, or a driver that is too old)"
        if device == "mps" and not torch.backends.mps.is_available():
            return "torch sees no Apple GPU"
        ones = torch.ones(1, 4, 8, 8, device=device)
        sums = torch.nn.functional.conv2d(ones, torch.ones(1, 4, 3, 3, device=device))
        return "" if float(sums[0, 0, 0, 0].cpu()) == 36 else "a small computation gave a wrong result"
    except RuntimeError as error:
        return str(error).splitlines()[0]
