"""A volume in stacks of slices, and back; a case with several networks from end to end."""

import numpy as np
import pytest

from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.image import Image, same_grid
from MedSegEffNetLib.inference.options import Options
from MedSegEffNetLib.inference.predict import segment_case
from MedSegEffNetLib.inference.volumes import StackCutter, predict
from MedSegEffNetLib.job import Job
from MedSegEffNetLib.models.bundle import Bundle
from MedSegEffNetLib.task import Step, get_segmentation_task

CHANNELS = ("t1ce", "flair")


def echo(batch):
    """A network whose one region's logits are its image."""
    return batch[:, :1]


@pytest.mark.parametrize("shape", [(20, 24, 12), (20, 24, 7), (32, 33, 30), (5, 64, 13)])
def test_what_a_network_says_of_a_voxel_lands_on_that_voxel(shape):
    volume = np.random.default_rng(0).normal(size=(1, *shape)).astype(np.float32)
    cutter = StackCutter(volume, depth=12, divisor=32)
    assert cutter.input_shape[1] == 12
    assert cutter.input_shape[2] % 32 == cutter.input_shape[3] % 32 == 0
    seen = []
    maps = predict(echo, cutter, False, False, lambda done, total: seen.append((done, total)))
    np.testing.assert_allclose(maps, 1 / (1 + np.exp(-volume)), rtol=1e-5)
    assert seen[-1] == (len(cutter.starts), len(cutter.starts))


def test_flips_mirror_along_x_and_back():
    volume = np.random.default_rng(0).normal(size=(1, 30, 20, 12)).astype(np.float32)
    cutter = StackCutter(volume, depth=12, divisor=32)
    maps = predict(echo, cutter, False, True, lambda done, total: None)
    np.testing.assert_allclose(maps, 1 / (1 + np.exp(-volume)), rtol=1e-5)


def test_an_image_without_contrast_is_refused():
    with pytest.raises(InputError, match="nothing is left"):
        predict(echo, StackCutter(np.ones((1, 8, 8, 8), np.float32), 8, 8), False, False, lambda done, total: None)


@pytest.fixture(scope="module")
def brain_bundle(tmp_path_factory):
    """A model of two small random networks, for T1ce and FLAIR."""
    torch = pytest.importorskip("torch")
    from MedSegEffNetLib import networks
    from MedSegEffNetLib.models.build import FinishedTraining, build_bundle

    arguments = {
        "in_channels": 1,
        "out_channels": 3,
        "variant": "lite0",
        "norm": "weight",
        "strides": [2, 2],
        "widths": [8, 16],
        "decoder_channels": [8, 8, 8, 8],
    }
    torch.manual_seed(0)
    training = FinishedTraining(
        task=get_segmentation_task("brain-tumor"),
        network="efficientnet_embedded_3d",
        arguments=arguments,
        weights={key: networks.build("efficientnet_embedded_3d", arguments).state_dict() for key in CHANNELS},
        context=0,
        preprocessing=(
            Step("reorient", {"axes": "LPS"}),
            Step("resample", {"spacing": [4.0, 4.0, 4.0]}),
            Step("zscore"),
        ),
        provenance={"data": {"folder": "nowhere", "cases": {"train": ["a"], "val": ["b"]}}},
    )
    return Bundle.open(build_bundle(tmp_path_factory.mktemp("bundles") / "brain", training))


@pytest.fixture(scope="module")
def brain():
    """Two sequences of a ball on an oblique grid of 2 × 2 × 4 mm."""
    affine = np.array([[-1.9, 0.3, 0.2, 60.0], [0.3, 1.9, 0.4, -50.0], [-0.1, -0.2, 3.9, -30.0], [0, 0, 0, 1]])
    draw = np.random.default_rng(0)
    axes = np.meshgrid(*[np.linspace(-1, 1, n) for n in (52, 60, 20)], indexing="ij")
    inside = sum(axis**2 for axis in axes) < 0.8
    return {name: Image((inside * (80 + 30 * draw.random(inside.shape))).astype(np.int16), affine) for name in CHANNELS}


def segment(images, bundle, **options):
    return segment_case(images, bundle, Options(device="cpu", **options), Job.open(None, {}))


def test_a_model_of_several_networks_says_what_they_see(brain_bundle):
    entries = brain_bundle.info["networks"]
    assert [entry["key"] for entry in entries] == list(CHANNELS)
    assert [entry["channels"] for entry in entries] == [["t1ce"], ["flair"]]
    assert {entry["depth"] for entry in entries} == {12}
    assert [entry["name"] for entry in brain_bundle.info["ensembles"]] == ["first", "second"]


def test_the_label_map_of_an_ensemble_lies_on_the_oblique_grid_of_its_input(brain_bundle, brain):
    result = segment(brain, brain_bundle)
    assert same_grid(result.label_map, brain["t1ce"])
    assert result.probabilities.shape == (3, 52, 60, 20)
    assert result.measured["networks"] == ["t1ce", "flair"]
    assert set(np.unique(result.label_map.array)) <= {0, 1, 2, 4}


def test_the_ensemble_is_the_mean_of_the_single_networks_where_both_vote(brain_bundle, brain):
    both, *single = (segment(brain, brain_bundle, ensemble=name).probabilities for name in ("first", *CHANNELS))
    np.testing.assert_allclose(both[0], (single[0][0] + single[1][0]) / 2, atol=1e-5)
    np.testing.assert_allclose(both[1:], single[0][1:], atol=1e-5)


def test_a_missing_modality_is_no_refusal(brain_bundle, brain):
    result = segment({"flair": brain["flair"]}, brain_bundle)
    assert result.measured["networks"] == ["flair"]
    assert any("enhancing tumor is left to FLAIR" in warning for warning in result.warnings)


def test_both_engines_agree_on_an_ensemble(brain_bundle, brain):
    first, second = (segment(brain, brain_bundle, engine=name).probabilities for name in ("openvino", "torch"))
    assert np.abs(first - second).max() < 0.05


def test_every_ensemble_and_network_is_measured_on_the_cases_that_have_its_image(brain_bundle, brain, tmp_path):
    from MedSegEffNetLib.dataset.case import Case
    from MedSegEffNetLib.evaluation import ensemble_table, evaluate_each

    true = brain["t1ce"].with_array((brain["t1ce"].array > 90).astype(np.uint8) * 4)
    cases = [
        Case("a", "a", "val", lambda: (brain, true)),
        Case("b", "b", "val", lambda: ({"flair": brain["flair"]}, true)),
    ]
    rows = evaluate_each(brain_bundle, cases, tmp_path, Options(device="cpu"), Job.open(None, {}))
    assert {name: len(kept) for name, kept in rows.items()} == {"first": 6, "second": 6, "t1ce": 3, "flair": 6}
    table = ensemble_table(rows)
    assert (tmp_path / "ensembles.md").read_text(encoding="utf-8") == table
    assert table.startswith("| network | WT | TC | ET | cases |")
    assert "| t1ce |" in table
    missed = [{"case": "a", "region": "ET", "dice": 0.0}, {"case": "b", "region": "ET", "dice": 0.5}]
    assert "(1 missed) | 2 |" in ensemble_table({"first": missed})
