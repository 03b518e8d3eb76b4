"""Several patients, several runs, nodes that come and go: nothing is lost, nothing is mixed."""

from __future__ import annotations

import numpy as np

from cases import (
    PATIENCE,
    add_synthetic_patient,
    add_volume,
    count,
    segment_array,
    segmentations,
    synthetic_images,
    write_case,
)
from slow_jobs import slow_network


def choose(section, nodes):
    """Choose volumes as a user does, one selector after the other."""
    for channel in section.inputs.channels:
        section.inputs.table._rows[channel.name].selector.setCurrentNode(nodes.get(channel.name))


def chosen_names(section):
    return {name: node and node.GetName() for name, node in section.inputs.table.nodes().items()}


def run(section, wait_until):
    """Apply with what is chosen, and wait."""
    assert section.ui.applyButton.enabled, section.ui.applyButton.toolTip
    section.ui.applyButton.click()
    assert wait_until(lambda: section.run.over, PATIENCE)
    assert section.run.result is not None, section.run.text


def test_another_patient_gets_a_segmentation_of_its_own(section, scene, wait_until):
    anna = add_synthetic_patient(["flair"], names="anna_{}")
    choose(section, anna)
    run(section, wait_until)
    [first] = segmentations(scene)
    before = segment_array(first).copy()
    choose(section, add_synthetic_patient(["flair"], names="berta_{}"))
    assert section.ui.outputSelector.currentNode() is None
    run(section, wait_until)
    assert sorted(node.GetName() for node in segmentations(scene)) == [
        "anna_flair segmentation",
        "berta_flair segmentation",
    ]
    assert np.array_equal(segment_array(first), before)
    assert section.ui.resultTable.item(0, 3).text() == ""


def test_a_segmentation_that_the_user_chooses_is_taken(section, scene, wait_until):
    choose(section, add_synthetic_patient(["flair"], names="anna_{}"))
    run(section, wait_until)
    [first] = segmentations(scene)
    choose(section, add_synthetic_patient(["flair"], names="berta_{}"))
    section.ui.outputSelector.setCurrentNode(first)
    add_volume("unrelated", np.zeros((3, 4, 5), np.int16))
    wait_until(lambda: False, 0.5)
    run(section, wait_until)
    assert segmentations(scene) == [first]


def test_a_second_folder_fills_in_its_own_volumes(section, wait_until, tmp_path):
    for name in ("anna", "berta"):
        section.open_folder(write_case(tmp_path / name))
        assert wait_until(lambda name=name: chosen_names(section)["flair"] == f"{name}_flair", PATIENCE)
        assert chosen_names(section) == {channel: f"{name}_{channel}" for channel in ("t1", "flair", "t1ce")}


def test_sample_data_can_be_loaded_twice(section, wait_until):
    for _ in range(2):
        section.ui.sampleDataButton.click()
        assert wait_until(lambda: section.ui.sampleDataButton.enabled, PATIENCE)
        assert section.ui.applyButton.enabled, section.ui.applyButton.toolTip


def test_sample_data_are_shown_in_the_slices(section, scene, wait_until):
    section.ui.sampleDataButton.click()
    assert wait_until(lambda: section.ui.applyButton.enabled, PATIENCE)
    view = scene.GetFirstNodeByClass("vtkMRMLSliceCompositeNode")
    assert view.GetBackgroundVolumeID() == section.inputs.table.nodes()["flair"].GetID()


def test_the_required_channel_gives_the_grid_and_the_name(section, scene, wait_until):
    arrays, affine = synthetic_images()
    coarse = affine @ np.diag([2.0, 2.0, 1.0, 1.0])
    t1 = add_volume("case_t1", arrays["t1"][:, ::2, ::2].copy(), coarse)
    flair = add_volume("case_flair", arrays["flair"], affine)
    choose(section, {"t1": t1, "flair": flair})
    assert "case_t1" in section.ui.applyButton.toolTip
    section.inputs.table._rows["t1"].mend.click()
    assert wait_until(lambda: section.ui.applyButton.enabled, PATIENCE), section.ui.applyButton.toolTip
    run(section, wait_until)
    [segmentation] = segmentations(scene)
    assert segmentation.GetName() == "case_flair segmentation"
    role = segmentation.GetReferenceImageGeometryReferenceRole()
    assert segmentation.GetNodeReference(role) is flair


def test_what_was_corrected_by_hand_stays(section, scene, wait_until):
    import slicer

    choose(section, add_synthetic_patient(["flair"]))
    run(section, wait_until)
    [segmentation] = segmentations(scene)
    segment_id = segmentation.GetSegmentation().GetNthSegmentID(0)
    flair = section.inputs.reference()
    edited = slicer.util.arrayFromSegmentBinaryLabelmap(segmentation, segment_id, flair).copy()
    edited[2:5, 10:20, 10:20] = 1
    slicer.util.updateSegmentBinaryLabelmapFromArray(edited, segmentation, segment_id, flair)
    run(section, wait_until)
    names = [segmentation.GetSegmentation().GetNthSegment(n).GetName() for n in range(2)]
    assert names == ["tumor", "tumor (model)"]
    assert np.array_equal(slicer.util.arrayFromSegmentBinaryLabelmap(segmentation, segment_id, flair), edited)
    assert "tumor (model)" in section.ui.messageLabel.text


