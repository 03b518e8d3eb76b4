import numpy as np
import pytest

from MedSegEffNetLib import postprocessing
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.task import Code, Label, Region, Terminology

NESTED = (
    Region("WT", "whole tumor", (1, 2, 4), 2),
    Region("TC", "tumor core", (1, 4), 1),
    Region("ET", "enhancing", (4,), 4),
)


def two_islands(shape=(10, 10, 6)):
    mask = np.zeros(shape, dtype=bool)
    mask[1:4, 1:4, 1:3] = True  # 18 voxels
    mask[7:9, 7:9, 4] = True  # 4 voxels
    return mask


def clean(mask, name, spacing=(1.0, 1.0, 1.0), **arguments):
    (step,) = postprocessing.clean_ups([{"name": name, "arguments": arguments}])
    return step(mask, spacing)


def test_islands_below_a_number_of_voxels_go_and_larger_ones_stay():
    mask = two_islands()
    assert clean(mask, "remove_small_islands", min_voxels=5).sum() == 18
    assert np.array_equal(clean(mask, "remove_small_islands", min_voxels=4), mask)


def test_islands_below_a_volume_in_mm3_go():
    assert clean(two_islands(), "remove_small_islands", (1, 1, 5), min_mm3=21).sum() == 18
    assert clean(two_islands(), "remove_small_islands", (1, 1, 5), min_mm3=20).sum() == 22


def test_islands_below_a_share_of_the_largest_one_go():
    mask = two_islands()  # of 18 and 4 voxels
    assert clean(mask, "remove_small_islands", min_share=0.25).sum() == 18
    assert np.array_equal(clean(mask, "remove_small_islands", min_share=0.2), mask)


def test_voxels_that_touch_at_a_corner_are_one_island():
    mask = np.zeros((4, 4, 4), dtype=bool)
    mask[1, 1, 1] = mask[2, 2, 2] = True
    assert clean(mask, "remove_small_islands", min_voxels=2).sum() == 2


def test_the_largest_piece_is_kept_at_its_place():
    kept = clean(two_islands(), "keep_largest")
    assert kept.sum() == 18
    assert kept[1:4, 1:4, 1:3].all()


@pytest.mark.parametrize("name", ["keep_largest", "fill_holes"])
def test_an_empty_mask_stays_empty(name):
    assert not clean(np.zeros((4, 4, 4), dtype=bool), name).any()


def test_closed_cavities_are_filled_and_open_ones_are_not():
    ball = np.ones((5, 5, 5), dtype=bool)
    ball[2, 2, 2] = False
    assert clean(np.pad(ball, 2), "fill_holes").sum() == 125
    ball[2, 2, 2:] = False
    assert np.array_equal(clean(np.pad(ball, 2), "fill_holes"), np.pad(ball, 2))


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_ring_in_a_single_slice_is_filled(axis):
    ring = np.zeros((7, 7), dtype=bool)
    ring[1:6, 1:6] = True
    ring[3, 3] = False
    assert clean(np.expand_dims(ring, axis), "fill_holes").sum() == 25


def test_a_ring_in_one_slice_of_a_volume_is_open():
    ring = np.zeros((7, 7, 3), dtype=bool)
    ring[1:6, 1:6, 1] = True
    ring[3, 3, 1] = False
    assert clean(ring, "fill_holes").sum() == 24


@pytest.mark.parametrize(
    "entry",
    [
        {"name": "melt"},
        {"name": "keep_largest", "arguments": {"speed": 1}},
        {"name": "remove_small_islands"},
        {"name": "remove_small_islands", "arguments": {"min_voxels": -1}},
    ],
)
def test_an_unknown_step_or_argument_is_an_input_error(entry):
    with pytest.raises(InputError, match=entry["name"]):
        postprocessing.clean_ups([entry])


def test_inner_regions_are_cut_to_the_outer_ones_and_write_over_them():
    maps = np.array([[0.9, 0.9, 0.9, 0.1, 0.2], [0.1, 0.6, 0.7, 0.9, 0.9], [0.0, 0.1, 0.8, 0.9, 0.9]])
    maps = maps.reshape(3, 5, 1, 1).astype(np.float32)
    label_map = postprocessing.regions_to_label_map(maps, NESTED, [0.5] * 3)
    assert label_map.dtype == np.uint8
    assert label_map.ravel().tolist() == [2, 1, 4, 0, 0]
    loose = postprocessing.regions_to_label_map(maps, NESTED, [0.5] * 3, nested=False)
    assert loose.ravel().tolist() == [2, 1, 4, 4, 4]


def test_each_region_has_its_own_threshold_and_meets_it_when_equal():
    maps = np.full((2, 1, 1, 1), 0.5, dtype=np.float32)
    assert postprocessing.regions_to_label_map(maps, NESTED[:2], [0.5, 0.6]).item() == 2
    assert postprocessing.regions_to_label_map(maps, NESTED[:2], [0.5, 0.5]).item() == 1


def test_an_island_removed_from_the_outer_region_takes_the_inner_one_along():
    maps = np.zeros((2, 10, 10, 6), dtype=np.float32)
    maps[0] = two_islands()
    maps[1, 7:9, 7:9, 4] = 1
    maps[1, 1:4, 1:4, 1:3] = 1
    steps = [{"name": "remove_small_islands", "arguments": {"min_voxels": 5}}]
    label_map = postprocessing.regions_to_label_map(maps, NESTED[:2], [0.5, 0.5], steps=steps)
    assert np.count_nonzero(label_map) == 18


def test_softmax_takes_the_greatest_with_background_first():
    maps = np.array([[0.6, 0.2, 0.4], [0.3, 0.7, 0.4], [0.1, 0.1, 0.2]]).reshape(3, 3, 1, 1)
    regions = (Region("a", "a", (3,), 3), Region("b", "b", (5,), 5))
    label_map = postprocessing.regions_to_label_map(maps, regions, [], activation="softmax", nested=False)
    assert label_map.ravel().tolist() == [0, 3, 0]


def test_numbers_of_maps_and_thresholds_must_fit():
    maps = np.zeros((3, 2, 2, 2))
    with pytest.raises(ValueError, match="thresholds"):
        postprocessing.regions_to_label_map(maps, NESTED, [0.5])
    with pytest.raises(ValueError, match="4 maps"):
        postprocessing.regions_to_label_map(maps, NESTED, [], activation="softmax")


def test_volumes_are_in_milliliters():
    terms = Terminology(Code("SCT", "1", "category"), Code("SCT", "2", "type"))
    labels = [Label(1, "tumor", (255, 0, 0), terms), Label(2, "edema", (0, 255, 0), terms)]
    label_map = np.zeros((10, 10, 10), dtype=np.uint8)
    label_map[:5] = 1
    assert postprocessing.volumes_ml(label_map, labels, (1, 1, 2)) == pytest.approx({"tumor": 1.0, "edema": 0.0})


def test_uncertainty_is_the_largest_binary_entropy_of_a_region():
    maps = np.array([[0.0, 1.0, 0.5, 0.9, 0.1], [0.0, 1.0, 1.0, 0.99, 0.25]], dtype=np.float32).reshape(2, 5, 1, 1)
    expected = [0.0, 0.0, 1.0, 0.46899560, 0.81127812]  # H(0.9) and H(0.25) in bits
    unsure = postprocessing.uncertainty(maps)
    assert unsure.dtype == np.float32
    assert unsure.ravel().tolist() == pytest.approx(expected, abs=1e-5)
