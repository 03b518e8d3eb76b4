"""Locked labels keep their voxels, whatever tool is used."""

import numpy as np
import pytest

import editing
from editing import SHAPE, world
from test_bridge_segments import mask

volume, segmentation, empty_editor, editor = editing.volume, editing.segmentation, editing.empty_editor, editing.editor
sizes, fill = editing.sizes, editing.fill
pytestmark = pytest.mark.usefixtures("scene")


@pytest.fixture
def locks(editor, segmentation, wait_until):
    from MedSegEffNetPanel.correcting.locks import Locks

    segmentation.CreateDefaultDisplayNodes()
    editor.setMaximumNumberOfUndoStates(10)
    made = Locks(editor)
    yield made
    made.close()


@pytest.fixture
def lock(locks, wait_until):
    """``lock(segment, locked)`` and wait until the tools know."""

    def lock(segment_id, locked=True):
        locks.set_locked(segment_id, locked)
        assert wait_until(lambda: not locks.busy, 10)

    return lock


@pytest.fixture
def stroke(editor):
    """``stroke(segment)`` paints into it around the middle."""
    from harness.brush import paint

    def stroke(segment_id, effect="Paint"):
        editor.setCurrentSegmentID(segment_id)
        editor.setActiveEffectByName(effect)
        paint(editor, [world((4, 4, 3))], 2.2)

    return stroke


def test_the_brush_paints_around_a_locked_label(lock, stroke, fill, sizes, segmentation, volume):
    fill("b", slice(0, 4))
    lock("b")
    stroke("a")
    assert sizes()[1] == 480
    painted = mask(segmentation, "a", volume)
    assert painted.any()
    assert not painted[:4].any()


def test_an_unlocked_label_gives_its_voxels_again(lock, stroke, fill, sizes):
    fill("b", slice(0, 4))
    lock("b")
    lock("b", False)
    stroke("a")
    assert sizes()[1] < 480


def test_a_label_that_slicer_calls_completed_is_locked_and_can_be_unlocked(lock, locks, segmentation):
    import slicer

    logic = slicer.vtkSlicerSegmentationsModuleLogic
    segment = segmentation.GetSegmentation().GetSegment("a")
    logic.SetSegmentStatus(segment, logic.Completed)
    assert locks.locked() == ["a"]
    lock("a", False)
    assert locks.locked() == []


def test_several_labels_can_be_locked(lock, stroke, fill, segmentation, volume):
    fill("a", slice(0, 3))
    fill("b", slice(4, 6))
    segmentation.GetSegmentation().AddEmptySegment("c", "c")
    lock("a")
    lock("b")
    stroke("c")
    painted = mask(segmentation, "c", volume)
    assert painted[3].any()
    assert not np.delete(painted, 3, axis=0).any()


def test_nothing_is_seen_of_the_fence_and_it_goes_with_the_last_lock(lock, fill, segmentation):
    from MedSegEffNetPanel.correcting.locks import EDITABLE

    fill("b", slice(0, 4))
    lock("b")
    assert not segmentation.GetDisplayNode().GetSegmentVisibility(EDITABLE)
    lock("b", False)
    assert segmentation.GetSegmentation().GetSegment(EDITABLE) is None


def test_undo_brings_back_what_was_drawn_beside_a_lock(lock, stroke, fill, sizes, editor):
    fill("b", slice(0, 4))
    lock("b")
    stroke("a")
    assert sizes()[0]
    editor.undo()
    assert sizes() == (0, 480)
    stroke("a")
    assert sizes()[1] == 480


def test_an_empty_locked_label_stays_empty_when_others_are_filled(lock, fill, sizes):
    lock("b")
    fill("a", slice(None))
    assert sizes() == (int(np.prod(SHAPE)), 0)
