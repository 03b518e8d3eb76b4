"""Section Models, clicked through: real bundles, real files, real processes."""

import json
import shutil
import time

import pytest

from cases import SHIPPED_MODEL as SHIPPED
from MedSegEffNetLib.models import registry
from MedSegEffNetLib.models.bundle import METADATA, Bundle

pytestmark = pytest.mark.usefixtures("models")


@pytest.fixture
def section(models, panel):
    """The section of a panel that opened when nothing but the shipped models was there."""
    return panel.section("models")


def rename(folder, name, version="2.0.0"):
    """Give the model in ``folder`` another name: its metadata are the one file without a checksum."""
    metadata = json.loads((folder / METADATA).read_text(encoding="utf-8"))
    metadata["version"] = version
    metadata["medsegeffnet"]["name"] = name
    (folder / METADATA).write_text(json.dumps(metadata), encoding="utf-8")
    return folder


@pytest.fixture
def download(tmp_path):
    """The folder of a whole model that is not installed."""
    return rename(shutil.copytree(SHIPPED, tmp_path / "download"), "parts")


def shown(section):
    """The names in the table."""
    table = section.ui.modelTable
    return [table.item(row, 0).text() for row in range(table.rowCount)]


def finish(slicer_app, section):
    """Wait until no job of the section is under way; gives what it says then."""
    deadline = time.monotonic() + 60
    while any(not job.state.over for job in section._queue.jobs):
        assert time.monotonic() < deadline, section.ui.modelMessage.text
        slicer_app.processEvents()
        time.sleep(0.005)
    return section.ui.modelMessage.text


def test_the_section_is_found_and_lists_what_is_shipped(section):
    from MedSegEffNetPanel.sections import find_sections

    assert type(section) in find_sections()
    assert shown(section) == sorted(folder.name for folder in SHIPPED.parent.iterdir())
    assert "Not for clinical use" in section.ui.cardBrowser.plainText
    assert section.ui.verifyButton.enabled
    assert not section.ui.removeButton.enabled
    assert "stays" in section.ui.removeButton.toolTip


def test_search_narrows_the_table_and_keeps_the_choice(section):
    section.select("tumor-slices-unet@1.0.0")
    section.ui.modelFilter.text = "glioma unet"
    assert shown(section) == ["tumor-slices-unet"]
    section.ui.modelFilter.text = "kidney"
    assert shown(section) == []
    assert "No installed model has these words" in section.ui.cardBrowser.plainText
    assert not section.ui.verifyButton.enabled
    section.ui.modelFilter.text = ""
    section.select("tumor-slices-unet@1.0.0")
    assert section.entry.name == "tumor-slices-unet"
    assert section.ui.cardBrowser.plainText.startswith("tumor-slices-unet")


def test_nothing_at_all_installed_says_what_to_do(monkeypatch, tmp_path, panel):
    monkeypatch.setattr(registry, "resources_folder", lambda: tmp_path / "none")
    section = panel.section("models")
    section.enter()
    assert shown(section) == []
    assert "Import one" in section.ui.cardBrowser.plainText
    assert section.ui.importZipButton.enabled


def test_verify_runs_in_the_background(slicer_app, section, window_lives):
    section.select("tumor-slices-efficientnet@1.0.0")
    window_lives(section.ui.verifyButton.click, tries=1)
    assert "Checking tumor-slices-efficientnet@1.0.0" in section.ui.modelMessage.text
    assert "as it was made" in finish(slicer_app, section)
    assert not section.ui.progressFrame.visible


def test_a_damaged_model_is_told(slicer_app, section, models, download):
    folder = shutil.copytree(download, models / "parts-2.0.0")
    (folder / "LICENSE").write_text("do what you like", encoding="utf-8")
    section.enter()
    section.select("parts@2.0.0")
    section.ui.verifyButton.click()
    text = finish(slicer_app, section)
    assert "LICENSE has changed" in text
    assert "Install the model again" in text


def test_the_report_of_a_job_that_failed_can_be_copied(slicer_app, section, tmp_path):
    import qt

    assert not section.ui.copyReportButton.isVisibleTo(section.widget)
    (tmp_path / "no.zip").write_bytes(b"no zip")
    section.import_model(tmp_path / "no.zip")
    finish(slicer_app, section)
    assert section.ui.copyReportButton.isVisibleTo(section.widget)
    section.ui.copyReportButton.click()
    assert "no.zip" in qt.QApplication.clipboard().text()
    section.ui.verifyButton.click()
    finish(slicer_app, section)
    assert not section.ui.copyReportButton.isVisibleTo(section.widget)


