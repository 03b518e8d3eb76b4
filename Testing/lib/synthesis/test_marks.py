"""What is replaced, and text in the corner."""

import numpy as np
import pytest

from MedSegEffNetLib import image
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.image import Image
from MedSegEffNetLib.synthesis import marks


def test_a_file_that_is_not_marked_is_not_replaced(tmp_path):
    path = tmp_path / "t1_synthesised.nii.gz"
    marks.refuse_to_replace(path)
    image.write(path, Image(np.zeros((8, 8, 2), np.float32), np.eye(4), synthesised="m@1"))
    marks.refuse_to_replace(path)
    image.write(path, Image(np.zeros((8, 8, 2), np.float32), np.eye(4)))
    with pytest.raises(InputError, match="not marked as made by a network"):
        marks.refuse_to_replace(path)


@pytest.mark.parametrize("affine", [np.diag([-1.0, -1, 1, 1]), np.diag([1.0, 1, 1, 1]), np.eye(4)[[1, 0, 2, 3]]])
def test_the_text_stands_in_the_lower_left_corner_of_every_slice_as_it_is_seen(affine):
    from MedSegEffNetLib.geometry import axes_towards, turn

    array = np.zeros((120, 100, 3), np.float32)
    array[60, 50] = 7
    marked = marks.burnt_in(Image(array, affine, synthesised="m@1"))
    assert marked.synthesised == "m@1"
    order, flips = axes_towards(affine, "LPS")
    seen = turn(marked.array[None], order, flips)[0]
    for index in range(3):
        written = np.argwhere(seen[..., index] == 7)
        corner = written[(written[:, 0] < seen.shape[0] * 0.7) & (written[:, 1] > seen.shape[1] * 0.8)]
        assert len(corner) > 50
        assert len(written) == len(corner) + 1
    assert array[0].max() == 0  # the image itself is left alone


def test_a_small_slice_gets_what_fits():
    marked = marks.burnt_in(
        Image(np.arange(20 * 16 * 2, dtype=np.float32).reshape(20, 16, 2), np.diag([-1.0, -1, 1, 1]))
    )
    assert marked.array.shape == (20, 16, 2)
    assert np.count_nonzero(marked.array == marked.array.max()) > 5
