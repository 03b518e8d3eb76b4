"""Grids are the same when their voxels lie at the same places."""

import numpy as np
import pytest


@pytest.fixture
def grid(slicer_app):
    """``grid(shift, shape)`` makes a grid of 1 x 2 x 3 mm, moved by ``shift`` mm along x."""
    from MedSegEffNetPanel.grid import Grid

    def make(shift=0.0, shape=(10, 20, 30), turn=0.0):
        affine = np.diag([1.0, 2.0, 3.0, 1.0])
        affine[0, 3] = shift
        affine[0, 1] = turn
        return Grid(shape, affine)

    return make


def test_a_shift_below_a_tenth_of_a_voxel_is_no_other_grid(grid):
    assert grid().same(grid(0.09))
    assert not grid().same(grid(0.11))


def test_a_small_turn_counts_by_what_it_does_at_the_corners(grid):
    assert grid().same(grid(turn=0.005))
    assert not grid().same(grid(turn=0.006))


def test_another_number_of_voxels_is_another_grid(grid):
    assert not grid().same(grid(shape=(10, 20, 29)))


def test_sizes_are_told_in_words(grid):
    assert grid().text() == "10 × 20 × 30 voxels of 1 × 2 × 3 mm"
    assert grid().spacing == (1.0, 2.0, 3.0)


@pytest.mark.parametrize(("shift", "same"), [(0.09, True), (0.11, False)])
def test_the_panel_and_the_library_agree_on_what_one_grid_is(slicer_app, shift, same):
    from MedSegEffNetLib.image import GRID_TOLERANCE, Image, same_grid
    from MedSegEffNetPanel.grid import Grid

    moved = np.eye(4)
    moved[0, 3] = shift
    images = [Image(np.zeros((4, 5, 6), np.uint8), affine) for affine in (np.eye(4), moved)]
    assert same_grid(*images, GRID_TOLERANCE) is same
    grids = [Grid(image.shape, image.affine) for image in images]
    assert grids[0].same(grids[1]) is same
