"""Folder layouts, one file each: what a training reads and what a data set is imported from.

A layout's file has ``LAYOUT`` (what it looks like, in a line), ``detect(folder, task)`` (cheap; true for no other
layout's folder) and ``read(folder, task) -> list[Case]``, which gives the cases without a label map too. Where that leaves
out cases with images that a network made, ``read_all(folder, task)`` gives them as well. It is found by being here.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections import Counter
from pathlib import Path
from types import ModuleType

import numpy as np

from MedSegEffNetLib.dataset.case import Case
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.formats import READERS, suffix_of
from MedSegEffNetLib.image import Image
from MedSegEffNetLib.task import SegmentationTask


def list_readers() -> dict[str, ModuleType]:
    """The layouts' modules by name."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))
    return {name: importlib.import_module(f"{__name__}.{name}") for name in names}


def read_folder(
    folder: Path, task: SegmentationTask, labelled: bool = True, layout: str = "", *, synthesised: bool = False
) -> list[Case]:
    """The cases in ``folder``.

    Parameters
    ----------
    labelled : leave out the cases without a label map, as a training must.
    layout : name of the layout, one of :func:`list_readers`; empty: it is found out.
    synthesised : also those cases with images that a network made which the layout leaves out by itself.

    Raises
    ------
    InputError
        There is no such folder or layout, the layout is none of those known, there is no case (with a label map), or
        two cases have the same id.
    """
    if not folder.is_dir():
        raise InputError(f"there is no folder {folder}", expected="a folder of cases", hint="check the spelling")
    readers = list_readers()
    if layout and layout not in readers:
        raise InputError(f"there is no layout '{layout}'", expected="one of " + ", ".join(readers))
    bare = 0
    for name, reader in readers.items():
        if name == layout or (not layout and reader.detect(folder, task)):
            read = getattr(reader, "read_all", reader.read) if synthesised else reader.read
            cases: list[Case] = read(folder, task)
            kept = [case for case in cases if case.labelled or not labelled]
            if kept:
                _check_ids(kept, folder)
                return kept
            bare = max(bare, len(cases))
    if bare:
        raise InputError(
            f"{folder} holds {bare} case(s) for {task.id}, none with a label map",
            expected="cases with their label maps",
            hint="segment and correct them first, or check that the label files lie where their layout has them",
        )
    known = "\n".join(f"  - {reader.LAYOUT}" for reader in readers.values())
    alone = any(path.is_file() and suffix_of(path, READERS) for path in folder.iterdir())
    hint = "if it is the folder of one case, give the folder that holds the case folders" if alone else ""
    raise InputError(
        f"{folder} holds no cases for {task.id} in a layout that is known", expected=f"one of\n{known}", hint=hint
    )


def _check_ids(cases: list[Case], folder: Path) -> None:
    counts = Counter(case.id for case in cases)
    twice = [name for name, count in counts.items() if count > 1]
    if twice:
        raise InputError(
            f"{folder} holds more than one case called {', '.join(sorted(twice)[:5])}",
            expected="a name of its own for each case",
            hint="rename one of them, or take it out of the folder",
        )


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
