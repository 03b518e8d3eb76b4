"""In place of the program: ``train`` writes the events that a training writes, and learns nothing. A script, and fast."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.job import Job

REGIONS = ("tumor",)
PREFLIGHT = {
    "splits": {"train": {"cases": 2, "patients": 2}, "val": {"cases": 1, "patients": 1}},
    "labels": {"train": {"tumor": 2}, "val": {"tumor": 1}},
    "memory_mb": 1400,
    "memory_free_mb": 8000,
    "seconds_per_epoch": 36.0,
    "seconds_total": 720.0,
    "disk_mb": 120,
    "disk_free_mb": 35000,
    "errors": [],
    "warnings": [],
}
OVERFIT = {
    "steps": 60,
    "loss_first": 0.9,
    "loss_last": 0.1,
    "dice": 0.93,
    "learns": True,
    "text": "It learns one case.",
}


def value_of(option: str) -> str:
    """The word after an option; empty without it."""
    return sys.argv[sys.argv.index(option) + 1] if option in sys.argv else ""


def settings() -> dict[str, object]:
    """What stands after ``--set``."""
    words = sys.argv[sys.argv.index("--set") + 1 :] if "--set" in sys.argv else []
    pairs = [word.partition("=") for word in words if "=" in word]
    return {name: _parse(text) for name, _, text in pairs}


def _parse(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return text


def check(folder: Path, options: dict[str, object]) -> None:
    """The events of ``--check``."""
    with Job.open(folder, {"command": "train-check", "words": sys.argv[1:]}) as job:
        job.progress("Measuring", 1, 2)
        time.sleep(options["pause"])
        job.check_stop()
        if options.get("refusal"):
            raise InputError(options["refusal"], hint="mend it")
        preflight = {**PREFLIGHT, **options.get("preflight", {})}
        job.emit("preflight", **preflight)
        job.finish(**preflight)


def overfit(folder: Path, options: dict[str, object]) -> None:
    """The events of ``--overfit``."""
    with Job.open(folder, {"command": "train-check", "words": sys.argv[1:]}) as job:
        found = {**OVERFIT, **options.get("overfit", {})}
        job.emit("overfit", **found)
        job.finish(**found)


def train(folder: Path, options: dict[str, object]) -> None:
    """The events of a training; its checkpoint is the number of the epoch."""
    request = {
        "command": "train", "task": sys.argv[2], "data": str(Path(value_of("--data")).resolve()),
        "snapshot": value_of("--snapshot"), "network": value_of("--network") or "unet_2d",
        "parent": value_of("--from") or None, "recipe": {"epochs": 3, **settings()},
    }  # fmt: skip
    last = folder / "checkpoints" / "last.json"
    begin = json.loads(last.read_text(encoding="utf-8")) if last.is_file() else 0
    with Job.open(folder, request) as job:
        job.emit("data", splits={"train": {"cases": 2, "patients": 2}, "val": {"cases": 1, "patients": 1}})
        for epoch in range(begin + 1, 0 if "--finish" in sys.argv else request["recipe"]["epochs"] + 1):
            job.progress("Training", epoch - 1, request["recipe"]["epochs"])
            time.sleep(options["pause"])
            job.check_stop()
            job.emit("epoch", **_epoch(epoch))
            last.parent.mkdir(exist_ok=True)
            last.write_text(json.dumps(epoch), encoding="utf-8")
            job.emit("checkpoint", path="checkpoints/last.json", epoch=epoch)
        (folder / "model").mkdir(exist_ok=True)
        job.finish(model="model")


def _epoch(epoch: int) -> dict[str, object]:
    dice = 1 - 0.5**epoch
    figures = {f"{split}_{name}": dice for split in ("train", "val") for name in ("dice", "iou", "accuracy")}
    regions = {f"val_dice_{region}": dice for region in REGIONS}
    losses = {"train_loss": 0.5**epoch, "val_loss": 0.6**epoch}
    more = {"epoch": epoch, "rate": 1e-4, "seconds": 0.1, "seconds_left": 1.0, "best": dice, "best_epoch": epoch}
    return {**more, **losses, **figures, **regions}


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    del sys.argv[1]
    act = check if "--check" in sys.argv else overfit if "--overfit" in sys.argv else train
    act(Path(value_of("--run")), given)
