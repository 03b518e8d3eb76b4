"""Slices for training: neighbors, epochs, padding, channel dropout."""

import numpy as np

from MedSegEffNetLib.task import Channel
from MedSegEffNetLib.training.data import ChannelDropout, Slices, batches, epoch_order, with_neighbors

CHANNELS = (Channel("t1", "T1", required=False, substitute="flair"), Channel("flair", "FLAIR"))
KEEP = ChannelDropout(CHANNELS, 0.0, float)


def a_case(name="a", slices=5, size=8, full=(1, 2)):
    targets = np.zeros((slices, 1, size, size), dtype=np.uint8)
    targets[list(full), :, 2:4, 2:4] = 1
    images = np.arange(slices * 2 * size * size, dtype=np.float16).reshape(slices, 2, size, size)
    return Slices(name, images, targets)


def test_neighbors_come_in_order_and_edges_are_repeated():
    images = np.arange(3, dtype=np.float16).reshape(3, 1, 1, 1)
    assert with_neighbors(images, 0, 1).ravel().tolist() == [0, 0, 1]
    assert with_neighbors(images, 2, 1).ravel().tolist() == [1, 2, 2]
    assert with_neighbors(images, 1, 2).ravel().tolist() == [0, 0, 1, 2, 2]


def test_an_epoch_has_every_full_slice_and_as_many_empty_ones_as_asked():
    cases = [a_case("a"), a_case("b", full=(0,))]
    order = epoch_order(cases, 2, np.random.default_rng(0))
    assert {(0, 1), (0, 2), (1, 0)} <= set(order)
    assert len(order) == 5
    assert len(epoch_order(cases, -1, np.random.default_rng(0))) == 10
    assert order == epoch_order(cases, 2, np.random.default_rng(0))
    assert order != epoch_order(cases, 2, np.random.default_rng(1))


def test_exclusive_classes_count_a_slice_of_background_alone_as_empty():
    targets = np.zeros((2, 2, 4, 4), dtype=np.uint8)
    targets[:, 0] = 1
    targets[1, 0, 0, 0], targets[1, 1, 0, 0] = 0, 1
    assert Slices("a", np.zeros((2, 1, 4, 4)), targets).has_region().tolist() == [False, True]


def test_cases_of_several_sizes_share_a_batch():
    cases = [a_case(size=8), a_case(size=12)]
    images, targets = next(batches(cases, [(0, 1), (1, 1)], 2, 1, KEEP))
    assert images.shape == (2, 6, 12, 12)
    assert targets.shape == (2, 1, 12, 12)
    assert images[0, 0, 11, 11] == images[0, 0, 7, 7]


def test_a_dropped_channel_is_its_substitute_in_every_neighbor():
    picture = np.arange(6, dtype=np.float32).reshape(6, 1, 1) * np.ones((6, 2, 2), dtype=np.float32)
    dropped = ChannelDropout(CHANNELS, 0.5, lambda: 0.1)(picture.copy())
    assert dropped[:, 0, 0].tolist() == [1, 1, 3, 3, 5, 5]
    kept = ChannelDropout(CHANNELS, 0.5, lambda: 0.9)(picture.copy())
    assert (kept == picture).all()
