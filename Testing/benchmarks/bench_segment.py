"""Speed and memory of `segment`: run by hand, prints medians and ratios of interleaved runs.

    python Testing/benchmarks/bench_segment.py [--model tumor-slices] [--runs 5]

Whole process: a 60-slice 256×256×3 patient, from the start of the interpreter to the written label map. Network: the same
slices through OpenVINO (as it is used) and through torch in eager fp32, a slice at a time average. Import: the library
against NumPy alone.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from measuring import spread

from MedSegEffNetLib.dataset.readers import read_folder
from MedSegEffNetLib.image import Image, write
from MedSegEffNetLib.inference.engine import default_threads, open_engine
from MedSegEffNetLib.inference.openvino_engine import cpu_precision
from MedSegEffNetLib.inference.options import Setup
from MedSegEffNetLib.inference.slices import SliceCutter, predict
from MedSegEffNetLib.models.registry import find
from MedSegEffNetLib.preprocessing import Pipeline, stack
from MedSegEffNetLib.synthetic.brain_patient import make_patient
from MedSegEffNetLib.task import get_segmentation_task

SLICES = 60
BATCH = 4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="tumor-slices")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--data", type=Path, help="labelled cases whose split 'val' is used to compare precisions")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        whole_process(arguments.model, arguments.runs, Path(folder))
    network(arguments.model, arguments.runs)
    imports(arguments.runs)
    if arguments.data:
        agreement(arguments.model, arguments.data)


def whole_process(model: str, runs: int, folder: Path) -> None:
    """Seconds and peak memory of the command, in a process of its own each time."""
    for name, image in make_patient().images.items():
        index = np.linspace(0, image.shape[2] - 1, SLICES).round().astype(int)
        write(folder / f"case_{name}.nii.gz", Image(image.array[:, :, index], image.affine))
    command = [sys.executable, "-m", "MedSegEffNetLib", "segment", model, "--case", str(folder)]
    command += ["--output", str(folder / "out" / "tumor.seg.nrrd")]
    seconds = []
    for _ in range(runs):
        started = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        seconds.append(time.perf_counter() - started)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"whole process, {SLICES} slices: {spread(seconds)} s, peak {peak:.0f} MB")


def network(model: str, runs: int) -> None:
    """Milliseconds a slice of the network alone, OpenVINO and torch in turn."""
    bundle = find(model)
    channels = int(bundle.info["networks"][0]["arguments"]["in_channels"])
    shape = (channels, 256, 256)
    batch = np.random.default_rng(0).standard_normal((BATCH, *shape)).astype(np.float32)
    setups = {
        f"OpenVINO {cpu_precision()}": Setup("openvino", "cpu", cpu_precision(), BATCH),
        "torch float32": Setup("torch", "cpu", "float32", BATCH),
    }
    engines = {name: open_engine(bundle, 0, setup, shape, default_threads()) for name, setup in setups.items()}
    times: dict[str, list[float]] = {name: [] for name in engines}
    for _ in range(runs):
        for name, engine in engines.items():
            engine(batch)
            started = time.perf_counter()
            for _ in range(5):
                engine(batch)
            times[name].append((time.perf_counter() - started) / (5 * BATCH) * 1000)
    for name, values in times.items():
        print(f"network, {name}: {spread(values)} ms a slice")
    ratios = [slow / fast for fast, slow in zip(*times.values(), strict=True)]
    print(f"network, torch float32 / OpenVINO: {spread(ratios)}")


def agreement(model: str, data: Path) -> None:
    """Dice of the mask from OpenVINO as it is used against torch in float32, a case at a time."""
    bundle = find(model)
    entry = bundle.info["networks"][0]
    pipeline = Pipeline.from_steps(bundle.preprocessing)
    found = []
    for case in read_folder(data, get_segmentation_task(bundle.task_id)):
        if case.split == "val":
            volume, _ = pipeline.apply(stack(case.load()[0], bundle.channels))
            cutter = SliceCutter(volume.array, entry["context"], entry["divisor"])
            masks = []
            for name, precision in (("openvino", cpu_precision()), ("torch", "float32")):
                setup = Setup(name, "cpu", precision, BATCH)
                engine = open_engine(bundle, 0, setup, cutter.input_shape, default_threads())
                maps = predict(engine, cutter, BATCH, False, False, lambda *_: None)
                masks.append(maps > bundle.info["thresholds"][0])
            found.append(2 * (masks[0] & masks[1]).sum() / (masks[0].sum() + masks[1].sum()))
    print(f"Dice of OpenVINO {cpu_precision()} against torch float32, {len(found)} cases: {spread(found)}")


def imports(runs: int) -> None:
    """Seconds to import the library against NumPy, each in a new process, in turn."""
    ratios = []
    for _ in range(max(runs, 5)):
        pair = []
        for module in ("MedSegEffNetLib", "numpy"):
            started = time.perf_counter()
            subprocess.run([sys.executable, "-c", f"import {module}"], check=True)
            pair.append(time.perf_counter() - started)
        ratios.append(pair[0] / pair[1])
    print(f"import MedSegEffNetLib / import numpy: {spread(ratios)}")


if __name__ == "__main__":
    main()
