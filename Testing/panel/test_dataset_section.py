"""Section Data set, clicked through: real files, real jobs."""

from __future__ import annotations

import numpy as np
import pytest

from cases import add_synthetic_patient, write_case

PATIENCE = 30  # s
ANN = "Ann Lee"


@pytest.fixture
def section(panel, slicer_app):
    """The section, opened, with an author."""
    panel._bars[type(panel.section("segment"))].collapsed = True
    panel.show("dataset")
    slicer_app.processEvents()
    section = panel.section("dataset")
    section.ui.authorEdit.text = ANN
    section.ui.authorEdit.editingFinished()
    return section


@pytest.fixture
def idle(section, wait_until):
    """Wait until the section has done what it was told; gives what it says then."""

    def idle():
        curation = section.panel.curation
        read = lambda: curation._reading is None or curation._reading.over  # noqa: E731
        assert wait_until(lambda: not section.work.busy and read(), PATIENCE), message(section)
        assert wait_until(lambda: section.table._arranging.over, 5)
        return message(section)

    return idle


def message(section):
    return section.ui.datasetMessage.text


def shown(section):
    return [row.id for row in section.table.shown]


def states(section):
    return {row.id: row.state for row in section.panel.curation.cases}


@pytest.fixture
def source(tmp_path):
    """A folder of three cases without labels, and one file that is no image."""
    folder = tmp_path / "source"
    for name in ("anna", "bert", "carl"):
        write_case(folder / name)
    return folder


@pytest.fixture
def opened(section, tmp_path, idle):
    """An empty data set, made by clicks."""
    ui = section.ui
    ui.newBox.collapsed = False
    ui.taskBox.setCurrentIndex(ui.taskBox.findData("tumor-slices"))
    ui.newFolder.currentPath = str(tmp_path / "set")
    ui.titleEdit.text = "Gliomas"
    assert ui.createButton.enabled, ui.createButton.toolTip
    ui.createButton.click()
    idle()
    return section


def take(section, source, wait_until, idle):
    section.ui.sourceFolder.currentPath = str(source)
    assert wait_until(lambda: section.ui.importButton.enabled, 10), section.ui.importButton.toolTip
    section.ui.importButton.click()
    return idle()


def test_without_a_data_set_the_section_says_what_to_do(section):
    ui = section.ui
    assert "No data set is open" in ui.datasetSummary.text
    assert not ui.casesFrame.isVisibleTo(section.widget)
    assert not ui.importBox.isVisibleTo(section.widget)
    assert not ui.lastButton.isVisibleTo(section.widget)
    assert not ui.createButton.enabled
    assert "Choose a folder" in ui.createButton.toolTip


def test_a_data_set_is_made_and_opened(opened, tmp_path):
    ui = opened.ui
    assert opened.panel.curation.dataset.info.title == "Gliomas"
    assert "Gliomas" in ui.datasetSummary.text
    assert "no cases yet" in ui.datasetSummary.text
    assert ui.newBox.collapsed
    assert ui.casesFrame.isVisibleTo(opened.widget)
    for button, reason in (
        (ui.acceptButton, "Choose a case"),
        (ui.importButton, "Choose a folder of cases"),
        (ui.predictButton, "No case is new"),
        (ui.checkButton, "no case yet"),
        (ui.splitButton, "no case yet"),
        (ui.snapshotButton, "No case is accepted"),
        (ui.exportButton, "Choose a new or empty folder"),
    ):
        assert not button.enabled
        assert reason in button.toolTip


def test_a_folder_that_is_not_empty_is_refused(section, tmp_path, idle):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    section.ui.newFolder.currentPath = str(tmp_path / "full")
    section.ui.createButton.click()
    assert "is not empty" in idle()
    assert section.panel.curation.dataset is None


