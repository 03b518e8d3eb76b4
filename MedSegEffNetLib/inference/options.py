"""What a user can choose about a prediction, and the setup that follows from it."""

from __future__ import annotations

from dataclasses import dataclass

from MedSegEffNetLib.errors import InputError

DEVICES = ("auto", "cpu", "cuda", "mps")
ENGINES = ("auto", "openvino", "torch")


@dataclass(frozen=True)
class Options:
    """Choices for one prediction.

    Parameters
    ----------
    device : where the network runs; ``auto`` takes the fastest that really works.
    engine : what runs it.
    flips : average with the prediction of the mirrored image (twice the time).
    threads : CPU threads; None: as many as there are cores.
    resample : bring channels that lie on another grid onto the reference's, instead of refusing them.
    ensemble : which networks vote, of a model that has several; empty: its default.
    probabilities : keep them; without them large volumes take a fraction of the memory.
    """

    device: str = "auto"
    engine: str = "auto"
    flips: bool = False
    threads: int | None = None
    resample: bool = False
    ensemble: str = ""
    probabilities: bool = True

    def __post_init__(self) -> None:
        if self.device not in DEVICES:
            raise InputError(f"there is no device '{self.device}'", expected="one of " + ", ".join(DEVICES))
        if self.engine not in ENGINES:
            raise InputError(f"there is no engine '{self.engine}'", expected="one of " + ", ".join(ENGINES))
        if self.threads is not None and self.threads < 1:
            raise InputError(f"{self.threads} threads", expected="1 or more")
        if self.engine == "openvino" and self.device not in ("auto", "cpu"):
            raise InputError(f"OpenVINO runs on the CPU here, not on {self.device}", hint="use --engine torch")


@dataclass(frozen=True)
class Setup:
    """How the network is run."""

    engine: str
    device: str
    precision: str
    batch_size: int

    def __str__(self) -> str:
        at_a_time = f", {self.batch_size} slices at a time" if self.batch_size > 1 else ""
        return f"{self.engine} on {self.device} in {self.precision}{at_a_time}"
