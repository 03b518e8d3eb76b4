"""What is told before a training starts."""

import json
from dataclasses import replace

import pytest
import torch

from MedSegEffNetLib.dataset.importing import import_cases
from MedSegEffNetLib.dataset.readers import read_folder
from MedSegEffNetLib.dataset.records import to_json
from MedSegEffNetLib.dataset.snapshots import take_snapshot
from MedSegEffNetLib.dataset.splits import make_splits
from MedSegEffNetLib.dataset.store import Dataset
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.job import read_events, read_request
from MedSegEffNetLib.task import get_segmentation_task
from MedSegEffNetLib.training import preflight, request
from MedSegEffNetLib.training.contents import Contents, contents_of
from MedSegEffNetLib.training.preflight import check
from MedSegEffNetLib.training.run import train

from .conftest import TINY, write_patients

TASK = get_segmentation_task("tumor-slices")
SETTINGS = dict(text.split("=", 1) for text in TINY)


def look(data, run, *more, **others):
    settings = {**SETTINGS, **dict(text.split("=", 1) for text in more)}
    return check("tumor-slices", data, run, network="unet_2d", settings=settings, **others)


@pytest.fixture
def curated(tmp_path):
    """Five patients as a data set with splits and a snapshot."""
    dataset = Dataset.create(tmp_path / "set", TASK.id)
    import_cases(dataset, read_folder(write_patients(tmp_path / "pictures", count=5), TASK), "Ann", lambda *told: None)
    make_splits(dataset, {"train": 0.4, "val": 0.2, "test": 0.4}, seed=0)
    return dataset


def test_a_check_tells_data_time_memory_and_disk_and_trains_nothing(patients, tmp_path):
    found = look(patients, tmp_path / "run")
    assert found.splits == {"train": {"cases": 2, "patients": 2}, "val": {"cases": 1, "patients": 1}}
    assert found.labels == {"train": {"tumor": 2}, "val": {"tumor": 1}}
    assert 0 < found.memory_mb < found.memory_free_mb
    assert 0 < found.disk_mb < found.disk_free_mb
    assert found.seconds_total > found.seconds_per_epoch >= 0
    assert found.errors == ()
    assert any("no test cases" in text for text in found.warnings)
    assert "second of two" in found.notes[0]
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["events.jsonl", "job.json"]
    assert read_request(tmp_path / "run")["request"]["command"] == "train-check"
    events = read_events(tmp_path / "run")[0]
    told, finished = (next(event for event in events if event["event"] == kind) for kind in ("preflight", "finished"))
    for name in ("splits", "labels", "memory_mb", "seconds_total", "disk_free_mb", "errors", "warnings"):
        assert told[name] == finished[name]


@pytest.mark.parametrize("setting", ["epochs=0", "loss=hinge", "trained=decoder", "trained=head"])
def test_what_a_training_would_refuse_is_refused_and_nothing_is_written(setting, patients, tmp_path):
    with pytest.raises(InputError):
        look(patients, tmp_path / "run", setting)
    assert not (tmp_path / "run").exists()


def test_the_folder_of_a_check_becomes_that_of_the_training(patients, tmp_path):
    look(patients, tmp_path / "run")
    train("tumor-slices", patients, tmp_path / "run", network="unet_2d", settings={**SETTINGS, "epochs": "1"})
    assert read_request(tmp_path / "run")["request"]["command"] == "train"
    events = read_events(tmp_path / "run")[0]
    assert [event["event"] for event in events].count("started") == 1
    with pytest.raises(InputError, match="holds a job of the command 'train'"):
        look(patients, tmp_path / "run")


def test_a_data_set_is_looked_at_by_its_records_and_by_the_leak_guard(curated, tmp_path, monkeypatch):
    snapshot = take_snapshot(curated, "Ann")
    monkeypatch.setattr(Dataset, "load_label", None)  # contents_of must not read label maps
    resolved = request.resolve(TASK.id, curated.folder, network="unet_2d", parent=None, settings=SETTINGS)
    parts = preflight.split_cases(curated.folder, snapshot.id, TASK, resolved.recipe)
    job = preflight.Job.open(None, {})
    assert [contents_of(resolved, parts[name], name, job).regions for name in ("train", "val", "test")] == [
        {"tumor": 2}, {"tumor": 1}, {"tumor": 2},
    ]  # fmt: skip
    monkeypatch.undo()
    found = look(curated.folder, tmp_path / "run", snapshot=snapshot.id)
    assert not found.errors
    assert not any("test cases" in text for text in found.warnings)


