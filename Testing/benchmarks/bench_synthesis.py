"""Speed and memory of `synthesize`, and of a step of its training: run by hand, prints medians and ratios.

    python Testing/benchmarks/bench_synthesis.py [--model MODEL] [--runs 3] [--threads 2] [--part process|training|memory]

The case has 240×240×155 voxels; T1 post-contrast is made from FLAIR and T2. N4 is computed anew in every run but those that
say so. Steps of the training are those of the recipe as the task has it (whole slices of 160×160, five for the generator
and one at a time for the discriminator), of noise in an ellipsoid, and in turn with each other.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import measuring
import numpy as np
from bench_brain_tumor import make_case

from MedSegEffNetLib.models.registry import find
from MedSegEffNetLib.task import get_task

if TYPE_CHECKING:
    from MedSegEffNetLib.training.gan import GanTrainer

SIDE, SLICES = 160, 155
PATIENTS = 114  # 285 of BraTS 2018, 80 % of them to train on, half of these for the segmentation U-Net
WITHOUT: dict[str, tuple[str, ...]] = {
    "all losses": (),
    "without the gradient penalty": ("gradient_penalty",),
    "without the discriminator": ("adversarial", "classification"),
    "L1 and SSIM alone": ("adversarial", "classification", "reconstruction", "segmentation"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", help="default: one of random weights, which takes the same time")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--part", choices=("process", "training", "memory"), help="default: all three")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if arguments.part in (None, "process"):
            model = find(arguments.model).folder if arguments.model else random_model(folder / "model")
            whole_process(model, folder, arguments.runs, arguments.threads)
    if arguments.part in (None, "training"):
        training(arguments.runs, arguments.threads)
    if arguments.part in (None, "memory"):
        memory(arguments.threads)


def random_model(folder: Path) -> Path:
    """A model of the task's own network, steps and recipe."""
    from MedSegEffNetLib import networks
    from MedSegEffNetLib.models.build_synthesis import FinishedSynthesis, build_synthesis_bundle
    from MedSegEffNetLib.preprocessing import Pipeline
    from MedSegEffNetLib.synthesis.planes import Planes

    task = get_task("mri-synthesis")
    names = [channel.name for channel in task.channels]
    arguments = {"in_channels": Planes(len(names)).count, "out_channels": 1}
    finished = FinishedSynthesis(
        task=task,
        network="stargan_unet",
        arguments=arguments,
        weights=networks.build("stargan_unet", arguments).state_dict(),
        context=0,
        preprocessing=Pipeline.from_steps(task.preprocessing).steps(),
        ranges=dict.fromkeys(names, (0.0, 500.0)),
        normalized=dict.fromkeys(names, (-2.0, 3.0)),
        provenance={"data": {"folder": "none", "cases": {}}},
    )
    return build_synthesis_bundle(folder, finished)


def whole_process(model: Path, folder: Path, runs: int, threads: int) -> None:
    """Seconds and peak memory of the command, from the start of the interpreter to the written image."""
    case, cache = make_case(folder / "case"), folder / "cache"
    os.environ["XDG_CACHE_HOME"] = os.environ["LOCALAPPDATA"] = str(cache)
    words = [model, "--input", *(f"{name}={case / f'case_{name}.nii.gz'}" for name in ("flair", "t2"))]
    words += ["--target", "t1ce", "--output", folder / "made_synthesised.nii.gz", "--threads", threads]
    measuring.command("synthesize", words)  # files come from memory from now on
    found: dict[str, list[tuple[float, int]]] = {"whole process": [], "the same, N4 known": []}
    for _ in range(runs):
        shutil.rmtree(cache)
        for taken in found.values():
            taken.append(measuring.command("synthesize", words))
    for name, taken in found.items():
        seconds, peaks = zip(*taken, strict=True)
        print(f"{name}: {measuring.spread(seconds)} s, peak {max(peaks)} MB")
    shutil.rmtree(cache)
    measuring.command("synthesize", [*words, "--run", folder / "run"])  # only to be told of the stages
    measured = json.loads((folder / "run" / "events.jsonl").read_text(encoding="utf-8").splitlines()[-1])["measured"]
    stages = ", ".join(f"{name} {measured[name]:.2f} s" for name in ("preparing", "network", "finishing"))
    print(f"stages of one run: {stages}; {measured['slices']} slices, {measured['setup']}")


