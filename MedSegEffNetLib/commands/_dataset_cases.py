"""``medsegeffnet dataset create | import | add | list | show``."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, is_dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from MedSegEffNetLib.dataset.records import STATES, CaseRecord, id_from
from MedSegEffNetLib.dataset.store import Dataset, content_of
from MedSegEffNetLib.dataset.wording import plural, unsure_text, volume_text
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.terminal import table

if TYPE_CHECKING:
    from MedSegEffNetLib.job import Job

_MADE = "synthesised image"  # beside a case's flags


@dataclass(frozen=True)
class Told:
    """A command as a job: called with stage, done and total it tells how far it is, and looks for a wish to stop."""

    job: Job

    def __call__(self, stage: str, done: int, total: int) -> None:
        self.job.check_stop()
        self.job.progress(stage, done, total)

    def finish(self, **results: Any) -> None:
        """What the event at the job's end will carry."""
        self.job.finish(**_plain(results))


@contextmanager
def job_of(arguments: argparse.Namespace) -> Iterator[Told]:
    """The command as a job, in the folder of ``--run`` if there is one; what is wrong with the input is its end, too."""
    from MedSegEffNetLib.job import Job
    from MedSegEffNetLib.terminal import ProgressLine

    unwanted = ("run", "folder", "json")
    job = Job.open(arguments.folder, {name: value for name, value in vars(arguments).items() if name not in unwanted})
    job.listeners.append(ProgressLine())
    with job:
        yield Told(job)


def author_of(arguments: argparse.Namespace) -> str:
    """Who works: ``--author``, or who did so before; an :class:`InputError` if nobody was named."""
    from MedSegEffNetLib.dataset.author import author_or_kept

    return author_or_kept(arguments.author, lambda text: print(f"Warning: {text}", file=sys.stderr))


def say(arguments: argparse.Namespace, value: Any, text: str) -> None:
    """Print ``value`` as JSON if that was asked for, else ``text``."""
    print(json.dumps(_plain(value), indent=1, ensure_ascii=False) if arguments.json else text)


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(name): _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, float) and value != value:
        return None
    return str(value) if isinstance(value, Path) else value


def _create(arguments: argparse.Namespace) -> None:
    dataset = Dataset.create(arguments.dataset, arguments.task, title=arguments.title)
    say(arguments, dataset.info, f"{arguments.dataset} is a data set of {dataset.info.task}")


def _import(arguments: argparse.Namespace) -> None:
    from MedSegEffNetLib.dataset.importing import import_cases
    from MedSegEffNetLib.dataset.pseudonyms import Pseudonyms
    from MedSegEffNetLib.dataset.readers import read_folder

    with job_of(arguments) as told:
        dataset = Dataset.open(arguments.dataset)
        author = author_of(arguments)
        cases = read_folder(arguments.source, dataset.task, False, arguments.format)
        if arguments.pseudonymize and arguments.reference:
            raise InputError("--reference keeps names that --pseudonymize takes away", hint="leave one of them out")
        pseudonyms = Pseudonyms.of(dataset, arguments.key) if arguments.pseudonymize else None
        done = import_cases(
            dataset, cases, author, told,
            reference=arguments.reference, site=arguments.site, source=arguments.source.name, pseudonyms=pseudonyms,
        )  # fmt: skip
        told.finish(**asdict(done))
    lines = [
        f"{plural(len(done.added), 'case')} added, {len(done.relabelled)} with a new label, {len(done.known)} known already"
    ]
    lines += [f"\nNot taken: {name}\n{text}" for name, text in done.failed.items()]
    say(arguments, done, "\n".join(lines))
    if done.failed and not (done.added or done.relabelled or done.known):
        raise InputError(
            f"{plural(len(done.failed), 'case')} found, and none could be taken", hint="see the reasons above"
        )


def _add(arguments: argparse.Namespace) -> None:
    with job_of(arguments) as told:
        dataset = Dataset.open(arguments.dataset)
        record = _added(dataset, arguments)
        notes = _notes(dataset, record, arguments)
        told.finish(case=record.id, state=record.state, notes=notes)
    text = _case_text(dataset, record) + "".join(f"\nNote: {note}" for note in notes)
    say(arguments, _told(record), text)


