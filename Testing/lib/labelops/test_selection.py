import numpy as np
import pytest

from MedSegEffNetLib.labelops import Selection


def test_a_selection_keeps_its_voxels_in_the_smallest_box():
    mask = np.zeros((5, 6, 7), dtype=bool)
    mask[2, 1:4, 3] = mask[3, 2, 5] = True
    selection = Selection.of(mask)
    assert selection.box == (slice(2, 4), slice(1, 4), slice(3, 6))
    assert selection.voxels == 4
    assert (selection.whole() == mask).all()
    assert not selection.empty


def test_a_part_of_a_volume_can_be_given():
    mask = np.zeros((2, 2, 2), dtype=bool)
    mask[1, 1, 0] = True
    selection = Selection.of(mask, (slice(1, 3), slice(2, 4), slice(3, 5)), (5, 5, 5))
    assert np.argwhere(selection.whole()).tolist() == [[2, 3, 3]]


def test_an_empty_selection_is_empty():
    selection = Selection.of(np.zeros((3, 3, 3), dtype=bool))
    assert selection.empty
    assert selection.voxels == 0
    assert not selection.whole().any()


def test_a_border_is_added_as_far_as_the_volume_reaches():
    mask = np.zeros((4, 4, 4), dtype=bool)
    mask[0, 2, 3] = True
    wide = Selection.of(mask).widened(2, axis=1)
    assert wide.box == (slice(0, 3), slice(2, 3), slice(1, 4))
    assert (wide.whole() == mask).all()


def test_two_selections_are_united():
    masks = np.zeros((2, 5, 5, 5), dtype=bool)
    masks[0, 0, 0, 0] = masks[1, 3:, 4, 1] = True
    united = Selection.of(masks[0]).united(Selection.of(masks[1]))
    assert (united.whole() == masks.any(axis=0)).all()
    empty = Selection.of(np.zeros((5, 5, 5), dtype=bool))
    assert (empty.united(Selection.of(masks[1])).whole() == masks[1]).all()
    assert (Selection.of(masks[1]).united(empty).whole() == masks[1]).all()


def test_one_selection_is_taken_from_another():
    masks = np.zeros((2, 5, 5, 5), dtype=bool)
    masks[0, 1:4, 1:4, 2] = masks[1, 3:, 3:] = True
    rest = Selection.of(masks[0]).without(Selection.of(masks[1]))
    assert (rest.whole() == (masks[0] & ~masks[1])).all()
    assert Selection.of(masks[0]).without(Selection.nothing((5, 5, 5))).voxels == 9


def test_a_mask_that_does_not_fit_its_box_is_refused():
    with pytest.raises(ValueError, match="shape"):
        Selection((4, 4, 4), (slice(0, 2), slice(0, 2), slice(0, 2)), np.zeros((1, 2, 2), dtype=bool))
