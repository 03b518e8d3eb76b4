"""Every case of a folder, one after the other; a case that was done before is not done again.

A case's results lie in ``OUTPUT/<case>/``: ``<case>.seg.nrrd``, what else was asked for, and, written last, the record
``result.json``, by which the next start knows that the case is done: same model, same settings, same images.
"""

from __future__ import annotations

import argparse
import functools
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from MedSegEffNetLib import atomic
from MedSegEffNetLib.commands import _inputs
from MedSegEffNetLib.commands._outputs import Outputs, probability_files
from MedSegEffNetLib.errors import InputError, MedSegEffNetError, Stopped

if TYPE_CHECKING:
    from MedSegEffNetLib.inference.options import Options
    from MedSegEffNetLib.job import Job
    from MedSegEffNetLib.models.bundle import Bundle

RECORD = "result.json"
SCHEMA = 1
_NOTHING: dict[str, Any] = {
    "output": None,
    **dict.fromkeys(("message", "expected", "hint"), ""),
    **dict.fromkeys(("report", "uncertainty")),
    "probabilities": {},
    "volumes_ml": {},
    "warnings": [],
    "measured": {},
}


@dataclass(frozen=True)
class _Batch:
    """What is the same for all cases; ``names`` are the further outputs' names in each case's folder."""

    output: Path
    names: dict[str, Path]
    bundle: Bundle
    options: Options

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
            "settings": {"flips": self.options.flips, "resample": self.options.resample},
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
    from MedSegEffNetLib.terminal import ProgressLine

    wanted = {name: getattr(arguments, name) for name in ("report", "uncertainty", "probabilities")}
    batch = _Batch(arguments.output, {n: path for n, path in wanted.items() if path is not None}, bundle, options)
    cases = _cases(arguments.batch, batch, arguments.folder)
    job = Job.open(arguments.folder, request)
    job.listeners.append(ProgressLine())
    with job:
        states = _work(batch, cases, job)
        counts = {state: states[state] for state in ("done", "skipped", "failed")}
        job.finish(output=batch.output.resolve(), total=len(cases), **counts)
        if counts["failed"]:
            raise MedSegEffNetError(
                f"{counts['failed']} of {len(cases)} cases could not be segmented",
                hint="see what is said about each of them; the same command again does only these",
            )
    print(f"{batch.output}: {counts['done']} segmented, {counts['skipped']} were there already")


def _cases(folder: Path, batch: _Batch, run: Path | None) -> list[Path]:
    """The case folders, after a look at the outputs of each of them."""
    from MedSegEffNetLib.dataset.channels import case_folders

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
    for case in cases:
        outputs = batch.outputs(case)
        outputs.check(_inputs.files_read([case], batch.bundle), run)
        _inputs.check_apart([*outputs.files(), batch.output / case.name / RECORD])
    return cases


def _work(batch: _Batch, cases: list[Path], job: Job) -> Counter[str]:
    """Take the cases one by one; returns how many ended in which state."""
    states: Counter[str] = Counter()

    def tell(case: Path, state: str, **fields: Any) -> None:
        known = {name: fields.get(name, nothing) for name, nothing in _NOTHING.items()}
        job.emit("case", case=case.name, state=state, index=cases.index(case), total=len(cases), **known)

    for case in cases:
        tell(case, "queued")
    for case in cases:
        job.check_stop()
        state, fields = _one(batch, case, job, functools.partial(tell, case, "running"))
        states[state] += 1
        tell(case, state, **fields)
    return states


def _one(batch: _Batch, case: Path, job: Job, begin: Callable[[], None]) -> tuple[str, dict[str, Any]]:
    """The state in which a case ends, and the fields of its event."""
    record = batch.output / case.name / RECORD
    try:
        key, outputs = batch.key(case), batch.outputs(case)
        before = _done_before(record, key, outputs)
        if before is not None:
            return "skipped", before
        begin()
        record.unlink(missing_ok=True)  # from here on the folder holds no finished case
        told = _segment(batch, case, outputs, job)
        atomic.write_json(record, {**key, "result": json.loads(json.dumps(told, default=str))})
        return "done", told
    except Stopped:
        raise
    except MedSegEffNetError as error:
        return "failed", {"message": error.found, "expected": error.expected, "hint": error.hint}
    except Exception as error:  # a fault in one case must not cost the others
        hint = "this is a fault of the program; please report it"
        return "failed", {"message": f"{type(error).__name__}: {error}", "hint": hint}


def _done_before(record: Path, key: dict[str, Any], outputs: Outputs) -> dict[str, Any] | None:
    """The result of an earlier start, if it is whole and still the one that is wanted."""
    try:
        stored = json.loads(record.read_text(encoding="utf-8"))
        result: dict[str, Any] = stored.pop("result")
    except (OSError, ValueError, KeyError, AttributeError):
        return None
    whole = stored == key and all(path.is_file() for path in outputs.files())
    return result if whole else None


def _segment(batch: _Batch, case: Path, outputs: Outputs, job: Job) -> dict[str, Any]:
    from MedSegEffNetLib.inference.checks import check_images
    from MedSegEffNetLib.inference.predict import segment_case

    given = _inputs.read_inputs({_inputs.ALL: case}, batch.bundle, is_case=True)
    images, warnings = check_images(given, batch.bundle.channels, resampled=batch.options.resample)
    result = segment_case(images, batch.bundle, batch.options, job)
    result = replace(result, warnings=tuple(dict.fromkeys((*warnings, *result.warnings))))
    outputs.write(images, result, batch.bundle, case.name)
    told = outputs.told(result)
    return {"output": told.pop("label_map"), **told}
