import numpy as np
import pytest

from MedSegEffNetLib.image import same_grid
from MedSegEffNetLib.synthetic.heel_skin import CORNEUM, DERMIS, EPIDERMIS, FAT, SIZE, make_heel

SEEDS, SMALL = range(6), 128


@pytest.fixture(scope="module")
def heels():
    return [make_heel(seed, SMALL) for seed in SEEDS]


def upright(heel):
    """Image and labels ``[along the skin, depth]`` of a heel, whichever way it is stored."""
    image, labels = heel.image.array[:, :, 0], heel.label_map.array[:, :, 0]
    stored_on_its_side = heel.image.affine[1, 0] == 0
    return (image.T, labels.T) if stored_on_its_side else (image, labels)


def test_the_same_seed_gives_the_same_heel_and_another_seed_another_one(heels):
    again = make_heel(SEEDS[0], SMALL)
    assert np.array_equal(again.image.array, heels[0].image.array)
    assert np.array_equal(again.label_map.array, heels[0].label_map.array)
    assert not np.array_equal(heels[0].image.array, heels[1].image.array)


def test_image_and_label_map_have_the_task_s_size_if_no_other_is_asked_for():
    assert make_heel(0).image.shape == make_heel(0).label_map.shape == (SIZE, SIZE, 1)


def test_image_and_label_map_lie_on_one_grid(heels):
    for heel in heels:
        assert heel.image.shape == (SMALL, SMALL, 1)
        assert heel.image.array.dtype == np.float32
        assert heel.label_map.array.dtype == np.uint8
        assert same_grid(heel.image, heel.label_map)
        assert 0.05 < heel.image.spacing[0] < 0.09


def test_the_layers_come_in_their_order_from_air_to_fat(heels):
    for heel in heels:
        _, labels = upright(heel)
        depths = [np.argwhere(labels == layer)[:, 1].mean() for layer in (CORNEUM, EPIDERMIS, DERMIS, FAT)]
        assert depths == sorted(depths)
        # No layer is left out on the way down; a crack, which is air, may reach past the stratum corneum.
        upper, lower = labels[:, :-1].astype(int), labels[:, 1:].astype(int)
        assert np.abs(lower - upper)[(upper > 0) & (lower > 0)].max() == 1
        assert set(np.unique(labels)) == {0, CORNEUM, EPIDERMIS, DERMIS, FAT}


def test_the_bands_are_bright_and_dark_as_the_literature_says(heels):
    for heel in heels:
        image, labels = upright(heel)
        middle = slice(SMALL // 4, 3 * SMALL // 4)
        mean = {layer: image[middle][labels[middle] == layer].mean() for layer in range(5)}
        assert mean[EPIDERMIS] > 1.1 * mean[DERMIS]
        near_the_skin = np.cumsum(labels[middle] == FAT, axis=1) < 15
        fat = image[middle][near_the_skin & (labels[middle] == FAT)].mean()
        assert fat > 1.1 * mean[DERMIS]


def test_some_heels_are_stored_on_their_side_and_the_affine_tells_it():
    stored = {bool(make_heel(seed, 64).image.affine[1, 0] == 0) for seed in range(20)}
    assert stored == {True, False}
