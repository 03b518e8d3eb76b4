"""Tiny models, one that segments and one that makes images, and cases for them, which several tests use."""

import numpy as np
import pytest

from MedSegEffNetLib.image import Image
from MedSegEffNetLib.models.bundle import Bundle
from MedSegEffNetLib.task import Step, get_segmentation_task, get_task

SEQUENCES = ("t1", "t1ce", "t2", "flair")


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


def build_maker(folder, targets=SEQUENCES, **changes):
    """A model of a generator with few, random weights and no N4, which sees one neighbor on either side."""
    torch = pytest.importorskip("torch")
    from MedSegEffNetLib import networks
    from MedSegEffNetLib.models.build_synthesis import FinishedSynthesis, build_synthesis_bundle

    task = get_task("mri-synthesis")
    arguments = {"in_channels": 4 * 5, "out_channels": 1, "channels": [4, 8], "blocks": 0}
    torch.manual_seed(5)
    settings = {
        "task": task,
        "network": "stargan_unet",
        "arguments": arguments,
        "weights": networks.build("stargan_unet", arguments).state_dict(),
        "context": 1,
        "preprocessing": (
            Step("reorient", {"axes": "LPS"}),
            Step("zscore"),
            Step("mark_background", {"value": -9.0}),
            Step("center_crop", {"size": [32, 28, 12]}),
        ),
        "ranges": dict.fromkeys(targets, (40.0, 200.0)),
        "normalized": dict.fromkeys(targets, (-0.5, 0.5)),
        "provenance": {"data": {"folder": "nowhere", "cases": {}}},
    }
    return build_synthesis_bundle(folder, FinishedSynthesis(**{**settings, **changes}))


@pytest.fixture(scope="session", name="build_maker")
def build_maker_fixture():
    """The function :func:`build_maker`."""
    return build_maker


@pytest.fixture(scope="session")
def maker(tmp_path_factory):
    """The folder of a model that makes any of the four sequences."""
    return build_maker(tmp_path_factory.mktemp("makers") / "tiny")


def make_head(seed=0, shape=(36, 32, 10)):
    """Four sequences of an ellipsoid on black, on an oblique left-handed grid."""
    draw = np.random.default_rng(seed)
    axes = np.meshgrid(*[np.linspace(-1, 1, n) for n in shape], indexing="ij")
    inside = sum(axis**2 for axis in axes) < 0.7
    affine = np.array([[1.0, 0.1, 0, -20], [-0.1, 1.0, 0, -14], [0, 0, 3.0, 5], [0, 0, 0, 1]])
    return {
        name: Image((inside * (60 + 40 * number + 20 * draw.random(shape))).astype(np.float32), affine)
        for number, name in enumerate(SEQUENCES)
    }


@pytest.fixture
def head():
    """See :func:`make_head`."""
    return make_head()
