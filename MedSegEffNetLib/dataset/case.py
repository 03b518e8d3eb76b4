"""A case: one subject's images at one time point, with its label map if there is one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from MedSegEffNetLib.image import Image, made_by


@dataclass(frozen=True)
class Case:
    """What a reader finds in a folder.

    Parameters
    ----------
    id : unique within the data set.
    patient : whose images these are; cases of one patient never fall into two splits.
    split : ``train``, ``val``, ``test``, or empty where the layout says nothing.
    load : reads the images by channel name and the label map with the task's values (None: there is none).
    regions : names of the task's regions whose true extent is known; empty: all of them.
    synthetic : made by a program, not taken of a patient; figures of such cases stand in a table of their own.
    labelled : whether ``load`` gives a label map.
    images : file (or folder of one DICOM series) of each channel; empty where a channel is no whole file, as with
        slices that are stacked or channels that share a file.
    sources : files and folders that hold several channels, or slices, and are no entry of ``images``; others may stand
        here, too.
    label : file that the label map comes from; its values and grid need not be the task's: ``load`` tells them. None
        where there is no label map, or none that is one file.
    """

    id: str
    patient: str
    split: str
    load: Callable[[], tuple[dict[str, Image], Image | None]]
    regions: tuple[str, ...] = ()
    synthetic: bool = False
    labelled: bool = True
    images: Mapping[str, Path] = field(default_factory=dict)
    label: Path | None = None
    sources: tuple[Path, ...] = ()

    def synthesised(self) -> bool:
        """Whether a network made one of its images, or its label map from such images, for all that its files say.

        Reads the files' headers, no voxels.
        """
        files = [*self.sources, *self.images.values(), *([] if self.label is None else [self.label])]
        return self.synthetic or any(made_by(path) for path in dict.fromkeys(files))
