"""Images that cannot be used are refused with a reason."""

import numpy as np
import pytest

from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.image import Image
from MedSegEffNetLib.inference.checks import check_images
from MedSegEffNetLib.task import get_segmentation_task

CT = get_segmentation_task("covid-ct").channels
HOUNSFIELD = np.linspace(-1000, 1200, 32 * 32 * 4).reshape(32, 32, 4)


def check(array, channels=CT, dimensions=2):
    return check_images({channels[0].name: Image(array, np.eye(4))}, channels, resampled=False, dimensions=dimensions)


@pytest.mark.parametrize(
    "array",
    [
        HOUNSFIELD.astype(np.int16),
        np.clip(HOUNSFIELD, -1000, 200),
        np.where(HOUNSFIELD < -900, -3024, HOUNSFIELD),
        ((HOUNSFIELD + 1000) / 9).astype(np.uint8),
        (HOUNSFIELD + 1000) / 9,
    ],
    ids=["Hounsfield units", "cut at 200", "padded", "8 bits", "8 bits as floats"],
)
def test_hounsfield_units_and_8_bit_slices_are_ct(array):
    _, warnings = check(array)
    assert warnings == ()


@pytest.mark.parametrize(
    ("array", "hint"),
    [
        ((HOUNSFIELD + 1024).astype(np.uint16), "subtract 1024"),
        (HOUNSFIELD + 1000 - 20, "subtract 1024"),
        ((HOUNSFIELD + 1000) / 2200, "scale the slices to 0 to 255"),
        ((HOUNSFIELD + 1000) * 29, "export the CT again"),
    ],
    ids=["unsigned without intercept", "nearly so", "0 to 1", "16 bits"],
)
def test_ct_of_another_scale_is_refused_with_a_hint(array, hint):
    with pytest.raises(InputError, match="no Hounsfield units") as caught:
        check(array)
    assert hint in caught.value.hint


def test_a_single_slice_is_no_volume_but_does_for_slices():
    array = HOUNSFIELD[:, :, :1]
    check(array)
    with pytest.raises(InputError, match="is a single slice") as caught:
        check(array, dimensions=3)
    assert "slice by slice" in caught.value.hint


def test_a_slice_across_the_third_axis_is_refused_with_a_word_about_its_plane():
    with pytest.raises(InputError, match="1 × 32 pixels") as caught:
        check(HOUNSFIELD.transpose(2, 0, 1)[:1])
    assert "third axis" in caught.value.hint


def test_a_color_picture_is_refused_with_what_to_do_about_it():
    color = np.stack([HOUNSFIELD[:, :, :1]] * 3, axis=-1)
    with pytest.raises(InputError, match="3 components") as caught:
        check(color)
    assert "in gray" in caught.value.hint
    with pytest.raises(InputError, match="3 components") as caught:
        check(color, get_segmentation_task("brain-tumor").channels)
    assert "one image a channel" in caught.value.hint
