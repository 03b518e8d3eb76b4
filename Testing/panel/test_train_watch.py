"""The chosen training as it goes on: curves, pictures, figures, log."""

import shutil

import numpy as np
import pytest

import training_jobs
from training_runs import add_previews, epoch, make_long_run, make_run


@pytest.fixture
def section(panel, slicer_app, tmp_path, monkeypatch):
    """The section Train, open; its runs are those of the test alone."""
    from MedSegEffNetLib.resources import DATA_VARIABLE

    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path / "own"))
    panel._bars[type(panel.section("segment"))].collapsed = True
    panel.show("train")
    slicer_app.processEvents()
    return panel.section("train")


@pytest.fixture
def watch(section, wait_until):
    """``watch(folder)`` chooses a run and waits until it is shown."""

    def watch(folder):
        section.watch.show(folder)
        assert wait_until(lambda: not section.watch.busy, 30)
        return section.ui

    return watch


@pytest.fixture
def look(section, wait_until):
    """Look for what is new, and wait until it is shown."""

    def look():
        section.watch._look()
        assert wait_until(lambda: not section.watch.busy, 30)

    return look


def kinds(scene):
    """How many tables, charts and series the scene has."""
    return [scene.GetNumberOfNodesByClass(f"vtkMRML{kind}Node") for kind in ("Table", "PlotChart", "PlotSeries")]


def plots(slicer_app):
    manager = slicer_app.layoutManager()
    return [manager.plotWidget(place).plotView() for place in range(manager.plotViewCount)]


runs_base, fake_jobs, trainer = training_jobs.runs_base, training_jobs.fake_jobs, training_jobs.trainer

# what is told


def test_how_far_a_training_is_and_how_good(watch, look, tmp_path):
    job = make_run(tmp_path / "run", 12, end=False)
    job.notice("Memory ran out: smaller patches from now on.")
    ui = watch(tmp_path / "run")
    assert "Epoch 12 of at most 60 (about 48 min left)" in ui.watchText.text
    assert "Best mean Dice 0.668, in epoch 12" in ui.watchText.text
    assert "Learning rate 0.0003, 12.0 s an epoch" in ui.watchText.text
    assert ui.watchNotices.text == "⚠ Memory ran out: smaller patches from now on."
    assert "Epoch 12: training loss" in ui.watchLog.plainText
    job.emit("epoch", **epoch(13))
    look()
    assert "Epoch 13 of" in ui.watchText.text
    assert ui.watchLog.plainText.count("Epoch 13") == 1
    job.progress("Preparing", 3, 9)
    look()
    assert ui.watchText.text.startswith("Preparing")
    job.__exit__(None, None, None)
    look()
    assert ui.watchText.text.startswith("Finished.")


def test_a_training_that_has_told_nothing_says_so(watch, tmp_path):
    ui = watch(tmp_path / "none")
    assert ui.watchText.text == "Nothing has been told yet."
    assert not ui.curvesButton.enabled
    assert "No epoch is complete" in ui.curvesButton.toolTip
    assert not ui.boardButton.enabled


def test_a_training_whose_process_is_gone_says_how_it_goes_on(watch, look, tmp_path):
    make_run(tmp_path / "run", 2, end=False)
    ui = watch(tmp_path / "run")
    (tmp_path / "run" / "lock.json").unlink()
    look()
    assert ui.watchText.text.startswith("Its process has ended without a last word.")
    assert "left" not in ui.watchText.text


def test_nothing_is_shown_without_a_run(section, watch, tmp_path):
    make_run(tmp_path / "run", 2)
    watch(tmp_path / "run")
    assert section.ui.watchBox.isVisibleTo(section.widget)
    section.watch.show(None)
    assert not section.ui.watchBox.isVisibleTo(section.widget)


def test_a_folder_that_was_made_again_is_read_from_its_begin(watch, look, tmp_path):
    make_run(tmp_path / "run", 9)
    ui = watch(tmp_path / "run")
    shutil.rmtree(tmp_path / "run")
    make_run(tmp_path / "run", 2)
    look()
    assert "Epoch 2 of" in ui.watchText.text


# curves


def test_curves_are_shown_in_plot_views_and_follow_in_place(watch, look, tmp_path, scene, slicer_app):
    job = make_run(tmp_path / "run", 3, end=False)
    ui = watch(tmp_path / "run")
    assert kinds(scene) == [0, 0, 0]  # nobody has asked for them
    before = slicer_app.layoutManager().layout
    ui.curvesButton.click()
    loss, dice = plots(slicer_app)
    assert set(loss.lines()) == {"training", "validation"}
    assert set(dice.lines()) == {"TC", "WT", "mean"}
    assert kinds(scene) == [1, 2, 5]
    assert ui.curvesButton.text == "Back to the views before"
    for number in range(4, 20):
        job.emit("epoch", **epoch(number))
        look()
    assert kinds(scene) == [1, 2, 5]
    np.testing.assert_allclose(loss.lines()["training"], [[n, 0.9**n] for n in range(1, 20)])
    ui.curvesButton.click()
    assert slicer_app.layoutManager().layout == before
    assert kinds(scene) == [0, 0, 0]
    job.__exit__(None, None, None)


