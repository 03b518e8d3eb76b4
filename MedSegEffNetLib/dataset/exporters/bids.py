"""BIDS: images in ``sub-…[/ses-…]/anat``, label maps in ``derivatives/medsegeffnet`` with their table ``dseg.tsv``.

Source: https://bids-specification.readthedocs.io, sections "Anatomy imaging data" and "Imaging derivatives".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from MedSegEffNetLib import __version__, atomic
from MedSegEffNetLib.dataset.case import Case
from MedSegEffNetLib.dataset.exporters import Cases
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.image import write as write_image
from MedSegEffNetLib.image import write_label_map
from MedSegEffNetLib.task import SegmentationTask

FORMAT = "BIDS: sub-X[/ses-Y]/anat/sub-X_T1w.nii.gz and derivatives/medsegeffnet/sub-X/anat/sub-X_dseg.nii.gz"
_VERSION = "1.10.0"
_SUFFIXES = {"t1": "T1w", "t1ce": "ce-gadolinium_T1w", "t2": "T2w", "flair": "FLAIR"}
_DERIVED = Path("derivatives") / "medsegeffnet"


def write(cases: Cases, task: SegmentationTask, folder: Path, name: str) -> list[str]:
    """Write the cases; a patient with several cases gets a session for each, in the order of their ids.

    Raises
    ------
    InputError
        The ids of two patients differ in nothing but signs, which BIDS has no place for.
    """
    places = _places(cases.all)
    for loaded in cases:
        subject, session = places[loaded.case.id]
        inside = Path(f"sub-{subject}", *([f"ses-{session}"] if session else []), "anat")
        start = f"sub-{subject}_" + (f"ses-{session}_" if session else "")
        for channel, image in loaded.images.items():
            write_image(folder / inside / f"{start}{_SUFFIXES.get(channel, channel)}.nii.gz", image)
        if loaded.label is not None:
            write_label_map(folder / _DERIVED / inside / f"{start}dseg.nii.gz", loaded.label, task.labels)
    about = {"Name": name, "BIDSVersion": _VERSION, "DatasetType": "raw"}
    atomic.write_json(folder / "dataset_description.json", about)
    made = {"GeneratedBy": [{"Name": "MedSegEffNet", "Version": __version__}], "DatasetType": "derivative"}
    atomic.write_json(folder / _DERIVED / "dataset_description.json", {**about, **made})
    colors = ["#" + bytes(label.color).hex() for label in task.labels]
    rows = [f"{label.value}\t{label.name}\t{color}" for label, color in zip(task.labels, colors, strict=True)]
    atomic.write_text(folder / _DERIVED / "dseg.tsv", "\n".join(["index\tname\tcolor", *rows]) + "\n")
    splits = {places[case.id][0]: case.split or "n/a" for case in cases.all}
    rows = [f"sub-{subject}\t{split}" for subject, split in splits.items()]
    atomic.write_text(folder / "participants.tsv", "\n".join(["participant_id\tsplit", *rows]) + "\n")
    atomic.write_text(folder / "README", f"{task.title}: images, and label maps in {_DERIVED.as_posix()}.\n")
    return []


def _places(cases: Sequence[Case]) -> dict[str, tuple[str, str]]:
    """Subject and session (empty: the only one) of each case."""
    subjects: dict[str, str] = {}
    sessions: dict[str, list[str]] = {}
    for case in cases:
        subject = re.sub(r"[^A-Za-z0-9]", "", case.patient)
        if not subject or subjects.setdefault(subject.lower(), case.patient) != case.patient:
            raise InputError(
                f"the patients {case.patient} and {subjects.get(subject.lower(), '')} are both sub-{subject} in BIDS",
                expected="patient ids that differ in letters or digits",
                hint="rename one of them in the data set",
            )
        sessions.setdefault(subject, []).append(case.id)
    return {
        case: (subject, f"{number:02d}" if len(ids) > 1 else "")
        for subject, ids in sessions.items()
        for number, case in enumerate(sorted(ids), start=1)
    }
