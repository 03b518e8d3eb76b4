"""The look at a training before it starts: what it learns from, what is wrong with it, and what it will take.

Nothing is trained: two real steps and the validation of one case are measured, the rest is extrapolated from them.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Unpack

from MedSegEffNetLib.dataset.case import Case
from MedSegEffNetLib.dataset.leaks import find_leaks
from MedSegEffNetLib.dataset.splits import Splits
from MedSegEffNetLib.dataset.store import INFO, Dataset
from MedSegEffNetLib.inference.plan import free_megabytes, peak_megabytes
from MedSegEffNetLib.job import Event, Job
from MedSegEffNetLib.training.cases import split_cases
from MedSegEffNetLib.training.contents import Contents, contents_of
from MedSegEffNetLib.training.measuring import Measured, measure
from MedSegEffNetLib.training.request import CHECK, Asked, Request, check_buildable, resolve
from MedSegEffNetLib.training.run import tell_data, use_threads

_PICTURES_MB = 36  # previews: 300 of 120 kB


@dataclass(frozen=True)
class Preflight:
    """What the event ``preflight`` says; MB are 10^6 bytes, None is unknown.

    Parameters
    ----------
    splits : cases and patients by split.
    labels : by split and region the number of cases that have it.
    memory_mb, memory_free_mb : main memory that it will take at most, and what is free.
    gpu_memory_mb, gpu_memory_free_mb : the same of the GPU; None where none is used.
    seconds_per_epoch, seconds_total : of the training; it may stop sooner by itself.
    disk_mb, disk_free_mb : that the run folder will need, and what is free there.
    errors : why it should not start. warnings : what to think about.
    notes : how the figures were found.
    """

    splits: Mapping[str, Mapping[str, int]]
    labels: Mapping[str, Mapping[str, int]]
    memory_mb: int | None
    memory_free_mb: int | None
    gpu_memory_mb: int | None
    gpu_memory_free_mb: int | None
    seconds_per_epoch: float | None
    seconds_total: float | None
    disk_mb: int | None
    disk_free_mb: int | None
    errors: tuple[str, ...]
    warnings: tuple[str, ...]
    notes: tuple[str, ...]


def check(
    task_id: str,
    data: Path,
    run: Path,
    *,
    threads: int | None = None,
    listener: Callable[[Event], None] | None = None,
    **asked: Unpack[Asked],
) -> Preflight:
    """Look at the training that :func:`MedSegEffNetLib.training.run.train` would do with the same arguments.

    ``run`` is the check's own folder, which the training may take over, on the disk where it will work.

    Raises
    ------
    InputError
        The training would be refused; nothing has been written.
    """
    with begun(task_id, data, run, threads, listener, **asked) as (request, cases, job):
        found = _look(request, cases, run, job)
        job.emit("preflight", **asdict(found))
        job.finish(**asdict(found))
    return found


@contextmanager
def begun(
    task_id: str,
    data: Path,
    run: Path,
    threads: int | None,
    listener: Callable[[Event], None] | None,
    **asked: Unpack[Asked],
) -> Iterator[tuple[Request, dict[str, list[Case]], Job]]:
    """A check's job in ``run``, with what would be trained and the cases by split; errors as of :func:`check`."""
    request = resolve(task_id, data, **asked)
    check_buildable(request)
    cases = split_cases(request.data, request.snapshot, request.task, request.recipe)
    use_threads(threads)
    job = Job.open(run, {**request.as_mapping(), "command": CHECK})
    if listener is not None:
        job.listeners.append(listener)
    with job:
        yield request, cases, job


