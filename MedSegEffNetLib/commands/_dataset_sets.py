"""``medsegeffnet dataset check | split | snapshot | export | merge | prune | raters``."""

from __future__ import annotations

import argparse
import csv
import io
import math
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from MedSegEffNetLib import atomic
from MedSegEffNetLib.commands._dataset_cases import author_of, job_of, say
from MedSegEffNetLib.dataset.store import Dataset, abandoned
from MedSegEffNetLib.dataset.wording import plural
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.terminal import number, table

if TYPE_CHECKING:
    from MedSegEffNetLib.dataset.checks import Finding

_MOST_PICTURES = 24


def _check(arguments: argparse.Namespace) -> None:
    from MedSegEffNetLib.dataset.checks import ERROR, WARNING, check_dataset

    with job_of(arguments) as told:
        dataset = Dataset.open(arguments.dataset)
        for case_id in arguments.case:
            dataset.read(case_id)
        findings = check_dataset(dataset, told, arguments.case)
        if arguments.output:
            _write_findings(dataset, findings, arguments.output)
        counts = Counter(finding.severity for finding in findings)
        told.finish(errors=counts[ERROR], warnings=counts[WARNING], findings=findings, output=arguments.output)
    rows = [[finding.case or "–", finding.check, finding.severity, finding.text] for finding in findings]
    total = f"{plural(counts[ERROR], 'error')}, {plural(counts[WARNING], 'warning')}"
    text = table(rows, ["case", "check", "severity", "what was found"]) + f"\n\n{total}"
    say(arguments, findings, text if rows else "Nothing looks wrong.")
    if counts[ERROR]:
        raise InputError(
            f"the data set has {plural(counts[ERROR], 'error')}", hint="see the table; warnings alone are no failure"
        )


def _write_findings(dataset: Dataset, findings: list[Finding], output: Path) -> None:
    from MedSegEffNetLib.reporting.dataset_checks import case_figure, write_check_report

    why: dict[str, list[str]] = {}
    for finding in findings:
        if finding.case:
            why.setdefault(finding.case, []).append(finding.check)
    labels = dataset.task.labels
    figures = []
    for case_id, checks in list(why.items())[:_MOST_PICTURES]:
        try:
            images, label = dataset.load(case_id)
        except InputError:  # it cannot be read: the table says so
            continue
        figures.append(case_figure(case_id, ", ".join(dict.fromkeys(checks)), images, label, labels))
    rows = [asdict(finding) for finding in findings]
    _write_csv(output / "findings.csv", rows, ["case", "check", "severity", "text"])
    write_check_report(
        output / "findings.html", title=f"Checks of {dataset.info.title}", rows=rows, figures=figures, labels=labels,
        facts={"task": dataset.info.task, "cases": len(dataset.ids())},
    )  # fmt: skip


def _write_csv(path: Path, rows: list[dict[str, str]], columns: list[str]) -> None:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    atomic.write_text(path, stream.getvalue())


def _split(arguments: argparse.Namespace) -> None:
    from MedSegEffNetLib.dataset.leaks import find_leaks
    from MedSegEffNetLib.dataset.splits import FRACTIONS, add_patients, make_splits, move, read_splits

    dataset = Dataset.open(arguments.dataset)
    fractions = {name: _fraction(text) for name, text in _pairs(arguments.fractions)} or FRACTIONS
    strange = [name for name in fractions if name not in FRACTIONS]
    if strange:
        raise InputError(f"--fractions has the split '{strange[0]}'", expected="train, val and test, or two of them")
    if arguments.add:
        add_patients(dataset)
    for patient, name in _pairs(arguments.move):
        move(dataset, patient, name)
    splits = read_splits(dataset)
    if splits is None or arguments.fractions or arguments.seed is not None:
        if abs(sum(fractions.values()) - 1) > 1e-6:
            raise InputError(f"the fractions sum to {sum(fractions.values()):g}", expected="1")
        splits = make_splits(dataset, fractions, arguments.seed or 0)
    rows = dataset.list()
    cases = Counter(splits.of(row.patient) for row in rows if not row.problem)
    patients = Counter(splits.patients.values())
    names = [name for name in splits.names if name in splits.fractions or patients[name]]
    volumes = dict.fromkeys(names, 0.0)
    for row in rows:
        part = splits.of(row.patient)
        if part in volumes:  # no size of the voxels, no mL
            volumes[part] += sum(row.volumes_ml.values()) / cases[part] if row.spacing_known else math.nan
    lines = [[name, str(patients[name]), str(cases[name]), number(volumes[name], 1)] for name in names]
    text = table(lines, ["split", "patients", "cases", "mean labelled mL"])
    if cases[""]:
        text += (
            f"\n\n{plural(cases[''], 'case')} of patients without a split: `dataset split FOLDER --add` gives them one"
        )
    text += "".join(f"\n\nLEAK: {leak.text}" for leak in find_leaks(dataset, splits) if leak.severity == "error")
    say(arguments, splits, text)


def _pairs(texts: list[str]) -> list[tuple[str, str]]:
    pairs = []
    for text in texts:
        name, equals, value = text.rpartition("=")
        if not equals or not name or not value:
            raise InputError(f"'{text}'", expected="NAME=VALUE, e.g. train=0.8")
        pairs.append((name, value))
    return pairs


