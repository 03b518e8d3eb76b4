"""A case: one subject's images at one time point, with its label map if there is one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from MedSegEffNetLib.image import Image


@dataclass(frozen=True)
class Case:
    """What a reader finds in a folder.

    Parameters
    ----------
    id : unique within the data set.
    patient : whose images these are; cases of one patient never fall into two splits.
    split : ``train``, ``val``, ``test``, or empty where the layout says nothing.
    load : reads the images by channel name and the label map with the task's values (None: there is none).
    """

    id: str
    patient: str
    split: str
    load: Callable[[], tuple[dict[str, Image], Image | None]]
