import json

import numpy as np
import pytest

from MedSegEffNetLib.image import same_grid
from MedSegEffNetLib.resources import resources_folder
from MedSegEffNetLib.synthetic.brain_patient import RECIPE, make_patient


@pytest.fixture(scope="module")
def recipe():
    """The shipped recipe on fewer voxels."""
    shipped = json.loads((resources_folder() / RECIPE).read_text(encoding="utf-8"))
    return {**shipped, "shape": [64, 64, 12], "spacing": [3.6, 3.6, 10.0]}


@pytest.fixture(scope="module")
def patient(recipe):
    return make_patient(recipe)


def test_the_same_recipe_gives_the_same_voxels(recipe, patient):
    again = make_patient(recipe)
    for channel, image in patient.images.items():
        assert np.array_equal(image.array, again.images[channel].array)
    assert np.array_equal(patient.label_map.array, again.label_map.array)


def test_another_seed_gives_another_patient(recipe, patient):
    other = make_patient({**recipe, "seed": 1})
    assert not np.array_equal(patient.images["flair"].array, other.images["flair"].array)


def test_three_channels_and_the_label_map_lie_on_one_grid(patient):
    assert sorted(patient.images) == ["flair", "t1", "t1ce"]
    for image in patient.images.values():
        assert image.array.dtype == np.uint8
        assert same_grid(image, patient.label_map)


def test_the_tumor_is_bright_in_flair_and_dark_in_t1(patient):
    tumor = patient.label_map.array == 1
    brain = (patient.images["t1"].array > 60) & ~tumor
    assert 0.002 < tumor.mean() < 0.05
    assert patient.images["flair"].array[tumor].mean() > 1.3 * patient.images["flair"].array[brain].mean()
    assert patient.images["t1"].array[tumor].mean() < 0.8 * patient.images["t1"].array[brain].mean()


def test_the_tumor_lies_on_the_side_that_the_recipe_names(recipe, patient):
    center = np.argwhere(patient.label_map.array == 1).mean(axis=0)
    place = (patient.label_map.affine @ [*center, 1])[:3]
    assert np.linalg.norm(place - recipe["tumor"]["center_mm"]) < 8


def test_the_shipped_patient_has_the_size_of_a_real_one():
    images = make_patient().images
    assert {image.shape for image in images.values()} == {(256, 256, 24)}
    assert images["flair"].spacing == pytest.approx((0.9, 0.9, 5.0))
