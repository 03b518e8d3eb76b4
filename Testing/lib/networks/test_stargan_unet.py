"""The generator and the discriminator of mri-synthesis."""

import pytest
import torch

from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.networks import build
from MedSegEffNetLib.networks.stargan_unet import FLOOR, Discriminator


def test_what_lies_below_the_floor_is_seen_as_the_floor():
    generator = build("stargan_unet", {"in_channels": 4, "channels": [4, 8]}).eval()
    planes = torch.randn(1, 4, 8, 8).clamp(-2, 2)
    planes[..., :3] = -9
    with torch.inference_mode():
        assert torch.equal(generator(planes), generator(planes.clamp(min=FLOOR)))
        discriminator = Discriminator(3, [4, 8])
        judged, floored = discriminator(planes[:, :1]), discriminator(planes[:, :1].clamp(min=FLOOR))
    assert all(torch.equal(*pair) for pair in zip(judged, floored, strict=True))


def test_the_default_generator_fits_into_the_size_of_a_model():
    generator = build("stargan_unet", {"in_channels": 20})
    assert sum(parameter.numel() for parameter in generator.parameters()) < 12e6
    assert generator.divisor == 16


def test_the_discriminator_judges_patches_and_names_the_channel():
    realness, domain = Discriminator(4, [4, 8, 8])(torch.randn(2, 1, 40, 32))
    assert realness.shape == (2, 1, 5, 4)
    assert domain.shape == (2, 4)


def test_each_picture_is_judged_by_itself():
    discriminator = Discriminator(2, [4, 8])
    pictures = torch.randn(3, 1, 16, 16)
    together = discriminator(pictures)[0]
    alone = torch.cat([discriminator(picture[None])[0] for picture in pictures])
    torch.testing.assert_close(together, alone)


@pytest.mark.parametrize("arguments", [{"channels": [4]}, {"blocks": -1}])
def test_impossible_sizes_are_refused(arguments):
    with pytest.raises(InputError, match="cannot be built"):
        build("stargan_unet", {"in_channels": 4, **arguments})
