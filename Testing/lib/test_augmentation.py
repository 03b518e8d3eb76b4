"""Random changes move image and target together, and repeat with their seed."""

import pytest
import torch

from MedSegEffNetLib.augmentation import Augmentation, augment, cut

STRONG = Augmentation(
    rotation_degrees=25, zoom=0.2, shift=0.1, flip_left_right=0.5, flip_up_down=0.5, intensity=0.3, gamma=0.3,
    noise=0.1, bias_field=0.2, blur=0.5,
)  # fmt: skip


def a_batch(count=4, size=64):
    targets = torch.zeros(count, 1, size, size)
    targets[:, :, 20:40, 28:44] = 1
    return targets.repeat(1, 3, 1, 1) * 2 - 1, targets


def seeded(number=0):
    return torch.Generator().manual_seed(number)


def test_the_target_follows_the_image():
    images, targets = a_batch()
    moving = Augmentation(rotation_degrees=25, zoom=0.2, shift=0.1, flip_left_right=0.5, flip_up_down=0.5)
    changed, moved = augment(images, targets, moving, (64, 64), seeded())
    overlap = ((changed[:, :1] > 0) & (moved > 0)).sum() * 2 / ((changed[:, :1] > 0).sum() + moved.sum())
    assert overlap > 0.98
    assert not torch.equal(moved, targets)


def test_nothing_changes_when_everything_is_off():
    images, targets = a_batch()
    changed, moved = augment(images, targets, Augmentation(), (64, 64), seeded())
    torch.testing.assert_close(changed, images, atol=1e-4, rtol=0)
    assert torch.equal(moved, targets)


def test_rotation_keeps_areas_in_pictures_that_are_not_square():
    targets = torch.zeros(8, 1, 64, 128)
    targets[:, :, 24:40, 56:72] = 1
    _, moved = augment(targets, targets, Augmentation(rotation_degrees=45), (64, 128), seeded())
    areas = moved.sum((1, 2, 3))
    assert ((areas / 256 - 1).abs() < 0.05).all()


def test_the_same_seed_gives_the_same_batch():
    first = augment(*a_batch(), STRONG, (48, 48), seeded(3))
    second = augment(*a_batch(), STRONG, (48, 48), seeded(3))
    other = augment(*a_batch(), STRONG, (48, 48), seeded(4))
    assert torch.equal(first[0], second[0])
    assert not torch.equal(first[0], other[0])
    assert first[0].shape == (4, 3, 48, 48)
    assert torch.isfinite(first[0]).all()
    assert set(first[1].unique().tolist()) <= {0.0, 1.0}


def test_what_is_not_known_moves_along_and_stays_so():
    images, targets = torch.zeros(2, 1, 6, 32, 32), torch.zeros(2, 3, 6, 32, 32)
    targets[:, 0, :, 8:24, 8:24], targets[:, 1:, :, 8:24, 8:24] = 1, -1
    _, moved = augment(images, targets, STRONG, (32, 32), seeded())
    assert torch.equal(moved[:, 1], -moved[:, 0])
    assert set(moved.unique().tolist()) == {-1.0, 0.0, 1.0}


def test_a_volume_changes_in_all_slices_alike_and_its_background_stays_under_a_bias_field():
    images, targets = torch.full((1, 1, 8, 32, 32), -4.0), torch.zeros(1, 3, 8, 32, 32)
    images[..., 8:20, 10:24], targets[..., 8:20, 10:24] = 1.0, 1
    moving = Augmentation(rotation_degrees=25, zoom=0.2, shift=0.1, flip_left_right=0.5, bias_field=0.3)
    changed, moved = augment(images, targets, moving, (32, 32), seeded(1))
    assert all(torch.equal(moved[:, :, 0], moved[:, :, index]) for index in range(8))
    assert (changed[..., 0, 0] == -4).all()
    assert changed[changed > 0].std() > 0.02


def test_thick_slices_are_simulated_along_the_depth():
    images = torch.randn(1, 1, 16, 8, 8, generator=seeded())
    changed, _ = augment(images, images[:, :, :, :8], Augmentation(blur=1.0), (8, 8), seeded())
    rough = [(part[:, :, 1:] - part[:, :, :-1]).abs().mean() for part in (images, changed)]
    assert rough[1] < 0.5 * rough[0]


def test_cutting_keeps_pixels_as_they_are():
    images, targets = a_batch()
    cropped, _ = cut(images, targets, (32, 32))
    assert torch.equal(cropped, images[:, :, 16:48, 16:48])
    same, _ = cut(images, targets, (64, 64))
    assert torch.equal(same, images)


def test_settings_that_do_not_exist_or_fit_are_refused():
    with pytest.raises(ValueError, match="elastic"):
        Augmentation.from_mapping({"elastic": 1})
    with pytest.raises(ValueError, match="zoom"):
        Augmentation(zoom=1.5)
