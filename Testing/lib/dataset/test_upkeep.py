"""Merging loses nothing, pruning deletes nothing."""

import shutil

import pytest

from MedSegEffNetLib.dataset.checks import check_dataset
from MedSegEffNetLib.dataset.importing import add_case
from MedSegEffNetLib.dataset.labels import save_label
from MedSegEffNetLib.dataset.snapshots import cases_of_snapshot, take_snapshot
from MedSegEffNetLib.dataset.store import Dataset
from MedSegEffNetLib.dataset.upkeep import merge, prune, superfluous
from MedSegEffNetLib.errors import InputError

from .conftest import ANN, BOB, label, new_case


def nothing(*_):
    pass


@pytest.fixture
def other(tmp_path):
    return Dataset.create(tmp_path / "other", "tumor-slices")


def test_merging_adds_cases_and_keeps_different_labels_as_versions_with_a_conflict(labelled, other):
    add_case(other, new_case(0, "theirs", labelled=True), BOB)
    save_label(other, "theirs", label(9), author=BOB, base=1)
    add_case(other, new_case(1, "same", labelled=True), BOB)
    add_case(other, new_case(60, "case-2", labelled=True), BOB)
    done = merge(labelled, other, ANN, nothing)
    assert (done.added, done.conflicts, done.known) == (("case-2-2",), ("case-0",), ("case-1",))
    record = labelled.read("case-0")
    assert (record.current, len(record.labels), record.state) == (1, 2, "in review")
    assert labelled.load_label(record, 2).array.sum() == label(9).array.sum()
    assert labelled.load("case-2-2")[1].array.any()
    assert len(other.read("theirs").labels) == 2
    assert merge(labelled, other, ANN, nothing).added == ()


def test_a_label_of_the_other_data_set_becomes_the_label_where_there_was_none(filled, other):
    add_case(other, new_case(0, labelled=True), BOB)
    assert merge(filled, other, ANN, nothing).relabelled == ("case-0",)
    assert (filled.read("case-0").current, filled.read("case-0").state) == (1, "accepted")


def test_data_sets_of_two_tasks_are_not_merged(labelled, tmp_path):
    with pytest.raises(InputError, match="covid-ct"):
        merge(labelled, Dataset.create(tmp_path / "ct", "covid-ct"), ANN, nothing)
    with pytest.raises(InputError, match="with itself"):
        merge(labelled, labelled, ANN, nothing)


def test_pruning_moves_old_versions_to_the_trash_and_spares_what_is_needed(labelled):
    snapshot = take_snapshot(labelled, ANN)
    for size in (5, 6, 7, 8):
        save_label(labelled, "case-0", label(size), author=ANN, base=labelled.read("case-0").current)
    files = superfluous(labelled, keep=2)
    assert [(file.case, file.version) for file in files] == [("case-0", 2), ("case-0", 3)]
    trash = prune(labelled, files, ANN)
    record = labelled.read("case-0")
    assert [version.pruned for version in record.labels] == [False, True, True, False, False]
    assert len(list(trash.rglob("*.nii.gz"))) == 2
    with pytest.raises(InputError, match="was pruned"):
        labelled.load("case-0", 2)
    assert superfluous(labelled, keep=2) == []
    shutil.move(
        trash / "cases" / "case-0" / record.labels[1].file, labelled.case_folder("case-0") / record.labels[1].file
    )
    assert labelled.load("case-0", 2)[1].array.sum() == label(5).array.sum()
    assert len(cases_of_snapshot(labelled, snapshot.id)) == 8


def test_labels_in_a_conflict_are_not_pruned(filled):
    for size in (3, 4, 5, 6):
        save_label(filled, "case-0", label(size), author=BOB, base=1 if size > 3 else 0)
    assert len(filled.read("case-0").conflicts) == 2
    assert [file.version for file in superfluous(filled, keep=1)] == [1]


def test_images_of_rejected_cases_go_only_if_asked_for(labelled):
    labelled.set_state("case-4", "in review", ANN)
    labelled.set_state("case-4", "rejected", ANN)
    assert superfluous(labelled, keep=1) == []
    files = superfluous(labelled, keep=1, rejected_images=True)
    assert {file.case for file in files} == {"case-4"}
    trash = prune(labelled, files, ANN)
    assert (trash / "cases" / "case-4" / "images" / "t1.nii.gz").is_file()
    assert "moved to" in labelled.read("case-4").history[-1].text
    assert check_dataset(labelled, nothing, ["case-4"]) == []
