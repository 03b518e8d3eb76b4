"""A tiny model that several tests use."""

import numpy as np
import pytest

from MedSegEffNetLib.image import Image
from MedSegEffNetLib.models.bundle import Bundle
from MedSegEffNetLib.task import Step, get_segmentation_task


def tiny_training(**changes):
    """A finished training of a small random U-Net for tumor-slices that sees one neighbor on either side."""
    torch = pytest.importorskip("torch")
    from MedSegEffNetLib import networks
    from MedSegEffNetLib.models.build import FinishedTraining

    arguments = {"channels": [4, 8], "in_channels": 9, "out_channels": 1}
    torch.manual_seed(3)
    settings = {
        "task": get_segmentation_task("tumor-slices"),
        "network": "unet_2d",
        "arguments": arguments,
        "weights": {"network": networks.build("unet_2d", arguments).state_dict()},
        "context": 1,
        "preprocessing": (Step("reorient", {"axes": "LPS"}), Step("resize", {"size": [48, 48]}), Step("zscore")),
        "provenance": {"data": {"folder": "nowhere", "cases": {"train": ["a"], "val": ["b"]}}},
    }
    return FinishedTraining(**{**settings, **changes})


@pytest.fixture(scope="session", name="tiny_training")
def tiny_training_fixture():
    """The function :func:`tiny_training`."""
    return tiny_training


@pytest.fixture(scope="session")
def bundle(tmp_path_factory):
    """A small model on disk; tests that change it work on a copy."""
    from MedSegEffNetLib.models.build import build_bundle

    return Bundle.open(build_bundle(tmp_path_factory.mktemp("bundles") / "tiny", tiny_training()))


@pytest.fixture
def oblique_case():
    """Three channels on an oblique, left-handed grid with thick slices."""
    affine = np.array([[0.2, -1.1, 0.3, 12.0], [1.2, 0.2, -0.4, -40.0], [-0.1, 0.2, -5.0, 60.0], [0, 0, 0, 1]])
    draw = np.random.default_rng(0)
    axes = np.meshgrid(*[np.linspace(-1, 1, n) for n in (44, 40, 7)], indexing="ij")
    inside = sum(axis**2 for axis in axes) < 0.8
    return {
        name: Image((inside * (80 + 30 * draw.random(inside.shape))).astype(np.int16), affine)
        for name in ("t1", "flair", "t1ce")
    }
