"""A batch over a folder of cases, started from the panel: a row for each case, cancel, resume, found again."""

from __future__ import annotations

import pytest

from cases import count, write_case

PATIENCE = 120  # s


@pytest.fixture
def cases(tmp_path):
    """A folder with three cases, the second without its required channel."""
    folder = tmp_path / "cases"
    write_case(folder / "anna", ["flair"])
    write_case(folder / "bert", ["t1"])
    write_case(folder / "carl")
    return folder


@pytest.fixture
def batch(section, cases, tmp_path):
    """The batch of the section, about to be started."""
    section.open_folder(cases)
    section.ui.batchOutput.currentPath = str(tmp_path / "results")
    return section.batch


def rows(section):
    """State and result by case."""
    table = section.ui.batchTable
    return {
        table.item(row, 0).text(): (table.item(row, 1).text(), table.item(row, 2).text())
        for row in range(table.rowCount)
    }


def test_a_folder_of_cases_is_proposed_as_a_batch(section, cases):
    section.open_folder(cases)
    assert section.ui.batchInput.currentPath == str(cases)
    assert section.ui.batchOutput.currentPath == str(cases.with_name("cases-segmented"))
    assert not section.ui.batchBox.collapsed
    assert section.ui.batchButton.enabled


def test_a_batch_says_what_is_missing(section):
    section.ui.batchInput.currentPath = ""
    section.batch.refresh()
    assert not section.ui.batchButton.enabled
    assert "Choose the folder that holds the cases" in section.ui.batchButton.toolTip


def test_every_case_has_its_state_and_its_reason(section, batch, wait_until, tmp_path, scene):
    section.ui.batchButton.click()
    assert wait_until(lambda: not batch._running(), PATIENCE)
    states = rows(section)
    assert [states[name][0] for name in ("anna", "bert", "carl")] == ["done", "failed", "done"]
    assert "mL" in states["anna"][1]
    assert "FLAIR" in states["bert"][1] or "flair" in states["bert"][1]
    assert (tmp_path / "results" / "anna" / "anna.seg.nrrd").is_file()
    assert "2 of 3 cases done, 1 failed" in section.ui.batchMessage.text
    assert section.ui.batchButton.text == "Start batch"


def test_a_canceled_batch_goes_on_where_it_was(section, batch, wait_until, tmp_path):
    section.ui.batchButton.click()
    assert section.ui.batchButton.text == "Cancel batch"
    assert wait_until(lambda: rows(section).get("anna", ("",))[0] == "done", PATIENCE)
    section.ui.batchButton.click()
    assert wait_until(lambda: not batch._job.alive, PATIENCE)
    section.ui.batchButton.click()
    assert wait_until(lambda: not batch._running(), PATIENCE)
    states = rows(section)
    assert states["anna"][0] == "done before"
    assert states["carl"][0] == "done"


def test_a_finished_case_is_opened_with_a_double_click(section, batch, wait_until, scene):
    section.ui.batchButton.click()
    assert wait_until(lambda: not batch._running(), PATIENCE)
    names = list(rows(section))
    section.ui.batchInput.currentPath = "/another/folder"  # typed meanwhile
    section.ui.batchTable.cellDoubleClicked(names.index("anna"), 0)
    assert wait_until(lambda: count(scene) == 1, PATIENCE), section.ui.messageLabel.text
    assert count(scene, "vtkMRMLScalarVolumeNode") == 1


def test_a_batch_goes_on_when_slicer_ends_and_is_found_again(section, batch, module, wait_until):
    from harness import application

    section.ui.batchButton.click()
    assert wait_until(lambda: rows(section), PATIENCE)
    application.end_widget(module)  # Slicer ends …
    again = module.widgetRepresentation().self().panel  # … and begins
    again.enter()
    found = again.section("segment")
    assert wait_until(lambda: len(rows(found)) == 3 and not found.batch._running(), PATIENCE)
    assert rows(found)["carl"][0] == "done"
    application.end_widget(module)  # what was shown to its end is not shown again
    last = module.widgetRepresentation().self().panel
    last.enter()
    assert rows(last.section("segment")) == {}
    assert not last.section("segment").ui.batchTable.isVisibleTo(last.section("segment").ui.batchBox)


def test_one_case_dropped_on_the_panel_is_loaded_and_filled_in(section, cases, wait_until):
    section.open_folder(cases / "carl")
    assert wait_until(lambda: section.ui.applyButton.enabled, PATIENCE), section.ui.applyButton.toolTip
    assert all(node is not None for node in section.inputs.table.nodes().values())


def test_a_folder_without_images_is_refused(section, tmp_path, wait_until):
    (tmp_path / "empty").mkdir()
    section.open_folder(tmp_path / "empty")
    assert wait_until(lambda: "No image that Slicer can load" in section.ui.messageLabel.text, 5)


def test_a_file_that_cannot_be_loaded_is_told_and_leaves_nothing(section, cases, scene, wait_until):
    (cases / "carl" / "carl_zzz.nii.gz").write_bytes(b"no image")
    section.open_folder(cases / "carl")
    assert wait_until(lambda: "carl_zzz.nii.gz could not be loaded" in section.ui.messageLabel.text, PATIENCE)
    assert count(scene, "vtkMRMLScalarVolumeNode") == 0


