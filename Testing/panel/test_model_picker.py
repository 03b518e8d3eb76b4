"""The list of models in the section Segment: search, choice, wishes of the scene, texts that are not trusted."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest


def entry(name, **more):
    from MedSegEffNetPanel.model_list import ModelEntry

    return ModelEntry(
        name=name, folder=None, where="user", version="1.0.0", task_title="Task", licence="CC BY: free",
        description=f"about {name}", labels=("tumor",), words=name, **more,
    )  # fmt: skip


@pytest.fixture
def installed(monkeypatch):
    """The models that are installed; the tests change the list."""
    from MedSegEffNetPanel import model_list

    models = [entry("alpha"), entry("beta"), entry("gamma")]
    monkeypatch.setattr(model_list, "entries", lambda: list(models))
    return models


@pytest.fixture
def picker(slicer_app, installed):
    """A picker in a window of its own, and what it emitted."""
    import slicer

    from MedSegEffNetPanel.segmenting.model_picker import ModelPicker

    ui = slicer.util.childWidgetVariables(window())
    picker = ModelPicker(ui)
    picker.ui, picker.emitted = ui, []
    picker.chosen.connect(lambda chosen: picker.emitted.append(chosen and chosen.name))
    return picker


def window():
    import qt

    box = qt.QWidget()
    layout = qt.QVBoxLayout(box)
    for kind, name in ((qt.QLineEdit, "modelSearch"), (qt.QListWidget, "modelList"), (qt.QLabel, "modelSummary")):
        widget = kind()
        widget.objectName = name
        layout.addWidget(widget)
    window.kept = box
    return box


def test_the_first_model_is_chosen_where_nothing_is_wanted(picker):
    picker.show("")
    assert picker.entry.name == "alpha"
    assert picker.emitted == ["alpha"]


def test_the_usual_model_is_chosen_where_the_scene_wants_none(picker):
    picker.show("", "gamma@1.0.0")
    assert picker.entry.name == "gamma"
    assert picker.ui.modelList.currentRow == 2


def test_a_search_does_not_change_the_choice(picker):
    picker.show("beta@1.0.0")
    picker.ui.modelSearch.text = "gamma"
    assert (picker.ui.modelList.count, picker.ui.modelList.currentRow) == (1, -1)
    assert picker.entry.name == "beta"
    assert "about beta" in picker.ui.modelSummary.text
    picker.ui.modelSearch.text = "no such"
    assert picker.entry.name == "beta"
    picker.ui.modelSearch.text = ""
    assert picker.ui.modelList.currentRow == 1
    assert picker.emitted == ["beta"]


def test_a_found_model_is_chosen_with_a_click(picker):
    picker.show("beta@1.0.0")
    picker.ui.modelSearch.text = "gamma"
    picker.ui.modelList.setCurrentRow(0)
    assert picker.entry.name == "gamma"
    assert picker.emitted == ["beta", "gamma"]


def test_a_model_of_the_scene_that_is_not_installed_stays_a_wish(picker, installed):
    picker.show("delta@1.0.0", "beta@1.0.0")
    assert picker.entry is None
    assert "The model delta@1.0.0 of this scene is not installed" in picker.ui.modelSummary.text
    assert picker.ui.modelList.currentRow == -1
    installed.append(entry("delta"))
    picker.show("delta@1.0.0")
    assert picker.entry.name == "delta"


def test_another_model_can_be_chosen_in_its_place(picker):
    picker.show("delta@1.0.0")
    picker.ui.modelList.setCurrentRow(0)
    assert picker.entry.name == "alpha"
    assert "about alpha" in picker.ui.modelSummary.text


def test_a_chosen_model_that_is_removed_is_told(picker, installed):
    picker.show("beta@1.0.0")
    del installed[1]
    picker.show("beta@1.0.0")
    assert picker.entry is None
    assert picker.emitted == ["beta", None]


def test_texts_of_a_model_are_not_taken_for_html(slicer_app):
    from MedSegEffNetPanel.segmenting.model_picker import summary

    bad = '<img src="https://example.org/x.png">'
    text = summary(replace(entry("evil"), description=bad, labels=(bad,), caution=bad, licence=bad, time_text=bad))
    assert "<img" not in text
    assert text.count("&lt;img") == 5


def test_what_everybody_must_have_read_of_a_model_stands_below_its_description(slicer_app):
    from MedSegEffNetPanel.segmenting.model_picker import summary

    text = summary(replace(entry("careful"), description="Finds things.", caution="Seen by nobody."))
    assert text.startswith("Finds things.<br><b>Seen by nobody.</b>")
    assert "<b></b>" not in summary(entry("plain"))


@pytest.mark.parametrize(("number", "rows"), [(1, 2), (3, 3), (9, 5)])
def test_the_list_is_as_high_as_its_rows(picker, installed, number, rows):
    installed[:] = [entry(f"model{index}") for index in range(number)]
    picker.show("")
    assert picker.ui.modelList.maximumHeight == rows * picker._height + 2 * picker.ui.modelList.frameWidth


def test_a_long_name_is_elided_and_whole_in_the_tooltip(picker, installed, slicer_app):
    installed[:] = [entry("a-very-long-name-" * 20)]
    picker.show("")
    box = window.kept
    box.resize(320, 300)
    box.show()
    slicer_app.processEvents()
    shown = picker.ui.modelList
    assert shown.visualItemRect(shown.item(0)).width() <= shown.viewport().width
    assert "a-very-long-name-a-very" in shown.item(0).toolTip()


def test_each_list_shows_the_models_of_its_kind(picker, installed):
    from MedSegEffNetPanel.segmenting.model_picker import ModelPicker

    installed.append(replace(entry("maker"), kind="synthesis", bundle=SimpleNamespace(channels=(), targets=())))
    picker.show("")
    assert [one.name for one in picker.usable] == ["alpha", "beta", "gamma"]
    assert [one.name for one in picker.others] == ["maker"]
    makers = ModelPicker(picker.ui, "synthesis")
    makers.show("")
    assert [one.name for one in makers.usable] == ["maker"]
    assert "Makes: " in picker.ui.modelSummary.text
    installed.pop()
    makers.show("")
    assert makers.entry is None
    assert "No model that makes images" in picker.ui.modelSummary.text
