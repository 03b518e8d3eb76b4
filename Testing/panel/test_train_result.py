"""A finished training: its model compared, promoted, rolled back, and the cases predicted again."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from training_runs import figures, make_run, write_comparison

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 120
UNET = "tumor-slices-unet"
BETTER, WORSE = figures(0.80, 0.86), figures(0.80, 0.70)


@pytest.fixture
def section(panel, slicer_app, models, tmp_path, monkeypatch):
    """The section Train, open; models and runs are those of the test alone."""
    from MedSegEffNetLib.resources import DATA_VARIABLE

    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path / "own"))
    panel._bars[type(panel.section("segment"))].collapsed = True
    panel.show("train")
    panel.section("train").ui.resultBox.collapsed = False
    slicer_app.processEvents()
    return panel.section("train")


@pytest.fixture
def idle(section, wait_until):
    """Wait until commands have ended and files are read; gives what is said then."""

    def idle():
        assert wait_until(lambda: not section.result.busy, PATIENCE), section.ui.compareMessage.text
        return section.ui.compareMessage.text

    return idle


def make_model(run, threshold=0.45):
    """Give a run a model: the shipped one with another threshold."""
    shutil.copytree(ROOT / "Resources" / "Models" / UNET, run / "model")
    path = run / "model" / "configs" / "metadata.json"
    metadata = json.loads(path.read_text(encoding="utf-8"))
    info = metadata["medsegeffnet"]
    info["thresholds"] = [threshold] * len(info["thresholds"])
    info["provenance"] |= {"parent": f"{UNET}@1.0.0", "data": {"cases": {"train": ["a"], "val": ["b"]}}}
    path.write_text(json.dumps(metadata), encoding="utf-8")
    return weights_of(run)


def weights_of(run):
    from MedSegEffNetLib.models.bundle import Bundle
    from MedSegEffNetLib.models.comparisons import fingerprint

    return fingerprint(Bundle.open(run / "model"))


@pytest.fixture
def run(tmp_path, section, idle):
    """A finished run with a model, chosen."""
    make_run(tmp_path / "run", 2)
    make_model(tmp_path / "run")
    section.result.show(tmp_path / "run")
    idle()
    return tmp_path / "run"


@pytest.fixture
def compared(run, section, idle):
    """``compared(tumor=…)`` writes a comparison of the run's model and shows it."""

    def compared(**regions):
        write_comparison(run, weights_of(run), **regions)
        section.result.enter()
        idle()
        return section.ui

    return compared


def seen(widget, section):
    return widget.isVisibleTo(section.widget)


def rows(table):
    return [[table.item(row, column).text() for column in range(table.columnCount)] for row in range(table.rowCount)]


# before a comparison


def test_a_run_without_a_model_says_what_to_do(section, tmp_path, idle):
    make_run(tmp_path / "run", 2)
    section.result.show(tmp_path / "run")
    idle()
    ui = section.ui
    assert "no model yet" in ui.resultText.text
    assert not ui.compareButton.enabled
    assert "keep the best" in ui.compareButton.toolTip
    for part in (ui.promoteFrame, ui.comparisonFrame, ui.versionsFrame, ui.againFrame):
        assert not seen(part, section)


def test_without_a_comparison_nothing_is_promoted(run, section):
    ui = section.ui
    assert "Compare it on held-out cases" in ui.resultText.text
    assert ui.againstBox.itemText(0) == f"{UNET}@1.0.0 (its start)"
    assert any("efficientnet" in ui.againstBox.itemText(place) for place in range(ui.againstBox.count))
    assert ui.compareButton.enabled
    assert not ui.promoteButton.enabled
    assert "has not been compared" in ui.promoteButton.toolTip
    assert not seen(ui.overrideBox, section)


def test_the_version_that_would_be_replaced_is_what_it_is_compared_with(run, section, idle, tmp_path, models):
    from MedSegEffNetLib.models.promotion import promote

    make_run(tmp_path / "other", 2)
    weights = make_model(tmp_path / "other", 0.5)
    write_comparison(tmp_path / "other", weights, tumor=BETTER)
    promote(str(tmp_path / "other"))
    section.result.show(run)
    idle()
    assert section.ui.againstBox.itemText(0) == f"{UNET}@1.1.0 (current)"


def test_a_comparison_without_held_out_cases_says_why_and_a_reason_helps(run, section, idle, tmp_path, models):
    (tmp_path / "empty").mkdir()
    request = json.loads((run / "job.json").read_text(encoding="utf-8"))
    request["request"]["data"] = str(tmp_path / "empty")
    (run / "job.json").write_text(json.dumps(request), encoding="utf-8")
    ui = section.ui
    ui.compareButton.click()
    assert "Cancel" in ui.compareButton.text
    assert not ui.promoteButton.enabled
    told = idle()
    assert told.startswith("Comparing: ")
    assert "vanished" not in told
    assert seen(ui.overrideBox, section)
    assert not ui.promoteButton.enabled
    ui.overrideBox.checked = True
    ui.overrideEdit.text = "one patient only"
    assert ui.promoteButton.enabled, ui.promoteButton.toolTip
    ui.promoteButton.click()
    assert f"{UNET}@1.1.0 is the current version now" in idle()


