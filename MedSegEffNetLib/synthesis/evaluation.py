"""A synthesis model measured on cases whose missing image is known: every target from every choice of inputs."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from MedSegEffNetLib import atomic
from MedSegEffNetLib.dataset.case import Case
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.image import Image
from MedSegEffNetLib.inference.options import Options
from MedSegEffNetLib.job import Job
from MedSegEffNetLib.models.bundle import Bundle
from MedSegEffNetLib.models.card import excerpt
from MedSegEffNetLib.report import write_rows
from MedSegEffNetLib.synthesis import metrics, report
from MedSegEffNetLib.synthesis.cases import read_cases
from MedSegEffNetLib.synthesis.downstream import Downstream
from MedSegEffNetLib.synthesis.predict import Synthesis, Synthesizer, targets_of
from MedSegEffNetLib.task import SynthesisTask, get_task

ROWS, SUMMARY, PAGE, PICTURES = "synthesis.csv", "summary.json", "report.html", "pictures"
Row = dict[str, Any]
_NATIVE, _CONTRAST = "t1", "t1ce"  # without and with contrast agent
_SHOWN = ("Best", "Median", "Worst")


def cases_of(bundle: Bundle, data: Path, split: str) -> list[Case]:
    """The real cases of ``split`` (or ``all``) in ``data``; :class:`InputError` if there are none."""
    task = get_task(bundle.task_id)
    if not isinstance(task, SynthesisTask):
        raise InputError(f"{bundle.name} makes no images", expected="a model of mri-synthesis")
    cases = [case for case in read_cases(data, task) if not case.synthesised()]
    chosen = [case for case in cases if split in (case.split, "all")]
    if not chosen:
        there = ", ".join(sorted({case.split for case in cases} - {""}))
        raise InputError(
            f"{data} has no real cases of the split '{split}'", expected=f"one of {there or 'none'}, or all"
        )
    return chosen


def evaluate(
    bundle: Bundle,
    cases: Sequence[Case],
    output: Path,
    options: Options,
    job: Job,
    *,
    title: str,
    segmenter: Bundle | None = None,
    provenance: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Make every target of every case from every choice of its other images, and compare it with the real one.

    Writes ``synthesis.csv`` (a row a case, choice of inputs and target, and region: ``image``, ``head``, ``tumor``),
    ``summary.json``, ``report.html`` and ``pictures/``; returns the summary, see
    :func:`MedSegEffNetLib.synthesis.metrics.summarize`.

    Parameters
    ----------
    segmenter : model that segments each case, see :class:`MedSegEffNetLib.synthesis.downstream.Downstream`, with a row a
        region; None: none does.

    Raises
    ------
    InputError
        A case cannot be used, or none has two images of the model's.
    Stopped
        The job was asked to stop; nothing has been written.
    """
    started = time.perf_counter()
    task = get_task(bundle.task_id)
    reading = task.cases_of if isinstance(task, SynthesisTask) else ""
    study = _Study(Synthesizer(bundle, options), Downstream(segmenter, reading, options) if segmenter else None)
    for number, case in enumerate(cases):
        job.progress("Evaluating", number, len(cases))
        study.add(case, job)
    job.progress("Evaluating", len(cases), len(cases))
    if not study.rows:
        raise InputError(
            "no case has two of the model's images, with which a target could be made and compared",
            expected="two or more of " + ", ".join(channel.name for channel in bundle.channels),
        )
    facts = {
        "model": f"{bundle.name} {bundle.version}",
        **({"segmentation": f"{segmenter.name} {segmenter.version}"} if segmenter else {}),
        "seconds a case": round((time.perf_counter() - started) / len(cases), 1),
        **(provenance or {}),
    }
    found = report.Evaluation(title, study.rows, bundle.task_id, study.chosen(), excerpt(bundle.card), facts)
    summary = metrics.summarize(found.rows)
    for number, shown in enumerate(found.shown, start=1):
        for place, (data, _) in enumerate(shown.pictures, start=1):
            atomic.write_bytes(output / PICTURES / f"case-{number}-{place}.png", data)
    write_rows(output / ROWS, found.rows)
    atomic.write_json(output / SUMMARY, _without_nan(summary))
    report.write_evaluation_page(output / PAGE, found)
    return summary


