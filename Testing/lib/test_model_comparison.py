"""What a model may be compared on."""

import json

import numpy as np
import pytest

from MedSegEffNetLib import model_comparison
from MedSegEffNetLib.dataset.case import Case
from MedSegEffNetLib.dataset.importing import NewCase, add_case
from MedSegEffNetLib.dataset.snapshots import take_snapshot
from MedSegEffNetLib.dataset.splits import make_splits, move
from MedSegEffNetLib.dataset.store import Dataset
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.image import Image
from MedSegEffNetLib.models.bundle import Bundle

AUTHOR = "Ann Lee"


def nothing():
    raise AssertionError("no case needs to be read")


def case(name, patient, split="test"):
    return Case(name, patient, split, nothing)


@pytest.fixture
def dataset(tmp_path):
    """Six accepted cases of six patients; the images of each are noise of its own."""
    dataset = Dataset.create(tmp_path / "data", "tumor-slices")
    for seed in range(6):
        draw = np.random.default_rng(seed)
        images = {
            name: Image(draw.integers(1, 200, (16, 14, 2)).astype(np.uint8), np.eye(4)) for name in ("t1", "flair")
        }
        label = np.zeros((16, 14, 2), np.uint8)
        label[4:9, 4:9] = 1
        new = NewCase(f"case-{seed}", images=images, files={}, patient=f"P{seed}", label=Image(label, np.eye(4)))
        add_case(dataset, new, AUTHOR)
    return dataset


@pytest.fixture
def run(bundle, dataset, tiny_training, tmp_path):
    """A function that gives a finished training on a snapshot."""
    from MedSegEffNetLib.models.build import build_bundle

    def made(snapshot, **cases):
        folder = tmp_path / "run"
        data = {"folder": "data", "snapshot": snapshot.id, "cases": cases}
        build_bundle(folder / "model", tiny_training(thresholds=(0.2,), provenance={"parent": None, "data": data}))
        request = {"command": "train", "data": str(dataset.folder), "snapshot": snapshot.id}
        (folder / "job.json").write_text(json.dumps({"schema": 1, "request": request}), encoding="utf-8")
        return str(folder)

    return made


def test_the_cases_of_a_snapshots_test_split_are_taken(run, dataset, bundle):
    make_splits(dataset, {"train": 0.5, "val": 0.25, "test": 0.25}, seed=0)
    snapshot = take_snapshot(dataset, AUTHOR)
    by_split = {}
    for entry in snapshot.cases:
        by_split.setdefault(entry["split"], []).append(entry["case"])
    contest = model_comparison.prepare(run(snapshot, **by_split), against=str(bundle.folder))
    assert [found.id for found in contest.cases] == by_split["test"]
    assert (contest.snapshot, contest.split, contest.data) == (snapshot.id, "test", dataset.folder)
    assert not contest.output.exists()


def test_a_snapshot_without_a_test_split_says_how_to_make_one(run, dataset, bundle):
    make_splits(dataset, {"train": 0.5, "val": 0.5}, seed=0)
    snapshot = take_snapshot(dataset, AUTHOR)
    with pytest.raises(InputError, match=f"snapshot {snapshot.id} has no cases of the split 'test'") as caught:
        model_comparison.prepare(run(snapshot, train=["case-0"], val=["case-1"]), against=str(bundle.folder))
    assert "medsegeffnet dataset split" in caught.value.hint
    assert "--move PATIENT=test" in caught.value.hint


def test_a_patient_that_was_moved_after_the_training_is_found_out(run, dataset, bundle):
    make_splits(dataset, {"train": 0.5, "val": 0.25, "test": 0.25}, seed=0)
    take_snapshot(dataset, AUTHOR)
    move(dataset, "P0", "test")
    later = take_snapshot(dataset, AUTHOR, "later")
    with pytest.raises(InputError, match="patients that the new model was trained or chosen on: case-0"):
        model_comparison.prepare(run(later, train=["case-0"], val=["case-1"]), against=str(bundle.folder))


def test_another_case_of_a_patient_that_was_learnt_from_is_refused(tiny_training, bundle, monkeypatch):
    metadata = json.loads(json.dumps(bundle.metadata))
    metadata["medsegeffnet"]["provenance"]["data"]["cases"] = {"train": ["p1-first"], "val": ["p2"], "test": []}
    learnt = Bundle(bundle.folder, metadata)
    there = [case("p1-first", "P1", "train"), case("p1-later", "P1"), case("p3", "P3")]
    model_comparison._refuse_learnt(learnt, there, there[2:])
    with pytest.raises(InputError, match=r"1 of the 2 cases .*: p1-later"):
        model_comparison._refuse_learnt(learnt, there, there[1:])
    metadata["medsegeffnet"]["provenance"]["data"]["patients"] = {"train": ["P9"]}
    with pytest.raises(InputError, match="p9-later"):
        model_comparison._refuse_learnt(learnt, [], [case("p9-later", "P9")])


def test_a_data_folder_that_is_gone_and_an_unfinished_training_are_told(run, dataset, bundle, tmp_path):
    make_splits(dataset, {"train": 0.5, "val": 0.25, "test": 0.25}, seed=0)
    folder = run(take_snapshot(dataset, AUTHOR), train=["case-0"], val=["case-1"])
    with pytest.raises(InputError, match="there is no folder"):
        model_comparison.prepare(folder, against=str(bundle.folder), data=tmp_path / "gone")
    with pytest.raises(InputError, match="--margin 2"):
        model_comparison.prepare(folder, against=str(bundle.folder), margin=2)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "job.json").write_text('{"schema": 1, "request": {"command": "segment"}}', encoding="utf-8")
    with pytest.raises(InputError, match="folder of another job"):
        model_comparison.prepare(str(tmp_path / "other"))


def test_labels_of_synthesised_images_are_told(run, dataset, bundle):
    draw = np.random.default_rng(50)
    images = {name: Image(draw.integers(1, 200, (16, 14, 2)).astype(np.uint8), np.eye(4)) for name in ("t1", "flair")}
    label = Image(np.ones((16, 14, 2), np.uint8), np.eye(4))
    add_case(dataset, NewCase("made", images=images, files={}, patient="P7", label=label, synthesised=("t1",)), AUTHOR)
    make_splits(dataset, {"train": 0.5, "val": 0.25, "test": 0.25}, seed=0)
    move(dataset, "P7", "train")
    snapshot = take_snapshot(dataset, AUTHOR, synthesised=True)
    aside = {"train": ["made"], "val": []}
    assert model_comparison.prepare(run(snapshot, **aside), against=str(bundle.folder)).synthesised
