"""What is measured on a finished label map beyond volumes, one file a measure: the file's name is its key.

Each file has ``measure(label_map, labels, **arguments) -> list[Row]``: ``label_map`` is an image ``(X, Y, Z)`` of the
values of ``labels``, the arguments are those that a task names (:class:`MedSegEffNetLib.task.Measure`). It raises a
``ValueError`` for arguments that make no sense, never for what a label map happens to hold: what cannot be told is NaN.

A file may also have, with the same parameters, ``maps(…) -> list[Map]``, a figure at each voxel, and ``doubts(…) ->
list[str]``, sentences about what is wrong with the label map.
"""

from __future__ import annotations

import importlib
import math
import pkgutil
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.image import Image
from MedSegEffNetLib.task import Label, Measure


@dataclass(frozen=True)
class Row:
    """One figure, e.g. ``Row("infection, share of lung", 12.5, "%")``; ``value`` is NaN where nothing can be told."""

    name: str
    value: float
    unit: str

    @property
    def title(self) -> str:
        """The name with the unit, as the head of a column."""
        return f"{self.name} ({self.unit})"

    @property
    def text(self) -> str:
        """The value with its unit, to be read: to three figures, all of them of whole numbers."""
        if not math.isfinite(self.value):
            return "not known"
        return f"{self.value:.3g} {self.unit}" if abs(self.value) < 999.5 else f"{self.value:.0f} {self.unit}"

    def as_mapping(self) -> dict[str, object]:
        """Ready for JSON, where a value that is not known is null."""
        return {"name": self.name, "value": self.value if math.isfinite(self.value) else None, "unit": self.unit}


@dataclass(frozen=True)
class Map:
    """A figure at each voxel: ``values`` ``(X, Y, Z)`` float32 in ``unit``, NaN where there is none."""

    name: str
    values: np.ndarray
    unit: str


def list_measures() -> list[str]:
    """Keys of all measures; imports none of them."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))


def measure_all(measures: Sequence[Measure], label_map: Image, labels: Sequence[Label]) -> list[Row]:
    """The rows of all ``measures``, in their order.

    Raises
    ------
    InputError
        There is no such measure, or it does not take these arguments.
    """
    return _all("measure", measures, label_map, labels)


def map_all(measures: Sequence[Measure], label_map: Image, labels: Sequence[Label]) -> list[Map]:
    """The maps of those ``measures`` that have some, in their order; errors as in :func:`measure_all`."""
    return _all("maps", measures, label_map, labels)


def doubt_all(measures: Sequence[Measure], label_map: Image, labels: Sequence[Label]) -> list[str]:
    """What ``measures`` find wrong with a label map, in sentences; errors as in :func:`measure_all`."""
    return _all("doubts", measures, label_map, labels)


def _all(function: str, measures: Sequence[Measure], label_map: Image, labels: Sequence[Label]) -> list[Any]:
    """What the function of this name gives, of all ``measures`` that have it."""
    found: list[Any] = []
    for wanted in measures:
        if wanted.name not in list_measures():
            raise InputError(f"there is no measure '{wanted.name}'", expected="one of " + ", ".join(list_measures()))
        module = importlib.import_module(f"{__name__}.{wanted.name}")
        try:
            if hasattr(module, function):
                found += getattr(module, function)(label_map, labels, **wanted.arguments)
        except (TypeError, ValueError) as error:
            raise InputError(f"measure {wanted.name}: {error}", hint="correct the measure's arguments") from error
    return found
