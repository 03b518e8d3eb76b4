"""A model measured on labelled cases."""

from __future__ import annotations

import contextlib
import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from MedSegEffNetLib import atomic, metrics, report, terminal
from MedSegEffNetLib.dataset.case import Case
from MedSegEffNetLib.dataset.readers import read_folder
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.image import Image
from MedSegEffNetLib.inference.options import Options
from MedSegEffNetLib.inference.predict import segment_case
from MedSegEffNetLib.job import Job
from MedSegEffNetLib.measures import measure_all
from MedSegEffNetLib.models.bundle import Bundle
from MedSegEffNetLib.models.card import excerpt
from MedSegEffNetLib.task import SegmentationTask, get_task

SYNTHETIC = "SYNTHETIC.txt"


def cases_of(bundle: Bundle, data: Path, split: str) -> list[Case]:
    """The cases of ``split`` (or ``all``) in ``data``, for :func:`evaluate`.

    A file :data:`SYNTHETIC` in ``data`` or in a case's own folder says that a program made all cases, or that one.

    Raises
    ------
    InputError
        The folder cannot be read, or it has no such split; the message lists those there are.
    """
    cases = [
        replace(case, synthetic=case.synthesised() or _marked(case, data)) for case in read_folder(data, _task(bundle))
    ]
    chosen = [case for case in cases if split in (case.split, "all")]
    if not chosen:
        counts = {name: sum(case.split == name for case in cases) for name in sorted({case.split for case in cases})}
        there = [f"{name} ({count} cases)" for name, count in counts.items() if name]
        raise InputError(
            f"{data} has no split '{split}'", expected="one of " + ", ".join([*there, f"all ({len(cases)} cases)"])
        )
    return chosen


def evaluate(
    bundle: Bundle,
    cases: Sequence[Case],
    output: Path,
    options: Options,
    job: Job,
    *,
    title: str = "",
    provenance: Mapping[str, Any] | None = None,
    stage: str = "Evaluating",
    kept: Path | None = None,
) -> metrics.Summary:
    """Segment every case and write ``summary.json``, ``per_case.csv`` and ``report.html`` to ``output``.

    Also written are ``evaluation.json`` and ``pictures/``, from which the page can be made again. Returns the summary
    ``{region: {metric: {mean, std, median, n}}}`` (see :func:`MedSegEffNetLib.metrics.summarize`) of the real cases, or
    of all where none is real.

    Parameters
    ----------
    cases : with label maps, see :func:`cases_of`.
    title, provenance : for the report.
    stage : of the events of progress.
    kept : file that holds what was measured, a line a case, so that an evaluation that was stopped or killed goes on where
        it was; it is removed at the end. None: nothing is kept.

    Raises
    ------
    InputError
        A case cannot be used.
    Stopped
        The job was asked to stop; nothing has been written but ``kept``.
    """
    measured = _measure(bundle, cases, options, job, stage, _Kept(kept, bundle, options))
    examples = _examples(cases, measured.rows, bundle, options)
    found = report.Evaluation(
        title=title or f"{bundle.name} {bundle.version}",
        rows=measured.rows,
        task_id=bundle.task_id,
        labels={label.name: label.color for label in bundle.labels},
        examples=tuple(report.draw_example(example, bundle.labels) for example in examples),
        confusion=measured.confusion,
        card=excerpt(bundle.card),
        warnings=measured.warnings,
        facts={
            "model": f"{bundle.name} {bundle.version}",
            "task": bundle.task_id,
            **({"ensemble": options.ensemble} if options.ensemble else {}),
            "seconds a case (reading, segmenting, measuring)": round(measured.seconds / len(cases), 2),
            **(provenance or {}),
        },
    )
    (output / report.ENSEMBLES).unlink(missing_ok=True)  # of an earlier evaluation
    report.write_evaluation(output, found)
    report.write_evaluation_page(output / report.PAGE, found)
    if kept is not None:
        kept.unlink(missing_ok=True)
    return found.summary


