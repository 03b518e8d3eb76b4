"""A training's curves and previews as TensorBoard event files, made from the job's events."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Pillow

from MedSegEffNetLib.errors import how_to_install
from MedSegEffNetLib.job import Event, Job

FOLDER = "tensorboard"
_NO_CURVES = {"version", "sequence", "epoch", "best_epoch", "seconds_left"}
_PARTS = {"train": "training", "val": "validation"}


class Board:
    """A listener of a job's events that writes to ``tensorboard`` in the run folder; :meth:`close` it at the end."""

    def __init__(self, run: Path, writer: Any) -> None:
        self._run = run
        self._writer = writer

    @classmethod
    def open(cls, run: Path, job: Job) -> Board | None:
        """A board that listens to ``job``; None (and a notice) where tensorboardX is not installed or cannot write."""
        try:
            from tensorboardX import SummaryWriter

            board = cls(run, SummaryWriter(str(run / FOLDER)))
        except (ImportError, OSError) as error:
            what = how_to_install("tensorboardX") if isinstance(error, ImportError) else str(error)
            job.notice(f"There are no TensorBoard files of this training; the curves are in its events as well. {what}")
            return None
        job.listeners.append(board)
        return board

    def __call__(self, event: Event) -> None:
        """Add what the event tells."""
        if event["event"] == "epoch":
            for name, value in event.items():
                if isinstance(value, int | float) and name not in _NO_CURVES and math.isfinite(value):
                    self._writer.add_scalar(_tag(name, event), value, int(event["epoch"]))
            self._writer.flush()
        elif event["event"] == "preview":
            with Pillow.open(self._run / event["path"]) as picture:
                array = np.asarray(picture.convert("RGB"))
            tag = "/".join(filter(None, ("previews", event.get("network", ""), event["case"])))
            self._writer.add_image(tag, array, event["epoch"], dataformats="HWC")

    def close(self) -> None:
        """Write what is still held back."""
        self._writer.close()


def _tag(name: str, event: Event) -> str:
    """``val_dice_WT`` becomes ``dice_WT/validation``: the curves of one figure stand together."""
    part, _, figure = name.partition("_")
    tag = f"{figure}/{_PARTS[part]}" if part in _PARTS else name
    return "/".join(filter(None, (event.get("network", ""), tag)))
