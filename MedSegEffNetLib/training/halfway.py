"""How far an epoch is, with all that chance needs to go on as if nothing had interrupted it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from MedSegEffNetLib.training import distributed


@dataclass
class Halfway:
    """An epoch in progress.

    Parameters
    ----------
    count : batches of the epoch. done : of them.
    generator : draws the changes of the images.
    device : where the network runs; its own random numbers drop feature maps there.
    loss, counts : sums over the batches so far.
    seconds : that earlier starts of the program spent on it.
    """

    count: int
    generator: torch.Generator
    device: torch.device
    done: int = 0
    loss: float = 0.0
    counts: np.ndarray = field(default_factory=lambda: np.zeros(1, dtype=np.int64))
    seconds: float = 0.0
    began: float = field(default_factory=time.monotonic)

    def add(self, loss: float, counts: np.ndarray) -> None:
        """One more batch."""
        self.done += 1
        self.loss, self.counts = self.loss + loss, self.counts + counts

    @property
    def spent(self) -> float:
        """Seconds of work on this epoch."""
        return self.seconds + time.monotonic() - self.began

    def chance(self) -> dict[str, Any]:
        """The state of everything that draws."""
        state = {"generator": self.generator.get_state(), "torch": torch.get_rng_state()}
        if self.device.type == "cuda":
            state["cuda"] = torch.cuda.get_rng_state(self.device)
        return state

    def set_chance(self, state: Mapping[str, Any]) -> None:
        """Draw on from :meth:`chance`."""
        self.generator.set_state(state["generator"])
        torch.set_rng_state(state["torch"])
        if "cuda" in state and self.device.type == "cuda":
            torch.cuda.set_rng_state(state["cuda"], self.device)

    def state(self) -> dict[str, Any]:
        """All that :meth:`go_on` needs."""
        return {
            "count": self.count, "done": self.done, "loss": self.loss, "counts": self.counts.tolist(),
            "seconds": self.spent, "chance": self.chance(),
        }  # fmt: skip

    def go_on(self, state: Mapping[str, Any]) -> None:
        """Take up an epoch where it was left; with another number of batches (and processes), about there."""
        share = state["done"] / state["count"]
        self.done = round(share * self.count)
        self.loss = state["loss"] * self.done / max(1, state["done"])
        self.counts, self.seconds = np.asarray(state["counts"]), state["seconds"]
        if distributed.rank() == 0:  # it is the first process's; others draw on their own
            self.set_chance(state["chance"])
