"""The losses are the formulas they are documented with."""

import pytest
import torch

from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.losses import LOSSES, get_loss, soft_dice


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


def test_an_unknown_loss_is_refused_with_those_there_are():
    with pytest.raises(InputError, match="hinge") as caught:
        get_loss("hinge")
    assert "soft_dice" in caught.value.expected
