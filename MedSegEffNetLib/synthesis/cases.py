"""The cases that a synthesis model is trained and measured on: those of the segmentation task with the same channels."""

from __future__ import annotations

from pathlib import Path

from MedSegEffNetLib.dataset.case import Case
from MedSegEffNetLib.dataset.readers import read_folder
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.task import SynthesisTask, get_segmentation_task


def read_cases(data: Path, task: SynthesisTask, *, synthesised: bool = False) -> list[Case]:
    """The cases of a folder in a known layout, or of all folders in it that are; label maps are optional.

    ``synthesised`` as for :func:`MedSegEffNetLib.dataset.readers.read_folder`.

    :class:`InputError` if there is none.
    """
    reading = get_segmentation_task(task.cases_of)
    try:
        return read_folder(data, reading, labelled=False, synthesised=synthesised)
    except InputError as error:
        found: list[Case] = []
        for folder in sorted(data.iterdir()) if data.is_dir() else ():
            if folder.is_dir():
                try:
                    found += read_folder(folder, reading, labelled=False, synthesised=synthesised)
                except InputError:
                    continue  # a folder of something else; if all are, the first error tells what is expected
        if not found:
            raise error
        return found
