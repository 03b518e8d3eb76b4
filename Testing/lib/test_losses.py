"""The losses are the formulas they are documented with."""

import pytest
import torch

from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.losses import LOSSES, cross_entropy, get_loss, soft_dice


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_falls_when_the_prediction_gets_better(name):
    targets = (torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(0)) > 0.7).float()
    worse, better = (torch.where(targets > 0, 1.0, -1.0) * scale for scale in (-2.0, 2.0))
    assert get_loss(name)(better, targets, False) < get_loss(name)(worse, targets, False)


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_falls_for_exclusive_classes_too(name):
    classes = torch.randint(0, 3, (2, 8, 8), generator=torch.Generator().manual_seed(0))
    targets = torch.nn.functional.one_hot(classes, 3).permute(0, 3, 1, 2).float()
    assert get_loss(name)(targets * 4, targets, True) < get_loss(name)(-targets * 4, targets, True)


def test_soft_dice_is_the_squared_form():
    logits, targets = torch.randn(3, 2, 4, 4), (torch.rand(3, 2, 4, 4) > 0.5).float()
    p = logits.sigmoid()
    expected = []
    for region in range(2):
        t, q = targets[:, region], p[:, region]
        expected.append(1 - (2 * (t * q).sum() + 1) / ((t**2).sum() + (q**2).sum() + 1))
    torch.testing.assert_close(soft_dice(logits, targets), torch.stack(expected).mean())


@pytest.mark.parametrize("alpha", [0.05, 0.2, 0.4])
def test_the_dice_does_not_change_with_the_noise_on_the_background(alpha):
    from MedSegEffNetLib.training.learner import raise_background

    draw = torch.Generator().manual_seed(0)
    logits = torch.randn(1, 3, 8, 16, 16, generator=draw)
    targets = (torch.rand(logits.shape, generator=draw) > 0.99).float()
    targets[:, 1, :2] = -1
    noisy = raise_background(targets, alpha, draw)
    assert (noisy != targets).any()
    assert torch.equal(soft_dice(logits, noisy), soft_dice(logits, targets))
    assert cross_entropy(logits, noisy) > cross_entropy(logits, targets)


def test_what_is_not_known_counts_for_nothing():
    draw = torch.Generator().manual_seed(0)
    logits = torch.randn(1, 2, 8, 8, generator=draw)
    targets = (torch.rand(logits.shape, generator=draw) > 0.5).float()
    targets[:, :, :3] = -1
    other = logits.clone()
    other[:, :, :3] = 5
    for name in LOSSES:
        assert get_loss(name)(logits, targets, False) == get_loss(name)(other, targets, False)


def test_an_unknown_loss_is_refused_with_those_there_are():
    with pytest.raises(InputError, match="hinge") as caught:
        get_loss("hinge")
    assert "soft_dice" in caught.value.expected
