"""The files of an evaluation, from which its page can be made again: figures as CSV and JSON, pictures as PNG."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from MedSegEffNetLib import atomic, metrics
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.task import Color

SCHEMA = 1
PER_CASE, SUMMARY, ENSEMBLES, ABOUT, PAGE = (
    "per_case.csv",
    "summary.json",
    "ensembles.csv",
    "evaluation.json",
    "report.html",
)
PICTURES = "pictures"
SYNTHETIC = "synthetic"  # in the column "kind"; other cases are "real"
_TEXTS = {"case", "region", "kind", "ensemble"}  # columns that hold no number

Summary = Mapping[str, Mapping[str, Mapping[str, float]]]
Row = Mapping[str, Any]
Rows = Sequence[Row]


@dataclass(frozen=True)
class Picture:
    """A PNG with its alternative text and caption."""

    data: bytes
    alt: str
    caption: str


@dataclass(frozen=True)
class Shown:
    """A case that is shown, with its pictures: image, true and predicted contours in turn."""

    caption: str
    pictures: tuple[Picture, ...]


@dataclass(frozen=True)
class Evaluation:
    """A model measured on cases.

    Parameters
    ----------
    rows : one a case and region: ``case``, ``region``, ``kind`` (``real`` or ``synthetic``), metrics (NaN: undefined),
        ``true_voxels``, ``predicted_voxels``, ``true_ml``, ``predicted_ml``.
    task_id : of the task, for its published figures; empty: none.
    labels : names and colors in the order of the confusion matrix.
    examples : cases to be shown.
    confusion : voxel counts as of :func:`MedSegEffNetLib.metrics.confusion_matrix`, summed over cases; None: not counted.
    ensembles : rows as ``rows`` with the column ``ensemble``, of every network and combination; empty: not measured.
    card : model card, Markdown.
    warnings : sentences for the reader.
    facts : names and values about how the evaluation was made.
    """

    title: str
    rows: Rows
    task_id: str = ""
    labels: Mapping[str, Color] = field(default_factory=dict)
    examples: tuple[Shown, ...] = ()
    confusion: np.ndarray | None = None
    ensembles: Rows = ()
    card: str = ""
    warnings: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def main_rows(self) -> list[Row]:
        """Rows of the real cases; of all where none is real."""
        return split_kinds(self.rows)[0] or list(self.rows)

    @property
    def summary(self) -> metrics.Summary:
        """``{region: {metric: {mean, std, median, n}}}`` of :attr:`main_rows`."""
        return metrics.summarize(self.main_rows)


def split_kinds(rows: Rows) -> tuple[list[Row], list[Row]]:
    """Rows of real cases, and of synthetic ones."""
    made = [row for row in rows if row.get("kind") == SYNTHETIC]
    return [row for row in rows if row.get("kind") != SYNTHETIC], made


def write_evaluation(folder: Path, evaluation: Evaluation) -> None:
    """Write all files but the page; :func:`read_evaluation` gives the same back.

    The ensembles' rows have a file of their own, see :func:`write_rows`. :class:`MedSegEffNetError` for a full disk, say.
    """
    examples = []
    for number, shown in enumerate(evaluation.examples, start=1):
        named = []
        for place, picture in enumerate(shown.pictures, start=1):
            name = f"case-{number}-{place}.png"
            atomic.write_bytes(folder / PICTURES / name, picture.data)
            named.append({"file": name, "alt": picture.alt, "caption": picture.caption})
        examples.append({"caption": shown.caption, "pictures": named})
    about = {
        "schema": SCHEMA,
        "title": evaluation.title,
        "task": evaluation.task_id,
        "labels": {name: list(color) for name, color in evaluation.labels.items()},
        "examples": examples,
        "confusion": None if evaluation.confusion is None else evaluation.confusion.tolist(),
        "card": evaluation.card,
        "warnings": list(evaluation.warnings),
        "facts": dict(evaluation.facts),
    }
    write_rows(folder / PER_CASE, evaluation.rows)
    atomic.write_json(folder / ABOUT, about)
    write_summary(folder / SUMMARY, evaluation.summary)


def read_evaluation(folder: Path) -> Evaluation:
    """The evaluation in ``folder``; one that has no more than ``per_case.csv`` is read too.

    :class:`InputError` for a folder without it, a damaged file, or one of a newer version.
    """
    rows = read_rows(folder / PER_CASE)
    ensembles = read_rows(folder / ENSEMBLES) if (folder / ENSEMBLES).is_file() else ()
    if not (folder / ABOUT).is_file():
        return Evaluation(title=folder.resolve().name, rows=rows, ensembles=ensembles)
    try:
        about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        if int(about["schema"]) > SCHEMA:
            raise InputError(
                f"{folder / ABOUT} was written by a newer version (schema {about['schema']})",
                expected=f"schema {SCHEMA} or older",
                hint="update MedSegEffNet",
            )
        return Evaluation(
            title=str(about["title"]),
            rows=rows,
            task_id=str(about["task"]),
            labels={name: (int(r), int(g), int(b)) for name, (r, g, b) in about["labels"].items()},
            examples=tuple(_read_shown(folder, shown) for shown in about["examples"]),
            confusion=None if about["confusion"] is None else np.array(about["confusion"], dtype=np.int64),
            ensembles=ensembles,
            card=str(about["card"]),
            warnings=tuple(about["warnings"]),
            facts=about["facts"],
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{folder / ABOUT} is damaged ({error})", hint="evaluate the model again, or delete this file"
        ) from error


def write_rows(path: Path, rows: Rows) -> None:
    """One line a row, columns in the order in which they first come; undefined values (NaN) are empty cells."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow(["" if _undefined(row.get(name, "")) else row.get(name, "") for name in columns])
    atomic.write_text(path, stream.getvalue())


def read_rows(path: Path) -> list[dict[str, Any]]:
    """What :func:`write_rows` wrote: numbers are float, empty cells NaN. :class:`InputError` for anything else."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            read = list(csv.DictReader(file, strict=True))
        rows = [{name: cell if name in _TEXTS else float(cell or "nan") for name, cell in row.items()} for row in read]
    except FileNotFoundError as error:
        raise InputError(f"there is no {path}", expected=f"the folder of an evaluation, with {PER_CASE}") from error
    except (OSError, ValueError, TypeError, csv.Error) as error:
        raise InputError(f"{path} cannot be read as a table of an evaluation: {error}") from error
    if not rows or not {"case", "region"} <= set(rows[0]):
        raise InputError(f"{path} has no rows with a case and a region", expected=f"the {PER_CASE} of an evaluation")
    return rows


def write_summary(path: Path, summary: Summary) -> None:
    """``{region: {metric: {mean, std, median, n}}}`` as JSON; undefined values (NaN) are ``null``."""
    clean = {
        region: {
            metric: {name: None if _undefined(value) else value for name, value in values.items()}
            for metric, values in columns.items()
        }
        for region, columns in summary.items()
    }
    atomic.write_json(path, clean)


def _read_shown(folder: Path, shown: Mapping[str, Any]) -> Shown:
    pictures = tuple(
        Picture((folder / PICTURES / Path(named["file"]).name).read_bytes(), named["alt"], named["caption"])
        for named in shown["pictures"]
    )
    return Shown(str(shown["caption"]), pictures)


def _undefined(value: Any) -> bool:
    return isinstance(value, float) and not math.isfinite(value)
