"""Formats that cases are exported to, one file each.

A format's file has ``FORMAT`` (what it looks like, in a line) and ``write(cases, task, folder, name)``, which writes into
an empty folder that will be called ``name``, and returns sentences for the user. It is found by being here; the readers
read what it writes.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType

import numpy as np

from MedSegEffNetLib import atomic
from MedSegEffNetLib.dataset.case import Case
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.image import Image
from MedSegEffNetLib.task import SegmentationTask

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Loaded:
    """A case in memory: images by channel on one grid, the label map (uint8, the task's values) on it too, or None."""

    case: Case
    images: dict[str, Image]
    label: Image | None


@dataclass(frozen=True)
class Cases:
    """The cases of an export, read one at a time, so that memory holds one.

    Parameters
    ----------
    all : the cases in the order in which they are written.
    channels : channels that every case has, in the task's order.
    """

    all: tuple[Case, ...]
    channels: tuple[str, ...]
    task: SegmentationTask
    progress: Progress

    def __iter__(self) -> Iterator[Loaded]:
        """Each case with the channels that all have.

        Raises
        ------
        InputError
            An image has values that are not finite.
        """
        for number, case in enumerate(self.all):
            self.progress(number, len(self.all))
            images, label = case.load()
            first = images[self.channels[0]]
            chosen = {}
            for name in self.channels:
                if images[name].non_finite():
                    raise InputError(
                        f"case {case.id}: channel {name} has {images[name].non_finite():,} voxels that are no numbers",
                        expected="finite values",
                        hint="mend the image, or leave the case out",
                    )
                chosen[name] = replace(first, array=images[name].array, synthesised=images[name].synthesised)
            label_map = None
            if label is not None:
                label_map = replace(first, array=label.array.astype(np.uint8), synthesised=label.synthesised)
            yield Loaded(case, chosen, label_map)
        self.progress(len(self.all), len(self.all))


def list_exporters() -> dict[str, ModuleType]:
    """The formats' modules by name, ``-`` for ``_``."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))
    return {name.replace("_", "-"): importlib.import_module(f"{__name__}.{name}") for name in names}


def export_cases(
    cases: Sequence[Case],
    task: SegmentationTask,
    folder: Path,
    form: str,
    progress: Progress = lambda done, whole: None,
) -> list[str]:
    """Write ``cases`` to ``folder`` in the format called ``form``; returns sentences for the user.

    The folder appears whole or not at all. ``progress`` is called with the number of cases done and of all.

    Raises
    ------
    InputError
        There is no such format, the folder is not empty, there are no cases, an id is no file name or is met twice, a
        patient is in two splits, a label map tells some of the task's regions only, a case has no channel in common
        with the others, or the format cannot hold the cases.
    """
    exporters = list_exporters()
    if form not in exporters:
        raise InputError(f"there is no format '{form}' to export to", expected="one of " + ", ".join(exporters))
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise InputError(f"{folder} is there already", expected="a new or empty folder", hint="choose another --output")
    _check_cases(cases, task)
    channels, partial = _channels(cases, task)
    chosen = Cases(tuple(sorted(cases, key=lambda case: case.id)), channels, task, progress)
    with atomic.replacing(folder) as temporary:
        temporary.mkdir()
        notes: list[str] = exporters[form].write(chosen, task, temporary, folder.name)
    if partial:
        notes.append(f"Not exported, since not every case has it: {', '.join(partial)}.")
    return notes


def case_folder(root: Path, case: Case) -> Path:
    """The folder of ``case`` under ``root``, within that of its split if it has one; it is made."""
    folder = root / case.split / case.id
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _check_cases(cases: Sequence[Case], task: SegmentationTask) -> None:
    if not cases:
        raise InputError("there are no cases to export", hint="choose other states or splits")
    seen: dict[str, str] = {}
    for case in cases:
        if not re.fullmatch(r"[\w][\w.+-]*", case.id):
            raise InputError(f"the case id '{case.id}' is no file name", expected="letters, digits, '_', '-' and '.'")
        if case.id.casefold() in seen:
            raise InputError(
                f"two cases are called {case.id} and {seen[case.id.casefold()]}", expected="ids that differ"
            )
        seen[case.id.casefold()] = case.id
    splits: dict[str, str] = {}
    for case in cases:
        if splits.setdefault(case.patient, case.split) != case.split:
            raise InputError(
                f"patient {case.patient} is in the splits '{splits[case.patient]}' and '{case.split}'",
                expected="all cases of a patient in one split",
                hint="make the split again, by patient",
            )
    partial = [case for case in cases if case.regions and set(case.regions) < {region.name for region in task.regions}]
    if partial:
        raise InputError(
            f"the label maps of {len(partial)} case(s) tell only {', '.join(partial[0].regions)}: "
            + ", ".join(case.id for case in partial[:5]),
            expected="label maps of all regions, since other programs take what is not labelled for background",
            hint="complete these label maps, or leave the cases out",
        )


def _channels(cases: Sequence[Case], task: SegmentationTask) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Channels that every case has, and those that some have; where files do not tell them, a case is read."""
    names = [channel.name for channel in task.channels]
    common, some = set(names), set()
    for case in cases:
        having = set(case.images) or set(case.load()[0])
        some |= having
        common &= having
        if not common:
            raise InputError(
                f"case {case.id} has no image in common with the cases before it",
                expected="a channel that every case has",
                hint="leave out the cases that lack it",
            )
    return tuple(name for name in names if name in common), tuple(name for name in names if name in some - common)
