"""Schedules, early stopping, the running average and what counts as best."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from MedSegEffNetLib import networks
from MedSegEffNetLib.errors import InputError, MedSegEffNetError, Stopped
from MedSegEffNetLib.job import Job
from MedSegEffNetLib.task import Channel
from MedSegEffNetLib.training import checkpoint
from MedSegEffNetLib.training.config import Recipe
from MedSegEffNetLib.training.data import Slices
from MedSegEffNetLib.training.figures import score
from MedSegEffNetLib.training.halfway import Halfway
from MedSegEffNetLib.training.learner import NotFinite
from MedSegEffNetLib.training.loop import Trainer

CHANNELS = (Channel("flair", "FLAIR"),)


def a_trainer(**settings):
    torch.manual_seed(0)
    network = networks.build("unet_2d", {"in_channels": 1, "out_channels": 1, "channels": [2, 4]})
    return Trainer(network, Recipe(**{"epochs": 10, "batch_size": 2, "learning_rate": 0.01, **settings}), CHANNELS)


def cases(count=2):
    draw = np.random.default_rng(0)
    targets = (draw.random((2, 1, 8, 8)) > 0.7).astype(np.uint8)
    return [
        Slices(str(n), (targets + 0.1 * draw.standard_normal(targets.shape)).astype(np.float16), targets)
        for n in range(count)
    ]


def rates(trainer, epochs):
    found = []
    for epoch in epochs:
        trainer._set_rate(epoch)
        found.append(trainer.learner.optimizer.param_groups[0]["lr"])
    return found


def finish(trainer, dice, folder):
    trainer._finish_epoch({"train_loss": 1.0, "val_loss": 1.0, "val_dice": dice}, folder, Job.open(None, {}))


def test_the_cosine_falls_from_the_rate_to_a_hundredth_after_warming_up():
    start, middle, end = rates(a_trainer(schedule="cosine"), (0, 5, 10))
    assert start == pytest.approx(0.01)
    assert middle == pytest.approx(0.01 * 0.505)
    assert end == pytest.approx(0.0001)
    assert rates(a_trainer(schedule="cosine", warmup=2.0), (0.5,))[0] < 0.003


def test_steps_fall_every_so_many_epochs():
    assert rates(a_trainer(schedule="step", patience=4, decay=0.5), (0, 3.9, 4, 8)) == pytest.approx(
        [0.01, 0.01, 0.005, 0.0025]
    )


def test_a_plateau_lowers_the_rate_and_ends_the_training_at_last(tmp_path):
    trainer = a_trainer(schedule="plateau", patience=2, decay=0.5, early_stopping=5)
    for dice in (0.5, 0.4, 0.4):
        finish(trainer, dice, tmp_path)
    assert rates(trainer, (3,)) == pytest.approx([0.005])
    assert not trainer.finished
    for dice in (0.5, 0.3, 0.3):
        finish(trainer, dice, tmp_path)
    assert trainer.finished
    assert (trainer.best, trainer.best_epoch) == (0.5, 1)


def test_the_best_weights_are_those_of_the_monitor(tmp_path):
    trainer = a_trainer()
    for dice in (0.2, 0.6, 0.4):
        finish(trainer, dice, tmp_path)
    assert checkpoint.load(tmp_path / checkpoint.BEST)["row"]["val_dice"] == 0.6
    assert checkpoint.load(tmp_path / checkpoint.LAST)["epoch"] == 3


def test_one_training_keeps_the_best_weights_of_several_figures(tmp_path):
    trainer = a_trainer(monitor="accuracy", also_monitor=("iou", "loss"))
    for epoch, accuracy, iou, loss in ((1.0, 0.9, 0.1, 0.5), (2.0, 0.8, 0.3, 0.6), (3.0, 0.7, 0.2, 0.4)):
        row = {"epoch": epoch, "val_loss": loss, "val_accuracy": accuracy, "val_iou": iou}
        trainer._finish_epoch(row, tmp_path, Job.open(None, {}))
    kept = [checkpoint.BEST, checkpoint.best_by("iou"), checkpoint.best_by("loss")]
    assert [checkpoint.load(tmp_path / path)["row"]["epoch"] for path in kept] == [1, 2, 3]
    resumed = a_trainer(monitor="accuracy", also_monitor=("iou", "loss"))
    resumed.restore(checkpoint.load(tmp_path / checkpoint.LAST))
    assert resumed.best_others == {"iou": 0.3, "loss": -0.4}


def test_a_training_that_monitors_nothing_keeps_the_last_epoch(tmp_path):
    trainer = a_trainer(monitor="epoch")
    for epoch, dice in ((1.0, 0.9), (2.0, 0.1)):
        row = {"epoch": epoch, "val_loss": 1.0, "val_dice": dice}
        trainer._finish_epoch(row, tmp_path, Job.open(None, {}))
    assert checkpoint.load(tmp_path / checkpoint.BEST)["row"]["epoch"] == 2


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
@pytest.mark.parametrize("loss", ["bce", "soft_dice", "ce_dice", "mse"])
def test_every_optimizer_and_loss_learns_a_simple_picture(optimizer, loss):
    trainer = a_trainer(optimizer=optimizer, loss=loss, learning_rate=0.05)
    first = trainer.train_epoch(cases(), Job.open(None, {}))["train_loss"]
    for trainer.epoch in range(1, 12):
        last = trainer.train_epoch(cases(), Job.open(None, {}))["train_loss"]
    assert last < first


def test_the_running_average_lags_behind_the_weights():
    trainer = a_trainer(ema=0.9)
    before = [parameter.clone() for parameter in trainer.learner.average.parameters()]
    trainer.train_epoch(cases(), Job.open(None, {}))
    moved = [(a - b).abs().max() for a, b in zip(trainer.learner.average.parameters(), before, strict=True)]
    apart = [
        (a - b).abs().max()
        for a, b in zip(trainer.learner.average.parameters(), trainer.network.parameters(), strict=True)
    ]
    assert max(moved) > 0
    assert max(apart) > 0


def test_background_noise_raises_only_the_background():
    from MedSegEffNetLib.training.learner import raise_background

    targets = torch.tensor([[0.0, 1.0]]).repeat(100, 1)
    raised = raise_background(targets, 0.2, torch.Generator().manual_seed(0))
    assert (raised[:, 1] == 1).all()
    assert 0 < raised[:, 0].max() <= 0.2


def test_figures_of_a_perfect_and_an_empty_case():
    trainer = a_trainer(monitor="iou")
    empty = Slices("empty", np.zeros((1, 1, 8, 8), dtype=np.float16), np.zeros((1, 1, 8, 8), dtype=np.uint8))
    for parameter in trainer.network.parameters():
        torch.nn.init.zeros_(parameter)
    torch.nn.init.constant_(trainer.network.head.bias, -5.0)
    figures = trainer.validate([empty], Job.open(None, {}))
    assert (figures["val_dice"], figures["val_iou"], figures["val_accuracy"]) == (1.0, 1.0, 1.0)


def test_a_region_that_a_case_does_not_tell_is_left_out_of_its_figures():
    class Known:
        def validation(self, case):
            targets = torch.zeros((1, 2, 8, 8))
            targets[0, 0, 2:6, 2:6] = 1
            targets[0, 1, 3:5, 3:5] = -1 if case == "unknown" else 1
            if case == "nothing":
                targets[:] = -1
            yield torch.zeros((1, 1, 8, 8)), targets

    class Guess(torch.nn.Module):
        divisor = 8

        def __init__(self):
            super().__init__()
            self.scale = torch.nn.Parameter(torch.ones(1))

        def forward(self, images):
            logits = torch.full((1, 2, 8, 8), -9.0)
            logits[0, 0, 2:6, 2:6] = 9
            return self.scale * logits

    trainer = Trainer(Guess(), Recipe(epochs=1), CHANNELS, feed=Known(), regions=("WT", "TC"))
    job = Job.open(None, {})
    both = trainer.validate(["unknown", "known"], job)
    assert (both["val_dice_WT"], both["val_dice_TC"]) == (1.0, 0.0)
    assert "val_dice_TC" not in trainer.validate(["unknown"], job)
    assert trainer.validate(["unknown"], job)["val_dice"] == 1.0
    assert trainer.validate(["known"], job)["val_dice"] == 0.5
    assert trainer.validate(["nothing", "known"], job)["val_dice"] == 0.5
    nothing = trainer.validate(["nothing"], job)
    assert "val_dice" not in nothing
    assert score(nothing, "dice") == -nothing["val_loss"]


def test_a_damaged_checkpoint_is_refused_with_a_reason(tmp_path):
    (tmp_path / "last.pt").write_bytes(b"nothing")
    with pytest.raises(InputError, match="cannot be read as a checkpoint"):
        checkpoint.load(tmp_path / "last.pt")


def test_a_full_disk_is_told_and_the_checkpoint_before_stays(tmp_path, monkeypatch):
    trainer = a_trainer()
    with pytest.raises(Stopped):
        trainer.fit(cases(), cases(1), tmp_path, StopAfter(1))

    def full(content, path):
        path.write_bytes(b"half")
        raise RuntimeError("unexpected pos 704 vs 598")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(MedSegEffNetError, match=r"last\.pt could not be written"):
        trainer.save()
    assert checkpoint.load(tmp_path / checkpoint.LAST)["epoch"] == 0


def test_without_any_slice_to_learn_from_it_is_said_what_to_do(tmp_path):
    empty = [replace(case, targets=np.zeros_like(case.targets)) for case in cases()]
    trainer = a_trainer(empties_per_epoch=0)
    with pytest.raises(InputError, match="no slice of the training cases") as caught:
        trainer.fit(empty, empty, tmp_path, Job.open(None, {}))
    assert "empties_per_epoch" in caught.value.hint


class StopAfter(Job):
    """A job that is asked to stop after so many steps."""

    def __init__(self, steps):
        super().__init__(None, {})
        self.steps = steps

    def check_stop(self):
        self.steps -= 1
        if self.steps == 0:
            raise Stopped("stopped")


FULL = {"ema": 0.9, "background_noise": 0.1, "augmentation": {"noise": 0.2, "rotation_degrees": 20.0}, "epochs": 2}


def many_cases():
    return cases(4)


@pytest.mark.parametrize("steps", [1, 3, 4, 5, 6])
def test_a_training_that_is_stopped_within_an_epoch_goes_on_with_the_same_losses(steps, tmp_path):
    whole = a_trainer(**FULL).fit(many_cases(), cases(1), tmp_path / "whole", Job.open(None, {}))
    with pytest.raises(Stopped):
        a_trainer(**FULL).fit(many_cases(), cases(1), tmp_path / "part", StopAfter(steps))
    resumed = a_trainer(**FULL)
    resumed.restore(checkpoint.load(tmp_path / "part" / checkpoint.LAST))
    parts = resumed.fit(many_cases(), cases(1), tmp_path / "part", Job.open(None, {}))
    told = [[{k: v for k, v in row.items() if k != "seconds"} for row in rows] for rows in (whole, parts)]
    assert told[0] == told[1]


def test_a_checkpoint_within_a_long_epoch_is_written_now_and_then(tmp_path, monkeypatch):
    from MedSegEffNetLib.training import loop

    monkeypatch.setattr(loop, "_CHECKPOINT_SECONDS", 0.0)
    saved = []
    monkeypatch.setattr(Trainer, "save", lambda self: saved.append((self.epoch, self._now and self._now.done)))
    a_trainer(epochs=1).fit(many_cases(), cases(1), tmp_path, Job.open(None, {}))
    assert saved == [(0, None), (0, 1), (0, 2), (0, 3), (0, 4), (1, None)]


def test_the_epoch_in_which_another_number_of_batches_was_counted_goes_on_about_where_it_was():
    halfway = Halfway(10, torch.Generator(), torch.device("cpu"))
    for _ in range(5):
        halfway.add(1.0, np.ones((4, 1), dtype=np.int64))
    other = Halfway(5, torch.Generator(), torch.device("cpu"))
    other.go_on(halfway.state())
    assert (other.done, other.loss) == (2, 2.0)


def unstable(trainer, times):
    """Make the loss infinite in the second epoch, so many times."""
    learn, left = trainer.learner.learn, [times]

    def failing(*given):
        if trainer.epoch == 1 and left[0]:
            left[0] -= 1
            raise NotFinite("the loss was inf")
        return learn(*given)

    trainer.learner.learn = failing


def test_a_loss_that_is_no_number_brings_the_last_checkpoint_back_with_half_the_rate(tmp_path):
    trainer, said = a_trainer(epochs=3), []
    unstable(trainer, 2)
    job = Job.open(None, {})
    job.listeners.append(said.append)
    history = trainer.fit(cases(), cases(1), tmp_path, job)
    assert [row["rate"] for row in history] == [0.01, 0.0025, 0.0025]
    notices = [event["text"] for event in said if event["event"] == "notice"]
    assert "0.5 of the learning rate" in notices[0]
    assert "0.25 of the learning rate" in notices[1]
    assert checkpoint.load(tmp_path / checkpoint.LAST)["setbacks"] == 2


def test_a_training_that_does_not_hold_ends_with_an_error_that_says_what_to_do(tmp_path):
    trainer = a_trainer(epochs=3)
    unstable(trainer, 4)
    with pytest.raises(MedSegEffNetError, match="does not hold") as caught:
        trainer.fit(cases(), cases(1), tmp_path, Job.open(None, {}))
    assert "learning_rate" in caught.value.hint


def test_a_loss_that_is_no_number_in_the_first_epoch_starts_anew(tmp_path):
    trainer, plain = a_trainer(epochs=1), a_trainer(epochs=1, learning_rate=0.005)
    learn, failed = trainer.learner.learn, []

    def failing_once(*given):
        if len(failed) == 1:
            failed.append(True)
            raise NotFinite("the loss was nan")
        failed.append(True)
        return learn(*given)

    trainer.learner.learn = failing_once
    found = [
        one.fit(cases(), cases(1), tmp_path / str(n), Job.open(None, {})) for n, one in enumerate((trainer, plain))
    ]
    assert found[0][0]["train_loss"] == found[1][0]["train_loss"]


def test_the_time_left_is_that_of_the_epochs_and_networks_to_come(tmp_path):
    trainer, said = a_trainer(epochs=10), []
    trainer.following = 2
    job = Job.open(None, {})
    job.listeners.append(said.append)
    trainer._finish_epoch({"train_loss": 1.0, "val_loss": 1.0, "val_dice": 0.5, "seconds": 2.0}, tmp_path, job)
    assert said[0]["seconds_left"] == 2.0 * (9 + 20)
    trainer._finish_epoch({"train_loss": 1.0, "val_loss": 1.0, "val_dice": 0.5, "seconds": 4.0}, tmp_path, job)
    assert said[2]["seconds_left"] == 3.0 * (8 + 20)


def test_the_strength_multiplies_the_changes_of_the_images():
    recipe = Recipe(augmentation={"noise": 0.1, "zoom": 0.4, "flip_left_right": 0.5, "blur": 0.1, "shift": 0.1})
    assert recipe.changes == recipe.augmentation
    assert recipe.replaced(augmentation_strength=3.0).changes == pytest.approx(
        {"noise": 0.3, "zoom": 0.9, "flip_left_right": 0.5, "blur": 0.3, "shift": 0.3}
    )
    assert set(recipe.replaced(augmentation_strength=0.0).changes.values()) == {0.0}
    cut_out = recipe.replaced(augmentation_strength=0.0, patch_size=(16, 16))
    assert 0 < cut_out.changes["shift"] < 1e-3