def test_a_folder_of_cases_that_is_not_there_is_told_when_the_button_is_pressed(section, tmp_path):
    section.ui.batchInput.currentPath = str(tmp_path / "unplugged")
    section.ui.batchOutput.currentPath = str(tmp_path / "results")
    assert section.ui.batchButton.enabled
    section.ui.batchButton.click()
    assert "There is no folder" in section.ui.batchMessage.text
    assert section.ui.batchButton.text == "Start batch"


def test_a_user_folder_that_cannot_be_written_is_told(section, batch, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv("MEDSEGEFFNET_DATA", str(tmp_path / "file"))
    section.ui.batchButton.click()
    assert "could not be written" in section.ui.batchMessage.text


def test_no_disk_is_asked_while_events_come(section, batch, monkeypatch):
    from pathlib import Path

    monkeypatch.setattr(Path, "is_dir", lambda path: pytest.fail("the disk was asked"))
    section.batch.refresh()
    assert section.ui.batchButton.enabled


class FakeJob:
    """A job that has told some events."""

    def __init__(self, folder):
        from MedSegEffNetPanel.jobs import JobState
        from MedSegEffNetPanel.signals import Signal

        self.folder, self.state, self.error, self.stage = folder, JobState.RUNNING, None, ""
        self.event, self.changed = Signal(), Signal()

    def tell(self, case, state, **more):
        fields = {"message": "", "hint": "", "volumes_ml": {}, "warnings": [], "output": None, **more}
        self.event.emit(self, {"event": "case", "case": case, "state": state, **fields})
        self.changed.emit(self)

    def report(self):
        return "the report"


@pytest.fixture
def job(section, tmp_path):
    """A batch that is followed."""
    job = FakeJob(tmp_path)
    section.batch._follow(job)
    job.event.emit(job, {"event": "started", "request": {"inputs": {"batch": str(tmp_path / "cases")}}})
    return job


def test_the_table_comes_with_the_first_case(section, job):
    assert not section.ui.batchTable.isVisibleTo(section.ui.batchBox)
    job.tell("anna", "queued")
    assert section.ui.batchTable.isVisibleTo(section.ui.batchBox)


def test_a_chosen_row_is_told_with_its_warnings_and_reasons(section, job):
    job.tell("anna", "done", volumes_ml={"tumor": 12.34}, warnings=["a channel lies elsewhere"])
    job.tell("bert", "failed", message="no file for channel flair", hint="name the file")
    assert rows(section)["anna"] == ("done", "tumor 12.3 mL ⚠ A channel lies elsewhere.")
    section.ui.batchTable.setCurrentCell(0, 0)
    assert "anna: tumor 12.3 mL" in section.ui.batchMessage.text
    assert "lies elsewhere." in section.ui.batchMessage.text
    section.ui.batchTable.setCurrentCell(1, 0)
    assert "bert: No file for channel flair. Name the file." in section.ui.batchMessage.text
    assert "1 of 2 cases done, 1 failed." in section.ui.batchMessage.text


def test_a_failed_case_is_not_loaded_but_its_reason_is_told(section, job):
    wanted = []
    job.tell("bert", "failed", message="no file for channel flair", hint="name the file")
    section.batch.case_wanted.connect(lambda *case: wanted.append(case))
    section.ui.batchTable.setCurrentCell(0, 0)
    section.ui.batchTable.cellDoubleClicked(0, 0)
    assert wanted == []
    assert "No file for channel flair" in section.ui.batchMessage.text


def test_a_case_whose_result_has_gone_is_told_and_not_loaded(section, job, cases, scene, wait_until):
    job.tell("anna", "done", output=str(cases / "gone.seg.nrrd"))
    section.ui.batchTable.cellDoubleClicked(0, 0)
    assert wait_until(lambda: "could not be loaded" in section.ui.messageLabel.text, 5)
    assert count(scene, "vtkMRMLScalarVolumeNode") == 0


def test_a_damaged_result_is_told(section, job, cases, scene, wait_until):
    (cases / "bad.seg.nrrd").write_text("no label map", encoding="utf-8")
    job.tell("anna", "done", output=str(cases / "bad.seg.nrrd"))
    section.ui.batchTable.cellDoubleClicked(0, 0)
    assert wait_until(lambda: "bad.seg.nrrd could not be loaded" in section.ui.messageLabel.text, PATIENCE)


def test_the_report_of_a_failed_batch_can_be_copied(section, job):
    import qt

    from MedSegEffNetPanel.jobs import JobError, JobState

    assert not section.ui.batchReportButton.enabled
    job.error, job.state = JobError("it vanished", hint="use Copy report"), JobState.FAILED
    job.changed.emit(job)
    assert "It vanished. Use Copy report." in section.ui.batchMessage.text
    section.ui.batchReportButton.click()
    assert qt.QApplication.clipboard().text() == "the report"
