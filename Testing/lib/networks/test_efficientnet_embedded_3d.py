"""The embedded EfficientNet: any size of volume, the depths of its schedules, one loss more with reconstruction."""

import pytest
import torch

from MedSegEffNetLib import networks
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.geometry import stack_starts
from MedSegEffNetLib.networks._inter_slice import convolve_slices

NAME = "efficientnet_embedded_3d"
SMALL = {"in_channels": 1, "out_channels": 3, "variant": "lite0", "strides": [2, 2], "widths": [8, 16]}


def small(**changes):
    torch.manual_seed(0)
    return networks.build(NAME, {**SMALL, **changes})


def parameters_of(network):
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize("shape", [(12, 32, 64), (12, 33, 40), (7, 32, 32), (13, 32, 32), (1, 20, 20)])
def test_logits_have_the_size_of_the_volume_whatever_it_is(shape):
    network = small().eval()
    with torch.inference_mode():
        assert network(torch.randn(2, 1, *shape)).shape == (2, 3, *shape)


@pytest.mark.parametrize(
    ("schedule", "depths"), [("faithful", [108, 54, 27, 9, 3]), ("fast", [36, 12, 3]), ("whole", [30, 6, 3])]
)
def test_a_schedule_shrinks_the_depth_step_by_step_to_the_three_channels_of_an_image(schedule, depths):
    network = networks.build(NAME, {"in_channels": 1, "out_channels": 3, "schedule": schedule}).eval()
    with torch.inference_mode():
        image, features, skips = network.compress(torch.zeros(1, 1, network.depth, 32, 32))
    assert [part.shape[2] for part in (*skips, features)] == depths
    assert image.shape == (1, 3, 32, 32)
    assert all(part.shape[3:] == (32, 32) for part in skips)


def test_the_encoder_is_larger_than_the_decoder():
    network = networks.build(NAME, {"in_channels": 1, "out_channels": 3, "schedule": "faithful"})
    encoder = parameters_of(network.compress) + parameters_of(network.encoder)
    assert encoder > 2 * (parameters_of(network.decoder) + parameters_of(network.expand))


