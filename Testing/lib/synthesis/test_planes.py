"""The layout of a synthesis network's input."""

import numpy as np
import pytest

from MedSegEffNetLib.synthesis.planes import Planes

SLICES = np.arange(3 * 4, dtype=np.float32).reshape(3, 4, 1, 1) + np.zeros((3, 4, 2, 5), dtype=np.float32) + 1


def values(planes):
    assert (planes == planes[:, :1, :1]).all()
    return planes[:, 0, 0].tolist()


def test_a_slice_is_its_given_pictures_then_what_is_given_then_what_is_wanted():
    planes = Planes(4).make(SLICES, 1, (True, False, False, True), 2)
    assert planes.dtype == np.float32
    assert planes.shape == (Planes(4).count, 2, 5)
    assert values(planes) == [5, 0, 0, 8, 1, 0, 0, 1, 0, 0, 1, 0]


def test_neighbors_go_before_and_after_and_edges_are_repeated():
    given = (False, True, False, False)
    assert values(Planes(4, 1).make(SLICES, 0, given, 0))[:12] == [0, 2, 0, 0] * 2 + [0, 6, 0, 0]
    assert values(Planes(4, 1).make(SLICES, 1, given, 0))[:12] == [0, 2, 0, 0, 0, 6, 0, 0, 0, 10, 0, 0]
    assert values(Planes(4, 1).make(SLICES, 2, given, 0))[:12] == [0, 6, 0, 0] + [0, 10, 0, 0] * 2


@pytest.mark.parametrize("context", [0, 1, 2])
def test_the_planes_positions_are_those_where_they_lie(context):
    layout = Planes(4, context)
    planes = layout.make(SLICES, 1, (False, False, True, False), 3)
    assert layout.pictures(2) == [number for number in range(4 * (2 * context + 1)) if planes[number].any()]
    assert planes[layout.given(2)].all()
    assert planes[layout.wanted(3)].all()
    assert layout.count == len(planes)


def test_a_target_that_is_given_and_a_slice_without_inputs_are_refused():
    with pytest.raises(ValueError, match="cannot be made"):
        Planes(4).make(SLICES, 0, (True, False, False, False), 0)
    with pytest.raises(ValueError, match="cannot be made"):
        Planes(4).make(SLICES, 0, (False,) * 4, 0)
    with pytest.raises(ValueError, match="3 are expected"):
        Planes(3).make(SLICES, 0, (True, False, False), 1)
    with pytest.raises(ValueError, match="at least 2"):
        Planes(1)
