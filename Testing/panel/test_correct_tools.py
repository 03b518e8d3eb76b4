"""The section Correct by clicks and keys: selection, labels, locks, wand, undo."""

import numpy as np
import pytest

from correcting_cases import (
    PATIENCE,
    ball,
    click,
    draw,
    keys_installed,
    labels,
    make_dataset,
    open_case,
    point,
    press,
    selected,
    settled,
)

BOX = (slice(4, 8), slice(5, 10), slice(6, 12))  # 120 voxels


@pytest.fixture
def section(panel, tmp_path, wait_until):
    """The section with two cases of brain tumors, the first one open."""
    panel.curation.author = "Ada"
    panel.curation.open(make_dataset(tmp_path / "data", 2, "brain-tumor").folder)
    panel.show("correct")
    section = panel.section("correct")
    open_case(section, wait_until)
    return section


@pytest.fixture
def calm(section, wait_until):
    """Wait until nothing is under way."""
    return lambda: settled(section, wait_until)


def test_a_selection_is_added_to_the_chosen_label_taken_away_and_put_in_its_place(section, calm):
    first, second = list(labels(section))[:2]
    draw(section, BOX)
    click(section, "add")
    calm()
    assert labels(section)[first] == 120
    assert selected(section) == 0
    section.ui.labelTable.setCurrentCell(1, 1)
    draw(section, (slice(4, 5), slice(5, 10), slice(6, 12)))
    press(section, "+")
    calm()
    assert (labels(section)[first], labels(section)[second]) == (90, 30)
    section.ui.labelTable.setCurrentCell(0, 1)
    draw(section, (slice(5, 6), slice(5, 10), slice(6, 12)))
    press(section, "-")
    calm()
    assert labels(section)[first] == 60
    draw(section, (slice(0, 1), slice(0, 2), slice(0, 3)))
    press(section, "=")
    calm()
    assert labels(section)[first] == 6
    assert section.ui.labelTable.item(0, 3).text() == "6"
    assert section.ui.labelTable.item(0, 4).text() == "0.01"


def test_all_of_it_is_undone_and_redone(section, calm):
    first = next(iter(labels(section)))
    draw(section, BOX)
    click(section, "grow")
    calm()
    grown = selected(section)
    assert grown > 120
    click(section, "add")
    calm()
    press(section, "Ctrl+Z")
    calm()
    assert (labels(section)[first], selected(section)) == (0, grown)
    press(section, "Ctrl+Z")
    calm()
    assert selected(section) == 120
    press(section, "Ctrl+Y")
    press(section, "Ctrl+Y")
    calm()
    assert labels(section)[first] == grown


def test_the_selection_is_shaped_by_every_button(section, calm):
    draw(section, (slice(4, 5), slice(5, 15), slice(6, 16)))
    draw(section, (slice(8, 9), slice(5, 15), slice(6, 16)))
    click(section, "interpolate")
    calm()
    assert selected(section) == 500
    section.ui.flatBox.click()
    click(section, "shrink")
    calm()
    assert selected(section) == 5 * 64
    click(section, "grow")
    calm()
    assert selected(section) > 5 * 64
    for name in ("smooth", "fill", "clear"):
        click(section, name)
        calm()
    assert selected(section) == 0


def test_smoothing_in_2d_leaves_the_other_slices_alone(section, calm):
    import slicer

    draw(section, (slice(4, 8), slice(5, 10), slice(6, 12)))
    matrix = slicer.mrmlScene.GetNodeByID("vtkMRMLSliceNodeRed")
    point(section, (5, 7, 9))
    place = [0.0, 0.0, 0.0]
    slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLCrosshairNode").GetCursorPositionRAS(place)
    matrix.JumpSliceByOffsetting(*place)
    section.ui.flatBox.checked = True
    click(section, "smooth")
    calm()
    assert selected(section) == 120 - 4  # the corners of one slice
    section.ui.flatBox.checked = False
    click(section, "smooth")
    calm()
    assert selected(section) < 116 - 8


