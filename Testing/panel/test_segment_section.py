"""The section Segment: cases are segmented by clicks, by real processes, in the real scene."""

from __future__ import annotations

import numpy as np
import pytest

from cases import (
    PATIENCE,
    add_synthetic_patient,
    add_volume,
    count,
    dice,
    real_patient,
    segment_array,
    segmentations,
    synthetic_images,
)


def test_a_real_patient_is_segmented_with_one_click(section, apply, scene, shared_data):
    arrays, mask, affine = real_patient(shared_data)
    nodes = {channel: add_volume(f"TCGA_{channel.upper()}", array, affine) for channel, array in arrays.items()}
    run = apply()
    assert run.result is not None, run.text
    [segmentation] = segmentations(scene)
    found = segment_array(segmentation, reference=nodes["flair"])
    assert dice(found, mask) > 0.7


def test_the_window_never_stands_still(section, apply, shared_data, window_lives):
    arrays, _, affine = real_patient(shared_data)
    for channel, array in arrays.items():
        add_volume(f"TCGA_{channel.upper()}", array, affine)
    window_lives(apply)


def test_the_result_has_name_color_terminology_place_and_reference(section, apply, scene):
    import slicer

    nodes = add_synthetic_patient()
    tree = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    patient = tree.CreateFolderItem(tree.GetSceneItemID(), "patient")
    for node in nodes.values():
        tree.CreateItem(patient, node)
    run = apply()
    [segmentation] = segmentations(scene)
    assert segmentation.GetID() == run.result.segmentation_id
    assert segmentation.GetName() == "patient_flair segmentation"
    segment = segmentation.GetSegmentation().GetNthSegment(0)
    assert segment.GetName() == "tumor"
    assert np.allclose(segment.GetColor(), np.array([230, 75, 53]) / 255, atol=1e-3)
    tag = slicer.vtkSegment.GetTerminologyEntryTagName()
    assert "Neoplasm" in segment_tag(segment, tag)
    role = segmentation.GetReferenceImageGeometryReferenceRole()
    assert segmentation.GetNodeReferenceID(role) == nodes["flair"].GetID()
    assert tree.GetItemParent(tree.GetItemByDataNode(segmentation)) == patient
    assert section.ui.outputSelector.currentNode() is segmentation


def segment_tag(segment, name):
    import vtk

    value = vtk.reference("")
    segment.GetTag(name, value)
    return str(value)


def test_the_result_is_listed_with_its_volume(section, apply):
    add_synthetic_patient()
    run = apply()
    table = section.ui.resultTable
    assert section.ui.resultFrame.visible
    assert table.rowCount == 1
    assert table.item(0, 1).text() == "tumor"
    assert float(table.item(0, 2).text()) == pytest.approx(run.result.volumes_ml["tumor"], abs=0.01)
    assert table.item(0, 3).text() == ""
    assert section.ui.progressBar.visible is False
    assert section.ui.messageLabel.text.startswith("Done in ")


def test_an_optional_channel_may_be_missing(section, apply, scene):
    add_synthetic_patient(["flair"])
    run = apply()
    assert run.result is not None, run.text
    assert count(scene) == 1


def test_without_its_required_channel_apply_says_what_is_missing(section):
    add_synthetic_patient(["t1"])
    section.inputs.fill()
    assert not section.ui.applyButton.enabled
    assert "FLAIR" in section.ui.applyButton.toolTip


def test_an_unregistered_channel_is_refused_and_mended_with_a_click(section, apply, scene, wait_until):
    arrays, affine = synthetic_images()
    add_volume("patient_flair", arrays["flair"], affine)
    moved = affine.copy()
    moved[:3, 3] += 7.5
    add_volume("patient_t1", arrays["t1"], moved)
    section.inputs.fill()
    assert not section.ui.applyButton.enabled
    assert "not placed as" in section.ui.applyButton.toolTip
    rows = section.inputs.table._rows
    mends = [name for name, row in rows.items() if row.mend.visible and row.mend.text == "Resample"]
    assert len(mends) == 1
    volumes = count(scene, "vtkMRMLScalarVolumeNode")
    rows[mends[0]].mend.click()
    assert wait_until(lambda: section.ui.applyButton.enabled, PATIENCE), section.ui.applyButton.toolTip
    assert count(scene, "vtkMRMLScalarVolumeNode") == volumes + 1
    section.ui.applyButton.click()
    assert wait_until(lambda: section.run.over, PATIENCE)
    assert section.run.result is not None, section.run.text


def test_the_same_volume_twice_is_refused(section):
    nodes = add_synthetic_patient(["flair"])
    section.inputs.fill()
    section.inputs.table._rows["t1"].selector.setCurrentNode(nodes["flair"])
    assert not section.ui.applyButton.enabled
    assert section.ui.applyButton.toolTip