def _fraction(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1:
        raise InputError(f"the fraction '{text}'", expected="a number between 0 and 1")
    return value


def _snapshot(arguments: argparse.Namespace) -> None:
    from MedSegEffNetLib.dataset.snapshots import list_snapshots, take_snapshot

    dataset = Dataset.open(arguments.dataset)
    if arguments.list:
        found = list_snapshots(dataset)
        rows = [
            [one.id, str(len(one.cases)), one.author, one.created[:16].replace("T", " "), one.comment] for one in found
        ]
        say(
            arguments,
            found,
            table(rows, ["snapshot", "cases", "by", "taken (UTC)", "comment"]) if rows else "No snapshot.",
        )
        return
    author = author_of(arguments)
    taken = take_snapshot(dataset, author, arguments.comment, synthesised=arguments.synthesised)
    splits = Counter(str(entry["split"]) or "no split" for entry in taken.cases)
    counts = ", ".join(f"{count} {name}" for name, count in splits.items())
    text = f"snapshot {taken.id}: {plural(len(taken.cases), 'case')} ({counts})"
    text += "\nThe same image in two splits is refused; `dataset check` also looks for flipped or resampled copies."
    say(arguments, taken, text)


def _export(arguments: argparse.Namespace) -> None:
    from MedSegEffNetLib.dataset.exporters import export_cases
    from MedSegEffNetLib.dataset.readers.curated import read
    from MedSegEffNetLib.dataset.snapshots import cases_of_snapshot

    with job_of(arguments) as told:
        dataset = Dataset.open(arguments.dataset)
        chosen = arguments.snapshot
        cases = cases_of_snapshot(dataset, chosen) if chosen else read(arguments.dataset, dataset.task)
        notes = export_cases(
            cases, dataset.task, arguments.output, arguments.format, lambda done, total: told("Export", done, total)
        )
        told.finish(output=arguments.output, cases=len(cases), notes=notes)
    text = "\n".join([f"{plural(len(cases), 'case')} written to {arguments.output}", *notes])
    say(arguments, {"output": arguments.output, "cases": len(cases), "notes": notes}, text)


def _merge(arguments: argparse.Namespace) -> None:
    from MedSegEffNetLib.dataset.upkeep import merge

    target, other = Dataset.open(arguments.dataset), Dataset.open(arguments.other)
    author = author_of(arguments)
    with job_of(arguments) as told:
        done = merge(target, other, author, told)
    lines = [
        f"{plural(len(done.added), 'case')} added, {len(done.relabelled)} with new labels, "
        f"{len(done.conflicts)} with a conflict, {len(done.known)} had all"
    ]
    lines += [f"CONFLICT: {case_id}: see `dataset show`, then choose" for case_id in done.conflicts]
    say(arguments, done, "\n".join(lines))


def _prune(arguments: argparse.Namespace) -> None:
    from MedSegEffNetLib.dataset.upkeep import prune, superfluous

    dataset = Dataset.open(arguments.dataset)
    found = superfluous(dataset, arguments.keep, rejected_images=arguments.rejected_images)
    drafts = abandoned(dataset)
    size = sum(file.size for file in found) / 1e6
    if not arguments.yes or not (found or drafts):
        rows = [[file.case, file.file, f"{file.size / 1e6:.2f}"] for file in found]
        rows += [["–", f"{draft.parent.name}/{draft.name}: left by a program that was killed", "?"] for draft in drafts]
        text = table(rows, ["case", "file", "MB"]) + f"\n\n{size:.1f} MB; nothing was moved: give --yes to do it"
        say(arguments, {"files": found, "drafts": drafts, "trash": None}, text if rows else "Nothing to move.")
        return
    trash = prune(dataset, found, author_of(arguments))
    moved = [f"{plural(len(found), 'file')} ({size:.1f} MB)"] * bool(found)
    moved += [f"{plural(len(drafts), 'half-made case')}"] * bool(drafts)
    text = f"{' and '.join(moved)} moved to {trash}; delete that folder to free the space"
    say(arguments, {"files": found, "drafts": drafts, "trash": trash}, text)


def _raters(arguments: argparse.Namespace) -> None:
    from MedSegEffNetLib.dataset.raters import compare_raters, consensus, differences
    from MedSegEffNetLib.image import write

    dataset = Dataset.open(arguments.dataset)
    record = dataset.read(arguments.case)
    found = compare_raters(dataset, arguments.case, arguments.versions)
    authors = {label.number: label.model if label.origin == "model" else label.author for label in record.labels}
    rows = [
        [f"{one.first} ({authors[one.first]})", f"{one.second} ({authors[one.second]})", one.region,
         number(one.dice), number(one.hd95, 2)]
        for one in found
    ]  # fmt: skip
    text = table(rows, ["version", "against", "region", "Dice", "HD95 (mm)"])
    saved = None
    if arguments.consensus:
        saved = consensus(dataset, arguments.case, author_of(arguments), arguments.versions)
    if arguments.output:
        for (first, second), image in differences(dataset, arguments.case, arguments.versions).items():
            write(arguments.output / f"difference-{first}-{second}.nii.gz", image)
        columns = ["first", "second", "region", "dice", "hd95"]
        _write_csv(arguments.output / "agreement.csv", [asdict(one) for one in found], columns)
        text += f"\n\nDifference maps are in {arguments.output}"
    if saved is not None:
        text += f"\n\nThe consensus is version {saved.labels[-1].number}"
    say(arguments, found, text)


ACTIONS = {
    "check": _check, "split": _split, "snapshot": _snapshot, "export": _export, "merge": _merge, "prune": _prune,
    "raters": _raters,
}  # fmt: skip
