"""The report of an evaluation: tables, bars of all cases, pictures of some."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from MedSegEffNetLib import atomic
from MedSegEffNetLib.image import Image
from MedSegEffNetLib.reporting import charts, page, pictures
from MedSegEffNetLib.task import Label

Summary = Mapping[str, Mapping[str, Mapping[str, float]]]
Rows = Sequence[Mapping[str, Any]]
_TITLES = {"iou": "IoU", "f1": "F1", "hd95": "HD95 (mm)"}
_OPEN_ROWS = 40  # a longer table of cases is folded
_CONVENTIONS = (
    "Metrics are counted over all voxels of a case. Both masks empty: Dice, F1 and IoU are 1 and HD95 is 0; only one "
    "empty: Dice, F1 and IoU are 0 and HD95 is undefined. Sensitivity is undefined without true voxels, precision "
    "without predicted ones. Undefined values (–) enter no mean, standard deviation or median; n counts those that do. "
    "SD is the sample standard deviation (n − 1). HD95 is the greater of the two directed 95th percentiles of surface "
    "distances, in mm (in voxels where the images store no spacing)."
)


@dataclass(frozen=True)
class Example:
    """A case to be shown with its truth.

    Parameters
    ----------
    caption : why it is shown and which it is, e.g. ``Best: case-7, Dice 0.913``.
    image : (X, Y, Z), or several by channel name, of which the one is shown in which the true labels stand out most.
    true, predicted : label maps (X, Y, Z) on one grid.
    """

    caption: str
    image: Image | Mapping[str, Image]
    true: Image
    predicted: Image


def write_evaluation_report(
    path: str | Path,
    *,
    title: str,
    summary: Summary,
    rows: Rows,
    labels: Sequence[Label],
    subtitle: str = "",
    examples: Sequence[Example] = (),
    confusion: np.ndarray | None = None,
    card: str = "",
    warnings: Sequence[str] = (),
    facts: Mapping[str, Any] | None = None,
    bar_metric: str = "dice",
) -> None:
    """Write one self-contained HTML page about an evaluation.

    Parameters
    ----------
    summary, rows : as of :func:`MedSegEffNetLib.metrics.summarize`: one row a case and region.
    labels : labels of the task, for colors and names.
    examples : cases shown as image, true contours, predicted contours.
    confusion : voxel counts as of :func:`MedSegEffNetLib.metrics.confusion_matrix`, summed over cases.
    card : model card, Markdown.
    facts : names and values about how the evaluation was made.
    bar_metric : metric of the bars, one chart a region.

    :class:`MedSegEffNetError` when the file cannot be written.
    """
    cases = list(dict.fromkeys(row["case"] for row in rows))
    parts = [
        page.section("Summary", *[_summary_table(region, columns, len(cases)) for region, columns in summary.items()]),
        page.section(f"{_title(bar_metric)} of every case", *_bars(rows, bar_metric)),
        page.section("Cases", *[_example(shown, labels) for shown in examples]),
        page.section("Confusion matrix", _confusion(confusion, labels) if confusion is not None else ""),
        page.section("All values", _all_values(rows, summary)),
        page.section("Conventions", page.paragraph(_CONVENTIONS, "note")),
        page.section("Model", page.markdown(card)),
        page.section("How this was made", page.facts(facts or {})),
    ]
    count = f"{len(cases)} case" + ("" if len(cases) == 1 else "s")
    atomic.write_text(path, page.document(title, subtitle or count, parts, warnings))


def write_per_case_csv(path: str | Path, rows: Rows) -> None:
    """One line a row, columns in the order in which they first come; undefined values (NaN) are empty cells."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow(["" if _undefined(row.get(name, "")) else row.get(name, "") for name in columns])
    atomic.write_text(path, stream.getvalue())


def write_summary(path: str | Path, summary: Summary) -> None:
    """``{region: {metric: {mean, std, median, n}}}`` as JSON; undefined values (NaN) are ``null``."""
    clean = {
        region: {
            metric: {name: None if _undefined(value) else value for name, value in values.items()}
            for metric, values in columns.items()
        }
        for region, columns in summary.items()
    }
    atomic.write_json(path, clean)


def _summary_table(region: str, columns: Mapping[str, Mapping[str, float]], cases: int) -> str:
    rows = []
    for metric, values in columns.items():
        digits = 2 if metric == "hd95" else 3
        numbers = [page.number(values[name], digits) for name in ("mean", "std", "median")]
        rows.append([_title(metric), *numbers, f"{values['n']} of {cases}"])
    return page.heading(region) + page.table(["Metric", "Mean", "SD", "Median", "n"], rows)


def _bars(rows: Rows, metric: str) -> list[str]:
    """One chart a region, the best case first."""
    distance = metric == "hd95"
    charted = []
    for region in dict.fromkeys(row["region"] for row in rows):
        values = [(str(row["case"]), float(row[metric])) for row in rows if row["region"] == region and metric in row]
        values.sort(key=lambda item: (math.isnan(item[1]), item[1] if distance else -item[1], item[0]))
        heading = f"{_title(metric)} of {region}"
        if values:
            charted.append(page.heading(region) + charts.bars(values, heading, whole=0.0 if distance else 1.0))
    if charted:
        charted.append(page.paragraph("The dashed line is the median.", "note"))
    return charted


def _example(shown: Example, labels: Sequence[Label]) -> str:
    """Image, true and predicted contours side by side, on the slice with the largest true area."""
    images = shown.image if isinstance(shown.image, Mapping) else {"image": shown.image}
    scene = pictures.make_scene(images, {"true": shown.true, "predicted": shown.predicted})
    basis = "true" if shown.true.array.any() else "predicted"
    channel = pictures.clearest_channel(scene, basis)
    view = scene.main_view()
    index = pictures.largest_slice(scene.label_maps[basis], view)
    where = scene.slice_name(view, index)
    items = []
    for contours, caption in (("", channel.capitalize()), ("true", "True"), ("predicted", "Predicted")):
        picture = pictures.draw(scene, channel, view, index, contours=contours, labels=labels, size=400)
        what = f"{contours} contours" if contours else "without contours"
        items.append(
            page.figure(pictures.png(picture), f"{shown.caption}: {channel}, {where}, {what}", f"{caption} · {where}")
        )
    names = page.legend({label.name: label.color for label in labels})
    return page.heading(shown.caption) + names + page.figures(items, "20rem")


def _confusion(matrix: np.ndarray, labels: Sequence[Label]) -> str:
    names = ["Background", *(label.name for label in labels)]
    rows = []
    for name, counts in zip(names, matrix.tolist(), strict=True):
        whole = sum(counts)
        rows.append([name, *(f"{n:,} ({n / whole:.1%})" if whole else "0" for n in counts)])
    note = "Voxels of all cases: true labels in rows, predicted ones in columns; percentages are of the row."
    return page.table(["True \\ predicted", *names], rows) + page.paragraph(note, "note")


def _all_values(rows: Rows, summary: Summary) -> str:
    metrics = list(dict.fromkeys(metric for columns in summary.values() for metric in columns))
    lines = [
        [
            str(row["case"]),
            str(row["region"]),
            *(page.number(row.get(name, math.nan), 2 if name == "hd95" else 3) for name in metrics),
        ]
        for row in rows
    ]
    content = page.table(["Case", "Region", *map(_title, metrics)], lines)
    return page.details(f"{len(lines)} rows", content, is_open=len(lines) <= _OPEN_ROWS)


def _title(metric: str) -> str:
    return _TITLES.get(metric, metric.capitalize())


def _undefined(value: Any) -> bool:
    return isinstance(value, float) and not math.isfinite(value)
