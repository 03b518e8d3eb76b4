"""What is edited in segments is found, counted and recorded."""

import errno

import numpy as np
import pytest

import editing
from editing import SHAPE, world
from test_bridge_segments import mask

volume, segmentation, empty_editor, editor = editing.volume, editing.segmentation, editing.empty_editor, editing.editor
fill = editing.fill
pytestmark = pytest.mark.usefixtures("scene")


@pytest.fixture
def journal(tmp_path):
    from MedSegEffNetLib.dataset.journal import Journal, Start

    made = Journal(tmp_path / "journal", Start("", SHAPE))
    yield made
    made.close()


@pytest.fixture
def edits(segmentation, volume, journal):
    from MedSegEffNetPanel.correcting.edits import Edits

    made = Edits(segmentation, volume, {"a": 1, "b": 4}, np.zeros(SHAPE, dtype=np.uint8), journal.append)
    yield made
    made.close()


@pytest.fixture
def recorded(journal):
    """The label map that the journal gives back after a crash."""
    from MedSegEffNetLib.dataset.journal import recover

    def recorded():
        labels = np.zeros(SHAPE, dtype=np.uint8)
        found = recover(journal.path)
        if found is not None:
            found.replay(labels)
        return labels

    return recorded


def test_a_stroke_is_in_the_journal_within_two_seconds(edits, editor, segmentation, volume, wait_until, recorded):
    from harness.brush import paint

    editor.setActiveEffectByName("Paint")
    paint(editor, [world((4, 4, 3))], 2.2)
    assert edits.pending
    assert wait_until(lambda: recorded().any(), 2)
    assert np.array_equal(recorded() == 1, mask(segmentation, "a", volume))
    assert edits.counts == {1: int(mask(segmentation, "a", volume).sum())}


def test_every_edit_is_found_and_counted(edits, editor, fill, wait_until, recorded):
    fill("a", slice(0, 4))
    assert wait_until(lambda: not edits.pending, 5)
    fill("b", slice(2, 6))
    assert wait_until(lambda: not edits.pending, 5)
    assert edits.counts == {1: 240, 4: 480}
    assert (recorded() == edits.labels).all()
    editor.undo()
    assert wait_until(lambda: not edits.pending, 5)
    assert edits.counts == {1: 480, 4: 0}
    assert (recorded() == edits.labels).all()


def test_a_segment_that_is_removed_is_an_edit(edits, segmentation, fill, wait_until, recorded):
    fill("a", slice(0, 4))
    assert wait_until(lambda: not edits.pending, 5)
    segmentation.GetSegmentation().RemoveSegment("a")
    assert wait_until(lambda: not edits.pending, 5)
    assert not recorded().any()


def test_the_selection_is_no_edit(edits, editor, fill, wait_until, recorded):
    from MedSegEffNetPanel.correcting.sandbox import SELECTION, Sandbox

    Sandbox(editor).open()
    fill(SELECTION, slice(0, 3))
    assert wait_until(lambda: not edits.pending, 5)
    assert not recorded().any()


def test_work_can_wait_for_every_edit_to_be_there(edits, fill):
    from MedSegEffNetPanel import steps

    fill("b", slice(1, 2))
    assert (steps.finish(edits.settle())[1] == 4).all()
    assert not edits.pending


def test_only_the_box_that_changed_is_recorded(segmentation, volume, fill, wait_until):
    from MedSegEffNetPanel.correcting.edits import Edits

    told = []
    edits = Edits(
        segmentation, volume, {"a": 1}, np.zeros(SHAPE, dtype=np.uint8), lambda box, voxels: told.append((box, voxels))
    )
    fill("a", slice(3, 5))
    assert wait_until(lambda: told, 5)
    edits.close()
    assert told[0][0] == (slice(3, 5), slice(0, 10), slice(0, 12))
    assert told[0][1].shape == (2, 10, 12)


def test_a_journal_that_cannot_be_written_is_said_and_the_next_edit_brings_all(
    edits, fill, wait_until, recorded, monkeypatch
):
    import os

    told = []
    edits.recorded.connect(told.append)

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        fill("a", slice(0, 1))
        assert wait_until(lambda: told, 5)
    assert "Free some space" in told[0]
    fill("a", slice(0, 2))
    assert wait_until(lambda: len(told) > 1, 5)
    assert told[1] == ""
    assert (recorded()[:2] == 1).all()


def test_the_window_lives_on_while_a_large_volume_is_looked_at(scene, wait_until, window_lives):
    import slicer

    from MedSegEffNetPanel.correcting.edits import Edits

    shape = (155, 240, 240)
    volume = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "large")
    slicer.util.updateVolumeFromArray(volume, np.zeros(shape, dtype=np.int16))
    segmentation = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "labels")
    segmentation.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    segmentation.GetSegmentation().AddEmptySegment("a", "a")
    edits = Edits(segmentation, volume, {"a": 1}, np.zeros(shape, dtype=np.uint8), lambda box, voxels: None)
    values = np.zeros(shape, dtype=np.uint8)
    values[20:120, 40:200, 40:200] = 1
    slicer.util.updateSegmentBinaryLabelmapFromArray(values, segmentation, "a", volume)

    def look():
        edits._on_edited()
        assert wait_until(lambda: not edits.pending, 20)

    window_lives(look)
    edits.close()
    assert edits.counts == {1: 100 * 160 * 160}
