"""Pictures of validation cases."""

import numpy as np
import pytest
import torch
from PIL import Image as Pillow

from MedSegEffNetLib.job import Job
from MedSegEffNetLib.task import get_segmentation_task
from MedSegEffNetLib.training.previews import Previews

TASK = get_segmentation_task("tumor-slices")


def validate(previews, epoch, scores, run):
    """A validation whose cases reach these scores; returns the events."""
    said = []
    job = Job.open(None, {})
    job.listeners.append(said.append)
    for case_id, dice in scores.items():
        images = torch.zeros(3, 3, 16, 16)
        targets = torch.zeros(3, 1, 16, 16)
        targets[1, 0, 4:12, 4:12] = 1
        previews.look(images, targets, targets > 0.5)
        previews.keep(case_id, dice)
    previews.write(epoch, run, job)
    return said


def test_the_worst_the_median_and_the_best_case_of_the_first_epoch_are_drawn_each_time(tmp_path):
    previews = Previews(TASK, TASK.channels, epochs=5)
    first = validate(previews, 1, {"a": 0.5, "b": 0.1, "c": 0.9, "d": 0.3, "e": 0.8}, tmp_path)
    assert [event["case"] for event in first] == ["b", "a", "c"]
    second = validate(previews, 2, {"a": 0.1, "b": 0.9, "c": 0.2, "d": 0.3, "e": 0.8}, tmp_path)
    assert [(event["case"], event["path"]) for event in second] == [
        ("b", "previews/b/2.png"), ("a", "previews/a/2.png"), ("c", "previews/c/2.png"),
    ]  # fmt: skip
    with Pillow.open(tmp_path / second[0]["path"]) as picture:
        assert picture.width > 2 * picture.height  # image, truth and prediction side by side


def test_one_case_is_drawn_once_and_names_become_folders(tmp_path):
    previews = Previews(TASK, TASK.channels, key="t1ce")
    (event,) = validate(previews, 1, {"a/b: c": 0.5}, tmp_path / "t1ce")
    assert event["path"] == "t1ce/previews/a-b-c/1.png"
    assert event["network"] == "t1ce"
    assert (tmp_path / event["path"]).is_file()


def test_the_slice_with_the_most_of_what_is_to_be_found_is_shown_with_the_middle_slice_of_its_neighbors():
    previews = Previews(TASK, TASK.channels, context=1)
    images = torch.arange(9.0).view(1, 9, 1, 1).repeat(2, 1, 8, 8)
    targets = torch.zeros(2, 1, 8, 8)
    targets[1, 0, :4] = 1
    previews.look(images, targets, targets > 2)
    assert previews._largest.area == 32
    assert (
        previews._largest.image == 4
    ).all()  # FLAIR, the second of three channels, of the middle one of three slices
    assert not previews._largest.found.any()


def test_volumes_and_nested_regions_are_drawn_with_the_inner_region_on_top():
    task = get_segmentation_task("brain-tumor")
    previews = Previews(task, task.channels[:1])
    targets = torch.zeros(1, 3, 4, 8, 8)
    targets[0, 0, 2], targets[0, 1, 2, :4], targets[0, 2, 2, :2] = 1, 1, -1
    previews.look(torch.zeros(1, 1, 4, 8, 8), targets, targets > 0.5)
    labels = previews._label_map(previews._largest.truth)
    assert labels.shape == (8, 8, 1)
    assert np.unique(labels[:, :4]).tolist() == [1]
    assert np.unique(labels[:, 4:]).tolist() == [2]


@pytest.mark.parametrize(("epochs", "drawn"), [(100, 100), (1000, 101)])
def test_a_long_training_draws_every_few_epochs(epochs, drawn, tmp_path, monkeypatch):
    previews = Previews(TASK, TASK.channels, epochs=epochs)
    monkeypatch.setattr(previews, "_draw", lambda *told: b"")
    events = [event for epoch in range(1, epochs + 1) for event in validate(previews, epoch, {"a": 0.5}, tmp_path)]
    assert len(events) == drawn