# a comparison


def test_a_better_model_is_shown_with_figures_and_its_losses(compared, section):
    ui = compared(tumor=BETTER)
    assert ui.verdictText.text.startswith(
        f"The new model is better than {UNET}@1.0.0 (8 held-out cases, snapshot 0003)."
    )
    assert "⚠ Few cases." in ui.verdictText.text
    assert rows(ui.verdictTable) == [
        ["tumor", "0.800\n±0.10", "0.860\n±0.10", "+0.060\n0.055…0.065", "better\np 0.023"]
    ]
    assert "mean Dice 0.800 before" in ui.verdictTable.item(0, 0).toolTip()
    assert rows(ui.worstTable) == [["p7", "tumor", "0.900", "0.800"]]
    assert not seen(ui.worstPicture, section)
    ui.worstTable.setCurrentCell(0, 0)
    assert seen(ui.worstPicture, section)
    assert ui.promoteButton.text == f"Promote to {UNET}@1.1.0"
    assert ui.promoteButton.enabled, ui.promoteButton.toolTip
    assert not seen(ui.overrideBox, section)


def test_the_page_of_a_comparison_is_opened(compared, run, monkeypatch):
    import qt

    opened = []
    monkeypatch.setattr(qt.QDesktopServices, "openUrl", lambda url: opened.append(url.toLocalFile()))
    compared(tumor=BETTER).comparisonPageButton.click()
    assert opened == [str(run / "comparison" / "comparison.html")]


def test_a_worse_model_needs_a_reason_that_is_kept(compared, section, idle, models):
    ui = compared(TC=BETTER, WT=WORSE)
    assert [row[-1].split()[0] for row in rows(ui.verdictTable)] == ["better", "worse"]
    assert not ui.promoteButton.enabled
    assert "It is worse than" in ui.promoteButton.toolTip
    assert "WT" in ui.promoteButton.toolTip
    assert seen(ui.overrideBox, section)
    ui.overrideBox.checked = True
    assert not ui.promoteButton.enabled
    ui.overrideEdit.text = "WT is not needed here"
    assert ui.promoteButton.enabled
    ui.promoteButton.click()
    idle()
    metadata = json.loads((models / f"{UNET}-1.1.0" / "configs" / "metadata.json").read_text(encoding="utf-8"))
    override = metadata["medsegeffnet"]["provenance"]["promotion"]["override"]
    assert override["reason"] == "WT is not needed here"
    assert "WT is not needed here" in ui.versionsTable.item(0, 0).toolTip()


def test_a_comparison_of_other_weights_does_not_count(run, section, idle):
    write_comparison(run, "0123456789abcdef", tumor=BETTER)
    section.result.enter()
    idle()
    assert not section.ui.promoteButton.enabled
    assert "another model" in section.ui.promoteButton.toolTip
    assert not seen(section.ui.overrideBox, section)


def test_a_damaged_comparison_is_told(run, section, idle):
    (run / "comparison").mkdir()
    (run / "comparison" / "comparison.json").write_text("{", encoding="utf-8")
    section.result.enter()
    idle()
    assert "damaged" in section.ui.promoteButton.toolTip
    assert section.ui.compareButton.enabled


# promotion


def test_a_promoted_model_is_current_everywhere_and_rolled_back_by_one_click(compared, section, idle, panel):
    ui = compared(tumor=BETTER)
    told = []
    panel.models_changed.connect(lambda: told.append(1))
    ui.promoteButton.click()
    assert f"{UNET}@1.1.0 is the current version now; the one before is kept." in idle()
    assert told
    assert ui.resultText.text == f"This model is {UNET}@1.1.0 (in use)."
    assert "already" in ui.promoteButton.toolTip
    listed = panel.section("models").ui.modelTable
    assert "1.1.0" in [listed.item(row, 1).text() for row in range(listed.rowCount)]
    assert [row[:2] for row in rows(ui.versionsTable)] == [["1.1.0", "current"], ["1.0.0", ""]]
    assert rows(ui.versionsTable)[1][2] == "shipped"
    assert rows(ui.versionsTable)[0][3] == "better"
    assert ui.rollbackButton.text == "Roll back to 1.0.0"
    ui.rollbackButton.click()
    assert f"{UNET}@1.0.0 is the current version now." in idle()
    assert [row[:2] for row in rows(ui.versionsTable)] == [["1.1.0", ""], ["1.0.0", "current"]]
    assert ui.resultText.text == f"This model is {UNET}@1.1.0 (not in use: {UNET}@1.0.0 is)."
    assert not ui.rollbackButton.enabled
    assert "no version before" in ui.rollbackButton.toolTip
    ui.versionsTable.setCurrentCell(0, 0)
    assert ui.rollbackButton.text == "Make 1.1.0 current again"
    ui.rollbackButton.click()
    idle()
    assert rows(ui.versionsTable)[0][:2] == ["1.1.0", "current"]


