"""What is installed here, and whether it works: each engine makes a small real computation in a process of its own.

A library that is broken may end its process, or hang: only the small one is lost then, and that is part of the answer.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

SCHEMA = 1
# Module -> name under which it is installed.
PACKAGES = {
    "numpy": "numpy",
    "SimpleITK": "SimpleITK",
    "PIL": "pillow",
    "openvino": "openvino",
    "torch": "torch",
    "monai": "monai",
    "efficientnet_pytorch": "efficientnet-pytorch",
}
ENGINES = ("openvino", "torch")
_PATIENCE = 120  # seconds for one engine: a first import of torch from a slow disk takes long


def diagnose() -> dict[str, Any]:
    """The diagnosis, ready for JSON.

    ``python`` ``{version, executable}``, ``platform``, ``packages`` (by name of the package: ``{version, location}`` or
    None), ``computations`` (``[{engine, device, works, seconds, error}]``, one a device of each engine that is
    installed), ``gpu`` ``{name, reason}`` (name None: no GPU can be used, and why), ``memory_free_mb`` (None: unknown)
    and ``temporary_folder`` ``{path, free_mb}``.
    """
    from MedSegEffNetLib.inference.plan import free_megabytes

    packages = {name: _package(module, name) for module, name in PACKAGES.items()}
    answers = {engine: _in_own_process(engine) for engine in ENGINES if packages[engine]}
    folder = tempfile.gettempdir()
    return {
        "schema": SCHEMA,
        "python": {"version": platform.python_version(), "executable": sys.executable},
        "platform": f"{platform.platform()} ({platform.machine()})",
        "packages": packages,
        "computations": [row for answer in answers.values() for row in answer["computations"]],
        "gpu": answers["torch"]["gpu"] if "torch" in answers else {"name": None, "reason": _without_torch()},
        "memory_free_mb": free_megabytes(),
        "temporary_folder": {"path": folder, "free_mb": shutil.disk_usage(folder).free // 1_000_000},
    }


def probe(engine: str) -> dict[str, Any]:
    """``computations`` and, from torch, ``gpu`` of one engine, made in this process."""
    return {"openvino": _probe_openvino, "torch": _probe_torch}[engine]()


def _package(module: str, name: str) -> dict[str, str] | None:
    spec = importlib.util.find_spec(module)
    if spec is None:
        return None
    places = [spec.origin] if spec.origin else list(spec.submodule_search_locations or [])
    try:
        version = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        version = "unknown"
    return {"version": version, "location": str(Path(places[0]).parent) if places else ""}


def _in_own_process(engine: str) -> dict[str, Any]:
    code = f"import json; from MedSegEffNetLib.diagnosis import probe; print(); print(json.dumps(probe({engine!r})))"
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PYTHONUTF8": "1"}
    command = [sys.executable, "-c", code]
    try:
        done = subprocess.run(
            command, capture_output=True, env=variables, timeout=_PATIENCE, encoding="utf-8", errors="replace"
        )
        answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    except subprocess.TimeoutExpired:
        return _fault(engine, f"it gave no answer within {_PATIENCE} s")
    except OSError as error:
        return _fault(engine, f"a process for it could not be started: {error}")
    except (ValueError, IndexError):
        last = done.stderr.strip().splitlines()[-1:] or [f"its process ended with code {done.returncode}"]
        return _fault(engine, last[0])
    return answer


def _fault(engine: str, why: str) -> dict[str, Any]:
    row = {"engine": engine, "device": "cpu", "works": False, "seconds": None, "error": why}
    return {"computations": [row], "gpu": {"name": None, "reason": f"torch does not work: {why}"}}


def _computation(engine: str, device: str, work: Callable[[], bool]) -> dict[str, Any]:
    started = time.perf_counter()
    try:
        error = "" if work() else "a small computation gave a wrong result"
    except Exception as fault:  # whatever a broken library raises is the answer
        error = str(fault).strip() or type(fault).__name__
    row = {"engine": engine, "device": device, "works": not error, "seconds": None, "error": error}
    return row if error else {**row, "seconds": round(time.perf_counter() - started, 3)}


def _probe_openvino() -> dict[str, Any]:
    def work() -> bool:
        import numpy as np
        import openvino as ov
        from openvino import opset8 as ops

        numbers = ops.parameter([2, 2], np.float32)
        model = ov.Model([ops.matmul(ops.relu(numbers), np.ones((2, 2), np.float32), False, False)], [numbers])
        given = np.array([[1, -1], [2, 3]], np.float32)
        result = ov.Core().compile_model(model, "CPU")(given)[0]
        return bool((result == [[1, 1], [5, 5]]).all())

    return {"computations": [_computation("openvino", "cpu", work)]}


def _probe_torch() -> dict[str, Any]:
    def work(device: str) -> bool:
        import torch

        numbers = torch.full((64, 64), 2.0, device=device)
        return bool(((numbers @ numbers).cpu() == 256).all())

    rows = [_computation("torch", "cpu", lambda: work("cpu"))]
    if not rows[0]["works"]:
        return _fault("torch", rows[0]["error"])
    import torch

    found = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    device = next((name for name, there in found.items() if there), "")
    if not device:
        cpu_build = torch.version.cuda is None and sys.platform != "darwin"
        reason = "this torch is built for the CPU only" if cpu_build else "torch sees no GPU (is its driver too old?)"
        return {"computations": rows, "gpu": {"name": None, "reason": _seen_by_driver(reason)}}
    rows.append(_computation("torch", device, lambda: work(device)))
    name = torch.cuda.get_device_name(0) if device == "cuda" else "Apple GPU (Metal)"
    works, error = rows[1]["works"], rows[1]["error"]
    return {
        "computations": rows,
        "gpu": {"name": name if works else None, "reason": f"{name}: {error}" if error else ""},
    }


def _without_torch() -> str:
    return _seen_by_driver("torch, which computes on GPUs, is not installed")


def _seen_by_driver(reason: str) -> str:
    """``reason`` with the name of an NVIDIA GPU whose driver is there, so that users know that more is possible."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return reason
    command = [tool, "--query-gpu=name", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return reason
    names = done.stdout.strip().splitlines() if done.returncode == 0 else []
    return f"{reason}; the machine has {names[0]}" if names else reason