def test_the_wand_selects_around_the_mouse_and_its_range_can_still_be_moved(section, calm, wait_until):
    middle = tuple(length // 2 for length in reversed(ball().shape))
    point(section, middle)
    press(section, "Shift+W")
    calm()
    assert selected(section) == ball().sum()
    widget = section.ui.rangeWidget
    assert widget.minimumValue > 400
    widget.setValues(0, widget.maximum)
    calm()
    assert wait_until(lambda: selected(section) == ball().size, PATIENCE)
    press(section, "Ctrl+Z")
    calm()
    assert selected(section) == 0
    widget.setValues(450, 600)  # the wand's selection is no more: nothing happens
    calm()
    assert selected(section) == 0


def test_threshold_keeps_what_lies_in_the_range(section, calm):
    draw(section, (slice(None), slice(None), slice(None)))
    section.ui.rangeWidget.setValues(400, section.ui.rangeWidget.maximum)
    click(section, "threshold")
    calm()
    assert selected(section) == ball().sum()


def test_the_wand_keeps_to_the_label_and_to_the_slice(section, calm):
    middle = tuple(length // 2 for length in reversed(ball().shape))
    point(section, middle)
    section.ui.thisSliceBox.checked = True
    click(section, "wand")
    calm()
    assert selected(section) == ball()[:, :, middle[0]].sum()
    section.ui.sameLabelBox.checked = True
    draw(section, (slice(middle[0], middle[0] + 1), slice(middle[1], middle[1] + 2), slice(0, 24)))
    click(section, "clear")
    calm()
    draw(section, (slice(middle[0], middle[0] + 1), slice(middle[1], middle[1] + 1), slice(middle[2], middle[2] + 2)))
    click(section, "add")
    calm()
    click(section, "wand")
    calm()
    assert selected(section) == 2


def test_the_island_under_the_mouse_stays(section, calm):
    draw(section, BOX)
    draw(section, (slice(12, 13), slice(0, 2), slice(0, 2)))
    point(section, (12, 1, 1))
    click(section, "island")
    calm()
    assert selected(section) == 4


def test_wand_and_island_say_what_to_point_at(section, calm):
    import slicer

    crosshair = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLCrosshairNode")
    if crosshair is not None:
        crosshair.SetCursorPositionInvalid()
    click(section, "wand")
    assert "Shift+W" in section.ui.correctMessage.text


def test_a_locked_label_takes_nothing_and_gives_nothing(section, calm):
    import qt

    first, second = list(labels(section))[:2]
    draw(section, BOX)
    click(section, "add")
    calm()
    section.ui.labelTable.item(0, 2).setCheckState(qt.Qt.Checked)
    calm()
    draw(section, BOX)
    click(section, "add")
    assert "is locked" in section.ui.correctMessage.text
    section.ui.labelTable.setCurrentCell(1, 1)
    draw(section, (slice(0, 8), slice(5, 10), slice(6, 12)))
    click(section, "add")
    calm()
    assert (labels(section)[first], labels(section)[second]) == (120, 120)


def test_a_locked_label_cannot_be_drawn_into(section, calm):
    import qt

    from MedSegEffNetPanel.correcting.sandbox import SELECTION

    first = next(iter(section.desk.session.values))
    table = section.ui.segmentEditor.findChild(qt.QWidget, "SegmentsTableView")
    section.ui.labelTable.item(0, 2).setCheckState(qt.Qt.Checked)
    calm()
    table.setSelectedSegmentIDs([first])
    assert "locked" in section.ui.correctMessage.text
    assert section.bench.editor.currentSegmentID() == SELECTION
    section.ui.labelTable.item(0, 2).setCheckState(qt.Qt.Unchecked)
    calm()
    table.setSelectedSegmentIDs([first])
    assert section.bench.editor.currentSegmentID() == first
    draw(section, BOX)
    calm()
    assert labels(section)[next(iter(labels(section)))] == 120


def test_undo_does_not_undo_a_lock(section, calm):
    import qt

    from MedSegEffNetPanel.correcting.locks import EDITABLE

    first, second = list(labels(section))[:2]
    draw(section, BOX)
    click(section, "add")
    calm()
    draw(section, (slice(0, 1), slice(0, 1), slice(0, 4)))
    section.ui.labelTable.item(0, 2).setCheckState(qt.Qt.Checked)
    calm()
    draw(section, (slice(1, 2), slice(0, 1), slice(0, 4)))
    press(section, "Ctrl+Z")
    press(section, "Ctrl+Z")  # to a state of before the lock
    calm()
    assert section.ui.labelTable.item(0, 2).checkState() == qt.Qt.Checked
    assert section.bench.locks.locked() == [next(iter(section.desk.session.values))]
    assert section.desk.session.segmentation.GetSegmentation().GetSegment(EDITABLE) is not None
    section.ui.labelTable.setCurrentCell(1, 1)
    draw(section, (slice(0, 8), slice(5, 10), slice(6, 12)))
    click(section, "add")
    calm()
    assert (labels(section)[first], labels(section)[second]) == (120, 120)


def test_the_fence_of_the_locks_is_not_listed(section, calm):
    import qt

    from MedSegEffNetPanel.correcting.locks import EDITABLE

    section.ui.labelTable.item(0, 2).setCheckState(qt.Qt.Checked)
    calm()
    table = section.ui.segmentEditor.findChild(qt.QWidget, "SegmentsTableView")
    assert section.desk.session.segmentation.GetSegmentation().GetSegment(EDITABLE) is not None
    assert EDITABLE not in table.displayedSegmentIDs()


def test_keys_like_amira_s_choose_labels_and_tools(section, calm):
    assert "1" in keys_installed()  # Slicer's: the first tool
    assert "A" not in keys_installed()
    section.ui.keysBox.currentIndex = 1
    assert "A" in keys_installed()
    assert section.panel.settings.text("keys") == "amira"
    press(section, "2")
    assert section.ui.labelTable.currentRow() == 1
    press(section, "B")
    assert section.bench.editor.activeEffect().name == "Paint"
    press(section, "Esc")
    assert section.bench.editor.activeEffect() is None
    draw(section, BOX)
    press(section, "A")
    calm()
    assert list(labels(section).values())[1] == 120
    press(section, "Ctrl+Z")
    calm()
    assert list(labels(section).values())[1] == 0
    press(section, "D")
    assert section.ui.flatBox.checked
    assert section.ui.labelTable.item(0, 0).text() == "1"
    assert "(A" in section.ui.addButton.toolTip or "A)" in section.ui.addButton.toolTip


def test_keys_work_only_while_the_section_is_used(section, calm):
    import slicer

    slicer.util.selectModule("Data")
    assert keys_installed() == set()
    slicer.util.selectModule("MedSegEffNet")
    assert "+" in keys_installed()
    section.bar.collapsed = True
    assert keys_installed() == set()
    section.bar.collapsed = False
    assert "+" in keys_installed()
    section.desk.put_away()
    calm()
    assert keys_installed() == set()


def test_no_key_has_two_meanings():
    from MedSegEffNetPanel.correcting.keys import MAPS, TABLE

    slicers = {"Z", "Ctrl+Z", "Y", "Ctrl+Y", "Q", "W", "Escape", "I", *map(str, range(10))}
    slicers |= {f"Shift+{number}" for number in range(10)}
    for name in MAPS:
        keys = [key for entry in TABLE for key in entry.of(name)]
        assert len(keys) == len(set(keys))
        assert name != "slicer" or not slicers & set(keys)


def test_buttons_say_why_they_cannot_be_used(section, calm):
    click(section, "take")
    assert not section.ui.addButton.enabled
    assert "still being done" in section.ui.addButton.toolTip
    calm()
    assert section.ui.addButton.enabled
    section.desk.put_away()
    calm()
    assert "Open a case" in section.ui.addButton.toolTip


def test_another_image_is_shown_and_used_by_the_tools(section, calm, scene):
    box = section.ui.imageBox
    other = next(place for place in range(box.count) if place != box.currentIndex)
    box.currentIndex = other
    calm()
    node = section.desk.session.volumes[box.currentText]
    assert section.bench.editor.sourceVolumeNode() is node
    assert scene.GetNodeByID("vtkMRMLSliceCompositeNodeRed").GetBackgroundVolumeID() == node.GetID()
    least = float(np.min(section.bench.wand.image))
    assert section.ui.rangeWidget.minimum == least


def test_the_selection_is_there_again_when_its_case_is_opened_the_next_time(section, calm, wait_until):
    kept = section.desk.session.dataset.case_folder("case-1") / "selection"
    draw(section, BOX)
    assert wait_until(kept.is_file, PATIENCE)
    section.open("case-2")
    calm()
    assert wait_until(lambda: section.desk.case_id == "case-2", PATIENCE)
    assert selected(section) == 0
    open_case(section, wait_until, "case-1")
    assert selected(section) == 120
    click(section, "add")
    calm()
    assert next(iter(labels(section).values())) == 120
    assert wait_until(lambda: not kept.exists(), PATIENCE)


def test_a_selection_just_drawn_is_on_disk_when_the_scene_is_closed(section):
    import slicer

    kept = section.desk.session.dataset.case_folder("case-1") / "selection"
    draw(section, BOX)
    slicer.mrmlScene.Clear(0)
    assert kept.is_file()
