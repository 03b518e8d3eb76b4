"""What looks wrong is told, and only that."""

import os
import shutil
import time

import numpy as np
import pytest

from MedSegEffNetLib.dataset.checks import check_case, check_dataset
from MedSegEffNetLib.dataset.importing import NewCase, add_case
from MedSegEffNetLib.dataset.labels import save_label
from MedSegEffNetLib.dataset.splits import make_splits
from MedSegEffNetLib.dataset.store import Dataset
from MedSegEffNetLib.dataset.upkeep import prune
from MedSegEffNetLib.image import Image

from .conftest import AFFINE, ANN, BOB, brain, label, new_case


def told(findings):
    return {(finding.case, finding.check, finding.severity) for finding in findings}


def look(dataset, *cases):
    return check_dataset(dataset, lambda *_: None, cases)


def test_a_good_data_set_has_no_findings(labelled):
    make_splits(labelled, {"train": 0.5, "val": 0.5}, seed=0)
    assert look(labelled) == []


def test_missing_and_changed_files_are_errors(labelled):
    labelled.paths(labelled.read("case-1"))["t1"].unlink()
    labelled.paths(labelled.read("case-2"))["t1"].write_bytes(b"x")
    (labelled.case_folder("case-3") / "case.json").write_text("[]", encoding="utf-8")
    assert told(look(labelled)) >= {
        ("case-1", "files", "error"),
        ("case-2", "files", "error"),
        ("case-3", "record", "error"),
    }


def test_empty_labels_islands_and_conflicts_are_warnings(filled):
    array = label().array.copy()
    array[0, 0, 0] = 1
    save_label(filled, "case-0", Image(array, AFFINE), author=ANN)
    assert told(look(filled)) == {("case-0", "islands", "warning")}
    save_label(filled, "case-0", Image(np.zeros_like(array), AFFINE), author=ANN, base=1)
    save_label(filled, "case-0", label(), author=BOB, base=1)
    assert told(look(filled)) == {("case-0", "empty label", "warning"), ("case-0", "conflict", "warning")}


def test_infection_outside_of_the_lung_is_told(tmp_path):
    dataset = Dataset.create(tmp_path / "ct", "covid-ct")
    array = np.zeros((24, 20, 6), np.uint8)
    array[2:10, 2:10, 1:5] = 1
    array[4:7, 4:7, 2:4] = 2
    add_case(dataset, NewCase("fine", "A", {"ct": Image(brain(1), AFFINE)}, {}, Image(array, AFFINE)), ANN)
    array = array.copy()
    array[14:18, 4:8, 2:4] = 2
    add_case(dataset, NewCase("odd", "B", {"ct": Image(brain(2), AFFINE)}, {}, Image(array, AFFINE)), ANN)
    assert told(look(dataset)) == {("odd", "nesting", "warning")}


def test_intensities_far_from_the_others_are_told(labelled):
    new = new_case(30, "bright", labelled=True)
    new.images["t1"] = Image(new.images["t1"].array * 40, AFFINE)
    add_case(labelled, new, ANN)
    assert ("bright", "outlier", "warning") in told(look(labelled))


def test_images_without_contrast_or_with_impossible_voxels_are_told(dataset):
    flat = Image(np.full((24, 20, 6), 7, np.uint8), np.diag([0.001, 0.001, 0.004, 1]))
    add_case(dataset, NewCase("flat", "A", {"flair": flat}, {}), ANN)
    assert told(look(dataset)) == {("flat", "intensity", "error"), ("flat", "geometry", "warning")}


def test_a_label_file_that_no_record_names_is_told(filled):
    record = save_label(filled, "case-0", label(), author=ANN)
    folder = filled.case_folder("case-0")
    shutil.copyfile(folder / record.label.file, folder / "labels" / "0002-0badcafe.nii.gz")
    assert told(look(filled)) == {("case-0", "recovery", "warning")}


def test_single_cases_can_be_looked_at(labelled):
    labelled.paths(labelled.read("case-1"))["t1"].unlink()
    assert look(labelled, "case-2") == []
    assert check_case(labelled, labelled.read("case-1")).findings[0].severity == "error"


def test_patients_without_a_split_and_damaged_splits_are_told(labelled):
    make_splits(labelled, {"train": 0.5, "val": 0.5}, seed=0)
    add_case(labelled, new_case(40), ANN)
    assert told(look(labelled)) == {("", "splits", "warning")}
    (labelled.folder / "splits.json").write_text("{", encoding="utf-8")
    assert ("", "splits", "error") in told(look(labelled))


@pytest.mark.parametrize("state", ["rejected"])
def test_rejected_cases_are_looked_at_too(filled, state):
    filled.set_state("case-0", state, ANN)
    assert look(filled) == []


def test_one_image_in_the_place_of_all_channels_is_told(dataset):
    grey = Image(brain(3), AFFINE)
    add_case(dataset, NewCase("grey", "A", {"t1": grey, "flair": grey, "t1ce": grey}, {}), ANN)
    assert told(look(dataset)) == {("grey", "channels", "warning")}


def test_a_split_that_there_is_not_is_an_error(labelled):
    make_splits(labelled, {"train": 0.5, "val": 0.5}, seed=0)
    path = labelled.folder / "splits.json"
    path.write_text(path.read_text(encoding="utf-8").replace('"P3": "', '"P3": "x'), encoding="utf-8")
    (found,) = look(labelled)
    assert (found.check, found.severity, "P3 in 'x" in found.text) == ("splits", "error", True)


def test_what_a_killed_import_left_is_told_and_pruned_after_a_day(labelled):
    drafts = [labelled.folder / "cases" / f".new-{name}" for name in ("old", "young")]
    for draft in drafts:
        (draft / "images").mkdir(parents=True)
    long_ago = time.time() - 2 * 24 * 3600
    os.utime(drafts[0], (long_ago, long_ago))
    assert told(look(labelled)) == {("", "drafts", "warning")}
    trash = prune(labelled, [], ANN)
    assert [draft.exists() for draft in drafts] == [False, True]
    assert (trash / "cases" / ".new-old" / "images").is_dir()
    assert look(labelled) == []
