"""Every case of a folder, one after the other; a case that was done before is not done again.

A case's results lie in ``OUTPUT/<case>/``: ``<case>.seg.nrrd``, what else was asked for, and, written last, the record
``result.json``, by which the next start knows that the case is done: same model, same settings, same images. A label map
that was changed by hand since is never overwritten. ``OUTPUT/results.csv`` tells how all cases ended.
"""

from __future__ import annotations

import argparse
import csv
import functools
import io
import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from MedSegEffNetLib import atomic
from MedSegEffNetLib.commands import _inputs
from MedSegEffNetLib.commands._outputs import LABEL_MAPS, Outputs, probability_files
from MedSegEffNetLib.errors import InputError, MedSegEffNetError, Stopped

if TYPE_CHECKING:
    from MedSegEffNetLib.inference.options import Options
    from MedSegEffNetLib.job import Job
    from MedSegEffNetLib.models.bundle import Bundle

RECORD = "result.json"
RESULTS = "results.csv"
SCHEMA = 1
_NOTHING: dict[str, Any] = {
    "output": None,
    **dict.fromkeys(("message", "expected", "hint"), ""),
    **dict.fromkeys(("report", "uncertainty")),
    "probabilities": {},
    "volumes_ml": {},
    "measurements": [],
    "warnings": [],
    "measured": {},
    "quality": {},
    "synthesised": "",
}


@dataclass(frozen=True)
class _Batch:
    """What is the same for all cases; ``names`` are the further outputs' names in each case's folder, and ``maker`` is the
    model that makes missing images (None: nobody does)."""

    output: Path
    names: dict[str, Path]
    bundle: Bundle
    options: Options
    maker: Bundle | None = None

    def outputs(self, case: Path) -> Outputs:
        """Where the results of ``case`` go."""
        folder = self.output / case.name
        files = {name: folder / path for name, path in self.names.items()}
        probabilities = probability_files(files.get("probabilities"), self.bundle)
        return Outputs(folder / f"{case.name}.seg.nrrd", files.get("report"), files.get("uncertainty"), probabilities)

    def key(self, case: Path) -> dict[str, Any]:
        """What must be the same for a result to be still the one that is wanted."""
        from MedSegEffNetLib.dataset.channels import image_files

        files = {path.name: [path.stat().st_size, path.stat().st_mtime_ns] for path in image_files(case)}
        return {
            "schema": SCHEMA,
            "case": str(case.resolve()),
            "model": f"{self.bundle.name}@{self.bundle.version}",
            "settings": {name: getattr(self.options, name) for name in ("flips", "resample", "ensemble")},
            **({"completed by": f"{self.maker.name}@{self.maker.version}"} if self.maker else {}),
            "images": files,
        }


def run_batch(arguments: argparse.Namespace, bundle: Bundle, options: Options, request: dict[str, object]) -> None:
    """Segment every case that is not done; a case that fails is told and the next one is taken.

    Raises
    ------
    InputError
        The folders do not fit; nothing has been written.
    MedSegEffNetError
        At the end, if cases failed.
    """
    from MedSegEffNetLib.job import Job
    from MedSegEffNetLib.synthesis import completing
    from MedSegEffNetLib.terminal import ProgressLine

    wanted = {name: getattr(arguments, name) for name in ("report", "uncertainty", "probabilities")}
    maker = completing.find_model() if arguments.complete else None
    names = {name: path for name, path in wanted.items() if path is not None}
    batch = _Batch(arguments.output, names, bundle, options, maker)
    cases = _cases(arguments.batch, batch, arguments.folder)
    job = Job.open(arguments.folder, request)
    job.listeners.append(ProgressLine())
    with job:
        states = Counter(_work(batch, cases, job))
        counts = {state: states[state] for state in ("done", "skipped", "failed")}
        results = (batch.output / RESULTS).resolve()
        job.finish(output=batch.output.resolve(), results=results, total=len(cases), **counts)
        if counts["failed"]:
            raise MedSegEffNetError(
                f"{counts['failed']} of {len(cases)} cases could not be segmented",
                hint=f"see what is said about each of them, also in {RESULTS}; the same command again does only these",
            )
    print(f"{batch.output}: {counts['done']} segmented, {counts['skipped']} were there already; see {RESULTS}")


def _cases(folder: Path, batch: _Batch, run: Path | None) -> list[Path]:
    """The case folders, after a look at the outputs of each of them."""
    from MedSegEffNetLib.dataset.channels import case_folders

    if batch.output.name.lower().endswith(LABEL_MAPS) and not batch.output.is_dir():
        raise InputError(f"--output {batch.output} is called like a file", expected="with --batch a folder")
    if batch.output.resolve() == folder.resolve():
        raise InputError(f"--output is the folder of the cases, {folder}", expected="a folder of its own")
    for option, name in batch.names.items():
        if name.is_absolute() or ".." in name.parts:
            raise InputError(f"--{option} {name}", expected="with --batch a name in each case's folder")
    own = {path.resolve() for path in (batch.output, run) if path is not None}
    cases = [case for case in case_folders(folder) if case.resolve() not in own]
    if not cases:
        raise InputError(
            f"{folder} holds no case folders",
            expected="a folder with a folder of images for each case",
            hint="for a single case use --case",
        )
    _inputs.check_output(batch.output / RESULTS)
    for case in cases:
        outputs = batch.outputs(case)
        outputs.check(_inputs.files_read([case], batch.bundle), run)
        _inputs.check_apart([*outputs.files(), batch.output / case.name / RECORD])
    return cases


