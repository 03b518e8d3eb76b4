"""A snapshot always means the same images and labels."""

import json

import numpy as np
import pytest

from MedSegEffNetLib.dataset.importing import add_case
from MedSegEffNetLib.dataset.labels import save_label
from MedSegEffNetLib.dataset.readers import read_folder
from MedSegEffNetLib.dataset.snapshots import cases_of_snapshot, list_snapshots, read_snapshot, take_snapshot
from MedSegEffNetLib.dataset.splits import make_splits, move
from MedSegEffNetLib.dataset.store import Dataset
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.task import get_segmentation_task

from .conftest import ANN, BOB, label, new_case


def test_the_same_state_gives_the_same_snapshot_and_another_state_another(labelled):
    make_splits(labelled, {"train": 0.5, "val": 0.5}, seed=0)
    first = take_snapshot(labelled, ANN, "for the paper")
    assert take_snapshot(labelled, BOB).id == first.id
    save_label(labelled, "case-0", label(9), author=ANN, base=1)
    labelled.set_state("case-0", "accepted", ANN)
    second = take_snapshot(labelled, ANN)
    assert second.id != first.id
    assert [one.id for one in list_snapshots(labelled)] == [first.id, second.id]


def test_the_cases_of_a_snapshot_keep_the_labels_of_then(labelled):
    make_splits(labelled, {"train": 0.5, "val": 0.5}, seed=0)
    snapshot = take_snapshot(labelled, ANN)
    save_label(labelled, "case-0", label(9), author=ANN, base=1)
    cases = cases_of_snapshot(labelled, snapshot.id[:6])
    assert len(cases) == 8
    assert {case.split for case in cases} == {"train", "val"}
    images, old = cases[0].load()
    assert set(images) == {"t1", "flair", "t1ce"}
    np.testing.assert_array_equal(old.array, label(4).array)


def test_only_accepted_cases_are_in_it_and_synthesised_images_only_if_asked_for(labelled):
    labelled.set_state("case-1", "in review", ANN)
    add_case(labelled, new_case(20, labelled=True, synthesised=("t1",)), ANN)
    assert {entry["case"] for entry in take_snapshot(labelled, ANN).cases} == {
        f"case-{n}" for n in (0, 2, 3, 4, 5, 6, 7)
    }
    with_made = take_snapshot(labelled, ANN, synthesised=True)
    assert [entry["synthesised"] for entry in with_made.cases if entry["case"] == "case-20"] == [True]


def test_an_image_in_two_splits_is_refused(labelled):
    make_splits(labelled, {"train": 0.5, "val": 0.5}, seed=0)
    add_case(labelled, new_case(1, "again", labelled=True, patient="P0"), ANN)
    for patient, split in (("P0", "train"), ("P1", "val")):
        move(labelled, patient, split)
    with pytest.raises(InputError, match=r"again .* and case-1 .* have the same image"):
        take_snapshot(labelled, ANN)
    assert list_snapshots(labelled) == []
    move(labelled, "P1", "train")
    assert len(take_snapshot(labelled, ANN).cases) == 9


def test_a_changed_snapshot_is_refused(labelled):
    snapshot = take_snapshot(labelled, ANN)
    path = labelled.folder / "snapshots" / f"{snapshot.id}.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    content["cases"][0]["split"] = "test"
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(InputError, match="was changed after"):
        read_snapshot(labelled, snapshot.id)


def test_a_snapshot_whose_label_file_was_changed_is_refused_when_it_is_loaded(labelled):
    snapshot = take_snapshot(labelled, ANN)
    labelled.label_path(labelled.read("case-2")).write_bytes(b"other")
    case = next(case for case in cases_of_snapshot(labelled, snapshot.id) if case.id == "case-2")
    with pytest.raises(InputError, match="was changed since"):
        case.load()


def test_an_unknown_snapshot_and_an_empty_data_set_are_explained(dataset):
    with pytest.raises(InputError, match="no accepted case"):
        take_snapshot(dataset, ANN)
    with pytest.raises(InputError, match="has no snapshot 'abc'"):
        read_snapshot(dataset, "abc")


def test_a_training_reads_the_accepted_cases_of_a_data_set_with_their_splits(labelled):
    make_splits(labelled, {"train": 0.5, "val": 0.5}, seed=0)
    labelled.set_state("case-1", "in review", ANN)
    add_case(labelled, new_case(20, labelled=True, synthesised=("t1",)), ANN)
    cases = read_folder(labelled.folder, get_segmentation_task("tumor-slices"))
    assert [case.id for case in cases] == [f"case-{n}" for n in (0, 2, 3, 4, 5, 6, 7)]
    assert {case.split for case in cases} == {"train", "val"}
    assert cases[0].load()[1].array.any()
    with pytest.raises(InputError, match="data set of the task tumor-slices"):
        read_folder(labelled.folder, get_segmentation_task("brain-tumor"))
    with pytest.raises(InputError, match="no accepted case"):
        read_folder(
            Dataset.create(labelled.folder.parent / "empty", "covid-ct").folder, get_segmentation_task("covid-ct")
        )
