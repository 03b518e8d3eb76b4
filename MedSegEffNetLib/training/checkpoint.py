"""Everything that a killed training needs to go on, written whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from MedSegEffNetLib import atomic
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.training import distributed

LAST = Path("checkpoints") / "last.pt"
BEST = Path("checkpoints") / "best.pt"


def best_by(figure: str) -> Path:
    """Where the best weights by a further figure (``also_monitor``) are kept."""
    return BEST.with_stem(f"{BEST.stem}-{figure}")


def save(path: Path, content: dict[str, Any]) -> None:
    """Write ``content`` (tensors, numbers, texts, lists and dictionaries of them) as ``path``.

    Of several processes the first one does.
    """
    if distributed.rank():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic.replacing(path) as temporary, atomic.foreign_writer(temporary):
        torch.save(content, temporary)


def load(path: Path) -> dict[str, Any]:
    """Read a checkpoint without running any code that it might hold; an :class:`InputError` if it is none."""
    try:
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise InputError(
            f"{path} cannot be read as a checkpoint ({type(error).__name__})",
            expected="a file written by a training of this program",
            hint="start the training again in a new run folder",
        ) from error
    return content
