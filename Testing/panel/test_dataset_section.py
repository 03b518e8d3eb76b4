"""Section Data set, clicked through: made, filled, checked, split, exported; real files, real jobs."""

from __future__ import annotations

import numpy as np

import curating_cases
from cases import add_volume
from curating_cases import CHANNELS, choose, message, shown, take

section, idle, source = curating_cases.section, curating_cases.idle, curating_cases.source
opened, filled, labelled = curating_cases.opened, curating_cases.filled, curating_cases.labelled


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


def test_the_columns_of_the_table_fit_into_the_panel(labelled, window, wait_until):
    table = labelled.ui.caseTable
    hidden = lambda: [table.isColumnHidden(column) for column in range(9)]  # noqa: E731
    assert wait_until(lambda: hidden() == [False] * 6 + [True] * 3, 5)
    assert table.horizontalScrollBar().maximum == 0
    assert table.columnWidth(5) > 50  # the notes
    assert table.item(0, 2).text() == "by hand"
    window.resize(900, 900)
    assert wait_until(lambda: hidden() == [False] * 9, 5)
    assert table.horizontalScrollBar().maximum == 0


def test_cases_that_could_not_be_taken_are_listed_with_the_reason(opened, source, wait_until, idle):
    opened.ui.importBox.collapsed = False
    path = source / "bert" / "bert_flair.nii.gz"
    path.write_bytes(path.read_bytes()[:500])
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


def test_the_volumes_of_the_scene_become_a_case(opened, idle, wait_until):
    ui = opened.ui
    ui.sceneBox.collapsed = False
    assert "Choose the volume" in ui.addButton.toolTip or "missing" in ui.addButton.toolTip.lower()
    draw, place = np.random.default_rng(3), np.diag([-1.0, -1.0, 5.0, 1.0])
    nodes = {
        name: add_volume(f"patient_{name}", draw.integers(0, 900, (4, 30, 32)).astype(np.int16), place)
        for name in CHANNELS
    }
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


def test_a_case_made_of_the_scene_tells_which_of_its_images_are_marked(opened, idle, wait_until):
    import slicer

    from MedSegEffNetPanel import bridge

    ui = opened.ui
    ui.sceneBox.collapsed = False
    draw, place = np.random.default_rng(3), np.diag([-1.0, -1.0, 5.0, 1.0])
    for name in CHANNELS:
        add_volume(f"patient_{name}", draw.integers(0, 900, (4, 30, 32)).astype(np.int16), place)
    made = slicer.util.getNode("patient_t1ce")
    bridge.mark(made, "maker@1.0.0")
    scene_case = opened.scene_case
    assert wait_until(lambda: scene_case.inputs.table.nodes()["flair"], 10)
    scene_case.inputs.take({"t1ce": made})
    ui.idEdit.text = "dora"
    assert ui.addButton.enabled, ui.addButton.toolTip
    assert "made by a network" in ui.addButton.toolTip
    ui.addButton.click()
    assert idle() == "dora is in the data set."
    record = opened.panel.curation.dataset.read("dora")
    assert {name: image.synthesised for name, image in record.images.items()} == {
        "flair": False,
        "t1": False,
        "t1ce": True,
    }


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
    assert "no image is in two splits" in idle()
    assert wait_until(lambda: "train" in ui.splitText.text, 5)
    assert "Every patient has a split" in ui.splitButton.toolTip
    ui.releaseBox.collapsed = False
    assert wait_until(lambda: ui.formatBox.count >= 5, 10)
    ui.snapshotComment.text = "first"
    ui.snapshotButton.click()
    assert "holds 3 cases" in idle()
    assert wait_until(lambda: ui.snapshotTable.rowCount == 1, 5)
    assert wait_until(lambda: ui.snapshotTable.horizontalScrollBar().maximum == 0, 5)
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


def test_the_section_fits_into_a_narrow_panel(labelled):
    for box in labelled._boxes:
        box.collapsed = False
    assert labelled.widget.minimumSizeHint.width() <= 320
