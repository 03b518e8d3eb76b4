"""What looks wrong in a data set: one case at a time, and cases against each other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from MedSegEffNetLib.dataset.labels import check_label_map
from MedSegEffNetLib.dataset.leaks import find_leaks
from MedSegEffNetLib.dataset.records import CaseRecord
from MedSegEffNetLib.dataset.splits import read_splits
from MedSegEffNetLib.dataset.store import Dataset, abandoned, unnamed_labels
from MedSegEffNetLib.dataset.wording import plural
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.geometry import spacing_of
from MedSegEffNetLib.image import Image
from MedSegEffNetLib.postprocessing import RemoveSmallIslands
from MedSegEffNetLib.task import SegmentationTask

ERROR, WARNING = "error", "warning"
Told = Callable[[str, int, int], None]
_ISLAND_MM3 = 30.0  # pieces below this are likely slips of the brush …
_ISLAND_VOXELS = 5  # … and so are pieces of fewer voxels, where voxels are large
_OUTLIER = 6.0  # robust standard deviations
_LEAST_FOR_OUTLIERS = 8  # cases: fewer say nothing about what is usual
_SPACING = (0.02, 20.0)  # mm: outside of it the header is likely wrong (a unit other than mm)


@dataclass(frozen=True)
class Finding:
    """Something that looks wrong. ``case``: empty where it is of the whole data set; ``severity``: error or warning."""

    case: str
    check: str
    severity: str
    text: str


@dataclass(frozen=True)
class Looked:
    """What one case gave: findings, and numbers by name that are compared with those of the other cases."""

    findings: tuple[Finding, ...]
    figures: Mapping[str, float] = field(default_factory=dict)


def check_dataset(dataset: Dataset, told: Told, case_ids: Sequence[str] = ()) -> list[Finding]:
    """All findings, errors first; ``case_ids`` (empty: all) restricts the look at single cases, not that at the splits.

    ``told(stage, done, total)`` is called before each case, and may raise to stop. Nothing is changed.
    """
    rows = dataset.list()
    findings = [Finding(row.id, "record", ERROR, row.problem) for row in rows if row.problem]
    chosen = [row.id for row in rows if not row.problem and (not case_ids or row.id in case_ids)]
    figures: dict[str, Mapping[str, float]] = {}
    for number, case_id in enumerate(chosen):
        told("Check", number, len(chosen))
        looked = check_case(dataset, dataset.read(case_id))
        findings += looked.findings
        figures[case_id] = looked.figures
    told("Check", len(chosen), len(chosen))
    findings += _outliers(figures)
    splits = None
    try:
        splits = read_splits(dataset)
    except InputError as error:
        findings.append(Finding("", "splits", ERROR, str(error)))
    findings += [Finding(leak.cases[0], leak.check, leak.severity, leak.text) for leak in find_leaks(dataset, splits)]
    if splits is not None:
        patients = sorted({row.patient for row in rows if not row.problem and not splits.of(row.patient)})
        if patients:
            text = f"{plural(len(patients), 'patient')} without a split: {', '.join(patients[:10])}"
            findings.append(Finding("", "splits", WARNING, text))
    drafts = abandoned(dataset)
    if drafts:
        text = f"{plural(len(drafts), 'case')} half made when a program was killed: `dataset prune` moves them away"
        findings.append(Finding("", "drafts", WARNING, text))
    return sorted(findings, key=lambda one: (one.severity != ERROR, one.case, one.check))


def check_case(dataset: Dataset, record: CaseRecord) -> Looked:
    """Findings of one case: missing or changed files, geometry, label values, empty labels, islands, nesting."""
    found = _of_record(dataset, record)
    try:
        images = dataset.load_images(record)
        label = dataset.load_label(record)
    except InputError as error:
        return Looked((*found, Finding(record.id, "files", ERROR, str(error))))
    figures: dict[str, float] = {}
    for name, image in images.items():
        found += _of_image(record, name, image)
        figures |= _intensities(name, image)
    found += _same_channels(record)
    if label is not None:
        found += _of_label(record, label, dataset.task)
        figures["labelled volume"] = float(np.count_nonzero(label.array) * np.prod(label.spacing) / 1000)
    return Looked(tuple(found), figures)


def _of_record(dataset: Dataset, record: CaseRecord) -> list[Finding]:
    found = []
    for channel in dataset.task.channels:
        if channel.required and channel.name not in record.images:
            found.append(Finding(record.id, "files", WARNING, f"the channel {channel.name} is missing"))
    for conflict in record.conflicts:
        text = f"versions {conflict.current} and {conflict.version} were saved side by side: choose one"
        found.append(Finding(record.id, "conflict", WARNING, text))
    if unnamed_labels(record, dataset.case_folder(record.id)):
        text = "a label file is not recorded (a program was killed while it saved): it is taken up at the next change"
        found.append(Finding(record.id, "recovery", WARNING, text))
    for label in record.labels:
        if not label.pruned and label.number != record.current:
            path = dataset.case_folder(record.id) / label.file
            if not path.is_file():
                found.append(Finding(record.id, "files", ERROR, f"there is no file {path}"))
    return found


def _of_image(record: CaseRecord, name: str, image: Image) -> list[Finding]:
    found = []
    spacing = spacing_of(image.affine)
    if image.spacing_known and not (_SPACING[0] <= spacing.min() and spacing.max() <= _SPACING[1]):
        text = f"{name} has voxels of {' × '.join(f'{length:g}' for length in spacing)} mm"
        found.append(Finding(record.id, "geometry", WARNING, text))
    first = next(iter(record.images.values()))
    there = record.images[name]
    if there.shape != image.shape or not np.allclose(there.affine, first.affine, atol=0.1 * float(spacing.min())):
        found.append(Finding(record.id, "geometry", ERROR, f"{name} lies on another grid than the other images"))
    if image.non_finite():
        text = f"{name} has {image.non_finite()} values that are infinite or no numbers"
        found.append(Finding(record.id, "intensity", WARNING, text))
    elif image.array.min() == image.array.max():
        found.append(Finding(record.id, "intensity", ERROR, f"{name} has one value everywhere"))
    return found


def _same_channels(record: CaseRecord) -> list[Finding]:
    """Grey pictures saved in color, say, that were taken for the channels of a task."""
    if len(record.images) < 2 or len({image.voxels for image in record.images.values()}) > 1:
        return []
    text = f"{', '.join(record.images)} have the same voxels: they are one image, not one a channel"
    return [Finding(record.id, "channels", WARNING, text)]


def _intensities(name: str, image: Image) -> dict[str, float]:
    """Mean and spread of what is above the smallest value (air, or what was cut away)."""
    sample = image.array[tuple(slice(None, None, 2 if length > 64 else 1) for length in image.shape)].astype(np.float32)
    values = sample[np.isfinite(sample) & (sample > np.nanmin(sample))]
    if not values.size:
        return {}
    return {f"mean of {name}": float(values.mean()), f"spread of {name}": float(values.std())}


def _of_label(record: CaseRecord, label: Image, task: SegmentationTask) -> list[Finding]:
    try:
        check_label_map(record, label, {known.value for known in task.labels})
    except InputError as error:
        return [Finding(record.id, "label", ERROR, str(error))]
    if not label.array.any():
        return [
            Finding(record.id, "empty label", WARNING, "the label map is empty: right for a case without a finding")
        ]
    return [*_islands(record, label, task), *_nesting(record, label, task)]


def _islands(record: CaseRecord, label: Image, task: SegmentationTask) -> list[Finding]:
    found = []
    voxel = float(np.prod(label.spacing))
    least = max(_ISLAND_VOXELS, int(_ISLAND_MM3 / voxel))
    for region in task.regions:
        mask = np.isin(label.array, region.labels)
        lost = int(np.count_nonzero(mask) - np.count_nonzero(RemoveSmallIslands(min_voxels=least)(mask, label.spacing)))
        if lost:
            text = f"{region.name} has pieces of less than {least} voxels, {lost} voxels in all"
            found.append(Finding(record.id, "islands", WARNING, text))
    return found


def _nesting(record: CaseRecord, label: Image, task: SegmentationTask) -> list[Finding]:
    """Pieces of an outer region that consist of the inner one alone: infection outside of the lung, say."""
    found = []
    for outer, inner in zip(task.regions, task.regions[1:], strict=False):
        if set(inner.labels) < set(outer.labels):
            lonely = _lonely_pieces(np.isin(label.array, outer.labels), np.isin(label.array, inner.labels))
            if lonely:
                text = f"{lonely} piece(s) of {outer.title} are {inner.title} altogether"
                found.append(Finding(record.id, "nesting", WARNING, text))
    return found


def _lonely_pieces(outer: np.ndarray, inner: np.ndarray) -> int:
    import SimpleITK as sitk

    labelled = sitk.ConnectedComponent(sitk.GetImageFromArray(np.ascontiguousarray(outer.T).astype(np.uint8)), True)
    pieces = sitk.GetArrayViewFromImage(labelled).T
    mixed = set(np.unique(pieces[outer & ~inner]).tolist())
    return len(set(np.unique(pieces[inner]).tolist()) - mixed - {0})


def _outliers(figures: Mapping[str, Mapping[str, float]]) -> list[Finding]:
    """Cases whose figures lie far from the others': more than six scaled median absolute deviations from the median."""
    found = []
    for name in dict.fromkeys(name for of_case in figures.values() for name in of_case):
        of_name = {case: of_case[name] for case, of_case in figures.items() if name in of_case}
        values = np.array(list(of_name.values()))
        if len(values) < _LEAST_FOR_OUTLIERS:
            continue
        middle = float(np.median(values))
        scale = max(1.4826 * float(np.median(np.abs(values - middle))), 0.01 * abs(middle), 1e-6)
        for case, value in of_name.items():
            if abs(value - middle) > _OUTLIER * scale:
                text = f"the {name} is {value:.3g}; usual is {middle:.3g} ± {scale:.2g}"
                found.append(Finding(case, "outlier", WARNING, text))
    return found