def _notes(dataset: Dataset, record: CaseRecord, arguments: argparse.Namespace) -> list[str]:
    """What should be known of a case that was just made."""
    if not arguments.input:
        return []
    notes = [] if arguments.pseudonymize or record.id == arguments.case else [f"its id became {record.id}"]
    content = content_of(record)
    same = [row.id for row in dataset.list() if row.content == content and row.id != record.id]
    return notes + ([f"same images as {', '.join(same)}"] if same else [])


def _added(dataset: Dataset, arguments: argparse.Namespace) -> CaseRecord:
    from MedSegEffNetLib.dataset.labels import choose

    _check_state(arguments.state)
    author = author_of(arguments)
    case_id = _new_case(dataset, arguments, author) if arguments.input else arguments.case
    if arguments.label is not None and not arguments.input:
        _save(dataset, arguments, author)
    elif arguments.comment is not None:
        dataset.comment(case_id, arguments.comment, author)
    for name in arguments.flag:
        dataset.flag(case_id, name, author)
    for name in arguments.unflag:
        dataset.flag(case_id, name, author, on=False)
    if arguments.choose is not None:
        choose(dataset, case_id, arguments.choose, author)
    if arguments.state:
        dataset.set_state(case_id, arguments.state, author)
    return dataset.read(case_id)


def _new_case(dataset: Dataset, arguments: argparse.Namespace, author: str) -> str:
    from MedSegEffNetLib.dataset.importing import NewCase, add_case
    from MedSegEffNetLib.dataset.pseudonyms import Pseudonyms
    from MedSegEffNetLib.image import read, read_label_map

    files = {}
    for text in arguments.input:
        name, equals, file = text.partition("=")
        if not equals:
            raise InputError(f"--input {text}", expected="CHANNEL=FILE, e.g. flair=head.nii.gz")
        files[dataset.task.channel(name).name] = Path(file)
    if arguments.case in dataset.ids():
        raise InputError(
            f"there is a case {arguments.case} already", hint="name the new one otherwise, or leave --input out"
        )
    patient = arguments.patient or (arguments.case if arguments.pseudonymize else id_from(arguments.case))
    if not arguments.pseudonymize and id_from(patient) != patient:
        raise InputError(
            f"--patient '{patient}'",
            expected="letters (A-Z), digits, '.', '-' and '_'",
            hint=f"call the patient {id_from(patient)}, say",
        )
    pseudonyms = Pseudonyms.of(dataset, arguments.key) if arguments.pseudonymize else None
    made = tuple(dataset.task.channel(name).name for name in arguments.synthesised)
    images = {name: read(path) for name, path in files.items()}
    label = read_label_map(arguments.label, dataset.task.labels) if arguments.label else None
    source = ", ".join(path.name for path in files.values())
    new = NewCase(arguments.case, patient, images, files, label, arguments.site, source, made)
    return add_case(dataset, new, author, reference=arguments.reference, pseudonyms=pseudonyms).id


def _save(dataset: Dataset, arguments: argparse.Namespace, author: str) -> None:
    from MedSegEffNetLib.dataset.labels import save_label
    from MedSegEffNetLib.image import read_label_map

    record = dataset.read(arguments.case)
    base = record.current if arguments.base is None else arguments.base
    by_model = record.label is not None and record.label.model
    origin = "model" if arguments.model else "corrected" if by_model else "manual"
    save_label(
        dataset, arguments.case, read_label_map(arguments.label, dataset.task.labels), author=author, origin=origin,
        base=base, model=arguments.model or (record.label.model if record.label else ""),
        comment=arguments.comment or "", minutes=arguments.minutes,
    )  # fmt: skip


def _check_state(state: str | None) -> None:
    if state not in (None, *STATES):
        raise InputError(f"there is no state '{state}'", expected="one of " + ", ".join(STATES))