def test_the_last_data_set_is_offered_and_another_one_opened_by_button_and_drop(opened, tmp_path, dialogs, idle):
    import qt

    from MedSegEffNetLib.dataset.store import Dataset

    other = Dataset.create(tmp_path / "other", "covid-ct").folder
    opened.ui.closeButton.click()
    assert opened.panel.curation.dataset is None
    assert opened.ui.lastButton.text == "Open set"
    opened.ui.lastButton.click()
    idle()
    assert opened.panel.curation.dataset.folder == tmp_path / "set"
    dialogs.answers.append(str(other))
    opened.ui.openButton.click()
    idle()
    assert opened.panel.curation.dataset.folder == other
    data = qt.QMimeData()
    data.setUrls([qt.QUrl.fromLocalFile(str(tmp_path / "set"))])
    drop = qt.QDropEvent(qt.QPointF(5, 5), qt.Qt.CopyAction, data, qt.Qt.LeftButton, qt.Qt.NoModifier)
    assert opened.opening._drop.eventFilter(opened.widget, drop)
    assert opened.panel.curation.dataset.folder == tmp_path / "set"


def test_a_folder_that_is_no_data_set_is_told_and_the_open_one_stays(opened, tmp_path):
    opened.open_folder(tmp_path)
    assert "is no data set" in message(opened)
    assert opened.panel.curation.dataset.folder == tmp_path / "set"


def test_without_a_name_nothing_can_be_changed(opened, idle):
    opened.ui.authorEdit.text = ""
    for button in (opened.ui.importButton, opened.ui.addButton, opened.ui.predictButton, opened.ui.snapshotButton):
        assert not button.enabled
        assert "Enter your name" in button.toolTip
    opened.ui.authorEdit.text = "Bob May"
    opened.ui.authorEdit.editingFinished()
    assert opened.panel.curation.author == "Bob May"


def test_a_folder_is_looked_at_before_it_is_imported(opened, source, wait_until, idle, tmp_path):
    ui = opened.ui
    ui.sourceFolder.currentPath = str(source)
    assert not ui.importButton.enabled
    assert wait_until(lambda: ui.importButton.enabled, 10), ui.importButton.toolTip
    assert ui.layoutText.text == "Case folders, 3 cases, 0 with a label."
    ui.imagesBox.setCurrentIndex(1)
    ui.pseudonymBox.checked = True
    assert "copy them to pseudonymize" in ui.importButton.toolTip
    ui.pseudonymBox.checked = False
    ui.importButton.click()
    assert idle() == "3 cases added, 0 with a new label, 0 known already."
    assert shown(opened) == ["anna", "bert", "carl"]
    assert opened.panel.curation.dataset.read("anna").images["flair"].referenced
    assert "3 new" in ui.datasetSummary.text
    (tmp_path / "nothing").mkdir()
    ui.sourceFolder.currentPath = str(tmp_path / "nothing")
    assert wait_until(lambda: "holds no cases" in ui.layoutText.text, 10)
    assert "holds no cases" in ui.importButton.toolTip


def test_cases_that_could_not_be_taken_are_listed_with_the_reason(opened, source, wait_until, idle):
    path = source / "bert" / "bert_flair.nii.gz"
    path.write_bytes(path.read_bytes()[:2000])
    told = take(opened, source, wait_until, idle)
    assert "2 cases added" in told
    assert "1 could not be taken" in told
    table = opened.ui.failedTable
    assert table.isVisibleTo(opened.ui.importBox)
    assert [table.item(row, 0).text() for row in range(table.rowCount)] == ["bert"]
    assert "bert_flair" in table.item(0, 1).text()


def test_pseudonyms_replace_names(opened, source, wait_until, idle):
    opened.ui.pseudonymBox.checked = True
    take(opened, source, wait_until, idle)
    assert all(row.patient.startswith("P") and "anna" not in row.id for row in opened.panel.curation.cases)


@pytest.fixture
def filled(opened, source, wait_until, idle):
    """The data set with three new cases."""
    take(opened, source, wait_until, idle)
    return opened


def label(section, case_id, size=5, **more):
    """Save a label of a case, as a correction would."""
    from MedSegEffNetLib.dataset.labels import save_label

    dataset = section.panel.curation.dataset
    image = next(iter(dataset.load(case_id)[0].values()))
    array = np.zeros(image.shape, np.uint8)
    array[40 : 40 + size, 40 : 40 + size, 1] = 1
    save_label(dataset, case_id, image.with_array(array), author=ANN, **more)