def test_another_run_replaces_the_result_only_when_it_is_there(section, apply, scene, wait_until):
    add_synthetic_patient()
    first = apply()
    [segmentation] = segmentations(scene)
    before = segment_array(segmentation).copy()
    section.ui.applyButton.click()
    assert wait_until(lambda: section.run is not first and section.run.text != "", 5)
    assert np.array_equal(segment_array(segmentation), before)
    assert wait_until(lambda: section.run.over, PATIENCE)
    assert segmentations(scene) == [segmentation]
    assert segmentation.GetSegmentation().GetNumberOfSegments() == 1
    assert np.array_equal(segment_array(segmentation), before)
    assert section.ui.resultTable.item(0, 3).text().startswith("+0.00")


def test_a_locked_segment_is_never_overwritten(section, apply, scene):
    import slicer

    add_synthetic_patient()
    apply()
    [segmentation] = segmentations(scene)
    segment = segmentation.GetSegmentation().GetNthSegment(0)
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    logic.SetSegmentStatus(segment, logic.Completed)
    before = segment_array(segmentation).copy()
    section.ui.applyButton.click()
    from harness.watch import wait_until

    assert wait_until(lambda: section.run.over, PATIENCE)
    names = [segmentation.GetSegmentation().GetNthSegment(n).GetName() for n in range(2)]
    assert names == ["tumor", "tumor (model)"]
    assert np.array_equal(segment_array(segmentation, 0), before)


def test_channels_fill_in_by_themselves_when_volumes_arrive(section, wait_until):
    assert not section.ui.applyButton.enabled
    nodes = add_synthetic_patient()
    assert wait_until(lambda: section.ui.applyButton.enabled, 5), section.ui.applyButton.toolTip
    assert section.inputs.table.nodes() == nodes


def test_two_panels_work_side_by_side(section, apply, module, scene, wait_until):
    import qt
    import slicer

    add_synthetic_patient()
    place = slicer.qMRMLWidget()
    place.setLayout(qt.QVBoxLayout())
    other = type(module.widgetRepresentation().self())(place)
    other.setup()
    other.panel.enter()
    second = other.panel.section("segment")
    assert second.ui.applyButton.enabled, second.ui.applyButton.toolTip
    section.inputs.fill()
    section.ui.applyButton.click()
    second.ui.applyButton.click()
    assert wait_until(lambda: section.run.over and second.run.over, 2 * PATIENCE)
    assert section.run.result is not None, section.run.text
    assert second.run.result is not None, second.run.text
    assert section.run.folder != second.run.folder
    other.cleanup()


def test_volumes_that_arrive_one_by_one_fill_their_channels(section, wait_until):
    for channel in ("flair", "t1", "t1ce"):
        node = add_synthetic_patient([channel])[channel]
        wait_until(lambda node=node: node in section.inputs.table.nodes().values(), 5)
    assert all(section.inputs.table.nodes().values())


def test_a_channel_that_the_user_emptied_stays_empty(section, wait_until):
    add_synthetic_patient(["flair", "t1"])
    assert wait_until(lambda: section.ui.applyButton.enabled, 5)
    section.inputs.table._rows["t1"].selector.setCurrentNode(None)
    add_synthetic_patient(["t1ce"])
    assert wait_until(lambda: section.inputs.table.nodes()["t1ce"], 5)
    assert section.inputs.table.nodes()["t1"] is None


def test_the_sample_data_button_loads_the_patient_and_chooses_the_model_it_was_made_for(section, wait_until):
    section.models.choose_task("covid-ct")
    section.ui.sampleDataButton.click()
    assert wait_until(lambda: section.ui.applyButton.enabled, PATIENCE), section.ui.messageLabel.text
    assert section.ui.sampleDataButton.enabled
    assert section.models.entry.task == "tumor-slices"
    assert all(node is not None for node in section.inputs.table.nodes().values())


def test_a_model_that_requires_no_channel_asks_for_one_at_least(section):
    section.models.choose_task("brain-tumor")
    assert not section.ui.applyButton.enabled
    assert "Choose a volume for one at least of T1, T1 post-contrast, T2, FLAIR." in section.ui.applyButton.toolTip
    add_synthetic_patient(channels=("t1",))
    section.inputs.fill()
    assert section.ui.applyButton.enabled, section.ui.applyButton.toolTip


def test_the_log_and_the_report_tell_what_happened(section, apply):
    import qt

    add_synthetic_patient()
    run = apply()
    assert "Segmenting" in section.ui.logText.plainText
    section.ui.copyReportButton.click()
    report = qt.QApplication.clipboard().text()
    assert "MedSegEffNet" in report
    assert str(run.folder) in report