def test_another_run_takes_the_same_charts(watch, tmp_path, scene, slicer_app):
    make_run(tmp_path / "one", 3)
    make_run(tmp_path / "two", 8)
    watch(tmp_path / "one").curvesButton.click()
    charts = [view.node.GetPlotChartNodeID() for view in plots(slicer_app)]
    watch(tmp_path / "two")
    assert [view.node.GetPlotChartNodeID() for view in plots(slicer_app)] == charts
    assert plots(slicer_app)[0].lines()["training"].shape == (8, 2)
    assert kinds(scene) == [1, 2, 5]


def test_curves_go_when_no_run_is_chosen_or_the_scene_closes(section, watch, tmp_path, scene, slicer_app):
    make_run(tmp_path / "run", 3)
    before = slicer_app.layoutManager().layout
    watch(tmp_path / "run").curvesButton.click()
    section.watch.show(None)
    assert kinds(scene) == [0, 0, 0]
    assert slicer_app.layoutManager().layout == before
    watch(tmp_path / "run").curvesButton.click()
    section.panel.scene_closing()
    scene.Clear(0)
    section.panel.scene_closed()
    assert slicer_app.layoutManager().layout == before
    assert not section.ui.curvesButton.checked


def test_another_layout_of_the_user_ends_the_curves(watch, look, tmp_path, scene, slicer_app):
    import slicer

    make_run(tmp_path / "run", 3)
    ui = watch(tmp_path / "run")
    ui.curvesButton.click()
    slicer_app.layoutManager().setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView)
    look()
    assert not ui.curvesButton.checked
    assert slicer_app.layoutManager().layout == slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView
    slicer_app.layoutManager().setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)


def test_curves_follow_beside_another_module(watch, tmp_path, section, slicer_app):
    make_run(tmp_path / "run", 3)
    ui = watch(tmp_path / "run")
    section.panel.leave()
    assert not section.watch._timer.active
    section.panel.enter()
    watch(tmp_path / "run")
    ui.curvesButton.click()
    section.panel.leave()
    assert section.watch._timer.active
    ui.curvesButton.click()


def test_epochs_that_were_done_again_take_the_place_of_those_before(tmp_path):
    from MedSegEffNetPanel.training.curves import History

    history = History()
    for number in (1, 2, 3, 4):
        history.take(epoch(number))
    history.take(epoch(3, train_loss=9.0))
    assert history.epochs.tolist() == [1, 2, 3]
    assert history.column("train_loss")[2] == 9.0
    history.take(epoch(4, val_loss=None, val_dice_ET=0.5))
    assert np.isnan(history.column("val_loss")[3])
    assert np.isnan(history.column("val_dice_ET")[:3]).all()
    assert history.column("val_dice_ET")[3] == 0.5


def test_of_a_long_training_first_best_and_last_epoch_are_drawn(tmp_path):
    from MedSegEffNetPanel.training.curves import POINTS, History

    history = History()
    for number in range(1, 5001):
        history.take(epoch(number, best_epoch=1235 if number > 1235 else number))
    x, lines = history.lines()
    assert len(x) <= POINTS + 1
    assert {1.0, 1235.0, 5000.0} <= set(x.tolist())
    assert history.best[0] == 1235
    assert all(len(line.values) == len(x) for line in lines)


def test_one_region_needs_no_mean(tmp_path):
    from MedSegEffNetPanel.training.curves import History

    history = History()
    history.take({"epoch": 1, "val_dice": 0.5, "val_dice_tumor": 0.5, "train_loss": 1.0, "val_loss": None})
    assert [line.title for line in history.lines()[1]] == ["training", "tumor"]


def test_networks_that_are_trained_one_after_the_other_have_curves_of_their_own(watch, look, tmp_path):
    job = make_run(tmp_path / "run", 0, end=False)
    job.emit("epoch", **epoch(1), network="t1")
    job.emit("epoch", **epoch(2), network="t1")
    ui = watch(tmp_path / "run")
    assert not ui.watchNetwork.isVisibleTo(ui.watchBox)
    job.emit("epoch", **epoch(1), network="flair")
    look()
    assert ui.watchNetwork.isVisibleTo(ui.watchBox)
    assert ui.watchNetwork.currentText == "flair"
    assert "Epoch 1 of" in ui.watchText.text
    ui.watchNetwork.setCurrentIndex(0)
    assert "Epoch 2 of" in ui.watchText.text
    job.__exit__(None, None, None)


