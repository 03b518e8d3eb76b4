"""What a training learns from."""

import json
from dataclasses import replace

import pytest

from MedSegEffNetLib.dataset.case import Case
from MedSegEffNetLib.dataset.exporters import export_cases
from MedSegEffNetLib.dataset.importing import import_cases
from MedSegEffNetLib.dataset.readers import read_folder
from MedSegEffNetLib.dataset.records import to_json
from MedSegEffNetLib.dataset.snapshots import take_snapshot
from MedSegEffNetLib.dataset.splits import make_splits
from MedSegEffNetLib.dataset.store import Dataset
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.task import get_segmentation_task
from MedSegEffNetLib.training.cases import split_cases
from MedSegEffNetLib.training.config import Recipe
from MedSegEffNetLib.training.finishing import is_synthesised
from MedSegEffNetLib.training.request import resolve

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


def test_cases_whose_images_a_network_made_are_learnt_from_only_if_asked_for(curated):
    record = curated.read("P0")
    images = {name: replace(image, synthesised=True) for name, image in record.images.items()}
    path = curated.case_folder("P0") / "case.json"
    path.write_text(json.dumps(to_json(replace(record, images=images))), encoding="utf-8")
    snapshot = take_snapshot(curated, "Ann", synthesised=True)
    for given in (snapshot.id, ""):
        plain, all_of_them = (
            {case.id for part in split_cases(curated.folder, given, TASK, recipe).values() for case in part}
            for recipe in (Recipe(), Recipe(with_synthesised=True))
        )
        assert all_of_them - plain == {"P0"}


def test_a_dataset_json_of_another_layout_is_no_curated_data_set(patients, tmp_path):
    export_cases(read_folder(patients, TASK), TASK, tmp_path / "decathlon", "msd")
    parts = split_cases(tmp_path / "decathlon", "", TASK, Recipe(with_synthesised=True))
    assert [len(parts[name]) for name in ("train", "val")] == [2, 1]


def test_a_model_says_whether_it_has_seen_made_images(tmp_path):
    def made(synthetic, **settings):
        request = resolve("brain-tumor", tmp_path, network=None, parent=None, settings=settings)
        cases = [Case("a", "a", "train", dict, synthetic=synthetic)]
        return is_synthesised(request.parent, cases, request.recipe.synthetic_share)

    assert [made(False), made(True), made(False, synthetic_share="0.5")] == [False, True, True]
