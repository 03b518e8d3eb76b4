"""Trainings that are started, stopped, killed, resumed, found again and removed; real processes, quick ones."""

from __future__ import annotations

import os
import signal

import pytest

import training_jobs
from training_jobs import PATIENCE, ready

runs_base, fake_jobs, trainer = training_jobs.runs_base, training_jobs.fake_jobs, training_jobs.trainer


@pytest.fixture
def start(trainer, wait_until):
    """A function that starts a training of so many epochs and gives its folder."""

    def start(epochs=3):
        trainer.ui.epochsBox.value = epochs
        before = set(trainer.runs._shown)
        assert wait_until(lambda: trainer.ui.startButton.enabled, PATIENCE), trainer.ui.startButton.toolTip
        trainer.ui.startButton.click()
        assert wait_until(lambda: set(trainer.runs._shown) > before, PATIENCE), trainer.ui.preflightText.text
        return trainer.runs.selected

    return start


@pytest.fixture
def becomes(trainer, wait_until):
    """``becomes(folder, state)`` waits for it, and for the end of the process where it is an end."""

    def becomes(folder, state):
        alive = state in ("queued", "running", "stopping")

        def so():
            job = trainer.runs.job(folder)
            gone = job is None or not job.alive
            return trainer.runs.record(folder).state == state and (alive or gone)

        assert wait_until(so, PATIENCE), trainer.runs.record(folder)

    return becomes


def row(section, folder):
    table = section.ui.runTable
    return [table.item(section.runs._shown.index(folder), column).text() for column in range(table.columnCount)]


def epoch_of(section, folder):
    return section.runs.record(folder).epoch


def test_a_training_is_followed_to_its_end(trainer, start, becomes):
    told = []
    trainer.runs.chosen.connect(told.append)
    folder = start()
    assert told == [folder]
    becomes(folder, "finished")
    begun, *rest = row(trainer, folder)
    assert len(begun) == len("09-01 14:05")
    assert rest == ["finished", "3/3", "0.875", trainer.setup_view.parent.key]
    assert "Finished" in trainer.ui.runText.text
    for button in (trainer.ui.stopButton, trainer.ui.keepButton, trainer.ui.resumeButton):
        assert not button.enabled
    assert "It is finished" in trainer.ui.resumeButton.toolTip


def test_a_training_is_stopped_and_resumed(trainer, start, becomes, fake_jobs, wait_until):
    fake_jobs["pause"] = 0.2
    folder = start(epochs=8)
    assert wait_until(lambda: epoch_of(trainer, folder) >= 2, PATIENCE)
    assert not trainer.ui.resumeButton.enabled
    trainer.ui.stopButton.click()
    assert trainer.runs.record(folder).state == "stopping"
    becomes(folder, "stopped")
    before = epoch_of(trainer, folder)
    assert before < 8
    assert "Resume goes on" in trainer.ui.runText.text
    fake_jobs["pause"] = 0.01
    trainer.ui.resumeButton.click()
    becomes(folder, "finished")
    assert epoch_of(trainer, folder) == 8


def test_stop_at_once_reaches_a_process_that_is_only_starting(trainer, start, becomes, fake_jobs):
    fake_jobs["pause"] = 0.3
    folder = start(epochs=50)
    trainer.ui.stopButton.click()
    becomes(folder, "stopped")


def test_stop_and_keep_best_makes_a_model(trainer, start, becomes, fake_jobs, wait_until):
    fake_jobs["pause"] = 0.2
    folder = start(epochs=50)
    assert "No epoch is done yet" in trainer.ui.keepButton.toolTip
    assert wait_until(lambda: epoch_of(trainer, folder) >= 1, PATIENCE)
    assert trainer.ui.keepButton.text == "Stop and keep best"
    trainer.ui.keepButton.click()
    becomes(folder, "finished")
    assert (folder / "model").is_dir()
    assert epoch_of(trainer, folder) < 50


def test_the_best_of_a_stopped_training_is_kept_later(trainer, start, becomes, fake_jobs, wait_until):
    fake_jobs["pause"] = 0.2
    folder = start(epochs=50)
    assert wait_until(lambda: epoch_of(trainer, folder) >= 1, PATIENCE)
    trainer.ui.stopButton.click()
    becomes(folder, "stopped")
    assert trainer.ui.keepButton.text == "Keep best"
    trainer.ui.keepButton.click()
    becomes(folder, "finished")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no signals")
def test_a_killed_training_is_told_and_resumed(trainer, start, becomes, fake_jobs, wait_until):
    from MedSegEffNetLib.job import running_process

    fake_jobs["pause"] = 0.2
    folder = start(epochs=6)
    assert wait_until(lambda: epoch_of(trainer, folder) >= 2, PATIENCE)
    os.kill(running_process(folder), signal.SIGKILL)
    becomes(folder, "killed")
    assert "ended from outside" in trainer.ui.runText.text
    fake_jobs["pause"] = 0.01
    trainer.ui.resumeButton.click()
    becomes(folder, "finished")
    assert row(trainer, folder)[2] == "6/6"


def test_one_training_waits_for_the_other(trainer, start, becomes, fake_jobs):
    fake_jobs["pause"] = 0.2
    first, second = start(epochs=5), start(epochs=2)
    assert row(trainer, second)[1] == "waiting"
    assert "Waiting for" in trainer.ui.runText.text
    becomes(first, "finished")
    becomes(second, "finished")


