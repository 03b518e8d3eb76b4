"""Small pictures of cases, made in a thread and kept in the user's cache."""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterable
from pathlib import Path

import numpy as np

from MedSegEffNetLib import atomic, image
from MedSegEffNetLib.dataset.index import CaseSummary
from MedSegEffNetLib.dataset.store import Dataset
from MedSegEffNetLib.errors import MedSegEffNetError
from MedSegEffNetLib.resources import cache_folder
from MedSegEffNetLib.task import reference_channel
from MedSegEffNetPanel import steps
from MedSegEffNetPanel.signals import Signal

SIDE = 48  # pixels
_TINT = np.array([255, 90, 60], dtype=np.float32)


class Thumbnails:
    """Makes the pictures that are asked for, one after the other.

    Attributes
    ----------
    made : emitted with a case's id when its picture is there.
    """

    def __init__(self) -> None:
        self.made = Signal()
        self._work: steps.Steps | None = None
        self._without: set[Path] = set()  # pictures that cannot be made

    def want(self, dataset: Dataset, cases: Iterable[CaseSummary]) -> None:
        """Make the pictures of these cases that are not there yet; what was wanted before is not, any more."""
        self.stop()
        missing = [case for case in cases if self.file(case) is None and _path(case) not in self._without]
        if missing:
            self._work = steps.run(self._make(dataset, missing), done=lambda nothing: None, failed=lambda error: None)

    def stop(self) -> None:
        """Make no more."""
        if self._work is not None:
            self._work.cancel()

    def file(self, case: CaseSummary) -> Path | None:
        """The picture of a case, if there is one."""
        path = _path(case)
        return path if path.is_file() else None

    def _make(self, dataset: Dataset, cases: list[CaseSummary]) -> Generator[None, None, None]:
        for case in cases:
            try:
                yield from steps.in_thread(write_thumbnail, dataset, case, _path(case))
            except (MedSegEffNetError, OSError, ValueError, RuntimeError):  # opening the case will tell why
                self._without.add(_path(case))
            else:
                self.made.emit(case.id)


def _path(case: CaseSummary) -> Path:
    name = hashlib.sha256(f"{case.content} {case.id} {case.current} {case.time}".encode()).hexdigest()[:24]
    return cache_folder() / "thumbnails" / f"{name}.png"


def write_thumbnail(dataset: Dataset, case: CaseSummary, path: Path) -> None:
    """Write a picture of :data:`SIDE` pixels: the slice with most of the label, or the middle one, with the label in red.

    Raises
    ------
    MedSegEffNetError
        An image or the label cannot be read, or the picture not be written.
    """
    import SimpleITK as sitk

    record = dataset.read(case.id)
    files = dataset.paths(record)
    read = image.read(files[reference_channel(dataset.task.channels, files)])
    label = dataset.load_label(record)
    mask = np.zeros(read.array.shape[:3], dtype=bool) if label is None else label.array > 0
    areas = np.count_nonzero(mask, axis=(0, 1))
    z = int(areas.argmax()) if areas.any() else mask.shape[2] // 2
    pixels = _shrunk(_gray(read.array[:, :, z]), mask[:, :, z], read.affine)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic.replacing(path) as draft:
        sitk.WriteImage(sitk.GetImageFromArray(pixels, isVector=True), str(draft))


def _gray(plane: np.ndarray) -> np.ndarray:
    """A slice (X, Y) as 0 … 255."""
    values = plane.astype(np.float32)
    low, high = np.percentile(values, (1, 99.5))
    return np.clip((values - low) / max(float(high - low), 1e-6), 0, 1) * 255


def _shrunk(gray: np.ndarray, mask: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """(SIDE, SIDE, 3) uint8, with the patient's right on the left and the front above, where the axes are the usual."""
    spacing = np.linalg.norm(affine[:3, :2], axis=0)
    reach = float((np.array(gray.shape) * spacing).max())
    middle = np.array(gray.shape) / 2
    places = (np.arange(SIDE) + 0.5) / SIDE - 0.5
    x = np.floor(middle[0] + places * reach / spacing[0]).astype(int)
    y = np.floor(middle[1] + places * reach / spacing[1]).astype(int)
    x, y = x[:: -1 if affine[0, 0] > 0 else 1], y[:: -1 if affine[1, 1] > 0 else 1]
    inside = ((y >= 0) & (y < gray.shape[1]))[:, None] & ((x >= 0) & (x < gray.shape[0]))[None]
    place = np.ix_(x.clip(0, gray.shape[0] - 1), y.clip(0, gray.shape[1] - 1))
    shown = np.where(inside, gray[place].T, 0)[..., None].repeat(3, axis=2)
    tinted = (mask[place].T & inside)[..., None]
    return np.where(tinted, 0.5 * shown + 0.5 * _TINT, shown).astype(np.uint8)
