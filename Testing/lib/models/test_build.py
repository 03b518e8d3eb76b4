"""A finished training becomes a MONAI bundle whose forms agree."""

import json

import numpy as np
import pytest

from MedSegEffNetLib.inference.options import Setup
from MedSegEffNetLib.models.build import Publication, average_weights, build_bundle, publish
from MedSegEffNetLib.models.bundle import CONFIG, METADATA, Bundle

# What MONAI's metadata schema asks for (its own copy lies on a server).
MONAI_KEYS = {
    "version", "changelog", "monai_version", "pytorch_version", "numpy_version", "required_packages_version",
    "name", "task", "description", "authors", "copyright", "network_data_format",
}  # fmt: skip


def test_the_metadata_have_monais_keys(bundle):
    metadata = json.loads((bundle.folder / METADATA).read_text(encoding="utf-8"))
    assert set(metadata) >= MONAI_KEYS
    for part in ("inputs", "outputs"):
        for data in metadata["network_data_format"][part].values():
            assert set(data) >= {
                "type",
                "format",
                "num_channels",
                "spatial_shape",
                "dtype",
                "is_patch_data",
                "channel_def",
            }
            assert len(data["channel_def"]) == data["num_channels"]


def test_monai_builds_the_network_from_the_bundle(bundle):
    bundle_module = pytest.importorskip("monai.bundle")
    parser = bundle_module.ConfigParser()
    parser.read_config(str(bundle.folder / CONFIG))
    parser.read_meta(str(bundle.folder / METADATA))
    network = parser.get_parsed_content("network_def")
    network.load_state_dict(bundle.state_dict())


def test_openvino_and_torch_agree(bundle):
    from MedSegEffNetLib.inference.openvino_engine import OpenVINOEngine
    from MedSegEffNetLib.inference.torch_engine import TorchEngine

    batch = np.random.default_rng(0).standard_normal((2, 9, 48, 64)).astype(np.float32)
    first = OpenVINOEngine(bundle, 0, Setup("openvino", "cpu", "float32", 2), (9, 48, 64), 1)(batch)
    second = TorchEngine(bundle, 0, Setup("torch", "cpu", "float32", 2), 1)(batch)
    np.testing.assert_allclose(first, second, atol=2e-3)


def test_a_model_without_its_openvino_form_makes_it_once(tmp_path, tiny_training):
    from MedSegEffNetLib.models.ir import cache_folder, make_ir

    bundle = Bundle.open(build_bundle(tmp_path / "model", tiny_training()))
    path = make_ir(bundle, 0)
    assert cache_folder() in path.parents
    written = path.stat().st_mtime_ns
    assert make_ir(bundle, 0).stat().st_mtime_ns == written


def test_publishing_writes_measured_figures_into_card_and_metadata(bundle, tmp_path):
    summary = {"val": {"tumor": {"dice": {"mean": 0.9123, "std": 0.1, "median": 0.93, "n": 12}}}}
    publication = Publication("1.0.0", summary, {"seconds_per_slice": 0.01}, "a set", "CC BY 4.0", ("Small tumors.",))
    folder = publish(bundle.folder, publication, tmp_path / "out")
    published = Bundle.open(folder)
    published.verify()
    assert published.version == "1.0.0"
    assert "| tumor | dice | 0.912 |" in published.card
    assert "- Small tumors." in published.card
    assert "CC BY 4.0" in (folder / "LICENSE").read_text(encoding="utf-8")
    assert published.info["provenance"]["metrics"] == summary


def test_what_everybody_must_know_of_a_model_is_its_cards_first_line(bundle, tmp_path):
    folder = publish(bundle.folder, Publication("1.0.0", {}, {}, "", "", caution="Seen by nobody."), tmp_path / "out")
    assert Bundle.open(folder).card.splitlines()[0] == "**Seen by nobody.**"


def test_building_again_replaces_the_model(tmp_path, tiny_training):
    folder = build_bundle(tmp_path / "model", tiny_training())
    build_bundle(folder, tiny_training(version="0.2.0"))
    assert Bundle.open(folder).version == "0.2.0"
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_averaged_weights_are_the_mean_and_counters_stay():
    torch = pytest.importorskip("torch")
    states = [{"weight": torch.full((2,), value), "steps": torch.tensor(7)} for value in (1.0, 4.0)]
    averaged = average_weights(states)
    assert averaged["weight"].tolist() == [2.5, 2.5]
    assert averaged["steps"] == 7
