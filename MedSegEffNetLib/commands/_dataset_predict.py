"""``medsegeffnet dataset predict``: a model's labels for the cases of a data set.

Each is saved as a version of origin ``model``, with figures by which the least sure cases can be looked at first. A case
that has a label of this very model is skipped, so the same command again goes on where it was stopped or killed.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from MedSegEffNetLib.commands._dataset_cases import author_of, job_of, say
from MedSegEffNetLib.dataset.records import STATES, CaseRecord
from MedSegEffNetLib.dataset.store import Dataset
from MedSegEffNetLib.dataset.wording import plural, unsure_text, volume_text
from MedSegEffNetLib.errors import InputError, MedSegEffNetError, Stopped

if TYPE_CHECKING:
    from MedSegEffNetLib.inference.options import Options
    from MedSegEffNetLib.inference.predict import Result
    from MedSegEffNetLib.inference.quality import Measures
    from MedSegEffNetLib.job import Job
    from MedSegEffNetLib.models.bundle import Bundle

_NOTHING: dict[str, Any] = {
    "message": "", "expected": "", "hint": "", "output": None, "volumes_ml": {}, "figures": {}, "warnings": [],
    "quality": {}, "facts": [],
}  # fmt: skip


@dataclass(frozen=True)
class _Work:
    """What is the same for all cases."""

    dataset: Dataset
    bundle: Bundle
    options: Options
    author: str
    job: Job

    @property
    def model(self) -> str:
        return f"{self.bundle.name}@{self.bundle.version}"

    def tell(self, case_id: str, state: str, index: int, total: int, **fields: Any) -> None:
        self.job.emit("case", case=case_id, state=state, index=index, total=total, **{**_NOTHING, **fields})


def figures_of(measures: Measures) -> dict[str, float]:
    """What is kept with a label, of :class:`MedSegEffNetLib.inference.quality.Quality` measures; 0 to 1.

    ``uncertainty`` is 1 minus the Dice overlap with the truth that the model expects, ``agreement`` the mean overlap of
    the networks that vote, each of the region where it is worst. What was not measured is left out.
    """
    sure = measures.get("confidence", {}).values()
    together = measures.get("agreement", {}).values()
    found = {"uncertainty": 1 - min(sure)} if sure else {}
    return {
        name: round(value, 4) for name, value in (found | ({"agreement": min(together)} if together else {})).items()
    }


def _predict(arguments: argparse.Namespace) -> None:
    from MedSegEffNetLib.inference import engine, ensemble
    from MedSegEffNetLib.inference.options import Options
    from MedSegEffNetLib.models.registry import find

    with job_of(arguments) as told:
        dataset = Dataset.open(arguments.dataset)
        author = author_of(arguments)
        bundle = find(arguments.model)
        _check_task(dataset, bundle)
        options = Options(
            arguments.device, arguments.engine, arguments.flips, arguments.threads,
            ensemble=arguments.ensemble, probabilities=False,
        )  # fmt: skip
        ensemble.check(bundle, options.ensemble)
        chosen = _chosen(dataset, arguments.state, arguments.case)
        if chosen:
            engine.warm_up(options)
        counts = _all(_Work(dataset, bundle, options, author, told.job), chosen)
        told.finish(total=len(chosen), **counts)
        if counts["failed"]:
            raise MedSegEffNetError(
                f"{counts['failed']} of {len(chosen)} cases could not be predicted",
                hint="see what is said about each of them; the same command again does only these",
            )
    text = f"{plural(counts['done'], 'case')} labelled, {counts['skipped']} had a label of this model already"
    say(arguments, {"total": len(chosen), **counts}, text if chosen else f"No case is {arguments.state}.")


def _check_task(dataset: Dataset, bundle: Bundle) -> None:
    if bundle.task_id != dataset.task.id:
        raise InputError(
            f"{bundle.name} is a model of the task {bundle.task_id}, and the data set is of {dataset.task.id}",
            expected=f"a model of {dataset.task.id}",
            hint="see `medsegeffnet models list`",
        )


def _chosen(dataset: Dataset, state: str, wanted: list[str]) -> list[str]:
    """The ids of the cases in ``state`` (several with commas), of those that are wanted (none: all)."""
    states = [name.strip() for name in state.split(",")]
    for name in states:
        if name not in STATES:
            raise InputError(f"there is no state '{name}'", expected="one of " + ", ".join(STATES))
    for case_id in wanted:
        dataset.read(case_id)
    return [row.id for row in dataset.list() if row.state in states and (not wanted or row.id in wanted)]


def _all(work: _Work, chosen: list[str]) -> dict[str, int]:
    """Take the cases one by one; a case that fails is told and the next one is taken. How many ended in which state."""
    ends: Counter[str] = Counter()
    for index, case_id in enumerate(chosen):
        work.job.check_stop()
        state, fields = _one(work, case_id, index, len(chosen))
        ends[state] += 1
        work.tell(case_id, state, index, len(chosen), **fields)
    return {state: ends[state] for state in ("done", "skipped", "failed")}


def _one(work: _Work, case_id: str, index: int, total: int) -> tuple[str, Mapping[str, Any]]:
    """The state in which a case ends, and the fields of its event."""
    try:
        record = work.dataset.read(case_id)
        if any(label.origin == "model" and label.model == work.model and not label.pruned for label in record.labels):
            return "skipped", {}
        _refuse_if_open(work.dataset, case_id)
        work.tell(case_id, "running", index, total)
        return "done", _label(work, record)
    except Stopped:
        raise
    except MedSegEffNetError as error:
        return "failed", {"message": error.found, "expected": error.expected, "hint": error.hint}
    except Exception as error:  # a fault in one case must not cost the others
        hint = "this is a fault of the program; please report it"
        return "failed", {"message": f"{type(error).__name__}: {error}", "hint": hint}


def _refuse_if_open(dataset: Dataset, case_id: str) -> None:
    """A label that appears under somebody's hands would make a conflict of what they save."""
    editor = dataset.editor(case_id)
    if editor is not None:
        raise InputError(
            f"{case_id} is in use by {editor}", expected="a case that nobody works on", hint="start again later"
        )


def _label(work: _Work, record: CaseRecord) -> dict[str, Any]:
    """Segment a case and save its label; the fields of the event."""
    from MedSegEffNetLib.dataset.labels import save_label
    from MedSegEffNetLib.inference.checks import check_images
    from MedSegEffNetLib.inference.predict import segment_case

    images = work.dataset.load_images(record)
    taken = {channel.name for channel in work.bundle.channels}
    given = {name: image for name, image in images.items() if name in taken}
    checked = check_images(given, work.bundle.channels, resampled=False, dimensions=work.bundle.dimensions)
    result: Result = segment_case(checked, work.bundle, work.options, work.job)
    figures = figures_of(result.quality.measures)
    with work.dataset.open_case(record.id, work.author):
        saved = save_label(
            work.dataset, record.id, result.label_map, author=work.author, origin="model", base=record.current,
            model=work.model, comment=" ".join(result.quality.reasons), figures=figures,
        )  # fmt: skip
    known = result.label_map.spacing_known
    unsure = unsure_text(figures)
    return {
        "output": work.dataset.case_folder(record.id) / saved.labels[-1].file,
        "volumes_ml": result.volumes_ml if known else dict.fromkeys(result.volumes_ml),
        "figures": figures,
        "warnings": list(result.warnings),
        "quality": result.quality.as_mapping(),
        "facts": [
            *([] if known else [volume_text(saved, saved.labels[-1])]),
            *([f"unsure {unsure}"] if unsure else []),
        ],
    }


ACTIONS = {"predict": _predict}
