"""Strokes of the brush and results of models can be undone in the segment editor of the harness."""

import numpy as np
import pytest

import editing
from editing import SHAPE, new_segmentation, world
from test_bridge_segments import LABELS, mask, oblique, segment_ids

volume, segmentation, empty_editor, editor = editing.volume, editing.segmentation, editing.empty_editor, editing.editor
sizes, fill = editing.sizes, editing.fill
pytestmark = pytest.mark.usefixtures("scene")


# the brush


def test_a_stroke_marks_the_voxels_that_it_covers(editor, segmentation, volume):
    from harness.brush import paint

    points = [world((4, 4, 3)), world((5, 4, 3)), world((0, 0, 0))]
    paint(editor, points, 2.2)
    places = np.stack(np.meshgrid(*map(np.arange, SHAPE), indexing="ij"), axis=-1)[..., ::-1]
    middles = places @ oblique((1, 1, 2))[:3, :3].T + oblique((1, 1, 2))[:3, 3]
    covered = np.any([np.linalg.norm(middles - point, axis=-1) <= 2.2 for point in points], axis=0)
    assert np.array_equal(mask(segmentation, "a", volume), covered)


def test_erase_takes_away(editor, sizes, fill):
    from harness.brush import paint

    fill("a", slice(None))
    editor.setActiveEffectByName("Erase")
    paint(editor, [world((4, 4, 3))], 0.4)
    assert sizes()[0] == np.prod(SHAPE) - 1


def test_a_stroke_under_a_transform_lies_where_it_was_seen(editor, segmentation, scene, volume):
    from harness.brush import paint
    from MedSegEffNetPanel.bridge.transforms import matrix_of_array

    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    shift = np.eye(4)
    shift[:3, 3] = 10, 20, 30
    transform.SetMatrixTransformToParent(matrix_of_array(shift))
    for node in (segmentation, volume):
        node.SetAndObserveTransformNodeID(transform.GetID())
    paint(editor, [np.add(world((4, 5, 3)), [10, 20, 30])], 0.4)
    assert np.argwhere(mask(segmentation, "a", volume)).tolist() == [[3, 5, 4]]


def test_overwriting_follows_the_editor_node(editor, sizes, fill):
    node = editor.mrmlSegmentEditorNode()
    fill("a", slice(0, 4))
    fill("b", slice(2, 6))
    assert sizes() == (240, 480)
    node.SetOverwriteMode(node.OverwriteNone)
    fill("a", slice(0, 4))
    assert sizes() == (480, 480)


def test_masks_of_the_editor_node_are_obeyed(editor, sizes, fill, segmentation):
    node = editor.mrmlSegmentEditorNode()
    fill("b", slice(0, 4))
    node.SetMaskMode(segmentation.EditAllowedOutsideAllSegments)
    fill("a", slice(None))
    assert sizes() == (480, 480)
    node.SetMaskMode(segmentation.EditAllowedEverywhere)
    editor.undo()
    editor.toggleSourceVolumeIntensityMaskEnabled()
    node.SetSourceVolumeIntensityMaskRange(500, 549)
    fill("a", slice(None))
    assert sizes() == (50, 480)


def test_the_brush_is_refused_where_slicer_would_not_show_it(editor):
    from harness.brush import paint

    editor.readOnly = True
    with pytest.raises(RuntimeError, match="read-only"):
        paint(editor, [world((4, 4, 3))], 2)


# undo


def test_strokes_are_undone_and_redone(editor, sizes):
    import qt

    from harness.brush import paint

    undo = editor.findChild(qt.QToolButton, "UndoButton")
    redo = editor.findChild(qt.QToolButton, "RedoButton")
    assert (undo.enabled, redo.enabled) == (False, False)
    paint(editor, [world((4, 4, 3))], 2)
    first = sizes()
    paint(editor, [world((8, 6, 3))], 2)
    second = sizes()
    undo.click()
    assert sizes() == first
    editor.undo()
    assert sizes() == (0, 0)
    assert (undo.enabled, redo.enabled) == (False, True)
    editor.redo()
    editor.redo()
    assert sizes() == second


def test_only_so_many_states_are_kept(editor, sizes, fill):
    editor.setMaximumNumberOfUndoStates(2)
    assert editor.maximumNumberOfUndoStates == 2
    for k in range(3):
        fill("a", slice(k, k + 1))
    editor.undo()
    editor.undo()
    assert sizes() == (240, 0)
    editor.maximumNumberOfUndoStates = 1
    with pytest.raises(RuntimeError, match="n states are n - 1 steps"):
        editor.undo()


def test_another_segmentation_has_no_history(editor, fill, scene, volume, sizes):
    fill("a", slice(0, 1))
    editor.setSegmentationNode(new_segmentation(scene, volume))
    editor.undo()
    assert sizes() == (120, 0)


def test_keys_undo_and_choose(editor, fill, sizes):
    import qt

    window = qt.QWidget()
    editor.setParent(window)
    editor.installKeyboardShortcuts(window)
    fill("a", slice(0, 1))
    keys = {key.key.toString(): key for key in window.findChildren(qt.QShortcut)}
    keys["Z"].activated()
    assert sizes() == (0, 0)
    keys["1"].activated()
    assert editor.activeEffect().name == "Paint"
    keys["1"].activated()
    assert editor.activeEffect() is None
    keys["W"].activated()
    assert editor.currentSegmentID() == "b"
    editor.uninstallKeyboardShortcuts()
    editor.setParent(None)


def test_a_result_of_a_model_is_one_step_of_undo(editor, segmentation, volume, monkeypatch, fill):
    from MedSegEffNetPanel import bridge, steps
    from MedSegEffNetPanel.bridge import segments, undo

    monkeypatch.setattr(undo, "editors", [editor])
    fill("b", slice(0, 2))
    result = np.zeros(SHAPE, np.uint8)
    result[1:5, 2:8, 2:9], result[2:4, 3:6, 3:6] = 2, 1
    label_map = bridge.LabelMap(result, (0, 0, 0), segments.grid(volume))
    steps.finish(bridge.put_segments(segmentation, label_map, volume, LABELS))
    assert list(segment_ids(segmentation)) == ["a", "b", "core", "edema", "rim"]
    editor.undo()
    assert list(segment_ids(segmentation)) == ["a", "b"]
    assert mask(segmentation, "b", volume).sum() == 240
    editor.redo()
    for name, value in {"core": 1, "edema": 2, "rim": 4}.items():
        assert np.array_equal(mask(segmentation, name, volume), result == value)
    editor.undo()
    editor.undo()
    assert not mask(segmentation, "b", volume).any()


def test_a_second_result_gives_the_first_one_back(editor, segmentation, volume, monkeypatch):
    from harness.brush import paint
    from MedSegEffNetPanel import bridge, steps
    from MedSegEffNetPanel.bridge import segments, undo

    def put(result):
        label_map = bridge.LabelMap(result, (0, 0, 0), segments.grid(volume))
        steps.finish(bridge.put_segments(segmentation, label_map, volume, LABELS))

    monkeypatch.setattr(undo, "editors", [editor])
    first = np.zeros(SHAPE, np.uint8)
    first[1:5, 2:8, 2:9] = 2
    put(first)
    editor.setCurrentSegmentID(segment_ids(segmentation)["edema"])
    paint(editor, [world((10, 8, 6))], 0.4)
    put(np.roll(first, 2, axis=1))
    editor.undo()
    first[6, 8, 10] = 2
    assert np.array_equal(mask(segmentation, "edema", volume), first == 2)
    editor.undo()
    assert mask(segmentation, "edema", volume).sum() == (first == 2).sum() - 1