# pictures


def test_pictures_are_gone_through_and_follow_the_newest(watch, look, tmp_path):
    job = make_run(tmp_path / "run", 1, end=False)
    ui = watch(tmp_path / "run")
    assert not ui.previewFrame.isVisibleTo(ui.watchBox)
    add_previews(job, "p1", 1, 2, 3)
    add_previews(job, "p2", 1, 2)
    look()
    assert ui.previewFrame.isVisibleTo(ui.watchBox)
    assert [ui.previewCase.itemText(place) for place in range(2)] == ["p1", "p2"]
    assert ui.previewText.text == "p1, epoch 3: Dice 0.271"
    add_previews(job, "p1", 4)
    look()
    assert "epoch 4" in ui.previewText.text  # it follows
    ui.previewSlider.value = 1
    add_previews(job, "p1", 5)
    look()
    assert "epoch 2" in ui.previewText.text  # until it is moved back
    ui.previewCase.setCurrentIndex(1)
    assert ui.previewText.text.startswith("p2, epoch 2")
    job.__exit__(None, None, None)


def test_a_picture_is_as_wide_as_the_panel(watch, tmp_path, window, slicer_app):
    job = make_run(tmp_path / "run", 1, end=False)
    add_previews(job, "p1", 7)
    ui = watch(tmp_path / "run")
    slicer_app.processEvents()
    for width in (480, 380):
        window.resize(width, 900)
        slicer_app.processEvents()
        shown = ui.previewPicture.pixmap
        assert shown.width() == ui.previewPicture.width
        assert ui.previewPicture.height == shown.height() > 50
    assert shown.toImage().pixelColor(5, 5).red() == 140
    job.__exit__(None, None, None)


def test_a_picture_that_is_not_there_is_told(watch, tmp_path):
    job = make_run(tmp_path / "run", 1, end=False)
    job.emit("preview", epoch=2, case="p1", path="previews/p1/2.png")
    assert watch(tmp_path / "run").previewText.text == "p1, epoch 2 (the picture is not there)"
    job.__exit__(None, None, None)


# pages


def test_the_page_of_a_run_is_made_and_opened(watch, tmp_path, wait_until, monkeypatch):
    import qt

    opened = []
    monkeypatch.setattr(qt.QDesktopServices, "openUrl", lambda url: opened.append(url.toLocalFile()))
    make_run(tmp_path / "run", 3)
    (tmp_path / "run" / "tensorboard").mkdir()
    ui = watch(tmp_path / "run")
    ui.pageButton.click()
    assert not ui.pageButton.enabled
    assert wait_until(lambda: opened, 60), ui.runMessage.text
    assert opened == [str(tmp_path / "run" / "training.html")]
    assert wait_until(lambda: ui.pageButton.enabled, 10)
    ui.boardButton.click()
    assert opened[1] == str(tmp_path / "run" / "tensorboard")
    assert "tensorboard --logdir" in ui.boardButton.toolTip


# with the runs of the section


def test_a_training_that_was_started_is_followed_by_itself_and_its_result_opens(trainer, wait_until, slicer_app):
    ui = trainer.ui
    ui.epochsBox.value = 4
    ui.resultBox.collapsed = True
    assert wait_until(lambda: ui.startButton.enabled, training_jobs.PATIENCE), ui.startButton.toolTip
    ui.startButton.click()
    assert wait_until(lambda: ui.curvesButton.enabled, training_jobs.PATIENCE), ui.watchText.text
    ui.curvesButton.click()
    assert wait_until(lambda: "Finished." in ui.watchText.text, training_jobs.PATIENCE), ui.watchText.text
    assert "Epoch 4 of at most 4" in ui.watchText.text
    assert plots(slicer_app)[1].lines()["tumor"].shape == (4, 2)
    assert wait_until(lambda: not ui.resultBox.collapsed, 10)
    ui.curvesButton.click()


# time


def test_ten_thousand_epochs_do_not_hold_the_window_up(section, watch, tmp_path, window_lives, slicer_app, look):
    make_long_run(tmp_path / "run", 10_000)

    def act():
        watch(tmp_path / "run")
        if not section.ui.curvesButton.checked:
            section.ui.curvesButton.click()
        watch(None)
        watch(tmp_path / "run")

    window_lives(act)
    assert "Epoch 10000 of" in section.ui.watchText.text
    section.ui.curvesButton.checked = False
