"""The loop of a synthesis training: what it tells, what is resumed, what each loss is."""

import json
import math
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.job import Job, read_events
from MedSegEffNetLib.models.bundle import Bundle
from MedSegEffNetLib.networks import build
from MedSegEffNetLib.networks.stargan_unet import Discriminator
from MedSegEffNetLib.synthesis.planes import Planes
from MedSegEffNetLib.training import checkpoint, gan_run
from MedSegEffNetLib.training.gan import GanTrainer
from MedSegEffNetLib.training.gan_config import GanRecipe
from MedSegEffNetLib.training.gan_data import BACKGROUND, GanCase, GanFeed

KEYS = (
    "d_loss",
    "g_loss",
    "s_loss",
    "d_real",
    "d_fake",
    "d_cls",
    "d_gp",
    "g_fake",
    "g_cls",
    "g_rec",
    "g_seg",
    "g_l1",
    "g_ssim",
)
ROOT = Path(__file__).resolve().parents[3]
PROGRAM = """
import json
import sys
from pathlib import Path
from MedSegEffNetLib.training import gan
from MedSegEffNetLib.training.gan_run import train

learn = gan.GanTrainer._learn

def wait_to_be_killed(self, batch, chance):
    if self.epoch == 1 and self.halfway["done"] == 1:
        print("in the second step of the second epoch", flush=True)
        sys.stdin.readline()
    return learn(self, batch, chance)

gan._CHECKPOINT_SECONDS = -1.0  # after every step
gan.GanTrainer._learn = wait_to_be_killed
train("mri-synthesis", Path(sys.argv[1]), Path(sys.argv[2]), settings=json.loads(sys.argv[3]), threads=1)
"""


@pytest.fixture(scope="module")
def finished(heads, tiny_gan, tmp_path_factory):
    """The run of a training that nothing interrupted."""
    run = tmp_path_factory.mktemp("runs") / "whole"
    gan_run.train("mri-synthesis", heads, run, settings=tiny_gan, threads=1)
    return run


def rows(run):
    found = [event for event in read_events(run)[0] if event["event"] == "epoch" and "network" not in event]
    return [{name: event[name] for name in (*KEYS, "val_ssim", "val_l1", "val_psnr")} for event in found]


def test_every_epoch_tells_all_losses_and_the_figures_of_each_target(finished):
    event = [event for event in read_events(finished)[0] if event["event"] == "epoch"][-1]
    assert all(math.isfinite(event[name]) for name in KEYS)
    assert {"val_ssim_t1", "val_psnr_flair", "val_l1_t1ce", "rate", "seconds", "best", "best_epoch"} <= set(event)
    assert "val_ssim_t2" not in event  # no validation case has it
    assert event["best"] == max(row["val_ssim"] for row in rows(finished))


def test_a_killed_training_that_is_resumed_ends_with_the_same_losses(finished, heads, tiny_gan, tmp_path):
    run = tmp_path / "killed"
    command = [sys.executable, "-c", PROGRAM, str(heads), str(run), json.dumps(tiny_gan)]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8"
    ) as process:
        assert "second step" in process.stdout.readline()
        process.kill()
    assert checkpoint.load(run / checkpoint.LAST)["halfway"]["done"] == 1
    gan_run.train("mri-synthesis", heads, run, settings=tiny_gan, threads=1)
    assert rows(run) == rows(finished)
    weights = [checkpoint.load(one / checkpoint.LAST)["generator"] for one in (run, finished)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[1])


def test_the_model_says_what_it_makes_and_in_which_values(finished):
    bundle = Bundle.open(finished / "model")
    bundle.verify()
    assert (bundle.kind, bundle.task_id) == ("synthesis", "mri-synthesis")
    assert bundle.targets == ("t1", "t1ce", "t2", "flair")
    assert bundle.patients == {"t1": 3, "t1ce": 3, "t2": 1, "flair": 3}
    assert all(50 < low < high < 300 for low, high in bundle.ranges.values())
    assert all(-8 < low < 0 < high < 8 for low, high in bundle.normalized.values())
    assert (finished / "model" / bundle.info["networks"][0]["ir"]).is_file()
    assert "cannot be known" in bundle.card
    assert bundle.state_dict()["head.weight"].shape == (1, 4, 3, 3)