def _work(batch: _Batch, cases: list[Path], job: Job) -> list[str]:
    """Take the cases one by one, and write the table of results, of a stopped batch too; returns their last states."""
    ends: dict[Path, tuple[str, dict[str, Any]]] = dict.fromkeys(cases, ("not done", {}))

    def tell(case: Path, state: str, **fields: Any) -> None:
        known = {name: fields.get(name, nothing) for name, nothing in _NOTHING.items()}
        job.emit("case", case=case.name, state=state, index=cases.index(case), total=len(cases), **known)

    for case in cases:
        tell(case, "queued")
    try:
        for case in cases:
            job.check_stop()
            state, fields = ends[case] = _one(batch, case, job, functools.partial(tell, case, "running"))
            tell(case, state, **fields)
    finally:
        _write_results(batch, ends)
    return [state for state, _ in ends.values()]


def _write_results(batch: _Batch, ends: Mapping[Path, tuple[str, dict[str, Any]]]) -> None:
    """A row a case: how it ended, its quality, volumes in mL and measurements (empty: not known), warnings, why it failed.

    The reasons why a result is doubtful are among the warnings, too.
    """
    text = io.StringIO()
    names = [label.name for label in batch.bundle.labels]
    table = csv.writer(text, lineterminator="\n")
    rows = [row for _, fields in ends.values() for row in fields.get("measurements", ())]
    measured = list(dict.fromkeys((row["name"], row["unit"]) for row in rows))
    columns = [f"{name} ({unit})" for name, unit in [*((name, "mL") for name in names), *measured]]
    table.writerow(["case", "state", "quality", *columns, "doubtful because", "warnings", "message"])
    for case, (state, fields) in ends.items():
        of_case = {(row["name"], row["unit"]): row["value"] for row in fields.get("measurements", ())}
        values = [fields.get("volumes_ml", {}).get(name) for name in names] + [of_case.get(key) for key in measured]
        cells = ["" if value is None else f"{value:.3f}" for value in values]
        why = " ".join(filter(None, (fields.get("message"), fields.get("hint"))))
        quality = fields.get("quality", {})
        told = (" ".join(sentences) for sentences in (quality.get("reasons", ()), fields.get("warnings", ())))
        table.writerow([case.name, state, quality.get("flag", ""), *cells, *told, why])
    atomic.write_text(batch.output / RESULTS, text.getvalue())


def _one(batch: _Batch, case: Path, job: Job, begin: Callable[[], None]) -> tuple[str, dict[str, Any]]:
    """The state in which a case ends, and the fields of its event."""
    record = batch.output / case.name / RECORD
    try:
        key, outputs = batch.key(case), batch.outputs(case)
        stored = _read_record(record)
        before, written = stored.pop("result", None), stored.pop("label_map", None)
        if before is not None and stored == key and all(path.is_file() for path in outputs.files()):
            return "skipped", before
        begin()
        _refuse_if_changed(outputs.label_map, written)
        _forget_result(record, written)
        told = _segment(batch, case, outputs, job)
        result = json.loads(json.dumps(told, default=str))
        atomic.write_json(record, {**key, "label_map": _fingerprint(outputs.label_map), "result": result})
        return "done", told
    except Stopped:
        raise
    except MedSegEffNetError as error:
        return "failed", {"message": error.found, "expected": error.expected, "hint": error.hint}
    except Exception as error:  # a fault in one case must not cost the others
        hint = "this is a fault of the program; please report it"
        return "failed", {"message": f"{type(error).__name__}: {error}", "hint": hint}


def _read_record(record: Path) -> dict[str, Any]:
    """What an earlier start recorded of a case; empty where there is nothing that can be read."""
    try:
        stored = json.loads(record.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stored if isinstance(stored, dict) else {}


def _fingerprint(path: Path) -> dict[str, Any]:
    from MedSegEffNetLib.models.bundle import sha256

    return {"bytes": path.stat().st_size, "sha256": sha256(path)}


def _refuse_if_changed(label_map: Path, written: Mapping[str, Any] | None) -> None:
    """Somebody's corrections must not be lost: ``written`` is the label map's fingerprint when it was made here."""
    if written is not None and label_map.is_file() and _fingerprint(label_map) != written:
        raise MedSegEffNetError(
            f"{label_map} was changed since it was written, and would be overwritten",
            expected="the label map as it was made here, or none",
            hint="move it away, or choose another output folder",
        )


def _forget_result(record: Path, written: Mapping[str, Any] | None) -> None:
    """From here on the folder holds no finished case; what is known of the label map that still lies there is kept."""
    if written is None:
        record.unlink(missing_ok=True)
    else:
        atomic.write_json(record, {"label_map": written})


def _segment(batch: _Batch, case: Path, outputs: Outputs, job: Job) -> dict[str, Any]:
    from MedSegEffNetLib.inference.checks import check_images
    from MedSegEffNetLib.inference.predict import segment_case
    from MedSegEffNetLib.synthesis.completing import completed

    given = _inputs.read_inputs({_inputs.ALL: case}, batch.bundle, is_case=True)
    checked = check_images(
        given, batch.bundle.channels, resampled=batch.options.resample, dimensions=batch.bundle.dimensions
    )
    if batch.maker:
        checked = completed(checked, batch.bundle, batch.maker, batch.options, job)
    result = segment_case(checked, batch.bundle, batch.options, job)
    outputs.write(checked.images, result, batch.bundle, case.name)
    told = outputs.told(result)
    return {"output": told.pop("label_map"), **told}
