"""Folder layouts, one file each.

A layout's file has ``LAYOUT`` (what it looks like, in a line), ``detect(folder, task)`` (cheap) and
``read(folder, task) -> list[Case]``. It is found by being here.
"""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path
from types import ModuleType

import numpy as np

from MedSegEffNetLib.dataset.case import Case
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.image import Image
from MedSegEffNetLib.task import SegmentationTask


def list_readers() -> dict[str, ModuleType]:
    """The layouts' modules by name."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))
    return {name: importlib.import_module(f"{__name__}.{name}") for name in names}


def read_folder(folder: Path, task: SegmentationTask) -> list[Case]:
    """The cases in ``folder``, whose layout is found out.

    Raises
    ------
    InputError
        There is no such folder, its layout is none of those known, or it holds no case.
    """
    if not folder.is_dir():
        raise InputError(f"there is no folder {folder}", expected="a folder of cases", hint="check the spelling")
    readers = list_readers()
    for reader in readers.values():
        if reader.detect(folder, task):
            cases: list[Case] = reader.read(folder, task)
            if cases:
                return cases
    known = "\n".join(f"  - {reader.LAYOUT}" for reader in readers.values())
    raise InputError(f"{folder} holds no cases for {task.id} in a layout that is known", expected=f"one of\n{known}")


def check_label_values(label: Image, task: SegmentationTask, source: Path) -> Image:
    """``label`` as it is, or an :class:`InputError` that names the values which are not the task's."""
    values = set(np.unique(label.array).tolist())
    unknown = sorted(values - {0, *(known.value for known in task.labels)})
    if unknown:
        expected = ", ".join(f"{known.value} {known.name}" for known in task.labels)
        raise InputError(
            f"{source} has label values {unknown}, which {task.id} does not know",
            expected=f"0 background, {expected}",
            hint="map the values in the file, or check that it belongs to this task",
        )
    return label