def test_a_name_of_its_own_makes_another_model(compared, section, idle, models):
    ui = compared(tumor=BETTER)
    assert ui.promoteName.placeholderText == UNET
    ui.promoteName.text = "my-scanner"
    ui.promoteName.editingFinished()
    idle()
    assert ui.promoteButton.text == "Promote to my-scanner@0.1.0"
    ui.promoteButton.click()
    assert "my-scanner@0.1.0 is the current version now" in idle()
    assert (models / "my-scanner-0.1.0").is_dir()
    ui.promoteName.text = "no/name"
    ui.promoteName.editingFinished()
    idle()
    assert not ui.promoteButton.enabled


def test_what_was_said_of_a_run_is_not_said_of_another(compared, section, idle, tmp_path):
    ui = compared(tumor=BETTER)
    ui.promoteButton.click()
    idle()
    make_run(tmp_path / "other", 1)
    section.result.show(tmp_path / "other")
    assert idle() == ""
    section.result.show(None)
    assert not seen(ui.resultBox, section)


# predict again


def make_set(folder, labelled=False):
    """A data set of two small cases, new or accepted."""
    from MedSegEffNetLib.dataset.importing import NewCase, add_case
    from MedSegEffNetLib.dataset.store import Dataset
    from MedSegEffNetLib.image import Image

    dataset = Dataset.create(folder, "tumor-slices")
    for number in (1, 2):
        values = np.random.default_rng(number).integers(0, 900, (32, 30, 2)).astype(np.int16)
        images = {name: Image(values, np.diag([-1.0, -1.0, 5.0, 1.0])) for name in ("t1", "flair", "t1ce")}
        label = np.zeros(values.shape, np.uint8)
        label[10:15, 10:15] = 1
        mask = images["t1"].with_array(label) if labelled else None
        add_case(dataset, NewCase(f"case-{number}", f"patient-{number}", images, {}, mask), "Ann Lee")
    return dataset


def test_the_cases_are_predicted_again_and_the_least_sure_come_first(
    compared, section, idle, panel, tmp_path, wait_until
):
    dataset = make_set(tmp_path / "set")
    panel.curation.author = "Ann Lee"
    panel.curation.open(dataset.folder)
    assert wait_until(lambda: len(panel.curation.cases) == 2, 10)
    ui = compared(tumor=BETTER)
    assert not seen(ui.againFrame, section)
    ui.promoteButton.click()
    idle()
    assert seen(ui.againFrame, section)
    assert ui.againNew.text == "new (2)"
    assert not ui.againPredicted.enabled
    ui.againNew.checked = False
    assert not ui.againButton.enabled
    ui.againNew.checked = True
    assert ui.againButton.text == "Predict 2 cases again"
    correct = panel.section("correct").ui
    correct.orderBox.setCurrentIndex(correct.orderBox.findData("name"))
    assert ui.againButton.enabled, ui.againButton.toolTip
    ui.againButton.click()
    assert "in the background" in ui.againText.text
    assert not ui.againButton.enabled
    assert wait_until(lambda: "has ended" in ui.againText.text, PATIENCE), panel.section(
        "dataset"
    ).ui.predictMessage.text
    assert correct.orderBox.currentData == "unsure"
    assert wait_until(lambda: ui.againPredicted.text == "predicted (2)", 10)
    assert dataset.read("case-1").label.model == f"{UNET}@1.1.0"
    assert ui.againButton.enabled


# the real command


@pytest.mark.slow
def test_a_run_is_compared_by_a_click(section, run, tmp_path, idle, window_lives, wait_until):
    dataset = make_set(tmp_path / "set", labelled=True)
    request = json.loads((run / "job.json").read_text(encoding="utf-8"))
    request["request"]["data"] = str(dataset.folder)
    (run / "job.json").write_text(json.dumps(request), encoding="utf-8")
    metadata = run / "model" / "configs" / "metadata.json"
    content = json.loads(metadata.read_text(encoding="utf-8"))
    content["medsegeffnet"]["provenance"]["data"]["cases"]["test"] = ["case-1", "case-2"]
    metadata.write_text(json.dumps(content), encoding="utf-8")
    window_lives(lambda: (section.ui.compareButton.click(), idle()), tries=1)
    assert "The new model is" in section.ui.verdictText.text, section.ui.compareMessage.text
    assert rows(section.ui.verdictTable)[0][0] == "tumor"
    assert section.ui.comparisonPageButton.enabled
