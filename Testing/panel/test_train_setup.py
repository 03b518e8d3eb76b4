"""What is trained: cases, where it starts from, settings, and the words of the command."""

from __future__ import annotations

import pytest

import training_jobs
from training_jobs import PATIENCE, make_set

runs_base, fake_jobs, trainer = training_jobs.runs_base, training_jobs.fake_jobs, training_jobs.trainer

TASK = "tumor-slices"


@pytest.fixture
def settings(slicer_app):
    """The settings of a training from scratch."""
    from MedSegEffNetLib.task import get_segmentation_task
    from MedSegEffNetPanel.training.request import RecipeSettings

    settings = RecipeSettings()
    settings.begin(get_segmentation_task(TASK), "efficientnet_unet_2d", None)
    return settings


@pytest.fixture
def shipped(slicer_app):
    """The shipped model of the task."""
    from MedSegEffNetLib.models.registry import find

    return find(TASK)


def begin_with(settings, bundle):
    from MedSegEffNetLib.task import get_segmentation_task

    settings.begin(get_segmentation_task(TASK), "unet_2d", bundle)


def test_from_scratch_the_task_s_recipe_is_usual_and_nothing_is_said_of_it(settings):
    assert settings.text("epochs") == "40"
    assert settings.text("augmentation.zoom") != "0"
    assert settings.text("network.variant") == "lite0"
    assert settings.words() == ()


def test_going_on_with_a_model_is_gentler(settings, shipped):
    begin_with(settings, shipped)
    entry = shipped.info["networks"][0]
    words = dict(word.split("=") for word in settings.words())
    assert set(words) == {"epochs", "learning_rate"}
    assert int(words["epochs"]) == 20
    assert float(words["learning_rate"]) == pytest.approx(settings._base.learning_rate / 10)
    assert settings.usual.context == entry["context"]
    assert not {"context", "network.variant"} & set(settings.names)  # they are the model's
    assert settings.changes == {}


def test_the_recipe_to_go_on_is_that_of_the_model_s_network(settings, shipped):
    begin_with(settings, shipped)
    assert settings.text("patch_size") == "[192,192]"


def test_the_words_are_those_that_the_library_resolves_to_the_same_recipe(settings, shipped):
    pytest.importorskip("torch")
    from pathlib import Path

    from MedSegEffNetLib.training.run import resolve

    for bundle in (None, shipped):
        if bundle is not None:
            begin_with(settings, bundle)
        settings.set("augmentation.zoom", "0.05")
        settings.set("patch_size", "64 x 96")
        texts = dict(word.split("=", 1) for word in settings.words())
        parent = None if bundle is None else f"{bundle.name}@{bundle.version}"
        network = "efficientnet_unet_2d" if bundle is None else None
        resolved = resolve(TASK, Path(), network=network, parent=parent, settings=texts)
        assert resolved.recipe == settings.recipe()


def test_a_change_is_kept_and_marked_until_it_is_usual_again(settings):
    settings.set("epochs", "7")
    settings.set("optimizer", "sgd")
    assert settings.words() == ("epochs=7", "optimizer=sgd")
    settings.set("epochs", "40")
    assert settings.changes == {"optimizer": "sgd"}
    settings.reset("optimizer")
    assert settings.words() == ()


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("epochs", "0", "epochs is 0"),
        ("epochs", "many", "epochs is 'many'"),
        ("optimizer", "lion", "not one of adam"),
        ("patch_size", "big", "patch_size has 1 numbers"),
        ("augmentation.zoom", "7", "augmentation.zoom is 7"),
    ],
)
def test_what_does_not_fit_is_told(settings, name, text, problem):
    from MedSegEffNetLib.errors import InputError

    settings.set(name, text)
    assert problem in settings.problem(name)
    assert problem in settings.problems[0]
    with pytest.raises(InputError):
        settings.words()


def test_settings_that_only_together_do_not_fit_are_told(settings):
    settings.set("validation_fraction", "0.6")
    settings.set("test_fraction", "0.5")
    assert settings.problem("test_fraction") == ""
    assert "leave nothing to train on" in settings.problems[0]


@pytest.mark.parametrize(
    ("typed", "read"), [("192", "[192,192]"), ("64 × 96", "[64,96]"), ("", "[]"), ("[32, 48]", "[32,48]")]
)
def test_a_patch_is_typed_in_many_ways(settings, typed, read):
    settings.set("patch_size", typed)
    assert settings.text("patch_size") == read
    assert settings.problems == []


