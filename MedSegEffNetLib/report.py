"""Reports to look at: one HTML file a segmentation or evaluation, with pictures inside. NumPy and Pillow only."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Pillow

from MedSegEffNetLib import atomic
from MedSegEffNetLib.image import Image
from MedSegEffNetLib.reporting import charts, page, pictures
from MedSegEffNetLib.task import Label

_STRIP = 6  # axial slices shown across the labelled part
_CONVENTIONS = (
    "A case counts over all of its slices. Both masks empty: Dice, IoU and F1 are 1 and HD95 is 0; one empty: Dice is 0 and "
    "HD95 is undefined. Undefined values are left out of the means; n counts the others. SD is the sample standard "
    "deviation. HD95 is in mm (in voxels where the images store no spacing)."
)


@dataclass(frozen=True)
class Example:
    """A case for an evaluation's pictures: ``image``, ``true`` and ``predicted`` lie on one grid."""

    caption: str
    image: Image
    true: Image
    predicted: Image


def write_segmentation_report(
    path: Path,
    *,
    title: str,
    channels: Mapping[str, Image],
    label_map: Image,
    labels: Sequence[Label],
    volumes_ml: Mapping[str, float],
    model: str,
    card: str,
    warnings: Sequence[str],
    measured: Mapping[str, Any],
) -> None:
    """Write the report of one segmentation as ``path`` (.html), and its pictures as PNG files beside it.

    Parameters
    ----------
    channels : images by channel name, on the grid of ``label_map``.
    volumes_ml : by label name; shown only where the spacing is known.
    model, card : the model's name and version, and the part of its card to show.
    """
    colors = {label.value: label.color for label in labels}
    views, strips = _case_pictures(channels, label_map, colors)
    folder = path.with_name(f"{path.stem}_pictures")
    for name, picture in {**views, **strips}.items():
        atomic.write_bytes(folder / f"{name.replace(' ', '_')}.png", pictures.as_png(picture))
    counts = np.bincount(label_map.array.ravel(order="K"), minlength=256)
    rows = [
        [
            page.swatch(label.color, label.name),
            str(label.value),
            f"{counts[label.value]:,}",
            f"{volumes_ml[label.name]:.2f}" if label_map.spacing_known else "spacing unknown",
        ]
        for label in labels
    ]
    x, y, z = label_map.spacing
    details = {
        "Model": model,
        "Channels": ", ".join(channels),
        "Grid": f"{' × '.join(map(str, label_map.shape))} voxels of {x:.3g} × {y:.3g} × {z:.3g} mm"
        + ("" if label_map.spacing_known else " (assumed)"),
        **{name.capitalize(): f"{value} s" if isinstance(value, float) else value for name, value in measured.items()},
    }
    parts = [
        page.warnings(warnings),
        page.heading("Volumes"),
        page.table(["label", "value", "voxels", "mL"], rows),
        page.heading("Three views"),
        *(page.figure(picture, name) for name, picture in views.items()),
        page.heading("Axial slices across the result"),
        *(page.figure(picture, name) for name, picture in strips.items()),
        page.heading("About this result"),
        page.facts(details),
        page.heading("About the model"),
        page.preformatted(card),
    ]
    atomic.write_text(path, page.page(title, "Contours show the outlines of the labels. Not for clinical use.", parts))


def _case_pictures(
    channels: Mapping[str, Image], label_map: Image, colors: Mapping[int, tuple[int, int, int]]
) -> tuple[dict[str, Pillow.Image], dict[str, Pillow.Image]]:
    """Three views of each channel, and a strip of axial slices of the channel that the eye needs most (the first)."""
    views, strips = {}, {}
    for name, image in channels.items():
        case = pictures.display(image, [label_map])
        labels = case.label_maps[0]
        row = [
            pictures.slice_picture(case, view, pictures.fullest_slice(labels, view), colors)
            for view in ("axial", "coronal", "sagittal")
        ]
        views[f"{name} axial coronal sagittal"] = pictures.side_by_side(row)
    present = np.flatnonzero(labels.any(axis=(0, 1)))
    if present.size:
        chosen = np.unique(np.linspace(present[0], present[-1], min(_STRIP, present.size)).round().astype(int))
        for name, image in channels.items():
            case = pictures.display(image, [label_map])
            row = [pictures.slice_picture(case, "axial", int(k), colors, size=176) for k in chosen]
            strips[f"{name} slices {', '.join(str(k + 1) for k in chosen)}"] = pictures.side_by_side(row)
    return views, strips


def write_evaluation_report(
    path: Path,
    *,
    title: str,
    subtitle: str,
    summary: Mapping[str, Mapping[str, Mapping[str, float]]],
    rows: Sequence[Mapping[str, Any]],
    examples: Sequence[Example],
    labels: Sequence[Label],
    confusion: np.ndarray,
    card: str,
) -> None:
    """Write an evaluation: tables, bars a case, confusion matrix and example cases, as ``path`` (.html)."""
    colors = {label.value: label.color for label in labels}
    parts = []
    for region, metrics in summary.items():
        cells = [
            [page.text(metric), *(_number(figures[name]) for name in ("mean", "std", "median")), str(figures["n"])]
            for metric, figures in metrics.items()
        ]
        parts += [page.heading(f"Region: {region}"), page.table(["metric", "mean", "SD", "median", "n"], cells)]
        dice = sorted(((row["case"], row["dice"]) for row in rows if row["region"] == region), key=lambda pair: pair[1])
        parts += [page.heading(f"Dice of each case: {region}"), charts.bars(dice, f"Dice of each case, {region}")]
    parts.append(page.heading("Examples: image, true (drawn by hand), predicted"))
    for example in examples:
        case = pictures.display(example.image, [example.true, example.predicted])
        index = pictures.fullest_slice(case.label_maps[0], "axial")
        row = [pictures.slice_picture(case, "axial", index, colors, shown=shown) for shown in (None, 0, 1)]
        parts.append(page.figure(pictures.side_by_side(row), f"{example.caption}, slice {index + 1}"))
    names = ["background", *(label.name for label in labels)]
    matrix = [
        [page.text(name), *(f"{100 * share:.2f} %" for share in counts / max(1, counts.sum()))]
        for name, counts in zip(names, confusion, strict=True)
    ]
    parts += [
        page.heading("Confusion matrix"),
        page.table(["true (rows), predicted (columns)", *names], matrix),
        page.heading("Conventions"),
        f"<p>{page.text(_CONVENTIONS)}</p>",
        page.heading("About the model"),
        page.preformatted(card),
    ]
    atomic.write_text(path, page.page(title, subtitle, parts))


def write_per_case_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """One line a case and region; undefined values are empty."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: "" if _undefined(value) else value for name, value in row.items()})
    atomic.write_text(path, stream.getvalue())


def write_summary(path: Path, summary: Mapping[str, Any]) -> None:
    """``summary.json``; undefined values are null."""
    atomic.write_json(path, without_nan(summary))


def without_nan(value: Any) -> Any:
    """``value`` with NaN replaced by None, at any depth."""
    if isinstance(value, Mapping):
        return {name: without_nan(part) for name, part in value.items()}
    return None if _undefined(value) else value


def _undefined(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _number(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.3f}"
