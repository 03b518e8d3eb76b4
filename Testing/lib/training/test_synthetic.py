"""Synthetic patients among the training volumes."""

import numpy as np
import pytest

from MedSegEffNetLib.dataset.case import Case
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.image import Image
from MedSegEffNetLib.preprocessing import Pipeline
from MedSegEffNetLib.task import get_segmentation_task
from MedSegEffNetLib.training import synthetic
from MedSegEffNetLib.training.config import Recipe
from MedSegEffNetLib.training.run import train
from MedSegEffNetLib.training.synthetic import PatientMaps, SyntheticFeed, check_task
from MedSegEffNetLib.training.volumes import Prepared, VolumeFeed

TASK = get_segmentation_task("brain-tumor")


def a_case(noise=0.0):
    axes = np.meshgrid(*[np.arange(n) - (n - 1) / 2 for n in (48, 52, 44)], indexing="ij")
    radius = np.sqrt(sum(axis**2 for axis in axes))
    image = np.select([radius < 5, radius < 15, radius < 19], [30.0, 100.0, 70.0], 0.0).astype(np.float32) + np.float32(
        noise
    )
    label = np.zeros(image.shape, np.uint8)
    label[14:20, 20:28, 18:26] = 2
    return Case("a", "a", "train", lambda: ({"flair": Image(image, np.eye(4))}, Image(label, np.eye(4))))


@pytest.fixture(autouse=True)
def _few_patients(monkeypatch):
    monkeypatch.setattr(synthetic, "PATIENTS", 2)


@pytest.fixture
def maps(tmp_path):
    return PatientMaps([a_case()], TASK, Pipeline.from_steps(TASK.preprocessing), tmp_path / "maps", 7)


def batches(maps, share, seed=0, samples=8):
    real = Prepared("real", np.full((1, 16, 20, 20), -4, np.float16), np.zeros((3, 16, 20, 20), np.int8))
    feed = SyntheticFeed(
        VolumeFeed(Recipe(synthetic_share=share, batch_size=1, samples_per_epoch=samples)), maps, "t1ce"
    )
    count, stream = feed.training([real], np.random.default_rng(seed))
    found = list(stream)
    assert len(found) == count
    return found


def test_maps_are_made_once_and_are_the_same_for_the_same_seed(maps, tmp_path):
    first = maps.get(1)
    kept = (maps.folder / "001.npz").stat().st_mtime_ns
    assert np.array_equal(first, maps.get(1))
    assert (maps.folder / "001.npz").stat().st_mtime_ns == kept
    elsewhere = PatientMaps(maps.cases, TASK, maps.pipeline, tmp_path / "elsewhere", 7)
    assert np.array_equal(first, elsewhere.get(1))
    assert not np.array_equal(first, maps.get(0))


def test_anatomy_comes_from_skull_stripped_cases_alone(tmp_path):
    noise = np.random.default_rng(0).uniform(0, 8, (48, 52, 44)).astype(np.float32)
    pipeline = Pipeline.from_steps(TASK.preprocessing)
    head = a_case(noise)
    with pytest.raises(InputError, match="no training case is skull-stripped"):
        PatientMaps([head], TASK, pipeline, tmp_path / "heads", 7).get(0)
    maps = PatientMaps([head, a_case(), head], TASK, pipeline, tmp_path / "maps", 7)
    assert maps.get(0).any()


def test_the_share_of_synthetic_patients_is_the_one_asked_for(maps):
    made = [images.shape[2:] != (16, 20, 20) for images, _ in batches(maps, 0.5, samples=40)]
    assert 12 <= sum(made) <= 28
    assert not any(images.shape[2:] != (16, 20, 20) for images, _ in batches(maps, 0.0))


def test_a_patient_looks_different_each_time_and_the_regions_are_nested(maps):
    drawn = batches(maps, 0.99)
    assert len({float(images.mean()) for images, _ in drawn}) == len(drawn)
    for images, targets in drawn:
        whole, core, enhancing = targets[0].bool()
        assert not (core & ~whole).any()
        assert not (enhancing & ~core).any()
        assert (images[0, 0][whole] != -4).all()
        assert images[0, 0, 0, 0, 0] == -4


def test_the_same_epoch_draws_the_same_batches_whether_the_maps_are_there_or_not(maps):
    first, again = batches(maps, 0.5, seed=3), batches(maps, 0.5, seed=3)
    for one, other in zip(first, again, strict=True):
        assert (one[0] == other[0]).all()
        assert (one[1] == other[1]).all()


def test_tasks_of_other_images_or_labels_are_refused_before_anything_is_written(tmp_path):
    check_task(TASK)
    for task in ("tumor-slices", "covid-ct", "skin-layers"):
        with pytest.raises(InputError, match="no synthetic patients"):
            train(task, tmp_path, tmp_path / "run", settings={"synthetic_share": "0.5"})
    assert not (tmp_path / "run").exists()