def _look(request: Request, cases: Mapping[str, Sequence[Case]], run: Path, job: Job) -> Preflight:
    free, gone = free_megabytes(), peak_megabytes() or 0
    splits = tell_data(cases, job)
    contents = {name: contents_of(request, part, name, job) for name, part in cases.items() if part}
    errors, warnings = _leaks(request, cases)
    more = _labels(request, contents)
    errors, warnings = [*errors, *more[0]], [*warnings, *more[1], *_sizes(splits)]
    measured = measure(request, cases, job)
    memory, kept_on_disk = _memory(request, cases, measured, free)
    disk = round(measured.disk_bytes / 1e6 + kept_on_disk + _PICTURES_MB)
    disk_free = _disk_free(run)
    if disk > disk_free:
        errors.append(f"The disk of {run} has {disk_free} MB free, and the training needs {disk} MB.")
    if memory is not None and free is not None and memory > free + gone:
        warnings.append(f"{memory} MB of memory are needed and {free + gone} MB are free: close other programs.")
    return Preflight(
        splits=splits,
        labels={name: found.regions for name, found in contents.items()},
        memory_mb=memory,
        memory_free_mb=None if free is None else free + gone,
        gpu_memory_mb=measured.gpu_mb,
        gpu_memory_free_mb=measured.gpu_free_mb,
        seconds_per_epoch=round(measured.seconds_per_epoch, 1),
        seconds_total=round(measured.seconds_total, 1),
        disk_mb=disk,
        disk_free_mb=disk_free,
        errors=tuple(errors),
        warnings=(*warnings, *measured.notices),
        notes=measured.notes,
    )


def _leaks(request: Request, cases: Mapping[str, Sequence[Case]]) -> tuple[list[str], list[str]]:
    """Errors and warnings: patients, or images, that are in two splits."""
    errors: list[str] = []
    split_of: dict[str, str] = {}
    for name, part in cases.items():
        for case in part:
            before = split_of.setdefault(case.patient, name)
            if before != name:
                errors.append(
                    f"Patient {case.patient} is in {before} and in {name}: move all of a patient's cases into one."
                )
    if not (request.data / INFO).is_file():
        return list(dict.fromkeys(errors)), []
    chosen = {case.id for part in cases.values() for case in part}
    leaks = find_leaks(Dataset.open(request.data), Splits(split_of))
    known = [leak for leak in leaks if set(leak.cases) <= chosen]
    errors += [leak.text for leak in known if leak.severity == "error"]
    return list(dict.fromkeys(errors)), [leak.text for leak in known if leak.severity != "error"]


def _labels(request: Request, contents: Mapping[str, Contents]) -> tuple[list[str], list[str]]:
    """Errors and warnings: regions that cannot be learnt, or not be looked at."""
    errors, warnings = [], []
    for region in request.task.regions:
        if not contents["train"].regions[region.name]:
            text = f"No training case has the label {region.title} ({region.name})"
            if request.recipe.synthetic_share:
                warnings.append(f"{text}: it is learnt from synthetic patients alone.")
            else:
                errors.append(f"{text}: it cannot be learnt. Add a case that has it.")
        elif not contents["val"].regions[region.name]:
            warnings.append(
                f"No validation case has the label {region.title} ({region.name}): nothing says how well it is learnt."
            )
        elif "test" in contents and not contents["test"].regions[region.name]:
            warnings.append(
                f"No test case has the label {region.title} ({region.name}): a comparison says little about it."
            )
    return errors, warnings


def _sizes(splits: Mapping[str, Mapping[str, int]]) -> list[str]:
    found = []
    if splits["val"]["patients"] < 2:
        found.append("There is one validation patient: the best epoch is chosen by it alone.")
    if "test" not in splits:
        found.append(
            "There are no test cases: the new model cannot be compared with the old one on cases that neither has seen."
        )
    return found


def _memory(
    request: Request, cases: Mapping[str, Sequence[Case]], measured: Measured, free: int | None
) -> tuple[int | None, float]:
    """MB of memory at most, and MB of prepared cases that do not fit there and lie on the disk."""
    prepared = measured.case_bytes / 1e6 * (len(cases["train"]) + len(cases["val"]))
    kept = prepared if free is None else min(prepared, free / 2)
    return None if measured.peak_mb is None else round(measured.peak_mb + kept), prepared - kept


def _disk_free(run: Path) -> int:
    folder = run.resolve()
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free // 1_000_000
