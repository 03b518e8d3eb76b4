import numpy as np
import pytest

from MedSegEffNetLib.labelops import Selection, interpolate


def disks(axis=2, **radius_and_center):
    """Disks in a volume of 40×40×11, by slice: (radius, row, column)."""
    volume = np.zeros((11, 40, 40), dtype=bool)
    rows, columns = np.indices((40, 40))
    for name, (radius, row, column) in radius_and_center.items():
        volume[int(name[1:])] = (rows - row) ** 2 + (columns - column) ** 2 <= radius**2
    return np.moveaxis(volume, 0, axis)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_disk_between_two_disks_has_the_mean_radius(axis):
    mask = disks(axis, s2=(6.5, 20, 20), s8=(12.5, 20, 20))
    filled = interpolate(Selection.of(mask), axis).whole()
    areas = np.moveaxis(filled, axis, 0).sum(axis=(1, 2))
    assert abs(areas[5] - np.pi * 9.5**2) < 0.05 * np.pi * 9.5**2
    assert (np.diff(areas[2:9]) > 0).all()
    assert (np.moveaxis(filled, axis, 0)[[2, 8]] == np.moveaxis(mask, axis, 0)[[2, 8]]).all()
    assert not areas[[0, 1, 9, 10]].any()


def test_shapes_that_do_not_overlap_are_joined():
    filled = interpolate(Selection.of(disks(s1=(5.5, 10, 10), s9=(5.5, 30, 28))), 2).whole()
    areas = filled.sum(axis=(0, 1))
    assert (np.abs(areas[1:10] - np.pi * 5.5**2) < 0.1 * np.pi * 5.5**2).all()
    assert np.argwhere(filled[..., 5]).mean(axis=0) == pytest.approx((20, 19), abs=0.5)


def test_slices_that_are_drawn_stay_as_they_are():
    mask = disks(s1=(5, 20, 20), s4=(9, 20, 22), s9=(3, 16, 20))
    filled = interpolate(Selection.of(mask), 2).whole()
    assert (filled[..., [1, 4, 9]] == mask[..., [1, 4, 9]]).all()
    assert filled.any(axis=(0, 1)).tolist() == [False, *[True] * 9, False]


@pytest.mark.parametrize("drawn", [{}, {"s3": (5, 20, 20)}, {"s3": (5, 20, 20), "s4": (6, 20, 20)}])
def test_without_a_gap_nothing_is_added(drawn):
    selection = Selection.of(disks(**drawn))
    assert (interpolate(selection, 2).whole() == selection.whole()).all()
