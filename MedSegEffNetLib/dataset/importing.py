"""New cases of a data set: from a folder in any known layout, or one by one.

A case's folder is made beside the others under a hidden name and renamed when it is whole: a killed import leaves whole
cases and no halves, and the same command again goes on where it ended.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from MedSegEffNetLib import atomic
from MedSegEffNetLib.dataset.case import Case
from MedSegEffNetLib.dataset.descriptors import describe, hash_of_voxels
from MedSegEffNetLib.dataset.index import CASE_FILE
from MedSegEffNetLib.dataset.labels import check_grid, check_label_map, save_label
from MedSegEffNetLib.dataset.locks import locked, now
from MedSegEffNetLib.dataset.pseudonyms import Pseudonyms
from MedSegEffNetLib.dataset.records import (
    ACCEPTED,
    CaseRecord,
    Change,
    ImageRecord,
    LabelVersion,
    id_from,
    to_json,
)
from MedSegEffNetLib.dataset.store import CASES, DRAFT, WAIT, WRITING, Dataset, content_of, sha256_of
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.image import Image, write, write_label_map
from MedSegEffNetLib.postprocessing import volumes_ml

Told = Callable[[str, int, int], None]
_COPIED = (".nii", ".nii.gz")  # whole files of these kinds are copied as they are; others are written anew as NIfTI


@dataclass(frozen=True)
class NewCase:
    """What a new case is made of.

    Parameters
    ----------
    id, patient : free texts, of which folder names are made.
    images : by channel, on one grid. files : their files, to copy or to refer to; fewer or none is fine for copying.
    label : a label map that counts as accepted, or None.
    synthesised : channels that a network made, beside the images that say so themselves.
    regions : what the label tells of; empty: all of the task's.
    """

    id: str
    patient: str
    images: Mapping[str, Image]
    files: Mapping[str, Path]
    label: Image | None = None
    site: str = ""
    source: str = ""
    synthesised: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()


@dataclass(frozen=True)
class Imported:
    """What became of a folder's cases: ids of new ones, of those with a new label, of those that were there already,
    and why a case could not be taken, by its name in the folder."""

    added: tuple[str, ...]
    relabelled: tuple[str, ...]
    known: tuple[str, ...]
    failed: Mapping[str, str]


class AlreadyThere(InputError):
    """The data set has a case with the same images: ``case_id``."""

    def __init__(self, case_id: str) -> None:
        super().__init__(f"the images are those of case {case_id} already", hint="add its label to that case")
        self.case_id = case_id


class Known:
    """Which case has which images, by :func:`content_of`; cases that came since are read when it is looked again."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        rows = dataset.list()
        self._read = {row.id for row in rows}
        self._cases = {row.content: row.id for row in rows if not row.problem}

    def case(self, content: str) -> str | None:
        """The case with these images, or None, as far as is known."""
        return self._cases.get(content)

    def case_by_now(self, content: str) -> str | None:
        """The case with these images, or None, as the folders have it now."""
        for case_id in set(self._dataset.ids()) - self._read:
            self._read.add(case_id)
            with suppress(InputError):  # a case that cannot be read: `check` tells it
                self._cases.setdefault(content_of(self._dataset.read(case_id)), case_id)
        return self.case(content)


def add_case(
    dataset: Dataset,
    new: NewCase,
    author: str,
    *,
    reference: bool = False,
    pseudonyms: Pseudonyms | None = None,
    known: Known | None = None,
) -> CaseRecord:
    """Make a case. Its id is ``new.id``, with a number if that one is taken; its label counts as accepted.

    ``reference``: the image files stay where they are, and their path and hash are kept. ``pseudonyms``: ids are keyed
    hashes and every file is written anew, so that no name or UID of the source is in what is written. ``known``: images
    that another case has, also one that another program has made meanwhile, are refused.

    Raises
    ------
    AlreadyThere
        Another case has the same images (only with ``known``).
    InputError
        The images lie on several grids, the label has other values or another grid, or a file that should be referred
        to holds no whole image of a channel.
    """
    if not new.images:
        raise InputError(f"{new.id} has no image", expected=", ".join(c.name for c in dataset.task.channels))
    if reference and pseudonyms:
        raise InputError(
            "images that are only referred to keep their names",
            expected="--pseudonymize with copied images",
            hint="leave --reference out",
        )
    new = pseudonyms.applied(new) if pseudonyms else new
    draft = dataset.folder / CASES / f"{DRAFT}{uuid.uuid4().hex[:12]}"
    try:
        (draft / "images").mkdir(parents=True)
        (draft / "labels").mkdir()
        images = {
            name: _image(draft, name, new, reference=reference, anew=pseudonyms is not None) for name in new.images
        }
        record = CaseRecord(
            id_from(new.id), new.patient, new.site, source=new.source, created=now(), images=images,
            history=(Change(now(), author, "added"),),
        )  # fmt: skip
        _check_grids(record, new)
        if new.label is not None:
            record = _with_label(dataset, draft, record, new.label, new.regions, author)
        return placed(dataset, draft, record, known)
    except OSError as error:
        raise atomic.write_error(draft, error) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def import_cases(
    dataset: Dataset,
    cases: list[Case],
    author: str,
    told: Told,
    *,
    reference: bool = False,
    site: str = "",
    source: str = "",
    pseudonyms: Pseudonyms | None = None,
) -> Imported:
    """Take over cases that a reader found (:func:`MedSegEffNetLib.dataset.readers.read_folder`).

    A case whose images are in the data set already is not added again: a label that it has not yet becomes its newest
    version (beside the current one if that one is a person's). A case that cannot be read does not stop the others.
    ``told(stage, done, total)`` is called before each case, and may raise to stop.
    """
    known = Known(dataset)
    added, relabelled, there = [], [], []
    failed: dict[str, str] = {}
    for number, case in enumerate(cases):
        told("Import", number, len(cases))
        try:
            images, label = case.load()
            synthesised = tuple(images) if case.synthetic and not any(i.synthesised for i in images.values()) else ()
            text = "" if pseudonyms else f"{source}: {case.id}" if source else case.id
            new = NewCase(case.id, case.patient, images, case.images, label, site, text, synthesised, case.regions)
            found = known.case(_content(images))
            if found is None:
                try:
                    made = add_case(dataset, new, author, reference=reference, pseudonyms=pseudonyms, known=known)
                    added.append(made.id)
                    continue
                except AlreadyThere as error:  # of another import at the same time, or twice in this one
                    found = error.case_id
            if label is not None and _relabelled(dataset, found, case, label, author):
                relabelled.append(found)
            else:
                there.append(found)
        except InputError as error:
            failed[case.id] = str(error)
    told("Import", len(cases), len(cases))
    return Imported(tuple(added), tuple(relabelled), tuple(there), failed)


