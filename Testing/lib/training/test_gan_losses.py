"""The losses of a synthesis training against what they must be."""

import math

import pytest
import torch
from torch import nn

from MedSegEffNetLib.training import gan_losses


class Slope(nn.Module):
    """A discriminator whose gradient is ``length`` everywhere."""

    def __init__(self, length, size):
        super().__init__()
        self.factor = length / math.sqrt(size)

    def forward(self, pictures):
        return (self.factor * pictures).sum(dim=(2, 3), keepdim=True), None


@pytest.mark.parametrize(("length", "penalty"), [(1.0, 0.0), (3.0, 4.0), (0.0, 1.0)])
def test_the_penalty_is_the_squared_distance_of_the_gradients_length_from_one(length, penalty):
    real, made = torch.randn(2, 1, 4, 4), torch.randn(2, 1, 4, 4)
    found = gan_losses.gradient_penalty(Slope(length, 16), real, made, torch.rand(2, 1, 1, 1))
    assert float(found) == pytest.approx(penalty, abs=1e-5)


def pictures():
    torch.manual_seed(0)
    real = torch.randn(2, 1, 24, 24)
    inside = torch.zeros(2, 1, 24, 24, dtype=torch.bool)
    inside[:, :, 4:20, 4:20] = True
    return real, inside


def test_what_lies_outside_does_not_count():
    real, inside = pictures()
    made = torch.where(inside, real, 50.0)
    span = torch.full((2,), 4.0)
    assert gan_losses.l1(made, real, inside).tolist() == [0, 0]
    assert gan_losses.ssim(made, real, inside, span).tolist() == pytest.approx([1, 1])
    assert (gan_losses.psnr(made, real, inside, span) > 90).all()


def test_a_constant_error_gives_the_l1_and_psnr_that_follow_from_it():
    real, inside = pictures()
    assert gan_losses.l1(real + 0.5, real, inside).tolist() == pytest.approx([0.5, 0.5])
    found = gan_losses.psnr(real + 0.5, real, inside, torch.tensor([4.0, 5.0]))
    assert found.tolist() == pytest.approx([20 * math.log10(8), 20 * math.log10(10)])


def test_ssim_is_one_of_the_same_picture_and_falls_with_noise():
    real, inside = pictures()
    noise, span = torch.randn(real.shape), torch.full((2,), 4.0)
    found = [float(gan_losses.ssim(real + size * noise, real, inside, span).mean()) for size in (0, 0.3, 1)]
    assert found[0] == pytest.approx(1)
    assert found[0] > found[1] > found[2] > 0


def test_a_slice_without_a_head_costs_nothing():
    real, inside = pictures()
    assert gan_losses.l1(real + 1, real, torch.zeros_like(inside)).tolist() == [0, 0]
