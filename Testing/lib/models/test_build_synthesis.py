"""A model that makes images, on disk."""

import json
import shutil

import pytest
import torch

from MedSegEffNetLib import networks
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.models.build import Publication, publish
from MedSegEffNetLib.models.build_synthesis import FinishedSynthesis, build_synthesis_bundle
from MedSegEffNetLib.models.bundle import METADATA, OUR_KEY, Bundle
from MedSegEffNetLib.synthesis.planes import Planes
from MedSegEffNetLib.task import get_task

TASK = get_task("mri-synthesis")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    arguments = {"channels": [4, 8], "in_channels": Planes(4, 1).count, "out_channels": 1}
    torch.manual_seed(0)
    network = networks.build("stargan_unet", arguments)
    training = FinishedSynthesis(
        task=TASK,
        network="stargan_unet",
        arguments=arguments,
        weights=network.state_dict(),
        context=1,
        preprocessing=TASK.preprocessing,
        ranges={"t1": (10.0, 200.0), "flair": (5.0, 300.0)},
        normalized={"t1": (-2.0, 3.0), "flair": (-2.5, 2.5)},
        provenance={"data": {"folder": "nowhere"}, "validation": {"val_ssim": 0.8, "val_ssim_t1": 0.9}},
        patients={"t1": 1, "flair": 12},
    )
    return build_synthesis_bundle(tmp_path_factory.mktemp("models") / "model", training)


def test_it_is_opened_as_what_it_is(model):
    bundle = Bundle.open(model)
    bundle.verify()
    assert (bundle.kind, bundle.name) == ("synthesis", "mri-synthesis-stargan")
    assert bundle.targets == ("t1", "flair")
    assert bundle.ranges == {"t1": (10, 200), "flair": (5, 300)}
    assert bundle.normalized["flair"] == (-2.5, 2.5)
    assert [channel.name for channel in bundle.channels] == ["t1", "t1ce", "t2", "flair"]
    assert (bundle.labels, bundle.regions) == ((), ())


def test_monais_keys_name_every_plane(model):
    metadata = Bundle.open(model).metadata
    image = metadata["network_data_format"]["inputs"]["image"]
    assert image["num_channels"] == 20
    assert image["channel_def"]["11"] == "flair"
    assert image["channel_def"]["12"] == "t1 is given"
    assert image["channel_def"]["19"] == "flair is wanted"
    assert metadata["network_data_format"]["outputs"]["pred"]["format"] == "image"


def test_the_card_is_frank_about_contrast_enhancement(model):
    card = Bundle.open(model).card
    assert "| `flair` (FLAIR) | yes | 12 patients |" in card
    assert "| `t1` (T1) | yes | 1 patient |" in card
    assert "Contrast enhancement cannot be known" in card
    assert "ssim_t1 0.900" in card


def test_its_card_has_a_row_for_each_choice_of_inputs_and_region(model, tmp_path):
    figures = {"mean": 0.7512, "std": 0.05, "median": 0.76, "n": 12}
    missing = {"mean": None, "std": None, "median": None, "n": 0}
    summary = {"val": {"t1 → flair": {"head": {"ssim": figures}, "segmented tumor": {"dice_missing": missing}}}}
    publication = Publication("1.0.0", summary, {}, "a set", "CC BY 4.0", cautions={"flair": "Often wrong."})
    bundle = Bundle.open(publish(model, publication, tmp_path / "out"))
    bundle.verify()
    card = bundle.card
    assert "| t1 → flair | head | 0.751 (0.050) | 12 |" in card
    assert "| t1 → flair | segmented tumor | – (–) | 0 |" in card
    assert "Encoder" not in card
    assert "| `t2` (T2) | no |  |" in card
    assert bundle.cautions == {"flair": "Often wrong."}
    assert "cannot be known" in card


@pytest.mark.parametrize("change", [{"targets": []}, {"targets": ["t3"]}, {"ranges": {"t1": [1, 2]}}, {"targets": 3}])
def test_targets_that_do_not_fit_are_refused(model, tmp_path, change):
    shutil.copytree(model, tmp_path / "broken")
    path = tmp_path / "broken" / METADATA
    metadata = json.loads(path.read_text(encoding="utf-8"))
    metadata[OUR_KEY] |= change
    path.write_text(json.dumps(metadata), encoding="utf-8")
    with pytest.raises(InputError, match="malformed"):
        Bundle.open(tmp_path / "broken")
