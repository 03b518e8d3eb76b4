"""The magic wand, and where the mouse points."""

import numpy as np
import pytest

import editing
from editing import world
from test_bridge_segments import mask

volume, segmentation, empty_editor, editor = editing.volume, editing.segmentation, editing.empty_editor, editing.editor
pytestmark = pytest.mark.usefixtures("scene")


@pytest.fixture
def sandbox(editor):
    from MedSegEffNetPanel.correcting.sandbox import Sandbox

    editor.setMaximumNumberOfUndoStates(10)
    made = Sandbox(editor)
    made.open()
    return made


@pytest.fixture
def wand(sandbox, volume):
    from MedSegEffNetPanel import steps
    from MedSegEffNetPanel.correcting.wand import Wand, limits_of

    made = Wand(sandbox, volume, steps.finish(limits_of(volume)))
    yield made
    made.close()


@pytest.fixture
def settle(sandbox, wait_until):
    return lambda: wait_until(lambda: not sandbox.busy, 10)


def selected(segmentation, volume):
    return np.flatnonzero(mask(segmentation, "Selection", volume))


def test_the_wand_takes_the_range_around_the_voxel(wand, settle, segmentation, volume):
    wand.point((4, 0, 0), axis=None, labels=None)  # brightness 480 of 0 … 959
    assert settle()
    taken = selected(segmentation, volume)
    assert (wand.low, wand.high) == pytest.approx((480 - 76.72, 480 + 76.72))
    assert taken.min() == 404
    assert taken.max() == 556


def test_the_range_can_be_moved_after_the_click_and_is_one_step_of_the_undo(
    wand, settle, wait_until, editor, segmentation, volume
):
    wand.point((4, 0, 0), axis=None, labels=None)
    for high in (600, 700, 800):  # faster than the selection follows
        wand.set_range(470, high)
    assert wait_until(lambda: 800 in selected(segmentation, volume), 10)
    assert selected(segmentation, volume).min() == 470
    assert settle()
    editor.undo()
    assert not len(selected(segmentation, volume))


def test_the_wand_stays_in_its_slice_and_in_its_label(wand, settle, segmentation, volume):
    wand.point((4, 0, 0), axis=0, labels=None)
    assert settle()
    assert selected(segmentation, volume).min() == 480
    labels = np.zeros((8, 10, 12), dtype=np.uint8)
    labels[4, :2] = 3
    wand.point((4, 0, 0), axis=None, labels=labels)
    assert settle()
    assert selected(segmentation, volume).tolist() == list(range(480, 504))


def test_the_voxel_under_the_mouse_is_found(scene, volume):
    from MedSegEffNetPanel.bridge.cursor import voxel_under_mouse

    assert voxel_under_mouse(volume) is None
    crosshair = scene.GetFirstNodeByClass("vtkMRMLCrosshairNode") or scene.AddNewNodeByClass("vtkMRMLCrosshairNode")
    crosshair.SetCursorPositionRAS(list(world((7, 3, 2))))
    assert voxel_under_mouse(volume) == (2, 3, 7)
    crosshair.SetCursorPositionRAS(list(world((40, 3, 2))))
    assert voxel_under_mouse(volume) is None


def test_the_axis_across_a_view_is_the_nearest_one(scene, volume):
    from MedSegEffNetPanel.bridge.cursor import axis_across

    assert {axis_across(volume, view) for view in ("Red", "Yellow", "Green")} <= {0, 1, 2}
    assert axis_across(volume, "None such") == 0