def test_a_waiting_training_is_taken_out_and_removed(trainer, start, becomes, fake_jobs, wait_until):
    fake_jobs["pause"] = 0.2
    first, second = start(epochs=4), start()
    trainer.ui.stopButton.click()
    becomes(second, "stopped")
    assert "never begun" in trainer.ui.resumeButton.toolTip
    trainer.ui.removeRunButton.click()
    assert wait_until(lambda: not second.exists(), PATIENCE)
    becomes(first, "finished")


def reopen(panel, module, window):
    """Close Slicer and open it again."""
    import slicer

    from harness import application

    application.end_widget(module)
    window.setWidget(module.widgetRepresentation())
    slicer.util.selectModule("MedSegEffNet")
    return module.widgetRepresentation().self().panel


def test_a_running_training_is_found_again_after_a_restart(
    trainer, start, becomes, fake_jobs, wait_until, module, window, panel, monkeypatch, tmp_path
):
    fake_jobs["pause"] = 0.3
    folder = start(epochs=12)
    assert wait_until(lambda: epoch_of(trainer, folder) >= 1, PATIENCE)
    trainer.ui.stopButton.click()  # what a former start ended with is past
    becomes(folder, "stopped")
    trainer.ui.resumeButton.click()
    assert wait_until(lambda: epoch_of(trainer, folder) >= 3, PATIENCE)
    panel = reopen(panel, module, window)
    again = panel.section("train")
    training_jobs.fake_training(panel, monkeypatch)
    assert wait_until(lambda: again.runs.job(folder) is not None, PATIENCE)
    assert wait_until(lambda: epoch_of(again, folder) >= 4, PATIENCE)
    assert again.runs.record(folder).state == "running"
    assert again.runs.job(folder)._deadline is None  # nobody is about to end it
    again.runs.choose(folder)
    again.ui.stopButton.click()
    assert wait_until(lambda: again.runs.record(folder).state == "stopped", PATIENCE)
    assert wait_until(lambda: not again.runs.job(folder).alive, PATIENCE)
    assert again.ui.resumeButton.enabled, again.ui.resumeButton.toolTip


def test_trainings_that_have_ended_are_listed_after_a_restart(
    trainer, start, becomes, module, window, panel, wait_until, tmp_path
):
    folder = start()
    becomes(folder, "finished")
    panel = reopen(panel, module, window)
    again = panel.section("train")
    assert wait_until(lambda: again.runs.selected == folder, PATIENCE)
    assert row(again, folder)[1:4] == ["finished", "3/3", "0.875"]
    assert again.runs.job(folder) is None
    panel.curation.open(training_jobs.make_set(tmp_path / "other").folder)
    assert again.runs.selected is None  # of the open data set alone


def test_a_training_is_removed_after_a_question(trainer, start, becomes, dialogs, wait_until):
    folder = start()
    becomes(folder, "finished")
    dialogs.answers.append(False)
    trainer.ui.removeRunButton.click()
    assert folder.is_dir()
    trainer.ui.removeRunButton.click()
    assert "promoted stays" in dialogs.texts()[-1]
    assert wait_until(lambda: not folder.exists(), PATIENCE)
    assert trainer.ui.runTable.rowCount == 0
    assert trainer.ui.runText.text == "No training yet."
    trainer.enter()
    assert wait_until(lambda: ready(trainer), PATIENCE)
    assert trainer.runs.record(folder) is None


def test_a_run_s_folder_is_shown_and_its_report_copied(trainer, start, becomes, monkeypatch):
    import qt

    folder = start()
    becomes(folder, "finished")
    opened = []
    monkeypatch.setattr(qt.QDesktopServices, "openUrl", lambda url: opened.append(url.toLocalFile()))
    trainer.ui.runFolderButton.click()
    assert opened == [str(folder)]
    trainer.ui.runReportButton.click()
    assert folder.name in qt.QApplication.clipboard().text()


def test_a_whole_training_never_holds_the_window_up(trainer, start, becomes, window_lives):
    window_lives(lambda: becomes(start(epochs=5), "finished"))


def test_many_runs_are_read_while_the_window_lives(trainer, runs_base, window_lives, wait_until):
    from MedSegEffNetLib.job import Job

    data = str(trainer.panel.curation.dataset.folder.resolve())
    for number in range(30):
        with Job.open(runs_base / f"{number + 1:04d}-train", {"command": "train", "data": data, "recipe": {}}) as job:
            for epoch in range(200):
                job.emit("progress", stage="Training", done=epoch, total=200, seconds_left=None)
            job.emit("epoch", epoch=1, best_epoch=1, val_dice=0.5)

    def read():
        trainer.runs._records.clear()
        trainer.runs.read()
        assert wait_until(lambda: trainer.runs._reading.over, PATIENCE)

    window_lives(read)
    assert trainer.ui.runTable.rowCount == 30


def test_a_damaged_run_is_passed_over(trainer, runs_base, wait_until):
    folder = runs_base / "0099-train"
    folder.mkdir(parents=True)
    (folder / "job.json").write_text("{", encoding="utf-8")
    trainer.enter()
    assert wait_until(lambda: ready(trainer), PATIENCE)
    assert trainer.runs.record(folder) is None
