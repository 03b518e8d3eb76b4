import numpy as np
import pytest

from MedSegEffNetLib.labelops import Selection, fill_holes, grow, island_at, shrink, smooth


def ball(shape=(15, 15, 15), center=(7, 7, 7), radius=5.2):
    grid = np.indices(shape)
    return sum((axis - middle) ** 2 for axis, middle in zip(grid, center, strict=True)) <= radius**2


@pytest.mark.parametrize("axis", [None, 0, 1, 2])
def test_growing_takes_the_neighbors_through_faces(axis):
    mask = ball()
    expected = mask.copy()
    for number in range(3):
        if number != axis:
            expected |= np.roll(mask, 1, number) | np.roll(mask, -1, number)
    assert (grow(Selection.of(mask), axis).whole() == expected).all()


@pytest.mark.parametrize("axis", [None, 2])
def test_shrinking_takes_the_outermost_voxels(axis):
    mask = ball()
    expected = mask.copy()
    for number in range(3):
        if number != axis:
            expected &= np.roll(mask, 1, number) & np.roll(mask, -1, number)
    assert (shrink(Selection.of(mask), axis).whole() == expected).all()


def test_a_selection_at_the_edge_of_the_volume_is_not_eaten_from_outside():
    mask = np.zeros((6, 6, 6), dtype=bool)
    mask[:3] = True
    shrunk = shrink(Selection.of(mask)).whole()
    assert shrunk[:2].all()
    assert not shrunk[2:].any()


def test_growing_ends_at_the_edge_of_the_volume():
    assert grow(Selection.of(np.ones((3, 4, 5), dtype=bool))).whole().all()


def test_smoothing_takes_a_spike_and_fills_a_dent_in_one_slice():
    mask = np.zeros((12, 12, 3), dtype=bool)
    mask[3:9, 3:9, 1] = True
    mask[9, 5, 1] = True
    mask[5, 3, 1] = False
    smoothed = smooth(Selection.of(mask), axis=2).whole()
    assert not smoothed[9, 5, 1]
    assert smoothed[5, 3, 1]
    assert not smoothed[..., (0, 2)].any()


def test_smoothing_in_three_dimensions_takes_a_single_slice_away():
    mask = ball()
    mask[:, 7, 14] = True
    smoothed = smooth(Selection.of(mask)).whole()
    assert not smoothed[..., 14].any()
    assert np.count_nonzero(smoothed ^ ball()) < 0.2 * np.count_nonzero(ball())


def test_a_hole_is_filled_in_three_dimensions_and_a_dent_stays():
    mask = ball()
    mask[7, 7, 7] = False
    mask[7, 7, :4] = False
    filled = fill_holes(Selection.of(mask)).whole()
    assert filled[7, 7, 7]
    assert not filled[7, 7, :4].any()


def test_a_tunnel_is_a_hole_in_each_slice_but_not_in_three_dimensions():
    mask = ball()
    mask[7, 7, :] = False
    assert not fill_holes(Selection.of(mask)).whole()[7, 7, 7]
    assert fill_holes(Selection.of(mask), axis=2).whole()[7, 7, 7]


def test_the_island_at_a_voxel_is_kept():
    mask = np.zeros((10, 10, 4), dtype=bool)
    mask[1:4, 1:4, 1:3] = True
    mask[6:9, 6:9, 2] = True
    selection = Selection.of(mask)
    assert island_at(selection, (2, 2, 1)).voxels == 18
    assert island_at(selection, (2, 2, 1), axis=2).voxels == 9
    assert island_at(selection, (7, 7, 2)).voxels == 9
    assert island_at(selection, (5, 5, 1)).empty
    assert island_at(selection, (0, 0, 0)).empty


@pytest.mark.parametrize("operation", [grow, shrink, smooth, fill_holes])
def test_nothing_comes_of_nothing(operation):
    nothing = Selection.of(np.zeros((4, 4, 4), dtype=bool))
    assert operation(nothing).empty
    assert operation(nothing, 1).empty
