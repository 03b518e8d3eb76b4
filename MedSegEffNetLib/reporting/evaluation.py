"""The page of an evaluation: tables, bars of all cases, pictures of some."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np

from MedSegEffNetLib import atomic, metrics
from MedSegEffNetLib.image import Image
from MedSegEffNetLib.reporting import charts, page, pictures
from MedSegEffNetLib.reporting.evaluation_files import SYNTHETIC, Evaluation, Picture, Rows, Shown, split_kinds
from MedSegEffNetLib.task import Label, PublishedFigure, SegmentationTask, list_tasks

_TITLES = {"iou": "IoU", "f1": "F1", "hd95": "HD95 (mm)", "assd": "Mean surface distance (mm)"}
_OPEN_ROWS = 40  # a longer table of cases is folded
_SIZES = {
    "true_ml": "True (mL)",
    "predicted_ml": "Predicted (mL)",
    "true_voxels": "True (voxels)",
    "predicted_voxels": "Predicted (voxels)",
}
_CONVENTIONS = (
    "Metrics are counted over all voxels of a case. Both masks empty: Dice, F1 and IoU are 1; only one empty: they are "
    "0. Distances (HD95, mean surface distance) to an empty mask are undefined. Sensitivity is undefined without true "
    "voxels, precision without predicted ones. Where the data do not tell a region's true extent, all its metrics are "
    "undefined. Undefined values (–) enter no mean, standard deviation or median; n counts those that do. Missed: cases "
    "whose Dice is 0 although the true mask is not empty. SD is the sample standard deviation (n − 1). HD95 is the "
    "greater of the two directed 95th percentiles of surface distances. Distances are in mm (in voxels where the images "
    "store no spacing)."
)


@dataclass(frozen=True)
class Example:
    """A case to be drawn with its truth.

    Parameters
    ----------
    caption : why it is shown and which it is, e.g. ``Best: case-7, Dice 0.913``.
    image : (X, Y, Z), or several by channel name.
    true, predicted : label maps (X, Y, Z) on one grid.
    channel : name of the one of ``image`` that is shown; empty or not there: the one in which the true labels stand out
        most.
    all_views : axial, coronal and sagittal; otherwise only the plane in which the slices were taken.
    window : see :func:`MedSegEffNetLib.reporting.pictures.make_scene`.
    """

    caption: str
    image: Image | Mapping[str, Image]
    true: Image
    predicted: Image
    channel: str = ""
    all_views: bool = False
    window: tuple[float, float] | None = None


def draw_example(example: Example, labels: Sequence[Label]) -> Shown:
    """Image, true and predicted contours of each view, on the slice with the largest true area."""
    images = example.image if isinstance(example.image, Mapping) else {"image": example.image}
    scene = pictures.make_scene(images, {"true": example.true, "predicted": example.predicted}, example.window)
    basis = "true" if example.true.array.any() else "predicted"
    channel = example.channel if example.channel in images else pictures.clearest_channel(scene, basis)
    drawn = []
    for view in scene.views() if example.all_views else [scene.main_view()]:
        index = pictures.largest_slice(scene.label_maps[basis], view)
        where = scene.slice_name(view, index)
        if example.all_views:
            where = f"{view}, {where}"
        for contours, caption in (
            ("", channel[:1].upper() + channel[1:]),
            ("true", "True"),
            ("predicted", "Predicted"),
        ):
            picture = pictures.draw(scene, channel, view, index, contours=contours, labels=labels, size=400)
            what = f"{contours} contours" if contours else "without contours"
            alt = f"{example.caption}: {channel}, {where}, {what}"
            drawn.append(Picture(pictures.png(picture), alt, f"{caption} · {where}"))
    return Shown(example.caption, tuple(drawn))


def write_evaluation_page(path: str | Path, evaluation: Evaluation, *, bar_metric: str = "dice") -> None:
    """Write one self-contained HTML page about an evaluation, with one chart of ``bar_metric`` a region.

    :class:`MedSegEffNetError` when the file cannot be written.
    """
    real, made = split_kinds(evaluation.rows)
    kinds = [("", real or made)] if not (real and made) else [("", real), (" (synthetic)", made)]
    warnings = list(evaluation.warnings)
    if made and not real:
        warnings.append("All cases are synthetic: the figures say nothing about patients.")
    parts = [page.section("Summary", _summaries(kinds[0][1]))]
    if len(kinds) > 1:
        note = page.paragraph("These cases were made by a program; their figures say nothing about patients.", "note")
        parts.append(page.section("Synthetic cases", note, _summaries(made)))
    parts[1:1] = [
        page.section("Networks and combinations", *_ensembles(evaluation.ensembles)),
        page.section("Beside the published figures", *_published(evaluation)),
    ]
    parts += [
        *[
            page.section(f"{metric_title(bar_metric)} of every case{kind}", *_bars(rows, bar_metric))
            for kind, rows in kinds
        ],
        page.section("Cases", *[_shown(shown, evaluation) for shown in evaluation.examples]),
        page.section("Confusion matrix", _confusion(evaluation)),
        page.section("All values", _all_values(evaluation.rows)),
        page.section("Conventions", page.paragraph(_CONVENTIONS, "note")),
        page.section("Model", page.markdown(evaluation.card)),
        page.section("How this was made", page.facts(evaluation.facts)),
    ]
    cases = len({row["case"] for row in evaluation.rows})
    count = f"{cases} case" + ("" if cases == 1 else "s")
    if real and made:
        count += f", of which {len({row['case'] for row in made})} synthetic"
    atomic.write_text(path, page.document(evaluation.title, count, parts, warnings))


def _summaries(rows: Rows) -> str:
    """A table a region."""
    tables = []
    for region, columns in metrics.summarize(rows).items():
        of_region = [row for row in rows if row["region"] == region]
        lines = []
        for metric, values in columns.items():
            digits = 2 if metric in metrics.DISTANCES else 3
            numbers = [page.number(values[name], digits) for name in ("mean", "std", "median")]
            lines.append([metric_title(metric), *numbers, f"{values['n']:.0f} of {len(of_region)}"])
        table = page.table(["Metric", "Mean", "SD", "Median", "n"], lines)
        missed = f"Missed (Dice 0): {metrics.count_missed(of_region)} of {len(of_region)}."
        tables += [page.heading(region), table, page.paragraph(missed, "note")]
    return "\n".join(tables)


def _ensembles(rows: Rows) -> list[str]:
    """A table of real cases and one of synthetic ones: each network's and combination's Dice and HD95, by region."""
    parts = []
    for kind, kept in zip(("", " (synthetic cases)"), split_kinds(rows), strict=True):
        summaries = {
            name: metrics.summarize([row for row in kept if row["ensemble"] == name])
            for name in dict.fromkeys(row["ensemble"] for row in kept)
        }
        for region in dict.fromkeys(row["region"] for row in kept):
            lines = []
            for name, summary in summaries.items():
                dice = summary[region]["dice"]
                of_region = [row for row in kept if row["region"] == region and row["ensemble"] == name]
                distance = summary[region].get("hd95", {"mean": math.nan, "median": math.nan})
                lines.append(
                    [name, *(page.number(dice[part]) for part in ("mean", "std", "median")),
                     f"{metrics.count_missed(of_region)}", page.number(distance["mean"], 1),
                     page.number(distance["median"], 1), f"{dice['n']:.0f}"]
                )  # fmt: skip
            header = ["Network", "Dice mean", "SD", "Median", "Missed", "HD95 mean (mm)", "HD95 median", "n"]
            parts += [page.heading(region + kind), page.table(header, lines)]
    return parts


def _published(evaluation: Evaluation) -> list[str]:
    task = list_tasks().get(evaluation.task_id)
    if not isinstance(task, SegmentationTask) or not task.published:
        return []
    lines = []
    for figure in task.published:
        ours = _ours(figure, evaluation)
        lines.append(
            [figure.system, figure.region or "all labels", metric_title(figure.metric),
             _three(figure.mean, figure.std, figure.median), _three(ours["mean"], ours["std"], ours["median"]),
             f"{ours['n']:.0f}"]
        )  # fmt: skip
    header = ["Published system", "Region", "Metric", "Published", "Ours", "Our n"]
    sources = dict.fromkeys(f"{figure.source}; {figure.data}" for figure in task.published)
    note = (
        "Mean / SD / median, as far as given. The data are other ones: the figures are not directly comparable. "
        f"Published: {' · '.join(sources)}. Ours: {len({row['case'] for row in evaluation.main_rows})} cases."
    )
    return [page.table(header, lines), page.paragraph(note, "note")]


def _ours(figure: PublishedFigure, evaluation: Evaluation) -> Mapping[str, float]:
    """Our figure that stands beside a published one; NaN where there is none."""
    none = {"mean": math.nan, "std": math.nan, "median": math.nan, "n": 0}
    if not figure.region:
        counts = evaluation.confusion
        if figure.metric != "accuracy" or counts is None or not counts.sum():
            return none
        return {
            **none,
            "mean": float(np.trace(counts) / counts.sum()),
            "n": len({r["case"] for r in evaluation.main_rows}),
        }
    if not figure.ensemble:
        summary = evaluation.summary
    else:
        real, made = split_kinds(evaluation.ensembles)
        summary = metrics.summarize(row for row in real or made if row["ensemble"] == figure.ensemble)
    return summary.get(figure.region, {}).get(figure.metric, none)


def _three(*values: float | None) -> str:
    """``0.84 / 0.13 / 0.89``; what is not given is left out."""
    known = [f"{value:.3f}" for value in values if value is not None and math.isfinite(value)]
    return " / ".join(known) or "–"


def _bars(rows: Rows, metric: str) -> list[str]:
    """One chart a region, the best case first."""
    distance = metric in metrics.DISTANCES
    charted = []
    for region in dict.fromkeys(row["region"] for row in rows):
        values = [(str(row["case"]), float(row[metric])) for row in rows if row["region"] == region and metric in row]
        values.sort(key=lambda item: (math.isnan(item[1]), item[1] if distance else -item[1], item[0]))
        heading = f"{metric_title(metric)} of {region}"
        if any(math.isfinite(value) for _, value in values):
            charted.append(page.heading(region) + charts.bars(values, heading, whole=0.0 if distance else 1.0))
    if charted:
        charted.append(page.paragraph("The dashed line is the median.", "note"))
    return charted


def _shown(shown: Shown, evaluation: Evaluation) -> str:
    items = [page.figure(picture.data, picture.alt, picture.caption) for picture in shown.pictures]
    return page.heading(shown.caption) + page.legend(evaluation.labels) + page.figures(items, "20rem")


def _confusion(evaluation: Evaluation) -> str:
    """Counts and shares of the row, the darker the larger the share."""
    matrix = evaluation.confusion
    if matrix is None or not matrix.any():
        return ""
    names = ["Background", *evaluation.labels]
    lines = ["".join(f'<th scope="col">{escape(name)}</th>' for name in ("True \\ predicted", *names))]
    for name, counts in zip(names, matrix.tolist(), strict=True):
        whole = sum(counts)
        cells = "".join(_heat(count, count / whole if whole else 0.0) for count in counts)
        lines.append(f'<th scope="row">{escape(name)}</th>{cells}')
    note = "Voxels of all cases: true labels in rows, predicted ones in columns; percentages and colors are of the row."
    table = "\n".join(f"<tr>{line}</tr>" for line in lines)
    return f'<div class="wide"><table>\n{table}\n</table></div>' + page.paragraph(note, "note")


def _heat(count: int, share: float) -> str:
    ink = "; color: #fff" if share > 0.5 else ""
    style = f"background: rgba(11,110,138,{0.85 * share:.3f}){ink}; print-color-adjust: exact"
    return f'<td style="{style}">{f"{count:,} ({share:.1%})" if count else "0"}</td>'


def _all_values(rows: Rows) -> str:
    """The table of all cases; sizes in voxels where no voxel size is known."""
    in_ml = any(math.isfinite(row.get("predicted_ml", math.nan)) for row in rows)
    digits = dict.fromkeys(metrics.METRICS, 3) | dict.fromkeys(metrics.DISTANCES, 2)
    digits |= {"true_ml": 2, "predicted_ml": 2} if in_ml else {"true_voxels": 0, "predicted_voxels": 0}
    columns = list(dict.fromkeys(name for row in rows for name in row))
    digits |= {name: 2 for name in columns if name.startswith(("true: ", "predicted: "))}  # measured on whole cases
    names = [name for name in columns if name in digits]
    lines = [
        [
            str(row["case"]) + (" (synthetic)" if row.get("kind") == SYNTHETIC else ""),
            str(row["region"]),
            *(page.number(row.get(name, math.nan), digits[name]) for name in names),
        ]
        for row in rows
    ]
    content = page.table(["Case", "Region", *map(metric_title, names)], lines)
    return page.details(f"{len(lines)} rows", content, is_open=len(lines) <= _OPEN_ROWS)


def metric_title(metric: str) -> str:
    """How a metric is called in tables, with its unit."""
    return {**_TITLES, **_SIZES}.get(metric, metric[:1].upper() + metric[1:])