def test_half_of_the_patients_train_the_segmentation_network_and_the_rest_the_generator(
    heads, tiny_gan, tmp_path, monkeypatch
):
    seen = {}
    for name, trainer in (("generator", gan_run.GanTrainer), ("critic", gan_run.Trainer)):
        fit = trainer.fit

        def noted(self, training, *rest, name=name, fit=fit):
            seen[name] = {case.case_id for case in training}
            return fit(self, training, *rest)

        monkeypatch.setattr(trainer, "fit", noted)
    settings = {**tiny_gan, "epochs": "1", "critic_apart": "true"}
    gan_run.train("mri-synthesis", heads, tmp_path / "run", settings=settings, threads=1)
    assert len(seen["critic"]) == 1
    assert seen["generator"] == {"head_0", "head_1", "head_2"} - seen["critic"]


def test_a_training_can_be_stopped_and_finished_early(heads, tiny_gan, tmp_path, finished):
    def stop(event):
        if event["event"] == "epoch" and "g_loss" in event:
            (tmp_path / "run" / "STOP").touch()

    with pytest.raises(Exception, match="stopped as asked"):
        gan_run.train("mri-synthesis", heads, tmp_path / "run", settings=tiny_gan, threads=1, listener=stop)
    model = gan_run.train("mri-synthesis", heads, tmp_path / "run", settings=tiny_gan, threads=1, finish=True)
    assert Bundle.open(model).info["provenance"]["epochs_trained"] == 1
    assert rows(tmp_path / "run") == rows(finished)[:1]


def test_what_does_not_fit_is_refused_before_anything_is_written(heads, tiny_gan, tmp_path):
    run = tmp_path / "run"
    for settings, parent in (({"epochs": "0"}, None), ({"loss": "bce"}, None), ({}, "some-model")):
        with pytest.raises(InputError):
            gan_run.train("mri-synthesis", heads, run, settings=settings, parent=parent)
    (tmp_path / "nothing").mkdir()
    with pytest.raises(InputError, match="no cases"):
        gan_run.train("mri-synthesis", tmp_path / "nothing", run)
    assert not run.exists()


def test_a_training_starts_from_a_model_and_its_model_makes_what_that_one_made(finished, heads, tiny_gan, tmp_path):
    less = tmp_path / "heads"
    for file in heads.rglob("*.nii.gz"):
        if "_t2" not in file.name:
            copy = less / file.relative_to(heads)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, copy)
    parent = finished / "model"
    settings = {**tiny_gan, "epochs": "1", "learning_rate": "1e-12", "ema": "0"}
    model = gan_run.train("mri-synthesis", less, tmp_path / "run", settings=settings, parent=str(parent), threads=1)
    begun, ended = Bundle.open(parent), Bundle.open(model)
    assert ended.info["provenance"]["parent"] == f"{begun.name}@{begun.version}"
    assert ended.targets == begun.targets
    assert (ended.ranges["t2"], ended.patients["t2"]) == (begun.ranges["t2"], begun.patients["t2"])
    kept = "encoder.0.0.0.weight"
    assert torch.allclose(ended.state_dict()[kept], begun.state_dict()[kept], atol=1e-3)
    with pytest.raises(InputError, match="do not fit"):
        gan_run.train(
            "mri-synthesis", heads, tmp_path / "other", settings={**tiny_gan, "context": "1"}, parent=str(parent)
        )


def test_another_recipe_in_the_same_folder_is_refused(finished, heads, tiny_gan):
    with pytest.raises(InputError, match="other settings"):
        gan_run.train("mri-synthesis", heads, finished, settings={**tiny_gan, "l1": "5"})
    assert json.loads((finished / "job.json").read_text(encoding="utf-8"))["request"]["recipe"]["l1"] == 10