def evaluate_each(
    bundle: Bundle, cases: Sequence[Case], output: Path, options: Options, job: Job
) -> dict[str, list[dict[str, Any]]]:
    """Measure every ensemble and every single network of a model; writes ``ensembles.csv`` and ``ensembles.md``.

    Returns rows as in ``per_case.csv`` by the ensemble's name. A single network is measured on the cases that have its
    image. Errors as in :func:`evaluate`.
    """
    task = _task(bundle)
    channels = {entry["key"]: set(entry["channels"]) for entry in bundle.info["networks"]}
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in bundle.ensembles}
    for number, case in enumerate(cases):
        job.progress("Comparing ensembles", number, len(cases))
        images, true = _load(case)
        for name, kept in rows.items():
            job.check_stop()
            if channels.get(name, set()) <= set(images):
                result = segment_case(images, bundle, replace(options, ensemble=name), Job.open(None, {}))
                kept += _rows(case, task, true, result.label_map)
    job.progress("Comparing ensembles", len(cases), len(cases))
    named = [{"ensemble": name, **row} for name, kept in rows.items() for row in kept]
    report.write_rows(output / report.ENSEMBLES, named)
    atomic.write_text(output / "ensembles.md", ensemble_table(rows))
    return rows


def ensemble_table(rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """Dice of each ensemble as Markdown: mean / SD / median of each region, and the tumors missed (Dice 0).

    Synthetic cases have a table of their own.
    """
    tables = []
    for place, heading in enumerate(("", "Synthetic cases:\n\n")):
        kept = {name: report.split_kinds(found)[place] for name, found in rows.items()}
        if any(kept.values()):
            tables.append(heading + _ensemble_table(kept))
    return "\n".join(tables)


def _ensemble_table(rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    regions = list(dict.fromkeys(row["region"] for kept in rows.values() for row in kept))
    lines = ["| network | " + " | ".join(regions) + " | cases |", "|---" * (len(regions) + 2) + "|"]
    for name, kept in rows.items():
        summary = metrics.summarize(kept)
        cells = []
        for region in regions if kept else ():
            dice = summary[region]["dice"]
            missed = metrics.count_missed(row for row in kept if row["region"] == region)
            figures = " / ".join(terminal.number(dice[part]) for part in ("mean", "std", "median"))
            cells.append(figures + (f" ({missed} missed)" if missed else ""))
        if kept:
            lines.append(f"| {name} | " + " | ".join(cells) + f" | {len({row['case'] for row in kept})} |")
    return "\n".join(lines) + "\n"


def summary_table(summary: Mapping[str, Mapping[str, Mapping[str, float]]]) -> str:
    """The summary as text."""
    rows = [
        [region, metric, *(terminal.number(figures[name]) for name in ("mean", "std", "median")), str(figures["n"])]
        for region, by_metric in summary.items()
        for metric, figures in by_metric.items()
    ]
    return terminal.table(rows, ["region", "metric", "mean", "SD", "median", "n"])


@dataclass(frozen=True)
class _Measured:
    rows: list[dict[str, Any]]
    confusion: np.ndarray
    seconds: float
    warnings: tuple[str, ...]


class _Kept:
    """What an evaluation has measured so far, case by case: its rows, and its counts where they are summed up."""

    def __init__(self, path: Path | None, bundle: Bundle, options: Options) -> None:
        self.path = path
        self.cases: dict[str, dict[str, Any]] = {}
        if path is None:
            return
        head = {"files": bundle.info["files"], "ensemble": options.ensemble, "flips": options.flips}
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        found = []
        for line in lines:
            with contextlib.suppress(ValueError):  # torn by a kill
                found.append(json.loads(line))
        if found and found[0] == head:
            self.cases = {entry["case"]: entry for entry in found[1:]}
        atomic.write_text(path, "".join(json.dumps(entry) + "\n" for entry in (head, *self.cases.values())))

    def add(self, entry: dict[str, Any]) -> None:
        """Write down a case."""
        if self.path is not None:
            try:
                with open(self.path, "a", encoding="utf-8", newline="\n") as file:
                    file.write(json.dumps(entry, default=float) + "\n")
            except OSError as error:
                raise atomic.write_error(self.path, error) from error


def _measure(bundle: Bundle, cases: Sequence[Case], options: Options, job: Job, stage: str, kept: _Kept) -> _Measured:
    task = _task(bundle)
    metrics.check_names(task.metrics)
    rows: list[dict[str, Any]] = []
    warnings: tuple[str, ...] = ()
    seconds = 0.0
    values = [label.value for label in bundle.labels]
    confusion = np.zeros((len(values) + 1, len(values) + 1), dtype=np.int64)
    all_synthetic = all(case.synthetic for case in cases)
    for number, case in enumerate(cases):
        job.progress(stage, number, len(cases))
        job.check_stop()
        entry = kept.cases.get(case.id)
        if entry is None:
            started = time.perf_counter()
            _, true, predicted = _segment(case, bundle, options)
            counts = [] if case.regions else metrics.confusion_matrix(predicted.array, true.array, values).tolist()
            entry = {"case": case.id, "rows": _rows(case, task, true, predicted), "counts": counts,
                     "spacing_known": predicted.spacing_known, "seconds": time.perf_counter() - started}  # fmt: skip
            kept.add(entry)
        if entry["counts"] and (all_synthetic or not case.synthetic):
            confusion += np.array(entry["counts"], dtype=np.int64)
        rows += entry["rows"]
        seconds += entry["seconds"]
        if not entry["spacing_known"]:
            warnings = ("The images store no voxel size: HD95 is in units of voxels (1 mm is assumed).",)
    job.progress(stage, len(cases), len(cases))
    return _Measured(rows, confusion, seconds, warnings)


def _marked(case: Case, data: Path) -> bool:
    folders = (data, data / case.id, data / case.split / case.id)
    return any((folder / SYNTHETIC).is_file() for folder in folders)


def _task(bundle: Bundle) -> SegmentationTask:
    task = get_task(bundle.task_id)
    if not isinstance(task, SegmentationTask):
        raise InputError(f"{bundle.name} is no segmentation model", expected="a model of a segmentation task")
    return task


def _segment(case: Case, bundle: Bundle, options: Options) -> tuple[dict[str, Image], Image, Image]:
    images, true = _load(case)
    result = segment_case(images, bundle, options, Job.open(None, {}))
    return images, true, result.label_map


def _load(case: Case) -> tuple[dict[str, Image], Image]:
    images, true = case.load()
    if true is None:
        raise InputError(f"case {case.id} has no label map", hint="evaluation needs labelled cases")
    return images, true


def _rows(case: Case, task: SegmentationTask, true: Image, predicted: Image) -> list[dict[str, Any]]:
    """A row a region; where the case does not tell the true extent, metrics and true volume are NaN.

    What the task measures on a whole label map stands in the row of the first region.
    """
    true_masks = metrics.region_masks(true.array, task.regions)
    predicted_masks = metrics.region_masks(predicted.array, task.regions)
    rows = []
    for region in task.regions:
        masks = predicted_masks[region.name], true_masks[region.name]
        known = not case.regions or region.name in case.regions
        figures = metrics.case_metrics(*masks, true.spacing, task.metrics) if known else {}
        voxels: list[float] = [int(np.count_nonzero(mask)) for mask in masks]
        if not known:
            voxels[1] = math.nan
        ml = float(np.prod(true.spacing)) / 1000 if true.spacing_known else math.nan
        rows.append(
            {
                "case": case.id,
                "region": region.name,
                "kind": report.SYNTHETIC if case.synthetic else "real",
                **{name: figures.get(name, math.nan) for name in task.metrics},
                "true_voxels": voxels[1],
                "predicted_voxels": voxels[0],
                "true_ml": voxels[1] * ml,
                "predicted_ml": voxels[0] * ml,
            }
        )
    maps = {"predicted": predicted} if case.regions else {"true": true, "predicted": predicted}
    measured = {kind: measure_all(task.measures, label_map, task.labels) for kind, label_map in maps.items()}
    rows[0] |= {f"{kind}: {row.title}": row.value for kind, found in measured.items() for row in found}
    return rows


def _examples(
    cases: Sequence[Case], rows: Sequence[Mapping[str, Any]], bundle: Bundle, options: Options
) -> list[report.Example]:
    """The cases with the best, the median and the worst mean Dice; segmented again rather than all kept in memory.

    Real ones are taken where there are any.
    """
    task = _task(bundle)
    known = {case.id: [row["dice"] for row in rows if row["case"] == case.id] for case in cases}
    dice = {name: float(np.nanmean(values)) for name, values in known.items() if np.isfinite(values).any()}
    measured = [case for case in cases if case.id in dice]
    real = [case for case in measured if not case.synthetic]
    ranked = sorted(real or measured, key=lambda case: dice[case.id], reverse=True)
    if not ranked:
        return []
    roles = {ranked[len(ranked) // 2].id: "Median", ranked[-1].id: "Worst", ranked[0].id: "Best"}
    titles = {channel.name: channel.title for channel in task.channels}
    examples = []
    for case in ranked:
        if case.id in roles:
            images, true, predicted = _segment(case, bundle, options)
            caption = f"{roles[case.id]}: {case.id}, Dice {dice[case.id]:.3f}"
            named = {titles[name]: image for name, image in images.items()}
            shown = titles.get(task.shown_on, "")
            example = report.Example(caption, named, true, predicted, shown, task.dimensions == 3, task.shown_window)
            examples.append(example)
    return examples