def make_trainer(without: tuple[str, ...], threads: int) -> tuple[GanTrainer, list]:
    """A training of the task's recipe, less the losses ``without``, whose epoch is one step; and its case."""
    import torch

    from MedSegEffNetLib import networks
    from MedSegEffNetLib.networks.stargan_unet import Discriminator
    from MedSegEffNetLib.synthesis.planes import Planes
    from MedSegEffNetLib.training import gan_critic
    from MedSegEffNetLib.training.gan import GanTrainer
    from MedSegEffNetLib.training.gan_config import GanRecipe
    from MedSegEffNetLib.training.gan_data import BACKGROUND, GanCase, GanFeed

    torch.set_num_threads(threads)
    task = get_task("mri-synthesis")
    names = tuple(channel.name for channel in task.channels)
    recipe = GanRecipe.from_mapping(task.recipe)
    recipe = recipe.replaced(samples_per_epoch=recipe.batch_size, **dict.fromkeys(without, 0.0))
    axes = np.meshgrid(*(np.linspace(-1, 1, n, dtype=np.float32) for n in (SLICES, SIDE, SIDE)), indexing="ij")
    inside = sum((axis / share) ** 2 for axis, share in zip(axes, (0.94, 0.95, 0.85), strict=True)) < 1
    noise = np.random.default_rng(0).standard_normal((SLICES, len(names), SIDE, SIDE), dtype=np.float32)
    images = np.where(inside[:, None], noise, BACKGROUND).astype(np.float16)
    known = (True,) * len(names)
    case = GanCase("case", "case", images, known, inside, inside & (axes[0] > 0), (5.0,) * len(names))
    layout = Planes(len(names), recipe.context)
    generator = networks.build("stargan_unet", {"in_channels": layout.count, "out_channels": 1, **recipe.network})
    feed = GanFeed(recipe, layout, int(generator.divisor))  # type: ignore[arg-type]
    trainer = GanTrainer(generator, Discriminator(len(names), **recipe.discriminator), recipe, feed, names)
    if recipe.segmentation:
        trainer.judge_by(gan_critic.build(len(names), recipe.critic))
    return trainer, [case]


def step(trainer: GanTrainer, cases: list) -> None:
    """One step of the generator and as many of the discriminator as belong to it, its batch included."""
    from MedSegEffNetLib.job import Job

    trainer.halfway = {}
    trainer.train_epoch(cases, Path(), Job(None, {}))


def training(runs: int, threads: int) -> None:
    """Seconds of a step with all losses and without some, in turn; and of an epoch of as many patients as published."""
    trainers = {name: make_trainer(without, threads) for name, without in WITHOUT.items()}
    times = measuring.interleaved({name: lambda it=it: step(*it) for name, it in trainers.items()}, runs)
    first, *others = WITHOUT
    for name, taken in times.items():
        print(f"a step, {name}: {measuring.spread(taken)} s")
    for name in others:
        print(f"a step, {first} / {name}: {measuring.ratios(times[first], times[name])}")
    trainer, (case,) = trainers[first]
    steps = PATIENTS * len(case.slices()) // trainer.recipe.batch_size
    hours = [seconds * steps / 3600 for seconds in times[first]]
    print(f"an epoch of {PATIENTS} patients, {steps} steps, without validation: {measuring.spread(hours)} h")


def memory(threads: int) -> None:
    """Peak memory of processes of their own, with one case and three steps each."""
    for name, without in WITHOUT.items():
        code = (
            f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
            "import bench_synthesis\n"
            f"trainer = bench_synthesis.make_trainer({without!r}, {threads})\n"
            "for _ in range(3): bench_synthesis.step(*trainer)"
        )
        print(f"training, {name}: {measuring.python(code)[1]} MB")


if __name__ == "__main__":
    main()
