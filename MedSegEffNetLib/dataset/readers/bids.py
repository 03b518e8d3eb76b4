"""BIDS: ``sub-01[/ses-1]/anat/sub-01_T1w.nii.gz`` with label maps ``…_dseg.nii.gz``, beside them or in ``derivatives``.

The names of a label map's values stand in a ``.tsv`` of its name or in ``…dseg.tsv`` above it (columns ``index`` and
``name``). Source: https://bids-specification.readthedocs.io, sections "Anatomy imaging data" and "Imaging derivatives".
"""

from __future__ import annotations

import csv
import re
from pathlib import Path

from MedSegEffNetLib.dataset.case import Case
from MedSegEffNetLib.dataset.channels import match_channels
from MedSegEffNetLib.dataset.readers._names import values_by_name
from MedSegEffNetLib.dataset.readers._volumes import volume_case
from MedSegEffNetLib.dataset.series_names import is_label
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.task import SegmentationTask

LAYOUT = "BIDS: sub-01[/ses-1]/anat/sub-01_T1w.nii.gz with [derivatives/NAME/]sub-01/anat/sub-01_dseg.nii.gz"
_LABEL = re.compile(r"_dseg\.nii(\.gz)?$|_label-[^_]+_mask\.nii(\.gz)?$")
_SUFFIX = re.compile(r"\.nii(\.gz)?$")


def detect(folder: Path, task: SegmentationTask) -> bool:
    """Whether a subject's folder, ``sub-…``, has images."""
    return any(_files(session) for _, session in _sessions(folder))


def read(folder: Path, task: SegmentationTask) -> list[Case]:
    """A case for each session of a subject, or each subject without sessions.

    Raises
    ------
    InputError
        Two label maps of one session.
    """
    splits = _splits(folder)
    derivatives = [path for path in sorted(folder.glob("derivatives/*")) if path.is_dir()]
    cases = []
    for name, session in _sessions(folder):
        files = _files(session)
        if not files:
            continue
        images = [path for path in files if not is_label(path) and not _LABEL.search(path.name)]
        inside = session.relative_to(folder)
        everywhere = files + [path for derived in derivatives for path in _files(derived / inside)]
        labels = [path for path in everywhere if _LABEL.search(path.name)]
        if len(labels) > 1:
            raise InputError(
                f"{name} has {len(labels)} label maps: {', '.join(map(str, labels))}",
                expected="one a session",
                hint="take the others out of the folder",
            )
        label = labels[0] if labels else None
        whole = {task.channels[0].name: images[0]} if len(task.channels) == len(images) == 1 else None
        found = whole or match_channels(images, task.channels)
        values = values_by_name(_names(label, folder), task, label) if label else None
        subject = name.split("_")[0]
        cases.append(
            volume_case(name, found, label, task, patient=subject, split=splits.get(subject, ""), values=values)
        )
    return cases


def _sessions(folder: Path) -> list[tuple[str, Path]]:
    found = []
    for subject in sorted(path for path in folder.glob("sub-*") if path.is_dir()):
        sessions = sorted(path for path in subject.glob("ses-*") if path.is_dir())
        found += [(f"{subject.name}_{path.name}", path) for path in sessions] or [(subject.name, subject)]
    return found


def _files(session: Path) -> list[Path]:
    return sorted(path for path in session.glob("*/*") if _SUFFIX.search(path.name)) if session.is_dir() else []


def _names(label: Path, folder: Path) -> dict[int, str]:
    """Names of the label map's values; empty where no table says them."""
    tables = [label.with_name(_SUFFIX.sub("", label.name) + ".tsv")]
    for parent in label.parents:
        tables += [parent / "dseg.tsv", *sorted(parent.glob("desc-*_dseg.tsv"))]
        if parent == folder:
            break
    table = next((path for path in tables if path.is_file()), None)
    if table is None:
        return {}
    with open(table, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    try:
        return {int(row["index"]): row["name"] for row in rows}
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{table} is no table of labels", expected="columns index and name") from error


def _splits(folder: Path) -> dict[str, str]:
    """Split by subject, where ``participants.tsv`` has a column ``split``."""
    path = folder / "participants.tsv"
    if not path.is_file():
        return {}
    with open(path, newline="", encoding="utf-8") as file:
        rows = csv.DictReader(file, delimiter="\t")
        return {row["participant_id"]: row.get("split") or "" for row in rows if row.get("participant_id")}
