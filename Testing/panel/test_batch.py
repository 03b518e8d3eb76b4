"""A batch over a folder of cases, started from the panel: a row for each case, cancel, resume, found again."""

from __future__ import annotations

import pytest

from cases import write_case

PATIENCE = 120  # s


@pytest.fixture
def section(panel):
    return panel.section("segment")


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
    section.ui.batchTable.cellDoubleClicked(names.index("anna"), 0)
    assert scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 1
    assert scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == 1


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


def test_one_case_dropped_on_the_panel_is_loaded_and_filled_in(section, cases):
    section.open_folder(cases / "carl")
    assert section.ui.applyButton.enabled, section.ui.applyButton.toolTip
    assert all(node is not None for node in section.inputs.table.nodes().values())


def test_a_folder_without_images_is_refused(section, tmp_path):
    (tmp_path / "empty").mkdir()
    section.open_folder(tmp_path / "empty")
    assert "no image that Slicer can load" in section.ui.messageLabel.text