@dataclass
class _Study:
    """Rows and pictures, case by case."""

    synthesizer: Synthesizer
    downstream: Downstream | None
    rows: list[Row] = field(default_factory=list)
    pictures: dict[str, list[tuple[float, report.Shown]]] = field(default_factory=dict)

    def add(self, case: Case, job: Job) -> None:
        """Measure every task of a case."""
        images, label = case.load()
        known = {channel.name for channel in self.synthesizer.bundle.channels}
        images = {name: image for name, image in images.items() if name in known and not image.synthesised}
        for target in targets_of(self.synthesizer.bundle):
            others = [name for name in images if name != target]
            if target not in images or not others:
                continue
            real = self.synthesizer.normalized(images[target], target)
            native = self.synthesizer.normalized(images[_NATIVE], _NATIVE) if _NATIVE in images else None
            for inputs in _choices(others):
                job.check_stop()
                made = self.synthesizer.make({name: images[name] for name in inputs}, target, Job.open(None, {}))
                rows = _rows(case.id, f"{'+'.join(inputs)} → {target}", real, made, label)
                if target == _CONTRAST and native is not None and label is not None:
                    head = real[1] & made.inside & native[1]
                    arrays = native[0], real[0], made.normalized, head & (label.array > 0), head
                    tumor = next(row for row in rows if row["region"] == "tumor")
                    tumor["enhancement"] = metrics.enhancement(*arrays)
                if len(inputs) == len(others):
                    self._draw(case.id, images, real, made, label, rows)
                if self.downstream is not None and label is not None:
                    start = {name: rows[0][name] for name in ("case", "task")}
                    rows += [start | row for row in self.downstream.rows(case, images, label, made)]
                self.rows += rows

    def chosen(self) -> tuple[report.Shown, ...]:
        """The best, median and worst case of each target, made from all others, by SSIM inside the head."""
        found = []
        for shown in self.pictures.values():
            ranked = [one for _, one in sorted(shown, key=lambda pair: pair[0], reverse=True)]
            places = dict.fromkeys((0, len(ranked) // 2, len(ranked) - 1))
            names = dict(zip(places, _SHOWN if len(places) == 3 else ("Best", "Worst"), strict=False))
            found += [replace(ranked[place], caption=f"{names[place]}: {ranked[place].caption}") for place in places]
        return tuple(found)

    def _draw(
        self,
        case: str,
        images: Mapping[str, Image],
        real: tuple[np.ndarray, np.ndarray],
        made: Synthesis,
        label: Image | None,
        rows: Sequence[Row],
    ) -> None:
        titles = {channel.name: channel.title for channel in self.synthesizer.bundle.channels}
        both = real[1] & made.inside
        darkest = real[0][both].min()  # so that black is the same in both
        values = [np.where(both, array, darkest) for array in (real[0], made.normalized)]
        shown = {titles[name]: images[name] for name in made.inputs}
        shown |= {
            name: made.image.with_array(array) for name, array in zip(("Real", "Synthesised"), values, strict=True)
        }
        similar = float(rows[1]["ssim"])
        drawn = report.draw(shown, label, ("Real", "Synthesised"))
        caption = f"{titles[made.target]} of {case}, {drawn.caption}, SSIM {similar:.3f}"
        self.pictures.setdefault(made.target, []).append((similar, replace(drawn, caption=caption)))


def _choices(names: Sequence[str]) -> list[tuple[str, ...]]:
    """Every choice of one or more, the small ones first."""
    return [choice for count in range(1, len(names) + 1) for choice in itertools.combinations(names, count)]


def _rows(case: str, task: str, real: tuple[np.ndarray, np.ndarray], made: Synthesis, label: Image | None) -> list[Row]:
    """A row a region."""
    head = real[1] & made.inside
    tumor = head & (label.array > 0) if label is not None else np.zeros_like(head)
    whole = np.broadcast_to(head.any(axis=(0, 1)), head.shape)
    rows = []
    for region, mask in (("image", whole), ("head", head), ("tumor", tumor)):
        target = made.target if region == "head" else ""
        row: Row = {"case": case, "task": task, "region": region}
        row |= metrics.compare(real[0], made.normalized, mask, head, target)
        if target:
            same, _ = metrics.scaled(real[0], real[0], head)
            row["niqe_real"] = metrics.niqe(same, head, metrics.references().get(target))
        rows.append(row)
    return rows


def _without_nan(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _without_nan(part) for name, part in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value