def test_a_user_folder_that_cannot_be_written_is_told(section, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv(registry.DATA_VARIABLE, str(tmp_path / "file"))
    section.ui.verifyButton.click()
    assert "could not be written" in section.ui.modelMessage.text


def test_a_model_is_imported_exported_removed_and_imported_from_its_zip(
    slicer_app, section, panel, models, download, tmp_path, monkeypatch
):
    import qt
    import slicer

    changes = []
    panel.models_changed.connect(lambda: changes.append(shown(section)))
    monkeypatch.setattr(qt.QFileDialog, "getExistingDirectory", lambda *_: str(download))
    section.ui.importFolderButton.click()
    assert "parts@2.0.0 is installed" in finish(slicer_app, section)
    assert section.entry.key == "parts@2.0.0"
    assert len(changes) == 1
    Bundle.open(models / "parts-2.0.0").verify()

    monkeypatch.setattr(qt.QFileDialog, "getSaveFileName", lambda *_: str(tmp_path / "parts"))
    section.ui.exportButton.click()
    assert "is written to" in finish(slicer_app, section)
    assert (tmp_path / "parts.zip").is_file()

    asked = []
    monkeypatch.setattr(slicer.util, "confirmYesNoDisplay", lambda text, **_: asked.append(text))
    section.ui.removeButton.click()
    assert "parts@2.0.0" in asked[0]
    assert (models / "parts-2.0.0").is_dir()
    monkeypatch.setattr(slicer.util, "confirmYesNoDisplay", lambda text, **_: True)
    section.ui.removeButton.click()
    assert "parts@2.0.0 is removed" in finish(slicer_app, section)
    assert list(models.iterdir()) == []
    assert "parts" not in shown(section)

    monkeypatch.setattr(qt.QFileDialog, "getOpenFileName", lambda *_: str(tmp_path / "parts.zip"))
    section.ui.importZipButton.click()
    finish(slicer_app, section)
    Bundle.open(models / "parts-2.0.0").verify()


def test_canceling_a_dialog_does_nothing(section, monkeypatch):
    import qt

    for name in ("getOpenFileName", "getExistingDirectory", "getSaveFileName"):
        monkeypatch.setattr(qt.QFileDialog, name, lambda *_: "")
    for button in (section.ui.importZipButton, section.ui.importFolderButton, section.ui.exportButton):
        button.click()
    assert section._queue.jobs == []


def test_what_is_dropped_on_the_table_is_imported_and_each_outcome_is_told(
    slicer_app, section, models, download, tmp_path
):
    import qt

    (tmp_path / "broken.zip").write_text("no zip", encoding="utf-8")
    (tmp_path / "notes.txt").write_text("no model", encoding="utf-8")
    data = qt.QMimeData()
    paths = (download, tmp_path / "broken.zip", tmp_path / "notes.txt")
    data.setUrls([qt.QUrl.fromLocalFile(str(path)) for path in paths])
    drop = qt.QDropEvent(qt.QPointF(5, 5), qt.Qt.CopyAction, data, qt.Qt.LeftButton, qt.Qt.NoModifier)
    assert section._drop.eventFilter(section.ui.modelTable.viewport(), drop)
    text = finish(slicer_app, section)
    assert "parts@2.0.0 is installed" in text
    assert "cannot be opened as a zip" in text
    assert "notes" not in text
    assert [path.name for path in models.iterdir()] == ["parts-2.0.0"]


def test_a_broken_model_is_listed_with_its_reason_and_can_be_removed(
    slicer_app, section, models, monkeypatch, download
):
    import slicer

    folder = shutil.copytree(download, models / "torn")
    (folder / METADATA).write_text("{", encoding="utf-8")
    section.enter()
    row = shown(section).index("torn")
    assert section.ui.modelTable.item(row, 3).text() == "cannot be used"
    assert "cannot be read" in section.ui.modelTable.item(row, 0).toolTip()
    section.ui.modelTable.setCurrentCell(row, 0)
    assert "cannot be read" in section.ui.cardBrowser.plainText
    assert not section.ui.verifyButton.enabled
    assert not section.ui.exportButton.enabled
    monkeypatch.setattr(slicer.util, "confirmYesNoDisplay", lambda text, **_: True)
    section.ui.removeButton.click()
    finish(slicer_app, section)
    assert not folder.exists()


def test_canceling_an_import_leaves_nothing(slicer_app, section, models, download, tmp_path):
    section.import_model(download)
    section.import_model(rename(shutil.copytree(SHIPPED, tmp_path / "second"), "second"))
    assert "Importing download" in section.ui.modelMessage.text
    section.ui.cancelButton.click()
    assert "Importing second: canceled, nothing was changed." in finish(slicer_app, section)
    # The first one may have been faster than the click; then it is there whole.
    assert {path.name for path in models.iterdir()} <= {"parts-2.0.0"}
    assert not any(entry.problem for entry in section._entries)


def test_the_section_lets_go_of_everything(section, panel):
    section.cleanup()
    panel.models_changed.emit()
    assert section._queue.running() == []
