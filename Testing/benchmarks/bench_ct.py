"""Speed and memory of `segment` on a chest CT of 600 slices: run by hand, prints medians and ratios of interleaved runs.

    python Testing/benchmarks/bench_ct.py [--model MODEL] [--runs 3] [--threads 2]

Whole process: 600 slices of 512×512 in Hounsfield units, made here, from the start of the interpreter to the written label
map. Networks: ours as they are used (OpenVINO, four slices at a time) beside MONAI's BasicUNet and FlexibleUNet
(EfficientNet-B0) slice by slice in torch (eager, float32) and in OpenVINO, all with random weights on 256×256.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import measuring
import numpy as np

from MedSegEffNetLib.image import Image, write
from MedSegEffNetLib.inference.plan import BATCH_SIZE
from MedSegEffNetLib.models.bundle import Bundle
from MedSegEffNetLib.models.registry import find
from MedSegEffNetLib.task import get_segmentation_task

SLICES, SIDE, PREPARED = 600, 512, 256


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", help="default: both networks of the task with random weights")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--part", choices=("process", "networks"), help="default: both")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bundles = [find(arguments.model)] if arguments.model else random_models(folder)
        if arguments.part in (None, "process"):
            whole_process(bundles, folder, arguments.runs, arguments.threads)
        if arguments.part in (None, "networks"):
            networks(bundles, arguments.runs, arguments.threads)


def random_models(folder: Path) -> list[Bundle]:
    """A model for each network that the task offers."""
    found = []
    for network in get_segmentation_task("covid-ct").networks:
        arguments = {**network.arguments, "in_channels": 1, "out_channels": 2}
        arguments.pop("encoder_weights", None)
        found.append(measuring.random_model(folder / network.name, "covid-ct", network.name, arguments, ("network",)))
    return found


def make_ct(path: Path) -> Path:
    """A body with two lungs that grow and shrink along the patient, and noise."""
    draw = np.random.default_rng(0)
    noise = draw.normal(0, 20, (8, SIDE, SIDE)).astype(np.float32)
    y, x = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j]
    volume = np.empty((SLICES, SIDE, SIDE), dtype=np.int16)
    for number in range(SLICES):
        size = np.sin(np.pi * (number + 1) / (SLICES + 1))
        picture = np.where((x / 0.85) ** 2 + (y / 0.65) ** 2 < 1, 40.0, -1000.0)
        for center in (-0.38, 0.38):
            picture[((x - center) / (0.3 * size + 0.02)) ** 2 + (y / (0.42 * size + 0.02)) ** 2 < 1] = -850
            picture[((x - center) / 0.1) ** 2 + ((y - 0.15) / 0.12) ** 2 < size**4] = -300
        volume[number] = picture + noise[number % len(noise)]
    write(path, Image(volume.transpose(2, 1, 0), np.diag([-0.7, -0.7, 1.0, 1.0])))
    return path


def whole_process(bundles: list[Bundle], folder: Path, runs: int, threads: int) -> None:
    """Seconds and peak memory of the command, a model after the other."""
    ct = make_ct(folder / "ct.nii.gz")
    for bundle in bundles:
        words = [bundle.folder, "--input", f"ct={ct}", "--output", folder / "lung.nii.gz", "--threads", threads]
        seconds, peaks = zip(*(measuring.segment(words) for _ in range(runs)), strict=True)
        name = bundle.info["networks"][0]["name"]
        print(f"whole process, {name}: {measuring.spread(seconds)} s, peak {max(peaks)} MB")


def networks(bundles: list[Bundle], runs: int, threads: int) -> None:
    """Milliseconds a slice, in turn, and how many times longer the peers take."""
    from monai.networks.nets import BasicUNet, FlexibleUNet

    works: dict[str, measuring.Work] = {}
    for bundle in bundles:
        (entry,) = bundle.info["networks"]
        works[entry["name"]] = measuring.ours(bundle, entry["key"], (BATCH_SIZE, 1, PREPARED, PREPARED), threads)
    own = list(works)
    peers: dict[str, Any] = {"BasicUNet": BasicUNet(2, 1, 2), "FlexibleUNet": FlexibleUNet(1, 2, "efficientnet-b0")}
    for name, module in peers.items():
        works[f"{name} torch"] = measuring.in_torch(module, (1, 1, PREPARED, PREPARED), threads)
        works[f"{name} OpenVINO"] = measuring.in_openvino(module, (1, 1, PREPARED, PREPARED), threads)
    times = measuring.interleaved(works, 10 * runs)
    times |= {name: [value / BATCH_SIZE for value in times[name]] for name in own}
    for name, values in times.items():
        print(f"{name}: {measuring.spread([1000 * value for value in values])} ms a slice")
    for peer in [name for name in works if name not in own]:
        for name in own:
            print(f"{peer} / {name}: {measuring.ratios(times[peer], times[name])}")


if __name__ == "__main__":
    main()