def test_a_patient_in_two_splits_is_an_error(patients, tmp_path):
    asked = request.resolve(TASK.id, patients, network="unet_2d", parent=None, settings=SETTINGS)
    parts = preflight.split_cases(patients, "", TASK, asked.recipe)
    errors, _ = preflight._leaks(asked, {**parts, "val": [*parts["val"], parts["train"][0]]})
    assert errors == ["Patient P0 is in train and in val: move all of a patient's cases into one."]


def test_an_image_in_two_splits_is_an_error(curated):
    asked = request.resolve(TASK.id, curated.folder, network="unet_2d", parent=None, settings=SETTINGS)
    one, other = (preflight.split_cases(curated.folder, "", TASK, asked.recipe)[name][0] for name in ("train", "test"))
    record, source = curated.read(one.id), curated.read(other.id)
    images = {name: replace(image, voxels=source.images[name].voxels) for name, image in record.images.items()}
    path = curated.case_folder(one.id) / "case.json"
    path.write_text(json.dumps(to_json(replace(record, images=images))), encoding="utf-8")
    parts = preflight.split_cases(curated.folder, "", TASK, asked.recipe)
    errors, _ = preflight._leaks(asked, parts)
    assert len(errors) == 1
    assert "the same voxels, in" in errors[0]
    assert not preflight._leaks(asked, {**parts, "test": []})[0]


def test_a_label_without_training_cases_is_an_error_and_one_without_validation_cases_a_warning(tmp_path):
    asked = request.resolve("brain-tumor", tmp_path, network=None, parent=None, settings={})
    contents = {"train": Contents({"WT": 3, "TC": 0, "ET": 1}, "a"), "val": Contents({"WT": 1, "TC": 1, "ET": 0}, "b")}
    errors, warnings = preflight._labels(asked, contents)
    assert [text.partition(":")[0] for text in errors] == ["No training case has the label tumor core (TC)"]
    assert [text.partition(":")[0] for text in warnings] == ["No validation case has the label enhancing tumor (ET)"]
    asked = request.resolve("brain-tumor", tmp_path, network=None, parent=None, settings={"synthetic_share": "0.5"})
    errors, warnings = preflight._labels(asked, contents)
    assert not errors
    assert "synthetic patients alone" in warnings[0]


def test_a_label_that_no_test_case_has_is_a_warning(tmp_path):
    asked = request.resolve(TASK.id, tmp_path, network=None, parent=None, settings={})
    some, none = Contents({"tumor": 1}, "a"), Contents({"tumor": 0}, "")
    errors, warnings = preflight._labels(asked, {"train": some, "val": some, "test": none})
    assert not errors
    assert warnings == ["No test case has the label tumor (tumor): a comparison says little about it."]
    assert preflight._labels(asked, {"train": some, "val": some, "test": some}) == ([], [])


def test_a_disk_that_is_too_small_is_an_error(patients, tmp_path, monkeypatch):
    monkeypatch.setattr(preflight, "_disk_free", lambda run: 5)
    (error,) = look(patients, tmp_path / "run").errors
    assert "5 MB free" in error


def test_what_memory_asked_for_is_a_warning(patients, tmp_path, monkeypatch):
    from MedSegEffNetLib.training.learner import Learner

    step, failures = Learner._step, [RuntimeError("CUDA out of memory")]

    def failing(self, images, targets):
        if failures:
            raise failures.pop()
        return step(self, images, targets)

    monkeypatch.setattr(Learner, "_step", failing)
    assert any(text.startswith("Memory ran out") for text in look(patients, tmp_path / "run").warnings)
    assert torch.get_num_threads() >= 1