@pytest.fixture
def labelled(filled, idle):
    """Every case has a label of its own size."""
    for number, case_id in enumerate(("anna", "bert", "carl")):
        label(filled, case_id, 5 + number)
    filled.panel.curation.refresh()
    idle()
    return filled


def choose(section, *case_ids):
    import qt

    table, ids = section.ui.caseTable, shown(section)
    table.clearSelection()
    for case_id in case_ids:
        row = ids.index(case_id)
        table.setRangeSelected(qt.QTableWidgetSelectionRange(row, 0, row, 8), True)


def test_states_are_set_by_buttons_that_say_why_they_cannot(filled, idle):
    ui = filled.ui
    choose(filled, "anna")
    assert "anna has no label" in ui.acceptButton.toolTip
    assert ui.rejectButton.enabled
    label(filled, "anna")
    filled.panel.curation.refresh()
    idle()
    assert ui.acceptButton.enabled
    assert "in review already" in ui.reviewButton.toolTip
    ui.acceptButton.click()
    assert idle() == "anna is accepted now."
    assert states(filled)["anna"] == "accepted"
    assert "press Review first" in ui.rejectButton.toolTip
    choose(filled, "bert", "carl")
    ui.rejectButton.click()
    assert idle() == "2 cases are rejected now."
    assert states(filled) == {"anna": "accepted", "bert": "rejected", "carl": "rejected"}


def test_a_case_that_cannot_be_changed_does_not_hinder_the_others(labelled, idle):
    labelled.panel.curation.dataset.set_state("bert", "rejected", "Bob")
    choose(labelled, "anna", "bert", "carl")
    labelled.ui.acceptButton.click()
    told = idle()
    assert "3 cases are accepted now." in told
    assert "bert is rejected and cannot become accepted" in told
    assert states(labelled) == {"anna": "accepted", "bert": "rejected", "carl": "accepted"}


def test_flags_comment_history_and_versions(labelled, wait_until, idle):
    ui = labelled.ui
    ui.caseBox.collapsed = False
    choose(labelled, "anna")
    assert wait_until(lambda: "version 1" in ui.historyText.plainText, 5)
    ui.flagBox.setEditText("hard")
    ui.flagButton.click()
    assert idle() == "The flag hard is set."
    assert labelled.panel.curation.cases[0].flags == ("hard",)
    assert ui.flagButton.text == "Remove flag"
    ui.flagButton.click()
    idle()
    assert labelled.panel.curation.cases[0].flags == ()
    ui.commentEdit.text = "edema <at> the border"
    ui.commentButton.click()
    idle()
    assert wait_until(lambda: "edema <at> the border" in ui.historyText.plainText, 5)
    assert "not changed" in ui.commentButton.toolTip
    label(labelled, "anna", 9, base=1)
    labelled.panel.curation.refresh()
    idle()
    assert wait_until(lambda: ui.versionBox.count == 2, 5)
    assert not ui.chooseButton.enabled
    ui.versionBox.setCurrentIndex(1)
    ui.chooseButton.click()
    assert idle() == "Version 1 is the case's label now."
    assert labelled.panel.curation.dataset.read("anna").current == 1


def test_a_conflict_is_shown_and_settled(labelled, wait_until, idle):
    ui = labelled.ui
    label(labelled, "bert", 8, base=0)
    labelled.panel.curation.refresh()
    idle()
    ui.caseFilter.text = "conflict"
    assert wait_until(lambda: shown(labelled) == ["bert"], 5)
    ui.caseBox.collapsed = False
    choose(labelled, "bert")
    assert "side by side" in ui.acceptButton.toolTip
    assert wait_until(lambda: "saved beside version" in ui.historyText.plainText, 5)
    ui.chooseButton.click()
    idle()
    assert labelled.panel.curation.dataset.read("bert").conflicts == ()


def test_a_damaged_record_is_a_row_that_says_so(labelled, idle):
    (labelled.panel.curation.dataset.case_folder("carl") / "case.json").write_text("{", encoding="utf-8")
    labelled.panel.curation.refresh()
    idle()
    assert "unreadable" in labelled.ui.datasetSummary.text
    choose(labelled, "carl")
    assert "cannot be read" in labelled.ui.acceptButton.toolTip