def _content(images: Mapping[str, Image]) -> str:
    records = {name: ImageRecord("", "", hash_of_voxels(image.array), "", (), ()) for name, image in images.items()}
    return content_of(CaseRecord("case", "", images=records))


def _relabelled(dataset: Dataset, case_id: str, case: Case, label: Image, author: str) -> bool:
    """Save an imported label of a known case unless it has the same one, by its voxels."""
    record = dataset.read(case_id)
    for version in record.labels:
        if not version.pruned:
            there = dataset.load_label(record, version.number)
            if there is not None and np.array_equal(there.array, label.array):
                return False
    untouched = record.label is None or record.label.origin in ("imported", "model")
    base = record.current if untouched else 0
    record = save_label(dataset, case_id, label, author=author, origin="imported", base=base, regions=case.regions)
    if untouched and not record.conflicts:
        dataset.set_state(case_id, ACCEPTED, author)
    return True


def _image(draft: Path, name: str, new: NewCase, *, reference: bool, anew: bool) -> ImageRecord:
    image, file = new.images[name], new.files.get(name)
    if reference:
        if file is None or not file.is_file():
            raise InputError(
                f"{new.id}: channel {name} is no single file that can be referred to",
                expected="one image file a channel",
                hint="import this folder with --copy",
            )
        told, path = str(file.resolve()), file
    else:
        told = f"images/{name}.nii.gz"
        if file is not None and file.name.lower().endswith(_COPIED) and not anew:
            told = told if file.name.lower().endswith(".gz") else f"images/{name}.nii"
            path = draft / told
            shutil.copyfile(file, path)
        else:
            path = draft / told
            write(path, image)
    affine = tuple(float(number) for number in image.affine[:3].ravel())
    return ImageRecord(
        told, sha256_of(path), hash_of_voxels(image.array), describe(image), image.shape, affine,
        reference, bool(image.synthesised) or name in new.synthesised, image.spacing_known,
    )  # fmt: skip


def _check_grids(record: CaseRecord, new: NewCase) -> None:
    for name, image in new.images.items():
        check_grid(record, image, f"image {name} of {new.id}")


def _with_label(
    dataset: Dataset, draft: Path, record: CaseRecord, label: Image, regions: tuple[str, ...], author: str
) -> CaseRecord:
    labels = dataset.task.labels
    check_label_map(record, label, {known.value for known in labels})
    path = draft / "labels" / "0001.nii.gz"
    write_label_map(path, label, labels)
    sha256 = sha256_of(path)
    file = f"labels/0001-{sha256[:8]}.nii.gz"
    os.replace(path, draft / file)
    volumes = volumes_ml(label.array, labels, label.spacing)
    version = LabelVersion(
        1, file, sha256, author, now(), "imported", volumes_ml=volumes, regions=regions,
        synthesised=bool(label.synthesised),
    )  # fmt: skip
    return replace(record, labels=(version,), current=1).with_state(ACCEPTED, author)


def placed(dataset: Dataset, draft: Path, record: CaseRecord, known: Known | None = None) -> CaseRecord:
    """Give a draft (a folder beside the cases) its place: the case's id, with the first free number if it is taken.

    With ``known`` the images are looked up once more, under the data set's lock: :class:`AlreadyThere`.
    """
    if known is None:
        return _renamed(dataset, draft, record)
    with locked(dataset.folder / WRITING, "", WAIT):
        found = known.case_by_now(content_of(record))
        if found is not None:
            raise AlreadyThere(found)
        return _renamed(dataset, draft, record)


def _renamed(dataset: Dataset, draft: Path, record: CaseRecord) -> CaseRecord:
    wanted = record.id
    for number in range(1, 100_000):
        record = replace(record, id=wanted if number == 1 else f"{wanted}-{number}")
        target = dataset.case_folder(record.id)
        if target.exists():
            continue
        atomic.write_json(draft / CASE_FILE, to_json(record))
        try:
            draft.rename(target)  # an error if another program has made the folder meanwhile
            return record
        except OSError:
            if not target.exists():
                raise
    raise InputError(f"{dataset.folder} has 100,000 cases called {wanted}", hint="name the case otherwise")