def test_a_run_is_resumed_with_the_request_that_it_was_begun_with(settings):
    from MedSegEffNetLib.training.config import Recipe
    from MedSegEffNetPanel.training.request import words_of

    recipe = settings.recipe().replaced(epochs=3, patch_size=(64, 96), also_monitor=("loss",))
    request = {"task": TASK, "data": "/a", "snapshot": "12ab", "parent": None, "network": "unet_2d"}
    words = words_of({**request, "recipe": recipe.as_mapping()})
    assert words[:8] == ["train", TASK, "--data", "/a", "--snapshot", "12ab", "--network", "unet_2d"]
    texts = dict(word.split("=", 1) for word in words[words.index("--set") + 1 :])
    assert Recipe().with_texts(texts) == recipe


def test_the_variants_are_those_of_the_library():
    pytest.importorskip("torch")
    from MedSegEffNetLib.networks._efficientnet import VARIANTS
    from MedSegEffNetPanel.training import request

    assert set(VARIANTS) == set(request.VARIANTS)


def test_every_setting_is_explained(settings):
    from MedSegEffNetPanel.training.texts import setting_tip

    for name in settings.names:
        assert len(setting_tip(name, "")) > 15, name


def test_without_a_data_set_the_section_says_what_to_do(fake_jobs, panel):
    panel.show("train")
    section = panel.section("train")
    assert "No data set is open" in section.ui.trainSummary.text
    assert not section.ui.setupBox.isVisibleTo(section.widget)
    assert "Open a data set" in section.ui.startButton.toolTip
    assert not section.ui.startButton.enabled


def test_a_data_set_without_accepted_cases_cannot_be_learnt(fake_jobs, panel, tmp_path, wait_until):
    section = panel.section("train")
    panel.curation.open(make_set(tmp_path / "empty", accepted=0).folder)
    assert wait_until(lambda: "No case is accepted" in section.ui.startButton.toolTip, PATIENCE)
    assert "no accepted case" in section.ui.snapshotBox.itemText(0)


def test_without_the_packages_for_training_nothing_starts(trainer, panel, monkeypatch):
    monkeypatch.setattr(panel.environment, "engines", lambda: {"openvino"})
    panel.environment.changed.emit()
    for button in (trainer.ui.checkTrainButton, trainer.ui.tryButton, trainer.ui.startButton):
        assert not button.enabled
        assert "size Training" in button.toolTip
    assert "Open Environment" in trainer.ui.settingsMessage.text
    trainer.ui.settingsMessage.linkActivated("environment")
    assert not panel._bars[type(panel.section("environment"))].collapsed


def test_a_training_on_another_machine_needs_no_packages_here(trainer, panel, monkeypatch):
    monkeypatch.setattr(panel.environment, "engines", lambda: set())
    monkeypatch.setattr(panel.environment, "place", lambda arguments: object())
    panel.environment.changed.emit()
    assert trainer.ui.startButton.enabled


def test_without_a_name_no_snapshot_is_made(trainer, panel, monkeypatch):
    monkeypatch.setattr(type(panel.curation), "author", "")
    trainer.refresh()
    assert "Enter your name" in trainer.ui.startButton.toolTip
    assert trainer.ui.checkTrainButton.enabled


def test_the_section_follows_the_open_data_set(trainer):
    ui = trainer.ui
    assert "Gliomas" in ui.trainSummary.text
    assert "3 cases accepted" in ui.trainSummary.text
    assert ui.snapshotBox.itemText(0) == "new snapshot: 3 cases"
    assert trainer.setup_view.parent.name == "tumor-slices-efficientnet"
    assert not ui.networkBox.isVisibleTo(ui.setupBox)
    assert (ui.epochsBox.value, ui.trainedBox.currentData) == (20, "all")
    request = trainer.setup_view.request()
    assert (request.task, request.snapshot, request.network) == (TASK, "", "")
    assert request.parent.startswith("tumor-slices-efficientnet@")


