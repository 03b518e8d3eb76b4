"""What the benchmarks share: times of interleaved runs, whole processes with their peak memory, peers in two engines."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from MedSegEffNetLib.inference.engine import open_engine
from MedSegEffNetLib.inference.openvino_engine import cpu_precision
from MedSegEffNetLib.inference.options import Setup
from MedSegEffNetLib.models.bundle import Bundle
from MedSegEffNetLib.task import Step, get_segmentation_task

Work = Callable[[], object]
# Peak memory is asked of the process itself: what its parent is told includes every other child.
_PEAK = "from MedSegEffNetLib.inference.plan import peak_megabytes; print('peak', peak_megabytes())"


def spread(values: Sequence[float]) -> str:
    """Median with smallest and largest value."""
    return f"{statistics.median(values):.3g} ({min(values):.3g} … {max(values):.3g})"


def interleaved(works: Mapping[str, Work], runs: int) -> dict[str, list[float]]:
    """Seconds of each of ``works``, taken in turn, after one run of each that does not count."""
    times: dict[str, list[float]] = {name: [] for name in works}
    for number in range(runs + 1):
        for name, work in works.items():
            started = time.perf_counter()
            work()
            if number:
                times[name].append(time.perf_counter() - started)
    return times


def ratios(slow: Sequence[float], fast: Sequence[float], factor: float = 1) -> str:
    """How many times longer ``slow`` (times ``factor``) took, run by run."""
    return spread([factor * one / other for one, other in zip(slow, fast, strict=True)])


def python(code: str) -> tuple[float, int]:
    """Seconds and peak memory in MB of a new interpreter that runs ``code``."""
    started = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", f"{code}\n{_PEAK}"], check=True, capture_output=True, text=True)
    return time.perf_counter() - started, int(done.stdout.split()[-1])


def command(name: str, words: Sequence[str | Path | int]) -> tuple[float, int]:
    """Seconds and peak memory of a command, from the start of the interpreter to what it writes."""
    arguments = [name, *map(str, words)]
    return python(f"from MedSegEffNetLib.__main__ import main\nif main({arguments!r}): raise SystemExit('failed')")


def segment(words: Sequence[str | Path | int]) -> tuple[float, int]:
    """Seconds and peak memory of the command ``segment``."""
    return command("segment", words)


def random_model(folder: Path, task_id: str, network: str, arguments: Mapping[str, Any], keys: Sequence[str]) -> Bundle:
    """A model of random weights: as quick as a trained one, and it needs none."""
    from MedSegEffNetLib import networks
    from MedSegEffNetLib.models.build import FinishedTraining, build_bundle

    task = get_segmentation_task(task_id)
    learnt = {"standardize": {"mean": 110.0, "std": 80.0}}
    training = FinishedTraining(
        task=task,
        network=network,
        arguments=arguments,
        weights={key: networks.build(network, arguments).state_dict() for key in keys},
        context=0,
        preprocessing=tuple(
            Step(step.name, {**step.arguments, **learnt.get(step.name, {})}) for step in task.preprocessing
        ),
        provenance={"data": {"folder": "none", "cases": {}}},
    )
    return Bundle.open(build_bundle(folder, training))


def ours(bundle: Bundle, key: str, shape: tuple[int, ...], threads: int) -> Work:
    """A network of a model as it is used: OpenVINO in what the CPU computes quickest; ``shape`` is (N, C, …)."""
    keys = [entry["key"] for entry in bundle.info["networks"]]
    setup = Setup("openvino", "cpu", cpu_precision(), shape[0])
    engine = open_engine(bundle, keys.index(key), setup, shape[1:], threads)
    batch = _noise(shape)
    return lambda: engine(batch)


def in_torch(module: Any, shape: tuple[int, ...], threads: int) -> Work:
    """A peer in torch, eager, float32."""
    import torch

    torch.set_num_threads(threads)
    module, batch = module.eval(), torch.from_numpy(_noise(shape))

    def run() -> None:
        with torch.inference_mode():
            module(batch)

    return run


def in_openvino(module: Any, shape: tuple[int, ...], threads: int) -> Work:
    """A peer in OpenVINO, compiled for ``shape`` with the settings of our own networks."""
    import openvino as ov
    import torch

    small = torch.zeros(1, shape[1], *(64 for _ in shape[2:]))
    with torch.inference_mode(), warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
        warnings.simplefilter(
            "ignore"
        )  # sizes that the tracer keeps as numbers: those of the divisible input are right
        model = ov.convert_model(module.eval(), example_input=small)
        model.reshape([-1, shape[1], *(-1 for _ in shape[2:])])
        ov.save_model(model, Path(folder) / "peer.xml", compress_to_fp16=True)
        model = ov.Core().read_model(Path(folder) / "peer.xml")
    model.reshape(list(shape))
    settings = {
        "INFERENCE_PRECISION_HINT": "bf16" if cpu_precision() == "bfloat16" else "f32",
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": 1,
        "PERFORMANCE_HINT": "LATENCY",
    }
    request, batch = ov.Core().compile_model(model, "CPU", settings).create_infer_request(), _noise(shape)
    return lambda: request.infer([batch], share_inputs=True)


def _noise(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