def test_a_removed_result_is_forgotten(section, scene, wait_until):
    other = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "another")
    choose(section, add_synthetic_patient(["flair"]))
    run(section, wait_until)
    made = scene.GetNodeByID(section.run.result.segmentation_id)
    scene.RemoveNode(made)
    assert section.ui.outputSelector.currentNode() is None
    assert section.panel.parameters.output is None
    assert not section.ui.resultFrame.visible
    run(section, wait_until)
    assert other.GetSegmentation().GetNumberOfSegments() == 0


def test_a_removed_volume_leaves_its_channel_empty(section, scene):
    nodes = add_synthetic_patient()
    add_volume("another", np.zeros((3, 4, 5), np.int16))
    choose(section, nodes)
    scene.RemoveNode(nodes["t1"])
    assert section.inputs.table.nodes()["t1"] is None
    assert section.panel.parameters.channel("t1") is None


def test_a_volume_removed_during_the_run_is_told(section, scene, wait_until, monkeypatch):
    slow_network(section.panel, monkeypatch)
    nodes = add_synthetic_patient(["flair"])
    choose(section, nodes)
    section.ui.applyButton.click()
    assert wait_until(lambda: section.run.text.startswith("Segmenting"), PATIENCE)
    scene.RemoveNode(nodes["flair"])
    assert wait_until(lambda: section.run.over, PATIENCE)
    assert "no longer in the scene" in section.ui.messageLabel.text
    assert count(scene) == 0


def test_an_output_removed_during_the_run_becomes_a_new_one(section, scene, wait_until, monkeypatch):
    choose(section, add_synthetic_patient(["flair"]))
    run(section, wait_until)
    slow_network(section.panel, monkeypatch)
    section.ui.applyButton.click()
    assert wait_until(lambda: section.run.text.startswith("Segmenting"), PATIENCE)
    [old] = segmentations(scene)
    scene.RemoveNode(old)
    assert wait_until(lambda: section.run.over, PATIENCE)
    assert section.run.result is not None, section.run.text
    assert count(scene) == 1


def test_a_saved_scene_brings_its_choices_back(section, scene, wait_until, tmp_path):
    import slicer

    nodes = add_synthetic_patient(names="anna_{}")
    assert wait_until(lambda: all(section.inputs.table.nodes().values()), 5)
    choose(section, {"flair": nodes["flair"]})
    run(section, wait_until)
    (tmp_path / "saved").mkdir()
    assert slicer.app.applicationLogic().SaveSceneToSlicerDataBundleDirectory(str(tmp_path / "saved"), None)
    scene.Clear(0)
    wait_until(lambda: False, 0.5)
    assert not any(chosen_names(section).values())
    slicer.util.loadScene(str(next((tmp_path / "saved").glob("*.mrml"))))
    wait_until(lambda: False, 0.8)
    assert chosen_names(section) == {"t1": None, "flair": "anna_flair", "t1ce": None}
    output = section.ui.outputSelector.currentNode()
    assert output is not None
    assert output is section.panel.parameters.output


def test_a_folder_that_cannot_be_written_is_told(section, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv("MEDSEGEFFNET_DATA", str(tmp_path / "file" / "data"))
    choose(section, add_synthetic_patient(["flair"]))
    section.ui.applyButton.click()
    assert "could not be written" in section.ui.messageLabel.text
    assert section.ui.applyButton.text == "Apply"
    section.ui.sampleDataButton.click()
    assert "could not be written" in section.ui.messageLabel.text
    assert section.ui.sampleDataButton.enabled


def test_a_scene_closed_while_resampling_stays_empty(section, scene, wait_until):
    arrays, affine = synthetic_images()
    moved = affine.copy()
    moved[:3, 3] += 7.5
    flair, t1 = add_volume("a_flair", arrays["flair"], affine), add_volume("a_t1", arrays["t1"], moved)
    choose(section, {"t1": t1, "flair": flair})
    section.inputs.table._rows["t1"].mend.click()
    scene.Clear(0)
    wait_until(lambda: False, 0.5)
    assert count(scene, "vtkMRMLScalarVolumeNode") == 0


def test_volumes_that_came_while_the_module_was_closed_are_filled_in(section, wait_until):
    add_synthetic_patient(["flair"])
    assert wait_until(lambda: section.inputs.table.nodes()["flair"], 5)
    section.panel.leave()
    add_synthetic_patient(["t1", "t1ce"])
    section.panel.enter()
    assert all(section.inputs.table.nodes().values())


def test_a_swapped_channel_is_marked_and_does_not_block(section, wait_until):
    nodes = add_synthetic_patient(["flair", "t1"])
    choose(section, {"flair": nodes["t1"], "t1": nodes["flair"]})
    assert "looks like" in section.ui.messageLabel.text
    assert section.ui.applyButton.enabled
