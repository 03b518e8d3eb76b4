"""Every network keeps the contract: found by its file's name, any size that its divisor allows, exportable."""

import pytest
import torch

from MedSegEffNetLib import networks
from MedSegEffNetLib.errors import InputError

SMALL = {
    "unet_2d": {"channels": [4, 8, 16]},
    "stargan_unet": {"channels": [4, 8, 16]},
    "efficientnet_unet_2d": {"variant": "lite0", "decoder_channels": [8, 8, 8, 8]},
    "efficientnet_embedded_3d": {"variant": "lite0", "strides": [2, 2], "widths": [8, 16]},
}


def images_for(network: torch.nn.Module, channels: int) -> torch.Tensor:
    """A small batch that the network takes, of volumes if it works in 3D."""
    depth = [5] if getattr(network, "dimensions", 2) == 3 else []
    return torch.randn(2, channels, *depth, network.divisor, 2 * network.divisor)


def parameters_of(network: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_the_networks_are_found_and_there_are_some():
    assert {"unet_2d", "efficientnet_unet_2d"} <= set(networks.list_networks())


@pytest.mark.parametrize("name", networks.list_networks())
def test_a_network_gives_logits_of_its_inputs_size(name):
    network = networks.build(name, {"in_channels": 9, "out_channels": 2, **SMALL.get(name, {})}).eval()
    images = images_for(network, 9)
    with torch.inference_mode():
        assert network(images).shape == (2, 2, *images.shape[2:])


@pytest.mark.parametrize("name", networks.list_networks())
def test_a_network_that_is_built_twice_takes_its_own_weights(name):
    arguments = {"in_channels": 3, "out_channels": 1, **SMALL.get(name, {})}
    first, second = networks.build(name, arguments).eval(), networks.build(name, arguments).eval()
    second.load_state_dict(first.state_dict())
    images = images_for(first, 3)
    with torch.inference_mode():
        assert torch.equal(first(images), second(images))


def test_the_first_convolutions_of_the_tumor_slice_unet_have_the_reports_parameter_counts():
    network = networks.build(
        "unet_2d", {"in_channels": 3, "out_channels": 1, "channels": [16, 32, 64, 128, 256], "batch_norm": True}
    )
    convolutions = [module for module in network.modules() if isinstance(module, torch.nn.Conv2d)]
    assert [parameters_of(convolution) for convolution in convolutions[:3]] == [448, 2320, 4640]


def test_the_classic_unet_has_64_to_1024_filters_and_the_lung_unet_32_to_512():
    for channels in ([64, 128, 256, 512, 1024], [32, 64, 128, 256, 512]):
        network = networks.build("unet_2d", {"in_channels": 1, "out_channels": 1, "channels": channels})
        widths = [block[0].out_channels for block in network.encoder]
        assert widths == channels
        assert network.divisor == 16


@pytest.mark.parametrize("variant", ["b0", "b1", "lite0"])
def test_every_efficientnet_variant_takes_any_number_of_channels(variant):
    for channels in (1, 3, 4, 9):
        network = networks.build(
            "efficientnet_unet_2d", {"in_channels": channels, "out_channels": 1, "variant": variant}
        ).eval()
        with torch.inference_mode():
            assert network(torch.randn(1, channels, 32, 32)).shape == (1, 1, 32, 32)


def test_b0_has_the_published_number_of_encoder_parameters():
    from efficientnet_pytorch import EfficientNet

    published = EfficientNet.from_name("efficientnet-b0")
    heads = [published._conv_head, published._bn1, published._fc]
    encoder = networks.build("efficientnet_unet_2d", {"in_channels": 3, "out_channels": 1}).encoder
    assert parameters_of(encoder) == parameters_of(published) - sum(parameters_of(head) for head in heads)


def test_merged_padding_gives_the_published_networks_features():
    from efficientnet_pytorch import EfficientNet

    published = EfficientNet.from_name("efficientnet-b0", image_size=64).eval()
    encoder = networks.build("efficientnet_unet_2d", {"in_channels": 3, "out_channels": 1}).encoder.eval()
    encoder.stem[0].load_state_dict(published._conv_stem.state_dict())
    encoder.stem[1].load_state_dict(published._bn0.state_dict())
    encoder.blocks.load_state_dict(published._blocks.state_dict())
    images = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        expected = published.extract_endpoints(images)
        features = encoder(images)
    for level in range(4):
        torch.testing.assert_close(features[level], expected[f"reduction_{level + 1}"])
    torch.testing.assert_close(features[4], expected["reduction_5"])


def test_weights_are_loaded_from_a_file_and_said_so(tmp_path):
    from MedSegEffNetLib.networks._efficientnet import _efficientnet

    published = _efficientnet("b0")
    torch.save(published.state_dict(), tmp_path / "b0.pth")
    network = networks.build(
        "efficientnet_unet_2d", {"in_channels": 3, "out_channels": 1, "encoder_weights": str(tmp_path / "b0.pth")}
    )
    assert network.encoder.start == "b0.pth"
    assert torch.equal(network.encoder.stem[0].weight, published._conv_stem.weight)


def test_weights_that_cannot_be_had_are_a_warning_and_a_random_start(tmp_path):
    arguments = {"in_channels": 3, "out_channels": 1, "encoder_weights": str(tmp_path / "missing.pth")}
    with pytest.warns(UserWarning, match="cannot be had"):
        network = networks.build("efficientnet_unet_2d", arguments)
    assert network.encoder.start == "random"


def test_an_unknown_network_or_argument_is_refused_with_what_there_is():
    with pytest.raises(InputError, match="unet_3d") as caught:
        networks.build("unet_3d", {})
    assert "unet_2d" in caught.value.expected
    with pytest.raises(InputError, match="b9"):
        networks.build("efficientnet_unet_2d", {"in_channels": 3, "out_channels": 1, "variant": "b9"})
    with pytest.raises(InputError, match="cannot be built"):
        networks.build("efficientnet_unet_2d", {"in_channels": 3, "out_channels": 1, "drop_connect": "x"})
    with pytest.raises(InputError, match="cannot be built"):
        networks.build("unet_2d", {"in_channels": 3, "out_channels": 1, "depth": 4})
