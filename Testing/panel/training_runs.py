"""Run folders of trainings as a training writes them, made without one, for tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from MedSegEffNetLib.job import Job
from MedSegEffNetLib.models import comparisons

REGIONS = ("TC", "WT")


def request(**more: Any) -> dict[str, Any]:
    """The request of a training."""
    settings = {"command": "train", "task": "tumor-slices", "data": "", "parent": "tumor-slices-unet@1.0.0"}
    return {**settings, "snapshot": "", "recipe": {"epochs": 60}, **more}


def epoch(number: int, **more: Any) -> dict[str, Any]:
    """The fields of an event ``epoch``; it gets better and better."""
    dice = 1 - 0.9**number
    figures = {f"val_dice_{region}": dice - 0.1 * place for place, region in enumerate(REGIONS)}
    losses = {"train_loss": 0.9**number, "val_loss": 0.92**number, "val_dice": dice - 0.05}
    return {
        "epoch": number, "rate": 3e-4, "seconds": 12.0, "seconds_left": 60.0 * (60 - number), "best": dice,
        "best_epoch": number, **losses, **figures, **more,
    }  # fmt: skip


def make_run(folder: Path, epochs: int = 0, *, end: bool = True, **more: Any) -> Job:
    """A run with some epochs; without an end its process, which is that of the test, goes on."""
    job = Job.open(folder, request(**more))
    job.__enter__()
    for number in range(1, epochs + 1):
        job.emit("epoch", **epoch(number))
    if end:
        job.finish(model="model")
        job.__exit__(None, None, None)
    return job


def make_long_run(folder: Path, epochs: int) -> None:
    """The same with many epochs, written at once."""
    make_run(folder)
    path = folder / "events.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines()
    told = json.loads(lines[0])
    body = [json.dumps({**told, "event": "epoch", "sequence": n + 1, **epoch(n)}) for n in range(1, epochs + 1)]
    path.write_text("\n".join([lines[0], *body, lines[-1], ""]), encoding="utf-8")


def add_previews(job: Job, case: str, *epochs: int, width: int = 90) -> None:
    """Pictures of a case, with their events; brighter from epoch to epoch."""
    from PIL import Image

    for number in epochs:
        path = f"previews/{case}/{number}.png"
        file = job.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.full((30, width, 3), min(255, 20 * number), np.uint8)
        Image.fromarray(pixels).save(file)
        job.emit("preview", epoch=number, case=case, path=path, dice=1 - 0.9**number)


def figures(old: float, new: float, *, low: float | None = None, high: float | None = None) -> dict[str, Any]:
    """What a comparison says of a region."""
    difference = new - old
    low = difference - 0.005 if low is None else low
    side = {"std": 0.1, "median": 0.9}
    verdict = comparisons.region_verdict(difference, low, comparisons.MARGIN, 8)
    return {
        "n": 8, "old": {"mean": old, **side}, "new": {"mean": new, **side}, "difference": difference, "low": low,
        "high": difference + 0.005 if high is None else high, "p": 0.0234, "verdict": verdict,
    }  # fmt: skip


def write_comparison(run: Path, weights: str, **regions: dict[str, Any]) -> None:
    """A comparison in a run's folder, with a page and the picture of a loss."""
    from PIL import Image

    folder = run / "comparison"
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((40, 120, 3), 99, np.uint8)).save(folder / "pictures" / "loss-1-1.png")
    worst = {"case": "p7", "region": next(iter(regions)), "old": 0.9, "new": 0.8}
    content = {
        "schema": 1, "task": "tumor-slices", "old": "tumor-slices-unet@1.0.0",
        "new": {"name": "new", "version": "0.1.0", "folder": str(run / "model"), "weights": weights},
        "data": "set", "split": "test", "snapshot": "0003", "cases": [f"p{number}" for number in range(8)],
        "margin": comparisons.MARGIN, "regions": regions,
        "verdict": comparisons.overall([of["verdict"] for of in regions.values()]), "warnings": ["Few cases."],
        "worst": [{**worst, "pictures": [{"file": "pictures/loss-1-1.png", "caption": "slice 3"}]}],
    }  # fmt: skip
    (folder / comparisons.PAGE).write_text("<p>page</p>", encoding="utf-8")
    (folder / comparisons.FILE).write_text(json.dumps(content), encoding="utf-8")