def a_case(count=6, size=16):
    """One channel is the negative of the other."""
    draw = np.random.default_rng(1)
    first = draw.standard_normal((count, size, size)).cumsum(axis=2) / 3
    images = np.stack([first, -first], axis=1).astype(np.float16)
    inside = np.ones((count, size, size), dtype=bool)
    inside[:, :2] = False
    images[:, :, :2] = BACKGROUND
    return GanCase("case", "patient", images, (True, True), inside, None, (8.0, 8.0))


def a_trainer(**settings):
    torch.manual_seed(0)
    recipe = GanRecipe(
        **{"epochs": 3, "batch_size": 2, "critic_epochs": 0, "discriminator": {"channels": [4, 8]}, **settings}
    )
    layout = Planes(2, recipe.context)
    generator = build("stargan_unet", {"in_channels": layout.count, "channels": [8, 16], "blocks": 0})
    feed = GanFeed(recipe, layout, 2)
    return GanTrainer(generator, Discriminator(2, [4, 8]), recipe, feed, ("a", "b"))


def test_direct_epochs_use_the_direct_losses_alone(tmp_path):
    history = a_trainer(direct_epochs=2).fit([a_case()], [a_case()], tmp_path, Job.open(None, {}))
    assert [math.isnan(row["d_loss"]) for row in history] == [True, True, False]
    assert [math.isnan(row["g_rec"]) for row in history] == [True, True, False]
    assert all(math.isfinite(row["g_l1"] + row["g_ssim"]) for row in history)


@pytest.mark.parametrize("weight", ["l1", "ssim", "reconstruction", "adversarial", "gradient_penalty"])
def test_a_loss_of_weight_0_is_left_out(weight, tmp_path):
    names = {"reconstruction": "g_rec", "adversarial": "g_fake", "gradient_penalty": "d_gp"}
    name = names.get(weight, f"g_{weight}")
    (row,) = a_trainer(epochs=1, **{weight: 0.0}).fit([a_case()], [a_case()], tmp_path, Job.open(None, {}))
    assert math.isnan(row[name])
    assert math.isfinite(row["g_loss"])


def test_the_rate_falls_every_so_many_epochs(tmp_path):
    settings = {"patience": 2, "decay": 0.5, "learning_rate": 4e-4, "direct_epochs": 3}
    history = a_trainer(**settings).fit([a_case()], [a_case()], tmp_path, Job.open(None, {}))
    assert [row["rate"] for row in history] == [4e-4, 4e-4, 2e-4]


def test_the_direct_losses_teach_what_one_image_says_of_the_other(tmp_path):
    settings = {"epochs": 12, "direct_epochs": 12, "learning_rate": 5e-3, "samples_per_epoch": 16, "ema": 0.9}
    history = a_trainer(**settings).fit([a_case()], [a_case()], tmp_path, Job.open(None, {}))
    assert history[-1]["val_l1"] < 0.5 * history[0]["val_l1"]
    assert history[-1]["val_ssim"] > history[0]["val_ssim"]


@pytest.mark.parametrize("context", [0, 1])
def test_on_the_way_back_the_made_picture_is_all_that_is_given(context):
    trainer = a_trainer(context=context)
    case = a_case()
    (order, *_) = trainer.feed.order([case], 0)
    batch = trainer.feed.batch([case], order, 0, 0)
    made = torch.full_like(batch.real, 0.5)
    planes = trainer._back(batch, made)
    layout = trainer.feed.layout
    for row in range(len(planes)):
        target, source = int(batch.target[row]), int(batch.source[row])
        expected = torch.zeros(layout.count)
        expected[layout.pictures(target)] = 0.5
        expected[[layout.given(target), layout.wanted(source)]] = 1
        assert torch.equal(planes[row].mean(dim=(1, 2)), expected)


def test_a_loss_that_is_no_number_ends_the_training_with_advice(tmp_path):
    trainer = a_trainer(direct_epochs=3)
    trainer.generator.head.bias.data.fill_(math.nan)
    with pytest.raises(Exception, match="no number") as caught:
        trainer.fit([a_case()], [a_case()], tmp_path, Job.open(None, {}))
    assert "learning_rate" in caught.value.hint
