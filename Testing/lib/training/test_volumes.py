"""Volumes as training data, and a training of one network a modality."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from MedSegEffNetLib import image
from MedSegEffNetLib.dataset.case import Case
from MedSegEffNetLib.errors import Stopped
from MedSegEffNetLib.image import Image
from MedSegEffNetLib.job import Job, read_events
from MedSegEffNetLib.models.bundle import Bundle
from MedSegEffNetLib.task import get_segmentation_task
from MedSegEffNetLib.training import probe, run
from MedSegEffNetLib.training.config import Recipe
from MedSegEffNetLib.training.preflight import check
from MedSegEffNetLib.training.run import make_trainer, train
from MedSegEffNetLib.training.volumes import Prepared, VolumeFeed, as_prepared

TINY = {
    "epochs": "2", "patch_size": "[64,32,16]", "samples_per_epoch": "3", "learning_rate": "0.001",
    "network.variant": "lite0", "network.encoder_weights": "none", "network.strides": "[2,2]",
    "network.widths": "[8,16]", "network.decoder_channels": "[8,8,8,8]", "augmentation.shift": "0.1",
}  # fmt: skip


def a_case(depth=10, height=20):
    return Prepared("a", np.ones((1, depth, height, 16), np.float16), np.zeros((3, depth, height, 16), np.int8))


def test_the_depth_is_cut_around_the_center_or_anywhere_when_shifted():
    slices = np.arange(20, dtype=np.float16)[None, :, None, None] * np.ones((1, 20, 4, 4), np.float16)
    case = Prepared("a", slices, np.zeros((1, 20, 4, 4), np.int8))
    draw = np.random.default_rng(0)
    _, stream = VolumeFeed(Recipe(patch_size=(16, 16, 16))).training([case], draw)
    assert next(stream)[0][0, 0, :, 0, 0].tolist() == list(range(2, 18))
    shifted = VolumeFeed(Recipe(patch_size=(16, 16, 16), augmentation={"shift": 0.1}))
    starts = {int(next(shifted.training([case], draw)[1])[0][0, 0, 0, 0, 0]) for _ in range(40)}
    assert starts == {0, 1, 2, 3, 4}


def test_an_epoch_draws_as_many_volumes_as_asked_and_every_case_before_one_again():
    feed = VolumeFeed(Recipe(batch_size=2, samples_per_epoch=5))
    count, stream = feed.training([a_case(), a_case(depth=12), a_case(height=24)], np.random.default_rng(0))
    shapes = [tuple(images.shape) for images, _ in stream]
    assert count == 3
    assert [shape[0] for shape in shapes] == [2, 2, 1]
    assert all(shape[2] in (10, 12) and shape[3] in (20, 24) for shape in shapes)


def test_where_only_the_whole_tumor_is_known_its_parts_are_unknown_inside_and_absent_outside():
    label = np.zeros((4, 5, 6), np.uint8)
    label[1:3, 1:4, 2:5] = 2
    task = get_segmentation_task("brain-tumor")
    whole, *parts = as_prepared("a", np.zeros((1, 4, 5, 6)), label, task, ("WT",)).targets
    assert np.array_equal(whole, (label > 0).transpose(2, 1, 0))
    for part in parts:
        assert np.array_equal(part, -whole)
    every = as_prepared("a", np.zeros((1, 4, 5, 6)), label, task).targets
    assert set(np.unique(every)) == {0, 1}


@pytest.fixture(scope="module")
def patients(tmp_path_factory):
    """Four patients in the layout of BraTS with T1ce and FLAIR; the first one lacks FLAIR."""
    folder = tmp_path_factory.mktemp("brats")
    draw = np.random.default_rng(0)
    for number in range(4):
        case = folder / f"BraTS20_Training_{number:03d}"
        case.mkdir()
        label = np.zeros((40, 48, 10), np.uint8)
        label[8:28, 10:30, 2:8], label[12:22, 14:24, 3:7], label[15:20, 16:20, 4:6] = 2, 1, 4
        brain = np.zeros(label.shape)
        brain[4:36, 4:44] = 100
        for name in ("t1ce", "flair")[: 1 if number == 0 else 2]:
            array = brain + 20 * label + draw.normal(0, 5, label.shape) * (brain > 0)
            image.write(case / f"{case.name}_{name}.nii.gz", Image(array.astype(np.float32), np.eye(4)))
        image.write(case / f"{case.name}_seg.nii.gz", Image(label, np.eye(4)))
    return folder


def test_one_network_a_modality_is_trained_and_they_become_one_model(patients, tmp_path):
    folder = train("brain-tumor", patients, tmp_path / "run", settings=TINY)
    bundle = Bundle.open(folder)
    bundle.verify()
    assert [entry["key"] for entry in bundle.info["networks"]] == ["t1ce", "flair"]
    assert bundle.ensembles == ("validated", "first", "second", "t1ce", "flair")
    events = read_events(tmp_path / "run")[0]
    epochs = [(event["network"], event["epoch"]) for event in events if event["event"] == "epoch"]
    assert epochs == [("t1ce", 1), ("t1ce", 2), ("flair", 1), ("flair", 2)]
    told = [event["text"] for event in events if event["event"] == "notice"]
    assert any(text.startswith("There is no network for t2") for text in told)
    assert (tmp_path / "run" / "t1ce" / "checkpoints" / "last.pt").is_file()
    previews = [event for event in events if event["event"] == "preview"]
    assert {event["network"] for event in previews} == {"t1ce", "flair"}
    assert all((tmp_path / "run" / event["path"]).is_file() for event in previews)
    bundle.info["provenance"]["encoder_start"] = "imagenet"
    arguments = bundle.info["networks"][0]["arguments"]
    request = SimpleNamespace(
        task=get_segmentation_task("brain-tumor"),
        network="efficientnet_embedded_3d",
        network_arguments=arguments,
        parent=bundle,
        recipe=Recipe(epochs=1),
        networks={"flair": (get_segmentation_task("brain-tumor").channel("flair"),)},
    )
    encoder = make_trainer(request, "flair").network.train().encoder
    norms = [module for module in encoder.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    assert norms
    assert not any(module.training for module in norms)  # a batch of one volume would spoil loaded statistics


def test_a_check_and_a_probe_of_several_networks_measure_one_of_them(patients, tmp_path, monkeypatch):
    monkeypatch.setattr(probe, "STEPS", 2)
    settings = {**TINY, "channels": "t1ce,flair"}
    found = check("brain-tumor", patients, tmp_path / "check", settings=settings)
    assert found.labels["train"] == dict.fromkeys(("WT", "TC", "ET"), found.splits["train"]["cases"])
    assert "for each of 2 networks (measured: t1ce)" in found.notes[0]
    tried = probe.overfit("brain-tumor", patients, tmp_path / "check", settings=settings)
    assert tried.steps == 2


@pytest.mark.parametrize("share", ["0", pytest.param("0.5", marks=pytest.mark.slow)])
def test_a_killed_training_goes_on_with_the_network_it_was_at_and_ends_with_the_same_losses(patients, tmp_path, share):
    from MedSegEffNetLib.training import loop

    settings = {**TINY, "channels": "t1ce,flair", "synthetic_share": share}
    losses = {}
    train("brain-tumor", patients, tmp_path / "whole", settings=settings)
    losses["whole"] = _losses(tmp_path / "whole")
    original, calls = loop.Trainer.train_epoch, []

    def dying(self, cases, job):
        calls.append(self.key)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return original(self, cases, job)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop.Trainer, "train_epoch", dying)
        with pytest.raises((KeyboardInterrupt, Stopped)):
            train("brain-tumor", patients, tmp_path / "killed", settings=settings)
    train("brain-tumor", patients, tmp_path / "killed", settings=settings)
    assert _losses(tmp_path / "killed") == losses["whole"]
    assert (tmp_path / "killed" / "synthetic").is_dir() == (share != "0")
    request = json.loads((tmp_path / "killed" / "job.json").read_text(encoding="utf-8"))["request"]
    assert request["recipe"]["channels"] == ["t1ce", "flair"]


@pytest.mark.parametrize(("share", "told"), [("0", "cannot be learnt"), ("0.5", "synthetic patients alone")])
def test_regions_that_no_case_tells_are_named(share, told, tmp_path):
    request = run.resolve("brain-tumor", tmp_path, network=None, parent=None, settings={"synthetic_share": share})
    cases = [Case(name, name, "train", dict, regions=("WT",)) for name in "ab"]
    events = []
    job = Job.open(None, {})
    job.listeners.append(events.append)
    run.tell_unknown_regions(request, cases, job)
    assert "TC, ET" in events[0]["text"]
    assert told in events[0]["text"]
    run.tell_unknown_regions(request, [*cases, Case("c", "c", "train", dict)], job)
    assert len(events) == 1


def _losses(run):
    return [
        (event["network"], event["train_loss"], event["val_loss"])
        for event in read_events(run)[0]
        if event["event"] == "epoch"
    ]