def _list(arguments: argparse.Namespace) -> None:
    dataset = Dataset.open(arguments.dataset)
    _check_state(arguments.state)
    rows = [row for row in dataset.list() if arguments.state in (None, row.state)]
    rows = [
        row if row.spacing_known else replace(row, volumes_ml=dict.fromkeys(row.volumes_ml, math.nan)) for row in rows
    ]
    cells = [
        [
            row.id, row.patient, row.state or "unreadable", str(row.versions), _origin(row.origin, row.model),
            unsure_text(row.figures), row.author,
            row.time[:16].replace("T", " ") if row.current else "",
            ", ".join([*row.flags, *[_MADE] * row.synthesised, *["conflict"] * bool(row.conflicts)]),
        ]
        for row in rows
    ]  # fmt: skip
    counts = Counter(row.state or "unreadable" for row in rows)
    total = ", ".join(f"{count} {state}" for state, count in counts.items())
    header = ["case", "patient", "state", "labels", "label is", "unsure", "by", "saved (UTC)", "flags"]
    text = f"{table(cells, header)}\n\n{plural(len(rows), 'case')}: {total}" if rows else "No cases."
    say(arguments, rows, text)


def _show(arguments: argparse.Namespace) -> None:
    dataset = Dataset.open(arguments.dataset)
    if arguments.case:
        record = dataset.read(arguments.case)
        editor = dataset.editor(arguments.case)
        say(arguments, {"record": _told(record), "editor": editor}, _case_text(dataset, record))
        return
    from MedSegEffNetLib.dataset.splits import read_splits

    counts = Counter(row.state or "unreadable" for row in dataset.list())
    splits = read_splits(dataset)
    parts = Counter(splits.patients.values()) if splits else Counter()
    lines = [
        f"{dataset.info.title}: {dataset.info.task}, {plural(sum(counts.values()), 'case')}",
        f"states: {_counted(counts)}",
        f"splits (patients): {_counted(parts)}",
    ]
    say(arguments, {"info": dataset.info, "states": counts, "splits": parts}, "\n".join(lines))


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items()) or "none"


def _case_text(dataset: Dataset, record: CaseRecord) -> str:
    marks = [*record.flags, *[_MADE] * record.synthesised]
    lines = [
        f"{record.id}: {record.state}" + (f" ({', '.join(marks)})" if marks else ""),
        f"patient {record.patient}" + (f", site {record.site}" if record.site else ""),
        f"images: {', '.join(f'{name} ({image.file})' for name, image in record.images.items())}",
    ]
    if record.comment:
        lines.append(f"comment: {record.comment}")
    editor = dataset.editor(record.id)
    if editor:
        lines.append(f"open now by {editor}")
    for conflict in record.conflicts:
        lines.append(f"CONFLICT: version {conflict.version} was saved beside version {conflict.current}: choose one")
    rows = [
        [
            f"{label.number}{'*' if label.number == record.current else ''}", _origin(label.origin, label.model),
            unsure_text(label.figures), volume_text(record, label), label.author, label.time[:16].replace("T", " "),
            str(label.base or "–"), f"{label.minutes:g}", "pruned" if label.pruned else label.sha256[:8], label.comment,
        ]
        for label in record.labels
    ]  # fmt: skip
    header = ["label", "is", "unsure", "size", "by", "saved (UTC)", "from", "min", "sha-256", "comment"]
    lines.append("\n" + table(rows, header) + "\n* the case's label" if rows else "no label")
    return "\n".join(lines)


def _told(record: CaseRecord) -> CaseRecord:
    """The record for JSON: without volumes in mL where the voxel size is not known."""
    if record.spacing_known:
        return record
    return replace(
        record,
        labels=tuple(replace(part, volumes_ml=dict.fromkeys(part.volumes_ml, math.nan)) for part in record.labels),
    )


def _origin(origin: str, model: str) -> str:
    if origin == "model":
        return model or "model"
    return f"corrected from {model}" if origin == "corrected" and model else origin


ACTIONS = {"create": _create, "import": _import, "add": _add, "list": _list, "show": _show}
