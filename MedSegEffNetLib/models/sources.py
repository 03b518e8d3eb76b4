"""What is compared or promoted: the model that a training made, or any other one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.job import REQUEST, read_request
from MedSegEffNetLib.models.bundle import METADATA, Bundle
from MedSegEffNetLib.models.registry import find

MODEL = "model"  # folder of a run's model
COMPARISON = "comparison"  # folder of a run's comparison


@dataclass(frozen=True)
class Source:
    """A model, and the training that it comes from where its folder is at hand.

    Parameters
    ----------
    run : the training's folder; None: the model is on its own.
    request : of the training, as in ``job.json``: ``task``, ``data``, ``snapshot``, ``parent`` …
    """

    bundle: Bundle
    run: Path | None = None
    request: Mapping[str, Any] = field(default_factory=dict)

    @property
    def parent(self) -> str:
        """``name@version`` that its training started from; empty: none."""
        return str(self.bundle.info["provenance"].get("parent") or "")


def source_of(model: str) -> Source:
    """The model of a run folder, of a bundle's folder (one within a run, too), or of a name.

    Raises
    ------
    InputError
        There is no such model, or the run's training has made none yet.
    """
    folder = Path(model)
    if (folder / METADATA).is_file():
        request = _training(folder.resolve().parent)
        return Source(Bundle.open(folder), folder.resolve().parent if request else None, request)
    if not (folder / REQUEST).is_file():
        return Source(find(model))
    request = _training(folder)
    if not request:
        raise InputError(f"{folder} is the folder of another job", expected="the folder of a training, or a model")
    if not (folder / MODEL / METADATA).is_file():
        raise InputError(
            f"the training in {folder} has made no model yet",
            expected="a training that has ended",
            hint="let it go on to its end, or end it with the best weights so far (the same command with --finish)",
        )
    return Source(Bundle.open(folder / MODEL), folder, request)


def _training(folder: Path) -> dict[str, Any]:
    """The request of the training in ``folder``; empty where it holds none."""
    content = read_request(folder) if (folder / REQUEST).is_file() else None
    request: dict[str, Any] = content["request"] if content else {}
    return request if request.get("command") == "train" else {}
