"""Contrast-limited adaptive histogram equalization, held to what its definition says."""

import numpy as np
import pytest

from MedSegEffNetLib.clahe import equalize


def noise(shape=(48, 40, 3), seed=0):
    return np.random.default_rng(seed).normal(90, 8, size=shape).clip(0, 255).round().astype(np.float32)


def test_one_tile_without_a_limit_is_plain_histogram_equalization():
    picture = noise((32, 32, 1))
    ranks = np.searchsorted(np.sort(picture.ravel()), picture.ravel(), side="right").reshape(picture.shape)
    np.testing.assert_allclose(equalize(picture, np.inf, 1), ranks * 255 / picture.size, atol=1e-3)


def test_the_limit_bounds_how_far_levels_are_spread():
    picture = noise((64, 64, 1))
    spread = [equalize(picture, limit, 1).std() / picture.std() for limit in (1, 2, 4, np.inf)]
    assert spread == sorted(spread)
    for limit, factor in zip((1, 2, 4), spread, strict=False):
        assert 1 < factor < limit + 1  # what was cut off adds a slope of one at most


def test_each_slice_is_equalized_by_itself():
    volume = noise()
    alone = equalize(volume[..., 1:2], 3, 8)
    np.testing.assert_array_equal(equalize(volume, 3, 8)[..., 1:2], alone)


def test_rows_and_columns_are_treated_alike():
    volume = noise()
    np.testing.assert_allclose(
        equalize(volume.transpose(1, 0, 2), 3, 8).transpose(1, 0, 2), equalize(volume, 3, 8), atol=1e-3
    )


def test_there_are_no_seams_between_tiles():
    ramp = np.broadcast_to(np.linspace(60, 120, 64, dtype=np.float32)[:, None, None], (64, 64, 1))
    steps = np.abs(np.diff(equalize(ramp, 3, 8)[:, 32, 0]))
    assert steps.max() < 12


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 50, 2), (7, 5, 1), (65, 33, 1)])
def test_slices_of_any_size_keep_their_shape_and_range(shape):
    result = equalize(noise(shape), 3, 8)
    assert result.shape == shape
    assert result.dtype == np.float32
    assert 0 <= result.min() <= result.max() <= 255
