"""Speed and memory of `segment brain-tumor` beside the networks a user would pick: run by hand, prints medians and ratios.

    python Testing/benchmarks/bench_brain_tumor.py [--model MODEL] [--case FOLDER] [--runs 3] [--threads 2]

Peers are MONAI's, with random weights, in the same run: DynUNet in nnU-Net's 3d_fullres setting for BraTS (windows of
128³, overlap 0.5) and SegResNet as in the model zoo's BraTS bundle (240×240×160 at once), each for four channels in torch
(eager, float32) and in OpenVINO. A whole volume in windows is the time of one window times the number of windows; putting
them together is not counted. Ours is three networks, one a modality.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import tempfile
from pathlib import Path
from typing import Any

import measuring
import numpy as np

from MedSegEffNetLib.image import Image, write
from MedSegEffNetLib.models.registry import find

NETWORK = {"in_channels": 1, "out_channels": 3, "variant": "lite0", "schedule": "whole", "norm": "weight"}
MODALITIES = ("t1ce", "flair", "t2")
VOLUME = (155, 240, 240)  # slices, rows, columns
HEAD = (150, 192, 160)  # what is left of it after the cut to the head, padded for the network
WINDOW, ZOO = (128, 128, 128), (160, 240, 240)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", help="default: one of random weights, which takes the same time")
    parser.add_argument("--case", type=Path, help="folder of a case; default: a made one of the size of BraTS")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--part", choices=("process", "networks", "memory"), help="default: all three")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if arguments.model:
            bundle = find(arguments.model)
        else:
            bundle = measuring.random_model(
                folder / "model", "brain-tumor", "efficientnet_embedded_3d", NETWORK, MODALITIES
            )
        case = arguments.case or make_case(folder / "case")
        if arguments.part in (None, "process"):
            whole_process(bundle.folder, case, folder, arguments.runs, arguments.threads)
        if arguments.part in (None, "networks"):
            networks(bundle, arguments.runs, arguments.threads)
        if arguments.part in (None, "memory"):
            memory(bundle.folder, case, folder, arguments.threads)


def make_case(folder: Path) -> Path:
    """Three images of 240×240×155 with a noisy ellipsoid of a head's size in them."""
    folder.mkdir()
    draw = np.random.default_rng(0)
    axes = np.meshgrid(*(np.linspace(-1, 1, n, dtype=np.float32) for n in VOLUME[::-1]), indexing="ij")
    inside = sum((axis / share) ** 2 for axis, share in zip(axes, (0.6, 0.74, 0.94), strict=True)) < 1
    for name in MODALITIES:
        values = inside * (300 + 80 * draw.standard_normal(inside.shape, dtype=np.float32)).clip(1)
        write(folder / f"case_{name}.nii.gz", Image(values.astype(np.int16), np.diag([-1.0, -1.0, 1.0, 1.0])))
    return folder


def whole_process(model: Path, case: Path, folder: Path, runs: int, threads: int) -> None:
    """Seconds and peak memory of the command, and what the steps outside the networks take."""
    words = [model, "--case", case, "--output", folder / "tumor.nii.gz", "--threads", threads]
    measuring.segment(words)  # files come from memory from now on
    seconds, peaks = zip(*(measuring.segment(words) for _ in range(runs)), strict=True)
    print(f"whole process: {measuring.spread(seconds)} s, peak {max(peaks)} MB")
    measuring.segment([*words, "--run", folder / "run"])  # only to be told the network's share
    events = (folder / "run" / "events.jsonl").read_text(encoding="utf-8").splitlines()
    measured = json.loads(events[-1])["measured"]
    outside = [(taken - measured["network"]) / measured["network"] for taken in seconds]
    print(f"the networks: {measured['network']} s; all other steps / the networks: {measuring.spread(outside)}")


def peers() -> dict[str, tuple[Any, tuple[int, ...]]]:
    """MONAI's networks and the shape that each is given."""
    from monai.networks.nets import DynUNet, SegResNet

    strides = [1, 2, 2, 2, 2, 2]
    dynunet = DynUNet(3, 4, 3, [3] * 6, strides, strides[1:], filters=[32, 64, 128, 256, 320, 320])
    segresnet = SegResNet(3, 16, 4, 3, dropout_prob=0.2, blocks_down=(1, 2, 2, 4), blocks_up=(1, 1, 1))
    return {"DynUNet": (dynunet, (1, 4, *WINDOW)), "SegResNet": (segresnet, (1, 4, *ZOO))}


def held_by(name: str) -> np.ndarray | None:
    """What windows need beside themselves: the volume of four channels, sums of three outputs and their weights."""
    return np.ones((8, *VOLUME), dtype=np.float32) if name == "DynUNet" else None


def windows(shape: tuple[int, ...]) -> int:
    """How many windows that overlap by half cover ``shape``."""
    return math.prod(
        math.ceil(max(0, length - side) / (side / 2)) + 1 for length, side in zip(shape, WINDOW, strict=True)
    )


def networks(bundle: Any, runs: int, threads: int) -> None:
    """Seconds of the networks, in turn, and how many times longer than our three the peers take for a volume."""
    three = [measuring.ours(bundle, key, (1, 1, *HEAD), threads) for key in MODALITIES]
    works: dict[str, measuring.Work] = {"ours": lambda: [one() for one in three]}
    for name, (module, shape) in peers().items():
        works[f"{name} torch"] = measuring.in_torch(module, shape, threads)
        works[f"{name} OpenVINO"] = measuring.in_openvino(module, shape, threads)
    times = measuring.interleaved(works, runs)
    for name, values in times.items():
        print(f"{name}: {measuring.spread(values)} s{' a window' if name.startswith('DynUNet') else ''}")
    for engine in ("torch", "OpenVINO"):
        for what, shape in (("the head", HEAD), ("the whole volume", VOLUME)):
            ratio = measuring.ratios(times[f"DynUNet {engine}"], times["ours"], windows(shape))
            print(f"DynUNet {engine}, {windows(shape)} windows for {what} / ours: {ratio}")
        print(f"SegResNet {engine} / ours: {measuring.ratios(times[f'SegResNet {engine}'], times['ours'])}")


def memory(model: Path, case: Path, folder: Path, threads: int) -> None:
    """Peak memory of processes of their own: ours from file to file, a peer's for one window or volume of noise."""
    words = [model, "--case", case, "--output", folder / "tumor.nii.gz", "--threads", threads]
    own = statistics.median(measuring.segment(words)[1] for _ in range(3))
    print(f"ours, whole process: {own:.0f} MB")
    for name in peers():
        for kind in ("in_torch", "in_openvino"):
            code = (
                f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
                "import measuring, bench_brain_tumor\n"
                f"module, shape = bench_brain_tumor.peers()[{name!r}]\n"
                f"held = bench_brain_tumor.held_by({name!r})\n"
                f"measuring.{kind}(module, shape, {threads})()"
            )
            peak = measuring.python(code)[1]
            print(f"{name} {kind}: {peak} MB; ours / {name}: {own / peak:.2f}")


if __name__ == "__main__":
    main()
