"""The segment editor of the harness does on real nodes what Slicer's does."""

import numpy as np
import pytest

import editing
from editing import new_segmentation, world
from test_bridge_segments import mask

volume, segmentation, empty_editor, editor = editing.volume, editing.segmentation, editing.empty_editor, editing.editor
sizes = editing.sizes
pytestmark = pytest.mark.usefixtures("scene")


# what is chosen


def test_only_what_python_sees_in_slicer_is_there(editor):
    paint = editor.effectByName("Paint")
    with pytest.raises(AttributeError, match="editor_logic"):
        _ = editor.editor_logic
    with pytest.raises(AttributeError, match="setUnorderedEffectsVisible"):
        editor.setUnorderedEffectsVisible(False)
    with pytest.raises(AttributeError, match="canUndo"):
        editor.canUndo()
    with pytest.raises(AttributeError, match="belong"):
        paint.belong(None, None)


def test_nodes_are_set_in_their_order(scene, segmentation, volume):
    import slicer

    widget = slicer.qMRMLSegmentEditorWidget()
    with pytest.raises(RuntimeError, match="editor node before"):
        widget.setSegmentationNode(segmentation)
    with pytest.raises(RuntimeError, match="editor node and the segmentation before"):
        widget.setSourceVolumeNode(volume)


def test_the_editor_tells_of_its_nodes(empty_editor, scene, volume):
    told = []
    empty_editor.connect("segmentationNodeChanged(vtkMRMLSegmentationNode*)", lambda node: told.append(node.GetName()))
    empty_editor.sourceVolumeNodeChanged.connect(lambda node: told.append(node.GetName()))
    empty_editor.connect("currentSegmentIDChanged(QString)", told.append)
    other = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "other")
    assert empty_editor.segmentationNode() is other  # the first one is taken by itself
    made = new_segmentation(scene, volume)
    empty_editor.setSegmentationNode(made)
    assert told == ["other", "T1", "x", "made"]  # its reference is taken as the source, its first segment is selected
    assert empty_editor.mrmlSegmentEditorNode().GetSourceVolumeNode() is volume
    assert (empty_editor.segmentationNodeID(), empty_editor.sourceVolumeNodeID()) == (made.GetID(), volume.GetID())
    assert empty_editor.masterVolumeNode() is volume


def test_segments_are_chosen_in_the_table_or_by_their_ids(editor):
    told = []
    editor.currentSegmentIDChanged.connect(told.append)
    assert editor.currentSegmentID() == "a"
    editor.setCurrentSegmentID("b")
    assert (editor.currentSegmentID(), told) == ("b", [])
    editor.selectNextSegment()
    assert (editor.currentSegmentID(), told) == ("a", ["a"])


def test_a_segment_that_is_removed_is_no_longer_the_current_one(editor, segmentation):
    editor.setActiveEffectByName("Paint")
    segmentation.GetSegmentation().RemoveSegment("a")
    assert editor.currentSegmentID() == ""
    assert editor.activeEffect() is None


def test_buttons_add_and_remove_segments(editor, segmentation):
    import qt

    editor.findChild(qt.QPushButton, "AddSegmentButton").click()
    assert segmentation.GetSegmentation().GetNumberOfSegments() == 3
    assert editor.currentSegmentID() not in ("a", "b")
    editor.findChild(qt.QPushButton, "RemoveSegmentButton").click()
    assert editor.currentSegmentID() == "b"
    editor.undo()
    assert segmentation.GetSegmentation().GetNumberOfSegments() == 3


def test_the_editor_lives_when_the_scene_is_closed(editor, scene):
    from harness import failures

    failures.take()
    scene.Clear(0)
    assert editor.segmentationNode() is None
    assert failures.take() == []


def test_parts_of_an_editor_of_a_layout_file_are_hidden(scene, tmp_path):
    import qt
    import slicer

    file = tmp_path / "Correct.ui"
    file.write_text(
        '<ui version="4.0"><widget class="QWidget" name="page"><layout class="QVBoxLayout" name="column"><item>'
        '<widget class="qMRMLSegmentEditorWidget" name="editor"><property name="segmentationNodeSelectorVisible">'
        "<bool>false</bool></property></widget></item></layout></widget></ui>",
        encoding="utf-8",
    )
    page = slicer.util.loadUI(str(file))
    editor = slicer.util.childWidgetVariables(page).editor
    page.show()
    editor.maskingSectionVisible = False
    assert not editor.segmentationNodeSelectorVisible
    selectors = [editor.findChild(qt.QWidget, f"{kind}NodeComboBox") for kind in ("Segmentation", "SourceVolume")]
    assert [selector.visible for selector in selectors] == [False, True]
    editor.sourceVolumeNodeSelectorVisible = False
    assert not selectors[1].visible
    page.hide()


