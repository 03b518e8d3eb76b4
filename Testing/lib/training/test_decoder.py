"""Trainings of the decoder alone."""

import pytest
import torch

from MedSegEffNetLib import networks
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.job import Job
from MedSegEffNetLib.training.config import Recipe
from MedSegEffNetLib.training.decoder import encoder_parts
from MedSegEffNetLib.training.halfway import Halfway
from MedSegEffNetLib.training.learner import Learner

NETWORKS = {
    "efficientnet_unet_2d": ({"variant": "lite0", "decoder_channels": [8, 8, 8, 8]}, (2, 1, 32, 32), ("encoder",)),
    "unet_2d": ({"channels": [4, 8], "batch_norm": True}, (2, 1, 32, 32), ("encoder",)),
    "efficientnet_embedded_3d": (
        {"variant": "lite0", "decoder_channels": [8, 8, 8, 8], "strides": [2], "widths": [8], "norm": "batch"},
        (2, 1, 6, 32, 32),
        ("compress", "encoder"),
    ),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_the_encoder_keeps_its_weights_and_its_statistics_while_the_decoder_learns(name):
    arguments, shape, kept = NETWORKS[name]
    torch.manual_seed(0)
    network = networks.build(name, {"in_channels": 1, "out_channels": 1, **arguments})
    before = {key: value.clone() for key, value in network.state_dict().items()}
    learner = Learner(network, Recipe(trained="decoder", learning_rate=0.01, weight_decay=0.1, ema=0.5))
    learner.train()
    images = torch.randn(shape)
    now = Halfway(1, torch.Generator().manual_seed(0), torch.device("cpu"))
    learner.learn(images, (images > 0).float(), now, Job.open(None, {}))
    changed = {key.split(".")[0] for key, value in network.state_dict().items() if not torch.equal(value, before[key])}
    assert changed
    assert not changed & set(kept)
    assert len(learner.optimizer.param_groups[0]["params"]) < len(list(network.parameters()))
    for key, value in learner.average.state_dict().items():
        assert key.split(".")[0] not in kept or torch.equal(value, before[key])


def test_a_network_without_an_encoder_is_refused():
    with pytest.raises(InputError, match="has no encoder"):
        encoder_parts(torch.nn.Conv2d(1, 1, 1))
