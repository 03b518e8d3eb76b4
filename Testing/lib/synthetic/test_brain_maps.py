"""New patients from the anatomy of real ones."""

import numpy as np
import pytest

from MedSegEffNetLib.synthetic import brain_maps
from MedSegEffNetLib.synthetic.brain_tumors import TISSUES, label_map

FLUID, GREY, WHITE = (TISSUES.index(name) for name in ("csf", "grey", "white"))
SHAPE = (64, 72, 56)
BRIGHTNESS = {"t1": {FLUID: -2.0, GREY: 0.0, WHITE: 1.0}, "t2": {WHITE: -1.0, GREY: 0.0, FLUID: 2.0}}


@pytest.fixture(scope="module")
def true_tissues():
    """White matter with fluid in its middle, and a shell of grey matter."""
    axes = np.meshgrid(*[np.arange(n) - (n - 1) / 2 for n in SHAPE], indexing="ij")
    radius = np.sqrt(sum(axis**2 for axis in axes))
    return np.select([radius < 9, radius < 20, radius < 25], [FLUID, WHITE, GREY], 0).astype(np.uint8)


def image_of(tissues, sequence):
    table = np.full(len(TISSUES), -4.0, dtype=np.float32)
    for tissue, value in BRIGHTNESS[sequence].items():
        table[tissue] = value
    noise = np.random.default_rng(0).normal(0, 0.1, tissues.shape).astype(np.float32)
    return np.where(tissues > 0, table[tissues] + noise, table[0])


@pytest.mark.parametrize("sequence", BRIGHTNESS)
def test_tissues_are_told_apart_by_their_brightness_in_the_sequence(sequence, true_tissues):
    found = brain_maps.anatomy(image_of(true_tissues, sequence), np.zeros(SHAPE, bool), sequence, -4.0)
    assert ((found > 0) == (true_tissues > 0)).all()
    assert (found == true_tissues)[true_tissues > 0].mean() > 0.85


def test_in_place_of_the_tumor_stands_the_tissue_of_the_other_side(true_tissues):
    tumor = np.zeros(SHAPE, bool)
    tumor[8:24, 28:44, 20:36] = True
    image = image_of(true_tissues, "t1")
    image[tumor & (true_tissues > 0)] = 6.0
    tumor &= true_tissues > 0
    found = brain_maps.anatomy(image, tumor, "t1", -4.0)
    assert (found[tumor] == found[::-1][tumor]).mean() > 0.95
    assert not label_map(found).any()


def test_a_patient_lies_within_a_margin_and_is_healthy_or_has_tumors(true_tissues):
    patients = [brain_maps.patient(true_tissues, np.random.default_rng(seed)) for seed in range(12)]
    ill = [label_map(tissues).any() for tissues in patients]
    assert 7 <= sum(ill) < 12
    for tissues in patients:
        inside = np.argwhere(tissues > 0)
        assert (inside.min(axis=0) == 3).all()
        assert (inside.max(axis=0) == np.array(tissues.shape) - 4).all()


def test_the_same_seed_makes_the_same_patient(true_tissues):
    first, again = (brain_maps.patient(true_tissues, np.random.default_rng(5)) for _ in range(2))
    assert np.array_equal(first, again)


def test_an_unknown_sequence_and_a_brain_without_healthy_tissue_are_refused(true_tissues):
    with pytest.raises(ValueError, match="dwi"):
        brain_maps.anatomy(image_of(true_tissues, "t1"), true_tissues > 0, "dwi", -4.0)
    with pytest.raises(ValueError, match="no healthy brain"):
        brain_maps.anatomy(image_of(true_tissues, "t1"), true_tissues > 0, "t1", -4.0)
