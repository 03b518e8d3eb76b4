"""What a training learns from."""

import pytest

from MedSegEffNetLib.dataset.importing import import_cases
from MedSegEffNetLib.dataset.readers import read_folder
from MedSegEffNetLib.dataset.snapshots import take_snapshot
from MedSegEffNetLib.dataset.splits import make_splits
from MedSegEffNetLib.dataset.store import Dataset
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.task import get_segmentation_task
from MedSegEffNetLib.training.cases import split_cases
from MedSegEffNetLib.training.config import Recipe

TASK = get_segmentation_task("tumor-slices")


@pytest.fixture
def curated(patients, tmp_path):
    """The patients as a curated data set with a split."""
    dataset = Dataset.create(tmp_path / "data", TASK.id)
    import_cases(dataset, read_folder(patients, TASK), "Ann", lambda *told: None)
    make_splits(dataset, {"train": 0.7, "val": 0.3}, seed=0)
    return dataset


def test_a_layout_with_splits_keeps_them(patients):
    parts = split_cases(patients, "", TASK, Recipe())
    assert {case.split for case in parts["train"]} == {"train"}
    assert {case.split for case in parts["val"]} == {"val"}


def test_a_snapshot_is_what_it_was_whatever_came_later(curated):
    snapshot = take_snapshot(curated, "Ann")
    before = split_cases(curated.folder, snapshot.id, TASK, Recipe())
    curated.set_state(before["train"][0].id, "in review", "Ann")
    after = split_cases(curated.folder, snapshot.id, TASK, Recipe())
    assert [case.id for case in after["train"]] == [case.id for case in before["train"]]
    now = split_cases(curated.folder, "", TASK, Recipe())
    assert len(now["train"]) == len(before["train"]) - 1


def test_an_unknown_snapshot_is_refused(curated):
    with pytest.raises(InputError, match="snapshot"):
        split_cases(curated.folder, "abc", TASK, Recipe())


def test_a_snapshot_of_a_folder_that_is_no_data_set_is_refused(patients):
    with pytest.raises(InputError, match="no data set"):
        split_cases(patients, "abc", TASK, Recipe())
