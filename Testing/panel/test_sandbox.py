"""The selection of the annotator, on real segments in the segment editor."""

import numpy as np
import pytest

import editing
from editing import SHAPE, world
from test_bridge_segments import mask

volume, segmentation, empty_editor, editor = editing.volume, editing.segmentation, editing.empty_editor, editing.editor
sizes, fill = editing.sizes, editing.fill
pytestmark = pytest.mark.usefixtures("scene")


@pytest.fixture
def sandbox(editor):
    from MedSegEffNetPanel.correcting.sandbox import Sandbox

    editor.setMaximumNumberOfUndoStates(10)
    made = Sandbox(editor)
    made.open()
    return made


@pytest.fixture
def draw(editor):
    """``draw(k, j, i)`` selects a box of voxels, as a tool would."""
    from harness.effects import array_of
    from MedSegEffNetPanel.correcting.sandbox import SELECTION

    def draw(*box):
        editor.setCurrentSegmentID(SELECTION)
        paint = editor.effectByName("Paint")
        image = paint.defaultModifierLabelmap()
        array_of(image)[box] = 1
        image.Modified()
        paint.saveStateForUndo()
        paint.modifySelectedSegmentByLabelmap(image, paint.ModificationModeAdd)

    return draw


@pytest.fixture
def settle(sandbox, wait_until):
    """Wait for the work under way."""
    return lambda: wait_until(lambda: not sandbox.busy, 10)


def selected(segmentation, volume):
    return mask(segmentation, "Selection", volume)


def test_the_brush_draws_the_selection_over_the_labels(sandbox, editor, segmentation, volume, sizes, fill):
    from harness.brush import paint
    from MedSegEffNetPanel.correcting.sandbox import SELECTION

    fill("a", slice(0, 4))
    sandbox.select(SELECTION)
    editor.setActiveEffectByName("Paint")
    paint(editor, [world((4, 4, 3))], 2.2)
    assert selected(segmentation, volume).any()
    assert sizes() == (480, 0)


def test_plus_gives_the_selection_to_a_label_and_minus_takes_it_away(
    sandbox, draw, settle, segmentation, volume, sizes, fill
):
    fill("b", slice(0, 2))
    draw(slice(1, 3), slice(2, 5), slice(3, 7))
    sandbox.add("a")
    assert settle()
    assert sizes() == (24, 228)
    assert not selected(segmentation, volume).any()

    draw(slice(2, 3), slice(0, 3), slice(0, 12))
    sandbox.remove("a")
    assert settle()
    assert sizes() == (20, 228)


def test_equals_makes_the_label_the_selection(sandbox, draw, settle, sizes, fill):
    fill("a", slice(0, 4))
    fill("b", slice(4, 6))
    draw(slice(3, 5), slice(0, 2), slice(0, 3))
    sandbox.replace("a")
    assert settle()
    assert sizes() == (12, 234)


def test_a_locked_label_neither_gives_nor_takes(sandbox, draw, settle, segmentation, sizes, fill):
    from MedSegEffNetPanel.bridge.made import LOCKED

    fill("b", slice(0, 2))
    segmentation.GetSegmentation().GetSegment("b").SetTag(LOCKED, "1")
    draw(slice(0, 4), slice(0, 10), slice(0, 12))
    sandbox.add("a")
    assert settle()
    assert sizes() == (240, 240)
    draw(slice(0, 4), slice(0, 10), slice(0, 12))
    for operation in (sandbox.add, sandbox.remove, sandbox.replace):
        operation("b")
        assert settle()
    assert sizes() == (240, 240)


def test_each_step_is_undone_by_itself(sandbox, draw, settle, editor, segmentation, volume, sizes):
    draw(slice(1, 3), slice(2, 5), slice(3, 7))
    sandbox.grow()
    assert settle()
    assert np.count_nonzero(selected(segmentation, volume)) > 24
    sandbox.add("a")
    assert settle()
    grown = sizes()[0]
    assert grown > 24
    editor.undo()
    assert sizes() == (0, 0)
    assert np.count_nonzero(selected(segmentation, volume)) == grown
    editor.undo()
    assert np.count_nonzero(selected(segmentation, volume)) == 24
    editor.redo()
    editor.redo()
    assert sizes() == (grown, 0)


def test_the_selection_is_shaped(sandbox, draw, settle, segmentation, volume):
    draw(1, slice(2, 8), slice(2, 8))
    draw(5, slice(2, 8), slice(2, 8))
    sandbox.interpolate(0)
    assert settle()
    assert selected(segmentation, volume).sum() == 5 * 36
    sandbox.shrink(0)
    assert settle()
    assert selected(segmentation, volume).sum() == 5 * 16
    sandbox.clear()
    assert settle()
    assert not selected(segmentation, volume).any()


def test_a_hole_in_a_slice_is_filled(sandbox, draw, settle, segmentation, volume):
    draw(slice(1, 3), slice(2, 7), slice(2, 7))
    sandbox.shape(lambda selection: selection.without(type(selection).of(hole())))
    assert settle()
    assert selected(segmentation, volume).sum() == 49
    sandbox.fill_holes(0)
    assert settle()
    assert selected(segmentation, volume).sum() == 50


def hole():
    voxel = np.zeros(SHAPE, dtype=bool)
    voxel[1, 4, 4] = True
    return voxel


def test_a_label_is_taken_as_the_selection(sandbox, settle, segmentation, volume, fill, sizes):
    fill("b", slice(2, 5))
    sandbox.take("b")
    assert settle()
    assert selected(segmentation, volume).sum() == sizes()[1] == 360


def test_what_is_asked_for_while_work_is_under_way_is_not_done(sandbox, draw, settle, segmentation, volume):
    draw(slice(1, 3), slice(2, 5), slice(3, 7))
    sandbox.grow()
    sandbox.clear()
    assert settle()
    assert np.count_nonzero(selected(segmentation, volume)) > 24


def test_labels_take_voxels_from_each_other_when_they_are_drawn_directly(sandbox, sizes, editor, fill):
    from harness.brush import paint

    fill("b", slice(None))
    sandbox.select("a")
    editor.setActiveEffectByName("Paint")
    paint(editor, [world((4, 4, 3))], 0.4)
    assert sizes() == (1, np.prod(SHAPE) - 1)


def test_a_selection_that_is_closed_is_gone(sandbox, draw, segmentation, sizes):
    draw(slice(1, 3), slice(2, 5), slice(3, 7))
    sandbox.close()
    assert list(segmentation.GetSegmentation().GetSegmentIDs()) == ["a", "b"]
    assert sizes() == (0, 0)


def test_labels_on_other_voxels_are_refused(scene, segmentation, sandbox, editor, settle):
    import slicer

    from MedSegEffNetPanel.correcting.sandbox import SELECTION

    told = []
    sandbox.changed.connect(told.append)
    other = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "other")
    slicer.util.updateVolumeFromArray(other, np.zeros((3, 4, 5), dtype=np.int16))
    image = slicer.vtkOrientedImageData()
    image.SetDimensions(3, 3, 3)
    image.SetSpacing(2, 2, 2)
    image.AllocateScalars(3, 1)
    image.GetPointData().GetScalars().Fill(1)
    segmentation.AddSegmentFromBinaryLabelmapRepresentation(image, "odd")
    editor.setCurrentSegmentID(SELECTION)
    sandbox.take(segmentation.GetSegmentation().GetSegmentIdBySegmentName("odd"))
    assert settle()
    assert "other voxels" in told[-1]
