"""What the layouts with a volume a channel share."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from MedSegEffNetLib.dataset.case import Case
from MedSegEffNetLib.dataset.channels import split_components
from MedSegEffNetLib.dataset.readers import check_label_values
from MedSegEffNetLib.dataset.series_names import is_label
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.formats import amira, suffix_of
from MedSegEffNetLib.image import GRID_TOLERANCE, Image, read, read_label_map, same_grid
from MedSegEffNetLib.task import SegmentationTask

# Reads the label map of a case whose first image is given, for layouts whose files need it.
LabelReader = Callable[[Path, SegmentationTask, Image], Image]
ALL_CHANNELS = ""  # key of a file whose components are several channels
_AMIRA = {".am": "amira"}

# Folders that hold one kind of file of many cases: none of them is a case.
COLLECTIONS = frozenset(
    {"train", "val", "test", "derivatives", "hgg", "lgg", "ct_scans", "annotations", "segmentations"}
)
COLLECTIONS |= {"images", "imagestr", "imagests", "imagesval", "labels", "labelstr", "labelsts", "labelsval", "masks"}
COLLECTIONS |= {"infection_mask", "lung_mask", "lung_and_infection_mask", "covid-19-ct-seg_20cases"}


def read_named(path: Path, task: SegmentationTask, image: Image) -> Image:
    """The label map in ``path``: its values, or the task's of the same names where the file names its labels.

    Amira keeps voxels in their order, but of the image's orientation only what its own coordinates express: a label
    field with as many voxels of the same size as ``image`` is taken as one of its voxels.
    """
    label_map = read_label_map(path, task.labels)
    same = label_map.shape == image.shape and np.allclose(label_map.spacing, image.spacing, rtol=0.01)
    if suffix_of(path, _AMIRA) and same and not same_grid(image, label_map, GRID_TOLERANCE):
        note = f"{path.name}: taken as the labels of the image's voxels in their order; its own position is another one"
        return replace(image.with_array(label_map.array), notes=(*label_map.notes, note))
    return label_map


def is_label_file(path: Path) -> bool:
    """Whether a file's name says that it is a label map or, of an AmiraMesh file, its header."""
    return is_label(path) or (bool(suffix_of(path, _AMIRA)) and amira.is_label_field(path))


def volume_case(
    case_id: str,
    images: Mapping[str, Path],
    label: Path | None,
    task: SegmentationTask,
    *,
    patient: str = "",
    split: str = "",
    values: Mapping[int, int] | None = None,
    components: Sequence[str] = (),
    label_reader: LabelReader = read_named,
) -> Case:
    """A case whose files are known.

    Parameters
    ----------
    images : file of each channel, or one of all channels as components under :data:`ALL_CHANNELS`.
    patient : the case's own id where it is empty.
    values : value of the file → value of the task, for all that the file may have; None: they are the same.
    components : channels that the components of the file of all channels are; empty: the task's in their order.
    """
    names = tuple(components) or tuple(channel.name for channel in task.channels)
    load = functools.partial(_load, dict(images), label, task, values, names, label_reader)
    whole = {} if ALL_CHANNELS in images else dict(images)
    return Case(
        case_id, patient or case_id, split, load,
        images=whole, label=label, labelled=label is not None, sources=tuple(images.values()),
    )  # fmt: skip


def _load(
    images: Mapping[str, Path],
    label: Path | None,
    task: SegmentationTask,
    values: Mapping[int, int] | None,
    components: Sequence[str],
    label_reader: LabelReader,
) -> tuple[dict[str, Image], Image | None]:
    loaded: dict[str, Image] = {}
    for name, path in images.items():
        parts = [task.channel(part) for part in ([name] if name else components)]
        loaded |= split_components(read(path), parts, str(path))
    first = next(iter(loaded.values()))
    for name, image in loaded.items():
        if not same_grid(first, image, GRID_TOLERANCE):
            raise _other_grid(images.get(name, next(iter(images.values()))), images)
    if label is None:
        return loaded, None
    label_map = label_reader(label, task, first)
    if not same_grid(first, label_map, GRID_TOLERANCE):
        raise _other_grid(label, images)
    if values is not None:
        label_map = label_map.with_array(mapped(label_map.array, values, label))
    return loaded, check_label_values(label_map, task, label)


def mapped(array: np.ndarray, values: Mapping[int, int], source: Path) -> np.ndarray:
    """The label map ``array`` (X, Y, Z) with the task's values, uint8; 0 stays 0.

    Raises
    ------
    InputError
        A voxel has a value that ``values`` does not hold.
    """
    known = {0: 0, **values}
    unknown = sorted(set(np.unique(array).tolist()) - known.keys())
    if unknown:
        raise InputError(
            f"{source} has label values {unknown}, which its layout does not know",
            expected="one of " + ", ".join(map(str, sorted(known))),
            hint="check that the file belongs to this data set, or map the values in it",
        )
    result = np.zeros(array.shape, dtype=np.uint8, order="F")
    for old, new in values.items():
        result[array == old] = new
    return result


def _other_grid(path: Path, images: Mapping[str, Path]) -> InputError:
    first = next(iter(images.values()))
    return InputError(
        f"{path} lies on another grid than {first}",
        expected="images and label map of a case with the same voxels (to a tenth of one)",
        hint=f"resample it onto the grid of {first.name}, or take the case out of the folder",
    )