def test_the_source_volume_is_shown_in_the_slices(editor, volume, slicer_app, scene):
    import slicer

    layers = slicer_app.layoutManager().sliceWidget("Red").sliceLogic().GetSliceCompositeNode()
    assert layers.GetBackgroundVolumeID() == volume.GetID()
    layers.SetForegroundVolumeID(volume.GetID())
    layers.SetBackgroundVolumeID(None)
    editor.showSourceVolumeInSliceViewers()
    assert layers.GetBackgroundVolumeID() is None
    editor.autoShowSourceVolumeNode = False
    editor.setSourceVolumeNode(slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "T2"))
    assert layers.GetBackgroundVolumeID() is None


# effects


def test_effects_are_known_by_their_names_and_ordered(editor):
    assert {"Paint", "Erase", "Threshold", "Smoothing", "Islands", "Scissors", "Draw", "Fill between slices"} <= set(
        editor.availableEffectNames()
    )
    editor.setEffectNameOrder(["Erase", "Paint"])
    editor.unorderedEffectsVisible = False
    assert editor.effectCount() == 3
    assert editor.effectByIndex(1).name == "Erase"
    assert editor.effectByIndex(0) is None
    assert editor.effectByName("Magic") is None


def test_one_effect_is_active(editor):
    editor.setActiveEffectByName("Paint")
    paint = editor.activeEffect()
    assert (paint.name, paint.active()) == ("Paint", True)
    editor.mrmlSegmentEditorNode().SetActiveEffectName("Threshold")
    assert (editor.activeEffect().name, paint.active()) == ("Threshold", False)
    editor.readOnly = True
    assert editor.activeEffect() is None


def test_parameters_are_kept_in_the_node(editor):
    effect = editor.effectByName("Threshold")
    effect.setParameter("MinimumThreshold", 12.3456789)
    assert editor.mrmlSegmentEditorNode().GetAttribute("Threshold.MinimumThreshold") == "12.3457"
    assert effect.doubleParameter("MinimumThreshold") == 12.3457
    effect.setCommonParameter("BrushSphere", 1)
    assert editor.effectByName("Erase").integerParameter("BrushSphere") == 1
    with pytest.raises(ValueError, match="no parameter 'Minimum'"):
        effect.parameter("Minimum")


def test_threshold_is_applied(editor, segmentation, volume):
    import slicer

    editor.setActiveEffectByName("Threshold")
    effect = editor.activeEffect()
    effect.setParameter("MinimumThreshold", 100)
    effect.setParameter("MaximumThreshold", 300)
    effect.self().onApply()
    values = slicer.util.arrayFromVolume(volume)
    assert np.array_equal(mask(segmentation, "a", volume), (values >= 100) & (values <= 300))
    assert editor.activeEffect() is None


def test_smoothing_takes_single_voxels_away(editor, sizes):
    from harness.brush import paint

    paint(editor, [world((2, 2, 2))], 0.4)
    paint(editor, [world((7, 5, 4))], 3.1)
    large = sizes()[0]
    editor.effectByName("Smoothing").self().onApply()
    assert 0 < sizes()[0] < large
    editor.undo()
    assert sizes()[0] == large


def test_islands_keep_the_largest(editor, segmentation, volume):
    from harness.brush import paint

    paint(editor, [world((7, 5, 4))], 2)
    large = mask(segmentation, "a", volume)
    paint(editor, [world((1, 1, 1))], 0.4)
    assert mask(segmentation, "a", volume).sum() == large.sum() + 1
    editor.effectByName("Islands").self().onApply()
    assert np.array_equal(mask(segmentation, "a", volume), large)


def test_what_the_harness_does_not_do_it_says(editor):
    with pytest.raises(NotImplementedError, match="Fill between slices"):
        editor.effectByName("Fill between slices").self().onApply()
    editor.effectByName("Smoothing").setParameter("SmoothingMethod", "GAUSSIAN")
    with pytest.raises(NotImplementedError, match="GAUSSIAN"):
        editor.effectByName("Smoothing").self().onApply()