@pytest.mark.parametrize("norm", ["group", "batch", "weight"])
@pytest.mark.parametrize("full_depth", [False, True])
def test_every_norm_learns_in_both_kinds_of_schedule(norm, full_depth):
    arguments = {"schedule": "faithful", "widths": [8, 8, 16]} if full_depth else {}
    network = small(norm=norm, **arguments).train()
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)
    draw = torch.Generator().manual_seed(1)
    volumes = torch.randn(1, 1, 12, 64, 32, generator=draw)
    targets = (torch.nn.functional.avg_pool3d(volumes, 5, 1, 2) > 0.05).float().expand(-1, 3, -1, -1, -1)
    losses = []
    for _ in range(12):
        loss = torch.nn.functional.binary_cross_entropy_with_logits(network(volumes), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.9 * losses[0]


def test_more_slices_than_it_sees_at_once_are_the_mean_of_overlapping_stacks():
    network = small().eval()
    volume = torch.randn(1, 1, 16, 32, 32)
    with torch.inference_mode():
        whole = network(volume)
        first, second = network(volume[:, :, :12]), network(volume[:, :, 4:])
    torch.testing.assert_close(whole[:, :, :4], first[:, :, :4])
    torch.testing.assert_close(whole[:, :, 12:], second[:, :, 8:])
    torch.testing.assert_close(whole[:, :, 4:12], (first[:, :, 4:] + second[:, :, :8]) / 2)


def test_stacks_are_the_fewest_that_cover_a_volume():
    assert stack_starts(150, 150) == [0]
    assert stack_starts(155, 108) == [0, 47]
    assert stack_starts(310, 150) == [0, 80, 160]


def test_checkpointing_changes_the_memory_and_not_the_gradients():
    gradients = []
    for checkpointing in (False, True):
        network = small(checkpointing=checkpointing, drop_connect=0.0).train()
        network(torch.ones(1, 1, 12, 64, 32)).square().sum().backward()
        gradients.append(network.compress.blocks[0].convolutions[0][0].weight.grad)
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize(
    ("kernel", "stride", "padding"),
    [
        ((3, 3, 3), (1, 1, 1), (1, 1, 1)), ((5, 3, 3), (5, 1, 1), (0, 1, 1)), ((1, 1, 1), (1, 1, 1), (0, 0, 0)),
        ((1, 3, 3), (1, 1, 1), (0, 1, 1)), ((3, 1, 1), (2, 1, 1), (1, 0, 0)),
    ],
)  # fmt: skip
def test_a_convolution_by_slices_is_the_3d_one(kernel, stride, padding):
    layer = torch.nn.Conv3d(4, 6, kernel, stride, padding)
    volume = torch.randn(2, 4, 10, 9, 8, requires_grad=True)
    results = [layer(volume), convolve_slices(volume, layer, layer.weight)]
    torch.testing.assert_close(results[1], results[0], atol=1e-5, rtol=1e-5)
    gradients = [torch.autograd.grad(result.square().sum(), (volume, layer.weight)) for result in results]
    torch.testing.assert_close(gradients[1], gradients[0], atol=1e-3, rtol=1e-4)


@pytest.mark.parametrize("norm", ["group", "weight"])
def test_it_learns_in_bfloat16_on_a_cpu(norm):
    network = small(norm=norm, drop_connect=0.0).eval()
    volume = torch.randn(1, 1, 12, 64, 32)
    exact = network(volume)
    with torch.autocast("cpu", torch.bfloat16):
        logits = network(volume)
    torch.testing.assert_close(logits.float(), exact, atol=0.1, rtol=0.1)
    logits.float().square().sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in network.parameters() if p.grad is not None)
    assert network.compress.blocks[0].convolutions[0][0].weight.grad.abs().max() > 0


def test_the_reconstruction_branch_adds_a_loss_while_training_only():
    network = small(reconstruction=True)
    volume = torch.randn(1, 1, 12, 64, 64)
    network.train()(volume)
    assert network.auxiliary_loss.item() > 0
    network.auxiliary_loss.backward()
    assert network.encoder.stem[0].weight.grad is not None
    network.eval()(volume)
    assert network.auxiliary_loss is None


def test_the_statistics_of_loaded_weights_stay_as_they_are(tmp_path):
    from MedSegEffNetLib.networks._efficientnet import _efficientnet

    torch.save(_efficientnet("lite0").state_dict(), tmp_path / "lite0.pth")
    network = small(encoder_weights=str(tmp_path / "lite0.pth")).train()
    before = network.encoder.stem[1].running_mean.clone()
    network(torch.randn(1, 1, 12, 32, 32))
    assert torch.equal(network.encoder.stem[1].running_mean, before)


def test_what_does_not_fit_is_refused_with_a_reason():
    for arguments, reason in (
        ({"schedule": "slow"}, "slow"),
        ({"norm": "layer"}, "layer"),
        ({"widths": [8, 12]}, "multiples of 8"),
        ({"strides": [1, 2]}, "numbers of 2 and more"),
        ({"decoder_channels": [8]}, "4 are needed"),
    ):
        with pytest.raises(InputError, match=reason):
            small(**arguments)


def test_openvino_runs_it_at_another_height_and_width_than_it_was_exported_with(tmp_path):
    ov = pytest.importorskip("openvino")
    from MedSegEffNetLib.models.ir import save_ir

    network = small(norm="weight").eval()
    save_ir(network, 1, tmp_path / "network.xml")
    volume = torch.randn(1, 1, 12, 96, 32)
    compiled = ov.Core().compile_model(tmp_path / "network.xml", "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    with torch.inference_mode():
        expected = network(volume)
    torch.testing.assert_close(torch.from_numpy(compiled([volume.numpy()])[0]), expected, atol=2e-2, rtol=0.05)
