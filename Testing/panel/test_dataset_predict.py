"""A model labels the cases of a data set: started from the panel, canceled, found again, opened."""

from __future__ import annotations

import shutil

import curating_cases
from cases import PATIENCE, dice
from curating_cases import states, take

section, idle, source = curating_cases.section, curating_cases.idle, curating_cases.source
opened, filled, labelled = curating_cases.opened, curating_cases.filled, curating_cases.labelled


def rows(section):
    """State and result by case, in the table of the prediction."""
    table = section.ui.predictTable
    cells = [[table.item(row, column).text() for column in range(3)] for row in range(table.rowCount)]
    return {case: (state, result) for case, state, result in cells}


def start(section, state="new"):
    ui = section.ui
    ui.predictBox.collapsed = False
    ui.predictModel.setCurrentIndex(ui.predictModel.findText("tumor-slices-unet 1.0.0"))
    ui.predictState.setCurrentIndex(ui.predictState.findData(state))
    assert ui.predictButton.enabled, ui.predictButton.toolTip
    ui.predictButton.click()


def test_new_cases_are_predicted_and_their_table_follows(filled, wait_until, idle):
    dataset = filled.panel.curation.dataset
    assert "3 cases added" in filled.ui.datasetMessage.text
    start(filled)
    assert filled.ui.datasetMessage.text == ""  # it was of another job
    assert filled.ui.predictButton.text == "Cancel prediction"
    assert wait_until(lambda: not filled.predict._running(), PATIENCE), filled.ui.predictMessage.text
    assert "3 of 3 cases predicted, 0 failed." in filled.ui.predictMessage.text
    assert {state for state, _ in rows(filled).values()} == {"done"}
    assert all(result.startswith("tumor ") and "unsure " in result for _, result in rows(filled).values())
    idle()
    assert set(states(filled).values()) == {"predicted"}
    record = dataset.read("anna")
    assert (record.label.origin, record.label.author) == ("model", curating_cases.ANN)
    assert "No case is new" in filled.ui.predictButton.toolTip
    assert "predicted (3)" in [filled.ui.predictState.itemText(place) for place in range(3)]


def test_a_case_that_fails_is_told_in_its_row(filled, wait_until, idle):
    dataset = filled.panel.curation.dataset
    path = dataset.case_folder("bert") / "images" / "flair.nii.gz"
    path.write_bytes(b"no image")
    start(filled)
    assert wait_until(lambda: not filled.predict._running(), PATIENCE)
    state, why = rows(filled)["bert"]
    assert (state, "was changed since it was added" in why) == ("failed", True)
    assert rows(filled)["carl"][0] == "done"
    assert filled.ui.predictReport.isVisibleTo(filled.ui.predictBox)
    idle()
    assert states(filled) == {"anna": "predicted", "bert": "new", "carl": "predicted"}


def test_a_prediction_goes_on_when_slicer_ends_and_is_found_again(filled, module, wait_until, monkeypatch):
    from harness import application
    from slow_jobs import slow_network

    slow_network(filled.panel, monkeypatch, 0.5)
    folder = filled.panel.curation.dataset.folder
    start(filled)
    assert wait_until(lambda: rows(filled), PATIENCE)
    application.end_widget(module)  # Slicer ends …
    again = module.widgetRepresentation().self().panel  # … and begins
    again.curation.open(folder)
    again.enter()
    found = again.section("dataset")
    assert wait_until(lambda: rows(found) and not found.predict._running(), PATIENCE)
    assert wait_until(lambda: set(states(found).values()) == {"predicted"}, PATIENCE)


def test_a_canceled_prediction_keeps_what_is_done(filled, wait_until, idle, monkeypatch):
    from slow_jobs import slow_network

    slow_network(filled.panel, monkeypatch, 0.5)
    start(filled)
    assert wait_until(lambda: "done" in [state for state, _ in rows(filled).values()], PATIENCE)
    filled.ui.predictButton.click()
    assert wait_until(lambda: not filled.predict._job.alive, PATIENCE)
    idle()
    assert "predicted" in states(filled).values()
    assert filled.ui.predictButton.text == "Predict"


def test_a_predicted_case_is_opened_with_a_double_click(filled, wait_until, monkeypatch):
    wanted = []
    monkeypatch.setattr(filled, "correct", wanted.append)
    start(filled)
    assert wait_until(lambda: not filled.predict._running(), PATIENCE)
    number = list(rows(filled)).index("carl")
    filled.ui.predictTable.cellDoubleClicked(number, 0)
    assert wanted == ["carl"]


def test_a_task_without_a_model_says_so(section, tmp_path, wait_until, monkeypatch):
    from MedSegEffNetLib.dataset.store import Dataset
    from MedSegEffNetPanel.curating import predicting

    monkeypatch.setattr(predicting.model_list, "entries", list)
    section.predict.show_models()
    section.open_folder(Dataset.create(tmp_path / "skin", "skin-layers").folder)
    assert "No model of this task is installed" in section.ui.predictButton.toolTip


def test_real_patients_are_imported_and_predicted(opened, shared_data, tmp_path, wait_until, idle):
    """Two patients of the validation set, without their masks; the masks that were kept back tell how good it is."""
    from MedSegEffNetLib.dataset.readers import slice_images
    from MedSegEffNetLib.task import get_segmentation_task

    task = get_segmentation_task("tumor-slices")
    cases = [case for case in slice_images.read(shared_data / "lgg", task) if case.split == "val"][:3:2]
    for case in cases:
        for path in sorted((shared_data / "lgg" / "val" / case.id).glob("*.webp")):
            (tmp_path / "real" / case.id).mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, tmp_path / "real" / case.id / path.name)
    told = take(opened, tmp_path / "real", wait_until, idle)
    assert "2 cases added" in told
    assert opened.ui.layoutText.text == "Slices as pictures, 2 cases, 0 with a label."
    start(opened)
    assert wait_until(lambda: not opened.predict._running(), PATIENCE), opened.ui.predictMessage.text
    idle()
    for case in cases:
        label = opened.panel.curation.dataset.load(case.id)[1].array
        assert dice(label, case.load()[1].array) > 0.6
