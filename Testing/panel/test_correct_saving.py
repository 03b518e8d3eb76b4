"""What the section Correct saves: versions, NIfTI, the journal; and how a case is left when the scene goes."""

import numpy as np
import pytest

from correcting_cases import PATIENCE, click, draw, labels, make_dataset, open_case, press, settled

BOX = (slice(4, 8), slice(5, 10), slice(6, 12))  # 120 voxels


@pytest.fixture
def dataset(tmp_path):
    return make_dataset(tmp_path / "data", 2)


@pytest.fixture
def section(panel, dataset, wait_until):
    """The section with the first case open."""
    panel.curation.author = "Ada"
    panel.curation.open(dataset.folder)
    panel.show("correct")
    section = panel.section("correct")
    open_case(section, wait_until)
    return section


@pytest.fixture
def calm(section, wait_until):
    return lambda: settled(section, wait_until)


@pytest.fixture
def add(section, calm):
    """``add(box)`` gives a box to the first label."""

    def add(box=BOX):
        draw(section, box)
        click(section, "add")
        calm()

    return add


def versions(section):
    table = section.ui.versionTable
    return [[table.item(row, column).text() for column in range(4)] for row in range(table.rowCount)]


def test_a_save_is_a_new_version_with_author_and_comment(section, add, calm, dataset):
    add()
    section.ui.commentEdit.text = "left side only"
    press(section, "Ctrl+Shift+S")
    calm()
    assert "Saved" in section.ui.correctMessage.text
    record = dataset.read("case-1")
    assert (record.current, record.label.author, record.label.comment) == (1, "Ada", "left side only")
    [(number, _saved, author, origin)] = versions(section)
    assert (number, author, origin) == ("1 ✓", "Ada", "manual")
    assert section.ui.commentEdit.text == ""
    assert "version 1" in section.ui.caseLabel.text


def test_the_state_of_the_edits_is_shown(section, add, calm, wait_until):
    assert section.ui.autosaveLabel.text == "All edits are on disk."
    draw(section, BOX)
    assert section.ui.autosaveLabel.text.startswith("Writing")
    calm()
    add()
    assert "no version has them yet" in section.ui.autosaveLabel.text
    click(section, "save")
    calm()
    assert section.ui.autosaveLabel.text == "All edits are on disk."


def test_a_disk_that_is_full_is_told_and_the_edits_are_kept(section, calm, wait_until, monkeypatch):
    from MedSegEffNetLib.errors import MedSegEffNetError
    from MedSegEffNetPanel.correcting import edits

    def full(box, voxels):
        raise MedSegEffNetError("the disk is full", hint="make room on it")

    session = section.desk.session
    good = session.edits._record
    monkeypatch.setattr(edits, "_AGAIN", 50)
    session.edits._record = full
    draw(section, BOX)
    click(section, "add")
    assert wait_until(lambda: "disk is full" in section.ui.autosaveLabel.text, PATIENCE)
    assert "Make room" in section.ui.autosaveLabel.text
    session.edits._record = good
    assert wait_until(lambda: "All edits are on disk" in section.ui.autosaveLabel.text, PATIENCE)


def test_an_older_version_is_gone_back_to(section, add, calm, dataset, wait_until):
    add()
    click(section, "save")
    calm()
    add((slice(0, 2), slice(0, 2), slice(0, 2)))
    click(section, "save")
    calm()
    assert sum(labels(section).values()) == 128
    section.ui.versionTable.setCurrentCell(1, 0)
    click(section, "goBack")
    calm()
    assert sum(labels(section).values()) == 120
    assert dataset.read("case-1").current == 1
    assert [row[0] for row in versions(section)] == ["2", "1 ✓"]


def test_an_accepted_case_is_opened_again_and_edited(section, add, calm, dataset, wait_until):
    add()
    click(section, "accept")
    calm()
    section.ui.stateBox.currentIndex = section.ui.stateBox.findData("accepted")
    open_case(section, wait_until)
    assert "accepted" in section.ui.caseLabel.text
    add((slice(0, 2), slice(0, 2), slice(0, 2)))
    click(section, "save")
    calm()
    record = dataset.read("case-1")
    assert (record.state, len(record.labels)) == ("in review", 2)


def test_a_case_that_somebody_else_saved_meanwhile_keeps_both_labels(section, add, calm, dataset):
    from MedSegEffNetLib.dataset.labels import save_label
    from MedSegEffNetLib.image import Image

    image = next(iter(dataset.load("case-1")[0].values()))
    add()
    save_label(dataset, "case-1", Image(np.zeros(image.shape, np.uint8), image.affine), author="Berta")
    click(section, "save")
    calm()
    assert "both labels are kept" in section.ui.correctMessage.text
    click(section, "accept")
    calm()
    assert dataset.read("case-1").state == "in review"
    assert "choose" in section.ui.correctMessage.text.lower()
    section.ui.versionTable.setCurrentCell(0, 0)
    click(section, "goBack")
    calm()
    record = dataset.read("case-1")
    assert record.conflicts == ()
    assert np.count_nonzero(dataset.load("case-1")[1].array) == 120