def test_the_volumes_of_the_scene_become_a_case(opened, idle, wait_until):
    ui = opened.ui
    ui.sceneBox.collapsed = False
    assert "Choose the volume" in ui.addButton.toolTip or "missing" in ui.addButton.toolTip.lower()
    nodes = add_synthetic_patient()
    assert wait_until(lambda: ui.addButton.enabled, 10), ui.addButton.toolTip
    assert ui.idEdit.text == "patient_flair"
    ui.idEdit.text = "no/name"
    assert "cannot be the name of a case" in ui.addButton.toolTip
    ui.idEdit.text = "dora"
    ui.patientEdit.text = "P7"
    ui.addButton.click()
    assert idle() == "dora is in the data set."
    record = opened.panel.curation.dataset.read("dora")
    assert (set(record.images), record.patient) == ({"t1", "flair", "t1ce"}, "P7")
    image = opened.panel.curation.dataset.load("dora")[0]["t1ce"]
    import slicer

    assert np.array_equal(image.array.T, slicer.util.arrayFromVolume(nodes["t1ce"]))
    assert list(opened.panel.new_run("probe").parent.glob("*/in")) == []
    ui.idEdit.text = "dora"
    assert "a case dora already" in ui.addButton.toolTip


def test_check_split_snapshot_and_export(labelled, tmp_path, wait_until, idle, monkeypatch):
    import qt

    ui = labelled.ui
    choose(labelled, "anna", "bert", "carl")
    ui.acceptButton.click()
    idle()
    ui.checkButton.click()
    assert "errors" in idle() or "Nothing" in message(labelled)
    opened = []
    monkeypatch.setattr(qt.QDesktopServices, "openUrl", lambda url: opened.append(url.toLocalFile()))
    ui.checkReport.click()
    assert opened[0].endswith("findings.html")
    ui.trainBox.value = 60
    assert "sum to 90%" in ui.splitButton.toolTip
    ui.trainBox.value = 70
    ui.splitButton.click()
    assert "leaks" in idle()  # the three cases are the same synthetic head
    assert wait_until(lambda: "train" in ui.splitText.text, 5)
    assert "Every patient has a split" in ui.splitButton.toolTip
    ui.releaseBox.collapsed = False
    assert wait_until(lambda: ui.formatBox.count >= 5, 10)
    ui.snapshotComment.text = "first"
    ui.snapshotButton.click()
    assert "holds 3 cases" in idle()
    assert wait_until(lambda: ui.snapshotTable.rowCount == 1, 5)
    ui.snapshotTable.setCurrentCell(0, 0)
    ui.copyIdButton.click()
    taken = qt.QApplication.clipboard().text()
    assert taken == ui.snapshotTable.item(0, 0).text()
    ui.formatBox.setCurrentIndex(ui.formatBox.findData("nnunet"))
    ui.exportWhat.setCurrentIndex(1)
    ui.exportFolder.currentPath = str(tmp_path / "Dataset101_Gliomas")
    ui.exportButton.click()
    assert "3 cases are written" in idle()
    assert (tmp_path / "Dataset101_Gliomas" / "dataset.json").is_file()
    ui.exportButton.click()
    assert "is there already" in idle()


def test_a_job_that_fails_can_be_reported(labelled, tmp_path, idle):
    import qt

    ui = labelled.ui
    choose(labelled, "anna")
    ui.acceptButton.click()
    idle()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    ui.releaseBox.collapsed = False
    idle()
    ui.exportFolder.currentPath = str(tmp_path / "full")
    ui.exportButton.click()
    idle()
    assert ui.workReport.isVisibleTo(labelled.widget)
    ui.workReport.click()
    assert "full" in qt.QApplication.clipboard().text()


def test_the_section_lets_go_of_everything(labelled, panel):
    labelled.cleanup()
    panel.curation.changed.emit()
    panel.models_changed.emit()
    assert labelled.work._queue.running() == []