def test_from_scratch_network_and_variant_are_chosen(trainer):
    ui = trainer.ui
    ui.parentBox.setCurrentIndex(0)
    assert ui.networkBox.isVisibleTo(ui.setupBox)
    assert not ui.trainedBox.isVisibleTo(ui.setupBox)
    assert ui.epochsBox.value == 40
    ui.variantBox.setCurrentIndex(ui.variantBox.findData("b2"))
    ui.epochsBox.value = 5
    request = trainer.setup_view.request()
    assert (request.parent, request.network) == ("", "efficientnet_unet_2d")
    assert request.settings == ("epochs=5", "network.variant=b2")
    ui.networkBox.setCurrentIndex(ui.networkBox.findData("unet_2d"))
    assert not ui.variantBox.isVisibleTo(ui.setupBox)
    assert trainer.setup_view.request().settings == ("epochs=5",)


def test_the_decoder_alone_is_learnt_only_from_a_model(trainer):
    ui = trainer.ui
    ui.trainedBox.setCurrentIndex(1)
    assert "trained=decoder" in trainer.setup_view.request().settings
    ui.parentBox.setCurrentIndex(0)
    assert trainer.setup_view.request().settings == ()


def row_of(table, name):
    rows = [row for row in range(table.rowCount) if table.item(row, 0).text().split()[-1] == name]
    assert len(rows) == 1
    return rows[0]


def test_every_setting_stands_in_the_table_and_changes_are_marked_and_reset(trainer):
    ui, table = trainer.ui, trainer.ui.recipeTable
    ui.advancedBox.collapsed = False
    assert table.rowCount == len(trainer.setup_view.settings.names) > 35
    row = row_of(table, "weight_decay")
    table.item(row, 1).setText("0.5")
    assert table.item(row, 0).text() == "● weight_decay"
    assert table.item(row, 0).font().bold()
    assert "Usual: 0.01" in table.item(row, 0).toolTip()
    assert "weight_decay=0.5" in trainer.setup_view.request().settings
    ui.epochsBox.value = 9
    assert table.item(row_of(table, "epochs"), 1).text() == "9"
    assert ui.changedLabel.text == "2 changed"
    table.cellWidget(row_of(table, "schedule"), 1).setCurrentText("constant")
    assert "schedule=constant" in trainer.setup_view.request().settings
    table.setCurrentCell(row, 1)
    ui.resetOneButton.click()
    assert table.item(row, 0).text() == "weight_decay"
    assert ui.epochsBox.value == 9
    ui.resetButton.click()
    assert ui.epochsBox.value == 20
    assert ui.changedLabel.text == ""


def test_a_setting_that_does_not_fit_is_red_and_nothing_starts(trainer):
    ui, table = trainer.ui, trainer.ui.recipeTable
    ui.advancedBox.collapsed = False
    row = row_of(table, "epochs")
    table.item(row, 1).setText("none")
    assert table.item(row, 0).text() == "✖ epochs"
    assert "Setting epochs is" in ui.settingsMessage.text
    assert "Setting epochs is 'none'" in ui.startButton.toolTip
    ui.patchEdit.text = "64 ×"
    assert ui.patchEdit.text == "64 ×"  # what is being typed stays
    ui.epochsBox.value = 4
    assert not ui.settingsMessage.isVisibleTo(ui.setupBox)
    assert ui.startButton.enabled


def test_changing_settings_never_holds_the_window_up(trainer, window_lives):
    ui = trainer.ui
    ui.advancedBox.collapsed = False
    window_lives(lambda: setattr(ui.epochsBox, "value", ui.epochsBox.value + 1))
    window_lives(lambda: ui.parentBox.setCurrentIndex(1 - ui.parentBox.currentIndex))


def test_an_existing_snapshot_can_be_learnt(trainer, wait_until):
    from MedSegEffNetLib.dataset.snapshots import take_snapshot

    taken = take_snapshot(trainer.panel.curation.dataset, "Ann Lee", "first")
    trainer.enter()
    box = trainer.ui.snapshotBox
    assert wait_until(lambda: box.count == 2, PATIENCE)
    assert box.itemText(1).startswith(f"{taken.id}: 3 cases")
    box.setCurrentIndex(1)
    assert trainer.setup_view.request().snapshot == taken.id


def test_the_section_fits_into_a_narrow_panel(trainer):
    ui = trainer.ui
    for box in (ui.advancedBox, ui.runsBox, ui.preflightBox):
        box.collapsed = False
    assert trainer.widget.minimumSizeHint.width() <= 350
