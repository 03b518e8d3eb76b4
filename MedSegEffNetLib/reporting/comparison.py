"""The pages of a comparison: of two label maps, and of two evaluations."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from MedSegEffNetLib import atomic, metrics
from MedSegEffNetLib.reporting import charts, page
from MedSegEffNetLib.reporting.evaluation import metric_title

_LABEL_MAPS = (
    "Dice is 1 where both label maps are empty and 0 where one is; distances to an empty map are undefined (–). HD95 is "
    "the greater of the two directed 95th percentiles of surface distances, the mean distance is that over both "
    "surfaces. Slices are counted from 1 along the files' third axis; those without the part in either map are left out."
)
_PAIRED = (
    "Difference: mean of B − A over the cases that have a value in both. Interval: 95 %, percentile bootstrap over cases "
    "(10,000 resamples). p: Wilcoxon's signed-rank test, two-sided, exact, not corrected for the number of tests. For "
    "distances (mm) less is better."
)


def write_label_maps_page(
    path: Path, *, a: str, b: str, rows: Sequence[Mapping[str, Any]], slices: Sequence[Mapping[str, Any]]
) -> None:
    """Write the page about two label maps named ``a`` and ``b``; rows as of a :class:`comparison.LabelMaps`."""
    in_ml = all(math.isfinite(row["ml_a"]) for row in rows)
    name, unit, digits = ("ml", "mL", 2) if in_ml else ("voxels", "voxels", 0)
    lines = [
        [str(row["part"]), str(row["values"]), page.number(row["dice"]), page.number(row["hd95"], 2),
         page.number(row["assd"], 2), page.number(row[f"{name}_a"], digits), page.number(row[f"{name}_b"], digits),
         f"{row[f'{name}_b'] - row[f'{name}_a']:+.{digits}f}"]
        for row in rows
    ]  # fmt: skip
    sizes = [f"{side} ({unit})" for side in ("A", "B", "B − A")]
    header = ["Label or region", "Values", "Dice", "HD95 (mm)", "Mean distance (mm)", *sizes]
    table = page.table(header, lines)
    drawn = [_slice_chart(str(row["part"]), slices) for row in rows]
    parts = [
        page.section("Agreement", page.facts({"A": a, "B": b}), table),
        page.section("Slice by slice", page.figures(filter(None, drawn), "28rem") if any(drawn) else ""),
        page.section("Conventions", page.paragraph(_LABEL_MAPS, "note")),
    ]
    atomic.write_text(path, page.document("Two label maps compared", f"A {a} · B {b}", parts))


def write_evaluations_page(path: Path, *, a: str, b: str, paired: Sequence[Any], warnings: Sequence[str] = ()) -> None:
    """Write the page about two evaluations named ``a`` and ``b``; ``paired`` as of :mod:`comparison`."""
    parts = []
    for region in dict.fromkeys(found.region for found in paired):
        of_region = [found for found in paired if found.region == region]
        lines = []
        for found in of_region:
            digits = 2 if found.metric in metrics.DISTANCES else 3
            interval = f"{page.number(found.low, digits)} … {page.number(found.high, digits)}"
            numbers = [page.number(value, digits) for value in (found.mean_a, found.mean_b)]
            change = f"{found.difference:+.{digits}f}" if math.isfinite(found.difference) else "–"
            lines.append(
                [metric_title(found.metric), *numbers, change, interval if math.isfinite(found.low) else "–",
                 p_value(found.p), str(found.n)]
            )  # fmt: skip
        table = page.table(["Metric", "A", "B", "Difference", "95 % interval", "p", "n"], lines)
        parts.append(page.section(region, table, *_cases(of_region)))
    parts.append(page.section("Conventions", page.paragraph(_PAIRED, "note")))
    atomic.write_text(path, page.document("Two evaluations compared", f"A {a} · B {b}", parts, warnings))


def p_value(p: float) -> str:
    """``0.031``, ``< 0.001``, or a dash where there is none."""
    return "< 0.001" if p < 0.001 else page.number(p)


def _cases(of_region: Sequence[Any]) -> list[str]:
    """All cases by the first metric of the region, those where B loses most first."""
    first = of_region[0]
    header = ["Case", "A", "B", "Difference"]
    rows = [[case, page.number(a), page.number(b), f"{b - a:+.3f}"] for case, a, b in first.values]
    lost = len(first.worst)
    title = f"Where B loses most ({metric_title(first.metric)})"
    worst = [page.heading(title), page.table(header, rows[:lost])] if lost else []
    return [*worst, page.details(f"All {len(rows)} cases", page.table(header, rows))]


def _slice_chart(part: str, slices: Sequence[Mapping[str, Any]]) -> str:
    points = [(float(row["slice"]), float(row["dice"])) for row in slices if row["part"] == part]
    if len(points) < 2:
        return ""
    by_slice, title = dict(points), f"Dice of {part}"
    numbers = range(int(points[0][0]), int(points[-1][0]) + 1)
    return charts.lines(
        [charts.Curve(title, [(float(number), by_slice.get(number, math.nan)) for number in numbers])],
        title, "Slice", whole=True,
    )  # fmt: skip
