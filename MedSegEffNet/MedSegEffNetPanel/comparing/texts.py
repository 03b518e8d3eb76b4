"""Figures as texts: for tables, for the clipboard, for files."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from MedSegEffNetLib import atomic
from MedSegEffNetPanel.comparing.evaluation import Evaluation, Row

NOTHING = "–"  # no figure: one of both has nothing to measure
_COLUMNS = ("compared", "reference", "label", "dice", "hd95_mm", "mean_distance_mm", "compared_voxels",
            "reference_voxels", "compared_ml", "reference_ml", "difference_ml")  # fmt: skip
_SLICE_COLUMNS = ("compared", "reference", "label", "slice", "dice", "compared_voxels", "reference_voxels")


def number(value: float, digits: int) -> str:
    """A number for a table."""
    return f"{value:.{digits}f}" if math.isfinite(value) else NOTHING


def cells(row: Row) -> list[str]:
    """A row of the table: label, Dice, HD95, mean distance, mL of both, difference."""
    of = row.figures
    volumes = [number(of[name], 2) for name in ("ml_a", "ml_b")]
    difference = NOTHING if row.lone else f"{of['ml_a'] - of['ml_b']:+.2f}"
    return [row.title, number(of["dice"], 3), number(of["hd95"], 1), number(of["assd"], 2), *volumes, difference]


def explained(row: Row) -> str:
    """The row's tooltip: the whole name, and the difference in percent of the reference."""
    if row.lone:
        return f"{row.title}: {row.lone}"
    volume, reference = row.figures["ml_a"], row.figures["ml_b"]
    percent = f" ({(volume - reference) / reference:+.0%})" if reference else ""
    return f"{row.title}: {volume - reference:+.2f} mL{percent}"


def table_rows(found: Evaluation) -> list[dict[str, Any]]:
    """The table as it is copied and saved: full figures, nothing where there is none."""
    rows = []
    for row in found.rows:
        of = row.figures
        figures = (of["dice"], of["hd95"], of["assd"], of["voxels_a"], of["voxels_b"], of["ml_a"], of["ml_b"],
                   of["ml_a"] - of["ml_b"])  # fmt: skip
        texts = (found.compared, found.reference, row.title, *map(_exact, figures))
        rows.append(dict(zip(_COLUMNS, texts, strict=True)))
    return rows


def slice_rows(found: Evaluation) -> list[dict[str, Any]]:
    """The figures of all slices."""
    rows = []
    for row in found.slices:
        figures = (row["part"], row["slice"], _exact(row["dice"]), row["voxels_a"], row["voxels_b"])
        rows.append(dict(zip(_SLICE_COLUMNS, (found.compared, found.reference, *figures), strict=True)))
    return rows


def as_text(rows: Sequence[Mapping[str, Any]], separator: str = "\t") -> str:
    """The rows with a line of names above them, separated as a spreadsheet takes them."""
    written = io.StringIO()
    table = csv.DictWriter(written, list(rows[0]), delimiter=separator, lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    return written.getvalue()


def save(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write a CSV file, whole or not at all; :class:`MedSegEffNetError` where that cannot be done."""
    atomic.write_text(path, as_text(rows, ","))


def _exact(value: float) -> Any:
    return "" if isinstance(value, float) and not math.isfinite(value) else round(value, 6)