def test_labels_are_written_as_nifti_in_one_click(section, add, calm, dialogs, tmp_path):
    from MedSegEffNetLib.image import read_label_map

    add()
    folder = tmp_path / "out"
    folder.mkdir()
    dialogs.answers.append(folder)
    click(section, "nifti")
    calm()
    path = folder / "case-1_labels.nii.gz"
    assert str(path) in section.ui.correctMessage.text
    written = read_label_map(path)
    assert np.count_nonzero(written.array) == 120
    assert np.array_equal(written.array.T, section.desk.session.edits.labels)
    add((slice(0, 2), slice(0, 2), slice(0, 2)))
    dialogs.answers.append(False)
    click(section, "nifti")  # asks: it is there already
    calm()
    assert np.count_nonzero(read_label_map(path).array) == 120
    dialogs.answers.append(True)
    click(section, "nifti")
    calm()
    assert np.count_nonzero(read_label_map(path).array) == 128


def test_labels_that_are_corrected_from_marked_ones_are_marked_as_nifti_too(
    section, add, calm, dialogs, dataset, tmp_path, wait_until
):
    from dataclasses import replace

    from MedSegEffNetLib.dataset.labels import save_label
    from MedSegEffNetLib.image import read_label_map

    image = next(iter(dataset.load("case-2")[0].values()))
    empty = replace(image.with_array(np.zeros(image.shape, np.uint8)), synthesised="fake@1.0.0")
    save_label(dataset, "case-2", empty, author="Ada")
    open_case(section, wait_until, "case-2")
    add()
    dialogs.answers.append(tmp_path)
    click(section, "nifti")
    calm()
    written = read_label_map(tmp_path / "case-2_labels.nii.gz")
    assert np.count_nonzero(written.array) == 120
    assert written.synthesised == "fake@1.0.0"


def test_a_closed_scene_puts_the_case_away_and_loses_nothing(section, calm, dataset, scene, wait_until):
    draw(section, BOX)
    click(section, "add")
    assert wait_until(lambda: not section.bench.busy, PATIENCE)
    scene.Clear(0)  # before the edits were looked at
    assert section.desk.session is None
    assert dataset.editor("case-1") is None
    assert not section.ui.workFrame.isVisibleTo(section.widget)
    open_case(section, wait_until)
    assert section.desk.session.recovered
    assert sum(labels(section).values()) == 120
    assert "here again" in section.ui.correctMessage.text


def test_a_module_that_ends_puts_the_case_away_and_loses_nothing(section, calm, dataset, module, wait_until):
    from harness import application
    from MedSegEffNetPanel.bridge import undo

    draw(section, BOX)
    click(section, "add")
    assert wait_until(lambda: not section.bench.busy, PATIENCE)
    application.end_widget(module)
    assert dataset.editor("case-1") is None
    assert undo.editors == []
    assert (dataset.case_folder("case-1") / "journal").is_file()


def test_a_case_that_is_put_away_leaves_nothing_in_the_scene(section, calm, scene):
    section.desk.put_away()
    calm()
    for kind in ("vtkMRMLSegmentationNode", "vtkMRMLScalarVolumeNode"):
        assert scene.GetNumberOfNodesByClass(kind) == 0
    assert section.ui.segmentEditor.mrmlSegmentEditorNode() is None


def test_an_edit_made_while_a_version_is_saved_is_not_lost(section, add, calm, dataset, monkeypatch, wait_until):
    from MedSegEffNetPanel.correcting import session as sessions

    real, began, go = sessions.save_label, [], []

    def slow(*values, **named):
        began.append(True)
        while not go:
            pass
        return real(*values, **named)

    monkeypatch.setattr(sessions, "save_label", slow)
    add()
    click(section, "save")
    assert wait_until(lambda: began, PATIENCE)
    revision = section.desk.session.edits.revision
    section.bench.draw_into(next(iter(section.desk.session.values)))
    draw(section, (slice(0, 2), slice(0, 2), slice(0, 2)))
    assert wait_until(lambda: section.desk.session.edits.revision > revision, PATIENCE)
    go.append(True)
    calm()
    assert section.desk.session.unsaved
    assert np.count_nonzero(dataset.load("case-1")[1].array) == 120
    section.desk.end()
    open_case(section, wait_until)
    assert sum(labels(section).values()) == 128
