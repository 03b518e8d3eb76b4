"""The page of two models compared: verdicts, paired figures, every case, and the worst losses as pictures."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from MedSegEffNetLib import atomic, metrics
from MedSegEffNetLib.image import Image
from MedSegEffNetLib.reporting import charts, page, pictures
from MedSegEffNetLib.reporting.comparison import p_value
from MedSegEffNetLib.reporting.evaluation import metric_title
from MedSegEffNetLib.reporting.evaluation_files import Picture
from MedSegEffNetLib.task import SegmentationTask

_NAMED = 60  # above this many cases their names no longer fit
_CONVENTIONS = (
    "Both models segmented the same cases; every figure is over the cases that have a value with both. Difference: mean "
    "of new − old. Interval: 95 %, percentile bootstrap over cases (10,000 resamples). p: Wilcoxon's signed-rank test, "
    "two-sided, exact, not corrected for the number of tests. SD is the sample standard deviation (n − 1). A region is "
    "worse if its mean Dice fell by more than the margin, better if the whole interval of the difference lies above 0 in "
    "six cases or more, and no worse otherwise; the model is worse if any region is, else better if any is. For distances "
    "(mm) less is better."
)
_VERDICTS = {
    "better": ("ok", "The new model is better"),
    "no worse": ("ok", "The new model is no worse"),
    "worse": ("doubtful", "The new model is worse"),
}


@dataclass(frozen=True)
class Loss:
    """A case in which the new model lost Dice (``old`` to ``new``) in ``region``, with its pictures."""

    case: str
    region: str
    old: float
    new: float
    pictures: tuple[Picture, ...]


def draw_loss(
    case: str,
    region: str,
    old: float,
    new: float,
    images: Mapping[str, Image],
    maps: Mapping[str, Image],
    task: SegmentationTask,
) -> Loss:
    """Contours of the truth, the old and the new model side by side, on the slice that lost most.

    Parameters
    ----------
    images : by their titles.
    maps : label maps (X, Y, Z) on one grid, by ``true``, ``old`` and ``new``.
    """
    scene = pictures.make_scene(images, maps, task.shown_window)
    titles = {channel.name: channel.title for channel in task.channels}
    channel = titles.get(task.shown_on, "")
    if channel not in images:
        channel = pictures.clearest_channel(scene, "true" if maps["true"].array.any() else "old")
    view = scene.main_view()
    values = next(entry.labels for entry in task.regions if entry.name == region)
    index = _slice_of_loss(scene, values, view)
    where = scene.slice_name(view, index)
    drawn = []
    for name, title in (("true", "Truth"), ("old", "Old model"), ("new", "New model")):
        picture = pictures.draw(scene, channel, view, index, contours=name, labels=task.labels, size=440)
        alt = f"{case}: {channel}, {where}, contours of {title.lower()}"
        drawn.append(Picture(pictures.png(picture), alt, f"{title} · {channel}, {where}"))
    return Loss(case, region, old, new, tuple(drawn))


def write_models_page(
    path: Path, content: Mapping[str, Any], paired: Sequence[Any], losses: Sequence[Loss], task: SegmentationTask
) -> None:
    """Write the page about two models; ``content`` as in ``comparison.json``, ``paired`` as of :mod:`comparison`."""
    kind, verdict = _VERDICTS[content["verdict"]]
    named = f"{content['new']['name']} {content['new']['version']}"
    count = len(content["cases"])
    facts = {
        "old model": content["old"],
        "new model": named,
        "cases": f"{count} of the split '{content['split']}' of {content['data']}",
        **({"snapshot": content["snapshot"]} if content["snapshot"] else {}),
        "margin": f"{content['margin']:g} of mean Dice",
    }
    parts = [
        page.section("What was compared", page.facts(facts)),
        page.section("Dice", _dice_table(content["regions"])),
    ]
    parts += [page.section(f"Every case: {found.region}", _chart(found)) for found in paired if found.metric == "dice"]
    parts += [
        page.section("Worst losses", *_losses(losses, task)),
        page.section("All metrics", page.details(f"{len(paired)} rows", _all_metrics(paired))),
        page.section("Conventions", page.paragraph(_CONVENTIONS, "note")),
    ]
    badge = page.badge(kind, verdict, content["sentences"])
    title = f"{content['task']}: new model against old"
    atomic.write_text(path, page.document(title, f"{count} held-out cases", parts, content["warnings"], badge))


def pairs(values: Sequence[tuple[str, float, float]], title: str) -> str:
    """A row a case (name, old, new), of which more is better: a hollow dot for the old value, a full one for the new.

    Empty without values. The axis runs around the values, not from 0.
    """
    if not values:
        return ""
    named = len(values) <= _NAMED
    step = 20 if named else 6
    left = min(300, 24 + max(8 * len(name) for name, _, _ in values)) if named else 20
    width, length, head = left + 580, 480, 48
    height = head + step * len(values) + 8
    lines = [
        f'<svg role="img" aria-label="{escape(title)}" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}">',
        f"<title>{escape(title)}</title>",
        f'<circle cx="{left + 6}" cy="10" r="4" {_HOLLOW}/><text x="{left + 16}" y="14">old</text>',
        f'<circle cx="{left + 66}" cy="10" r="4" {_GAIN}/><text x="{left + 76}" y="14">new, better</text>',
        f'<circle cx="{left + 166}" cy="10" r="4" {_LOSS}/><text x="{left + 176}" y="14">new, worse</text>',
    ]
    known = [value for _, old, new in values for value in (old, new)]
    marks = charts.ticks_between(min(known), max(known))
    for mark in marks:
        x = left + length * (mark - marks[0]) / (marks[-1] - marks[0])
        lines.append(f'<line class="rule" x1="{x:.1f}" y1="{head - 6}" x2="{x:.1f}" y2="{height - 4}"/>')
        lines.append(f'<text class="soft" x="{x:.1f}" y="{head - 12}" text-anchor="middle">{mark:g}</text>')
    for row, (name, old, new) in enumerate(values):
        ends = [left + length * (value - marks[0]) / (marks[-1] - marks[0]) for value in (old, new)]
        lines += _pair(name, (old, new), ends, head + row * step + step / 2, (left, left + length), named)
    return "\n".join([*lines, "</svg>"])


_HOLLOW = 'fill="var(--paper)" stroke="var(--soft)" stroke-width="2"'
_GAIN = 'fill="var(--good-line)" stroke="var(--good-line)"'
_LOSS = 'fill="var(--bad-line)" stroke="var(--bad-line)"'


def _pair(
    name: str, values: tuple[float, float], ends: Sequence[float], y: float, sides: tuple[int, int], named: bool
) -> list[str]:
    """One row: the dots at ``ends``, the name left of and the change right of ``sides`` (pixels)."""
    old, new = values
    color = "bad" if new < old else "good"
    told = f"{name}: {old:.3f} to {new:.3f} ({new - old:+.3f})"
    radius = 4 if named else 2.5
    parts = [
        f"<g><title>{escape(told)}</title>",
        f'<line x1="{ends[0]:.1f}" y1="{y}" x2="{ends[1]:.1f}" y2="{y}" stroke="var(--{color}-line)" stroke-width="2"/>',
        f'<circle cx="{ends[0]:.1f}" cy="{y}" r="{radius}" {_HOLLOW}/>',
        f'<circle cx="{ends[1]:.1f}" cy="{y}" r="{radius}" {_LOSS if new < old else _GAIN}/></g>',
    ]
    if named:
        short = name if len(name) <= 35 else name[:34] + "…"
        parts.append(f'<text x="{sides[0] - 12}" y="{y + 4}" text-anchor="end">{escape(short)}</text>')
        parts.append(f'<text class="soft" x="{sides[1] + 12}" y="{y + 4}">{new - old:+.3f}</text>')
    return parts


def _slice_of_loss(scene: pictures.Scene, values: Sequence[int], view: pictures.View) -> int:
    """The slice where the new model errs most beyond the old one; the one with the largest true area among equals."""
    axis = {"axial": 2, "coronal": 1, "sagittal": 0}[view]
    others = tuple(other for other in range(3) if other != axis)
    inside = {name: np.isin(label_map, values) for name, label_map in scene.label_maps.items()}
    errors = {name: np.count_nonzero(inside[name] != inside["true"], axis=others) for name in ("old", "new")}
    more = errors["new"].astype(np.int64) - errors["old"]
    return int(more.argmax()) if more.max() > 0 else pictures.largest_slice(scene.label_maps["true"], view)


def _dice_table(regions: Mapping[str, Mapping[str, Any]]) -> str:
    lines = []
    for name, figures in regions.items():
        sides = [
            " / ".join(_number(figures[side][part]) for part in ("mean", "std", "median")) for side in ("old", "new")
        ]
        interval = f"{figures['low']:+.3f} to {figures['high']:+.3f}" if figures["low"] is not None else "–"
        change = f"{figures['difference']:+.3f}" if figures["difference"] is not None else "–"
        p = p_value(math.nan if figures["p"] is None else figures["p"])
        lines.append([name, *sides, change, interval, p, str(figures["n"]), figures["verdict"]])
    sides = [f"{side}: mean / SD / median" for side in ("Old", "New")]
    return page.table(["Region", *sides, "Difference", "95 % interval", "p", "n", "Verdict"], lines)


def _chart(found: Any) -> str:
    return pairs(found.values, f"Dice of {found.region} of every case, old and new") + page.paragraph(
        "The cases that lost most stand first. The axis does not begin at 0.", "note"
    )


def _losses(losses: Sequence[Loss], task: SegmentationTask) -> list[str]:
    if not losses:
        return [page.paragraph("No case lost Dice in any region.")]
    parts = [page.legend({label.name: label.color for label in task.labels})]
    for loss in losses:
        change = f"{loss.case}: Dice of {loss.region} {loss.old:.3f} → {loss.new:.3f} ({loss.new - loss.old:+.3f})"
        drawn = [page.figure(picture.data, picture.alt, picture.caption) for picture in loss.pictures]
        parts += [page.heading(change), page.figures(drawn, "18rem")]
    return parts


def _all_metrics(paired: Sequence[Any]) -> str:
    lines = []
    for found in paired:
        digits = 2 if found.metric in metrics.DISTANCES else 3
        known = math.isfinite(found.low)
        interval = f"{page.number(found.low, digits)} … {page.number(found.high, digits)}" if known else "–"
        change = f"{found.difference:+.{digits}f}" if math.isfinite(found.difference) else "–"
        means = [page.number(value, digits) for value in (found.mean_a, found.mean_b)]
        lines.append(
            [f"{found.region}: {metric_title(found.metric)}", *means, change, interval, p_value(found.p), str(found.n)]
        )
    return page.table(["Region and metric", "Old", "New", "Difference", "95 % interval", "p", "n"], lines)


def _number(value: float | None) -> str:
    return page.number(math.nan if value is None else value)
