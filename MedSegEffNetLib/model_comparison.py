"""A new model against the one before it, on the same held-out cases: does it earn its place?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from MedSegEffNetLib import atomic, comparison, evaluation, report
from MedSegEffNetLib.comparison import Paired
from MedSegEffNetLib.dataset.case import Case
from MedSegEffNetLib.dataset.snapshots import cases_of_snapshot, read_snapshot
from MedSegEffNetLib.dataset.store import Dataset
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.image import Image
from MedSegEffNetLib.inference.options import Options
from MedSegEffNetLib.inference.predict import segment_case
from MedSegEffNetLib.job import Job
from MedSegEffNetLib.models import comparisons, registry
from MedSegEffNetLib.models.bundle import Bundle
from MedSegEffNetLib.models.promotion import rival
from MedSegEffNetLib.models.sources import COMPARISON, Source, source_of
from MedSegEffNetLib.task import SegmentationTask, get_segmentation_task

_KEPT = "measured.jsonl"
_SHOWN = 3  # worst losses that are drawn
_LEARNT = ("train", "val")  # splits that a model is trained or chosen on


@dataclass(frozen=True)
class Contest:
    """Two models and the cases that they are compared on, checked.

    Parameters
    ----------
    data, snapshot, split : where the cases come from; ``snapshot`` is empty where there is none.
    cases : of the split, with label maps. warnings : sentences for whoever reads the result.
    synthesised : whether the new model learnt from synthesised images of these data.
    margin : loss of mean Dice that counts as none.
    """

    new: Source
    old: Bundle
    data: Path
    snapshot: str
    split: str
    cases: tuple[Case, ...]
    output: Path
    margin: float
    warnings: tuple[str, ...]
    synthesised: bool = False


def prepare(
    model: str,
    *,
    against: str = "",
    data: Path | None = None,
    snapshot: str = "",
    split: str = "test",
    output: Path | None = None,
    margin: float = comparisons.MARGIN,
) -> Contest:
    """What :func:`compare` takes; nothing is written.

    Parameters
    ----------
    model : folder of a training's run or of a model, or a model's name: the new one.
    against : the old one; empty: the one that the training started from, else the task's current model.
    data, snapshot : cases with label maps; None and empty: those of the run.
    split : of the cases; ``all`` for all of them.
    output : folder for the results; None: ``comparison`` in the run's folder.

    Raises
    ------
    InputError
        A model, the data or the split is not there, the models are of two tasks or the same, or the new model was trained
        or chosen on some of the cases (or on others of their patients).
    """
    if not 0 <= margin < 1:
        raise InputError(f"--margin {margin}", expected="a loss of mean Dice from 0 to below 1, e.g. 0.01")
    new = source_of(model)
    old = _old(new, against)
    folder = output or (new.run / COMPARISON if new.run else None)
    if folder is None:
        raise InputError(f"{model} has no run folder to write to", hint="name a folder with --output")
    if data is None:
        if not new.request.get("data"):
            raise InputError(f"{model} has no run folder that names its data", hint="name the cases with --data")
        data, snapshot = Path(str(new.request["data"])), snapshot or str(new.request.get("snapshot") or "")
    if not data.is_dir():
        raise InputError(f"there is no folder {data}", expected="the data of the training", hint="name it with --data")
    everything = _all_cases(new.bundle, data, snapshot)
    cases = _chosen(new.bundle, everything, data, snapshot, split)
    _refuse_learnt(new.bundle, everything, cases)
    if snapshot:
        snapshot = read_snapshot(Dataset.open(data), snapshot).id
    learnt = _learnt(new.bundle)
    return Contest(
        new, old, data, snapshot, split, tuple(cases), folder, margin,
        warnings=tuple(_warnings(old, cases)),
        synthesised=any(case.synthetic for case in everything if case.id in learnt),
    )  # fmt: skip


def compare(contest: Contest, options: Options, job: Job) -> dict[str, Any]:
    """Evaluate both models and write ``comparison.json`` (its content is returned), ``paired.csv``, ``comparison.html``,
    ``pictures/`` of the worst losses, and the evaluations ``old/`` and ``new/``.

    A comparison that was stopped or killed goes on where it was when it is called again.

    Raises
    ------
    InputError
        A case cannot be used.
    Stopped
        The job was asked to stop; no result has been written but what is needed to go on.
    """
    rows = {}
    for name, bundle in ((comparisons.OLD, contest.old), (comparisons.NEW, contest.new.bundle)):
        folder = contest.output / name
        evaluation.evaluate(
            bundle, contest.cases, folder, options, job,
            title=f"{bundle.name} {bundle.version} ({name}) on {contest.data.name}, {contest.split}",
            provenance={"data": contest.data.name, "snapshot": contest.snapshot, "split": contest.split},
            stage=f"Evaluating the {name} model", kept=folder / _KEPT,
        )  # fmt: skip
        rows[name] = report.read_evaluation(folder).main_rows
    paired = comparison.compare_evaluations(rows[comparisons.OLD], rows[comparisons.NEW])
    task = get_segmentation_task(contest.new.bundle.task_id)
    content = _content(contest, paired, rows[comparisons.NEW])
    losses = _losses(contest, paired, task, options, job)
    content["worst"] = [_write_loss(contest.output, number, loss) for number, loss in enumerate(losses, start=1)]
    values = [
        {"case": case, "region": found.region, "metric": found.metric, "old": a, "new": b, "difference": b - a}
        for found in paired
        for case, a, b in found.values
    ]
    report.write_rows(contest.output / comparisons.PAIRED, values)
    report.write_models_page(contest.output / comparisons.PAGE, content, paired, losses, task)
    atomic.write_json(contest.output / comparisons.FILE, content)  # last: whoever sees it has all of it
    return content


def _old(new: Source, against: str) -> Bundle:
    name = against or rival(new)
    try:
        old = registry.find(name)
    except InputError as error:
        if against:
            raise
        raise InputError(
            f"the model to compare {new.bundle.name} with is not there: {error.found}",
            expected=error.expected,
            hint="name another one with --against MODEL",
        ) from error
    if old.task_id != new.bundle.task_id:
        raise InputError(
            f"{old.name} is a model of task {old.task_id}, the new one of {new.bundle.task_id}",
            expected="two models of one task",
        )
    if comparisons.fingerprint(old) == comparisons.fingerprint(new.bundle):
        raise InputError(
            f"{old.name}@{old.version} is the same model as the new one",
            expected="another model to compare with",
            hint="name it with --against MODEL",
        )
    return old


def _all_cases(bundle: Bundle, data: Path, snapshot: str) -> list[Case]:
    """The labelled cases of a snapshot or a folder."""
    if snapshot:
        return [case for case in cases_of_snapshot(Dataset.open(data), snapshot) if case.labelled]
    return evaluation.cases_of(bundle, data, "all")


def _chosen(bundle: Bundle, cases: Sequence[Case], data: Path, snapshot: str, split: str) -> list[Case]:
    """The cases of the split; where the data have none, those that the training set aside under its name."""
    aside = set(bundle.info["provenance"].get("data", {}).get("cases", {}).get(split, ()))
    if any(case.split for case in cases) or split == "all":
        found = [case for case in cases if split in (case.split, "all")]
    else:
        found = [case for case in cases if case.id in aside]
    if found:
        return found
    counts = {name: sum(case.split == name for case in cases) for name in dict.fromkeys(case.split for case in cases)}
    there = ", ".join(f"{name} ({count} cases)" for name, count in counts.items() if name) or "no splits at all"
    hint = "give labelled cases of other patients: --data FOLDER --split all"
    if not any(counts):
        hint += "; or train with --set test_fraction=0.2, which holds some out"
    if snapshot or (data / "dataset.json").is_file():
        hint = (
            f"divide the data set (`medsegeffnet dataset split {data}`; patients are moved with --move PATIENT={split}), "
            "accept cases of those patients, take a new snapshot and train on it"
        )
    raise InputError(
        f"{f'snapshot {snapshot}' if snapshot else data} has no cases of the split '{split}'",
        expected=f"held-out cases that the training never saw; there is: {there}",
        hint=hint,
    )


def _learnt(bundle: Bundle) -> set[str]:
    """Ids of the cases that a model was trained or chosen on."""
    listed: Mapping[str, Sequence[str]] = bundle.info["provenance"].get("data", {}).get("cases", {})
    return {case for split in _LEARNT for case in listed.get(split, ())}


def _refuse_learnt(bundle: Bundle, everything: Sequence[Case], cases: Sequence[Case]) -> None:
    """A model must not be measured on what it has learnt, nor on other images of the same patients."""
    learnt = _learnt(bundle)
    patients = {case.patient for case in everything if case.id in learnt}
    listed = bundle.info["provenance"].get("data", {}).get("patients", {})
    patients |= {patient for split in _LEARNT for patient in listed.get(split, ())}
    seen = [case.id for case in cases if case.id in learnt or case.patient in patients]
    if seen:
        shown = ", ".join(seen[:5]) + (f" and {len(seen) - 5} more" if len(seen) > 5 else "")
        raise InputError(
            f"{len(seen)} of the {len(cases)} cases are of patients that the new model was trained or chosen on: {shown}",
            expected="held-out cases: none of its training and validation patients",
            hint="compare on the split 'test', or give cases of other patients with --data",
        )


def _warnings(old: Bundle, cases: Sequence[Case]) -> list[str]:
    warnings = []
    for bundle in _line(old):
        seen = [case.id for case in cases if case.id in _learnt(bundle)]
        if seen:
            warnings.append(
                f"{bundle.name}@{bundle.version} was trained or chosen on {len(seen)} of the {len(cases)} cases "
                f"({', '.join(seen[:5])}{' …' if len(seen) > 5 else ''}): there its figures are too good, and so may be those "
                "of a model fine-tuned from it."
            )
    real = [case for case in cases if not case.synthetic]
    if not real:
        warnings.append("All cases are synthetic: the figures say nothing about patients.")
    count = len(real or cases)
    if count < comparisons.FEW_CASES:
        warnings.append(
            f"{count} case{'' if count == 1 else 's'} can hardly tell a difference from chance: below "
            f"{comparisons.FEW_CASES} the signed-rank test cannot reach p < 0.05. Hold out more patients."
        )
    return warnings


def _line(bundle: Bundle) -> list[Bundle]:
    """A model and those that it comes from, as far as they are installed."""
    found, models = [bundle], registry.list_models()
    while parent := str(found[-1].info["provenance"].get("parent") or ""):
        name, _, version = parent.partition("@")
        before = next((known for known in models if (known.name, known.version) == (name, version)), None)
        if before is None or before in found:
            break
        found.append(before)
    return found


def _content(contest: Contest, paired: Sequence[Paired], rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    new, old = contest.new.bundle, contest.old
    regions = {found.region: _figures(found, contest.margin) for found in paired if found.metric == "dice"}
    if all(figures["verdict"] == comparisons.NOT_MEASURED for figures in regions.values()):
        raise InputError(
            "no case tells the true extent of any region", expected="cases with label maps of the task's regions"
        )
    missing = [name for name, figures in regions.items() if figures["verdict"] == comparisons.NOT_MEASURED]
    warnings = [*contest.warnings]
    if missing:
        warnings.append(f"No case tells the true extent of {', '.join(missing)}: nothing is known about it.")
    there = {str(row["region"]) for row in rows if row.get("true_voxels", 0) > 0}
    empty = [name for name in regions if name not in there and name not in missing]
    if empty:
        warnings.append(f"No case has {', '.join(empty)}: a model that never finds it would do as well here.")
    measured = {str(row["case"]) for row in rows}
    return {
        "schema": comparisons.SCHEMA,
        "task": new.task_id,
        "old": f"{old.name}@{old.version}",
        "new": {
            "name": new.name, "version": new.version, "folder": str(new.folder.resolve()),
            "weights": comparisons.fingerprint(new),
        },
        "data": contest.data.name,
        "split": contest.split,
        "snapshot": contest.snapshot,
        "cases": [case.id for case in contest.cases if case.id in measured],
        "margin": contest.margin,
        "regions": regions,
        "verdict": comparisons.overall([figures["verdict"] for figures in regions.values()]),
        "sentences": [comparisons.sentence(name, figures, contest.margin) for name, figures in regions.items()],
        "warnings": warnings,
        "synthesised": contest.synthesised,
    }  # fmt: skip


def _figures(found: Paired, margin: float) -> dict[str, Any]:
    """What ``comparison.json`` says of a region; unknown numbers are None."""
    sides = {}
    for name, place in ((comparisons.OLD, 1), (comparisons.NEW, 2)):
        values = np.array([value[place] for value in found.values], dtype=float)
        std = float(values.std(ddof=1)) if values.size > 1 else math.nan
        mean, median = (float(values.mean()), float(np.median(values))) if values.size else (math.nan, math.nan)
        sides[name] = {"mean": _known(mean), "std": _known(std), "median": _known(median)}
    difference, low, high, p = (_known(value) for value in (found.difference, found.low, found.high, found.p))
    verdict = comparisons.region_verdict(difference, low, margin, found.n)
    return {"n": found.n, **sides, "difference": difference, "low": low, "high": high, "p": p, "verdict": verdict}


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _losses(
    contest: Contest, paired: Sequence[Paired], task: SegmentationTask, options: Options, job: Job
) -> list[report.Loss]:
    """The cases that lost most Dice in a region, each once; segmented again rather than all kept in memory."""
    lost = [(new - old, found.region, case, old, new) for found in paired if found.metric == "dice"
            for case, old, new in found.worst]  # fmt: skip
    chosen: dict[str, tuple[float, str, str, float, float]] = {}
    for loss in sorted(lost):
        if len(chosen) < _SHOWN:
            chosen.setdefault(loss[2], loss)
    by_id = {case.id: case for case in contest.cases}
    drawn = []
    for number, (_, region, case_id, old, new) in enumerate(chosen.values()):
        job.progress("Drawing the worst losses", number, len(chosen))
        job.check_stop()
        images, true = by_id[case_id].load()
        if true is None:
            raise InputError(f"case {case_id} has no label map", hint="a comparison needs labelled cases")
        maps = {"true": true} | {
            name: segment_case(images, bundle, options, Job.open(None, {})).label_map
            for name, bundle in ((comparisons.OLD, contest.old), (comparisons.NEW, contest.new.bundle))
        }
        drawn.append(report.draw_loss(case_id, region, old, new, _titled(task.channels, images), maps, task))
    job.progress("Drawing the worst losses", len(chosen), len(chosen))
    return drawn


def _titled(channels: Sequence[Any], images: Mapping[str, Image]) -> dict[str, Image]:
    titles: Mapping[str, str] = {channel.name: channel.title for channel in channels}
    return {titles[name]: image for name, image in images.items()}


def _write_loss(output: Path, number: int, loss: report.Loss) -> dict[str, Any]:
    pictures = []
    for place, picture in enumerate(loss.pictures, start=1):
        name = f"{comparisons.PICTURES}/loss-{number}-{place}.png"
        atomic.write_bytes(output / name, picture.data)
        pictures.append({"file": name, "caption": picture.caption})
    return {"case": loss.case, "region": loss.region, "old": loss.old, "new": loss.new, "pictures": pictures}
