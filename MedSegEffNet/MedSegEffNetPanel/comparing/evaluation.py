"""A segmentation measured against a reference, label by label. Works in a thread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from slicer.i18n import tr as _

from MedSegEffNetLib.comparison import compare_label_maps
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.geometry import bounding_box
from MedSegEffNetLib.image import Image
from MedSegEffNetLib.labelops import Box
from MedSegEffNetLib.task import Region, SegmentationTask, list_tasks
from MedSegEffNetPanel.bridge.named_masks import Masks, common_box, on_grid_of, plain
from MedSegEffNetPanel.grid import Grid

_ONE = Region("label", "label", (1,), 1)


@dataclass(frozen=True)
class Part:
    """What is compared: ``labels`` by their plain names, all together."""

    title: str
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Row:
    """Figures of a part, as of :class:`MedSegEffNetLib.comparison.LabelMaps`: A is compared with B, the reference.

    ``lone`` says that only one of them has the label: then Dice and distances mean nothing, and are NaN.
    """

    title: str
    figures: Mapping[str, Any]
    lone: str = ""


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Two segmentations compared.

    Parameters
    ----------
    compared, reference : what the user calls them.
    rows : labels, then regions of a task, or all labels together.
    slices : as of :class:`MedSegEffNetLib.comparison.LabelMaps`, ``slice`` counted from 1 along the third axis.
    notices : what the user should know.
    grid : of the arrays. here, there : (K, J, I) uint8, numbers of the labels by which both were matched.
    first : indices (k, j, i) of their first voxel in the image.
    """

    compared: str
    reference: str
    rows: tuple[Row, ...]
    slices: tuple[Mapping[str, Any], ...]
    notices: tuple[str, ...]
    grid: Grid
    here: np.ndarray
    there: np.ndarray
    first: tuple[int, int, int]


def parts_of(compared: Masks, reference: Masks) -> list[Part]:
    """The labels of both, each once; then the regions of a task that has all of them, or all labels together.

    :class:`InputError` where neither has a segment.
    """
    names = {**compared.names, **reference.names}
    if not names:
        raise InputError(
            _("neither {a} nor {b} has a segment").format(a=compared.title, b=reference.title),
            expected=_("at least one label to compare"),
        )
    parts = [Part(name, (key,)) for key, name in names.items()]
    regions = _regions(names.keys())
    if not regions and len(names) > 1:
        regions = [Part(_("all labels"), tuple(names))]
    return parts + regions


def evaluate(compared: Masks, reference: Masks) -> Evaluation:
    """Measure; a segmentation on another grid is resampled onto that of the reference.

    :class:`InputError` where neither has a segment.
    """
    parts = parts_of(compared, reference)
    affine = reference.affine if reference.affine is not None else compared.affine
    affine = np.eye(4) if affine is None else affine
    placed, resampled = on_grid_of(compared, affine)
    box = common_box(placed, reference)
    grid = _grid(affine, box)
    rows, slices = [], []
    for part in parts:
        row, of_part = _measure(part, placed, reference, box, grid)
        rows.append(row)
        slices += of_part
    values = {key: number for number, key in enumerate({**placed.names, **reference.names}, start=1)}
    notices = _notices(rows, compared, reference, resampled)
    here, there = (_label_map(masks, values, box) for masks in (placed, reference))
    k, j, i = (side.start for side in box)
    return Evaluation(
        compared.title, reference.title, tuple(rows), tuple(slices), tuple(notices), grid, here, there, (k, j, i)
    )


def task_of(names: Sequence[str]) -> SegmentationTask | None:
    """The task that has labels of all these plain names, if there is one."""
    for task in list_tasks().values():
        if isinstance(task, SegmentationTask) and set(names) <= {plain(label.name) for label in task.labels}:
            return task
    return None


def _regions(names: Any) -> list[Part]:
    task = task_of(list(names))
    if task is None:
        return []
    of = {label.value: plain(label.name) for label in task.labels}
    regions = [region for region in task.regions if len(region.labels) > 1]
    return [Part(f"{region.name} ({region.title})", tuple(of[value] for value in region.labels)) for region in regions]


def _measure(
    part: Part, compared: Masks, reference: Masks, box: Box, grid: Grid
) -> tuple[Row, list[Mapping[str, Any]]]:
    masks = [found.mask(part.labels, box) for found in (compared, reference)]
    inner = bounding_box(masks[0] | masks[1])
    images = [Image(mask[inner].T.view(np.uint8), grid.affine) for mask in masks]
    found = compare_label_maps(images[0], images[1], [_ONE])
    figures, slices = found.rows[0], found.slices
    missing = [masks.title for masks in (compared, reference) if not masks.names.keys() & set(part.labels)]
    lone = _("{name} has no label of this name.").format(name=missing[0]) if missing else ""
    if lone:
        figures = {**figures, "dice": np.nan, "hd95": np.nan, "assd": np.nan}
        slices = []
    start = box[0].start + inner[0].start
    return Row(part.title, figures, lone), [
        {**row, "part": part.title, "slice": row["slice"] + start} for row in slices
    ]


def _notices(rows: Sequence[Row], compared: Masks, reference: Masks, resampled: bool) -> list[str]:
    told = []
    if resampled:
        text = _("{a} lies on other voxels than {b}: a copy was brought onto those of {b} (nearest voxel).")
        told.append(text.format(a=compared.title, b=reference.title))
    for masks, other in ((compared, reference), (reference, compared)):
        lone = [name for key, name in masks.names.items() if key not in other.names]
        if lone:
            told.append(_("Only in {name}: {labels}.").format(name=masks.title, labels=", ".join(lone)))
    if not any(row.figures["voxels_a"] and row.figures["voxels_b"] for row in rows):
        told.append(_("They have no label in common that both have voxels of."))
    return told


def _label_map(masks: Masks, values: Mapping[str, int], box: Box) -> np.ndarray:
    labels = np.zeros([side.stop - side.start for side in box], dtype=np.uint8)
    for key, value in values.items():
        labels[masks.mask([key], box)] = value
    return labels


def _grid(affine: np.ndarray, box: Box) -> Grid:
    first = affine.copy()
    first[:, 3] = affine @ [*(side.start for side in reversed(box)), 1.0]
    k, j, i = (side.stop - side.start for side in box)
    return Grid((i, j, k), first)
