"""Segmentation from a script, without the panel."""

from __future__ import annotations

import numpy as np
import pytest

from cases import add_color_volume, add_synthetic_patient, segment_array, synthetic_images


@pytest.fixture
def logic(module):
    import slicer

    return slicer.util.getModuleLogic("MedSegEffNet")


def test_a_script_segments_nodes(logic, scene):
    nodes = add_synthetic_patient()
    segmentation = logic.segment("tumor-slices", nodes)
    assert segmentation.GetName() == "patient_flair segmentation"
    assert np.count_nonzero(segment_array(segmentation, reference=nodes["flair"])) > 500


def test_a_result_can_be_taken_by_a_given_node(logic, scene):
    nodes = add_synthetic_patient(["flair"])
    mine = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "mine")
    mine.CreateDefaultDisplayNodes()
    assert logic.segment("tumor-slices", nodes, output=mine) is mine
    assert mine.GetSegmentation().GetNumberOfSegments() == 1


def test_a_result_of_an_image_that_a_network_made_is_marked(logic, scene):
    from MedSegEffNetPanel import bridge

    nodes = add_synthetic_patient(["flair", "t1"])
    assert bridge.made_by(logic.segment("tumor-slices", nodes)) == ""
    bridge.mark(nodes["t1"], "maker@1")
    assert bridge.made_by(logic.segment("tumor-slices", nodes)) == "maker@1"


def test_a_segmentation_that_is_made_again_from_real_images_loses_the_mark(logic, scene):
    from MedSegEffNetPanel import bridge

    nodes = add_synthetic_patient(["flair", "t1"])
    real = nodes.pop("t1")
    made = add_synthetic_patient(["t1"], names="made_{}")["t1"]
    bridge.mark(made, "maker@1")
    output = logic.segment("tumor-slices", {**nodes, "t1": made})
    assert output.GetName() == "patient_flair segmentation (from synthesised)"
    logic.segment("tumor-slices", {**nodes, "t1": real}, output=output)
    assert output.GetName() == "patient_flair segmentation"
    assert bridge.made_by(output) == ""


def test_a_script_is_told_what_is_wrong(logic, scene):
    from MedSegEffNetLib.errors import MedSegEffNetError

    nodes = add_synthetic_patient(["t1"])
    count = scene.GetNumberOfNodes()
    with pytest.raises(MedSegEffNetError) as caught:
        logic.segment("tumor-slices", nodes)
    assert "flair" in str(caught.value).lower()
    assert scene.GetNumberOfNodes() == count


def test_a_model_that_is_not_there_is_told(logic, scene):
    from MedSegEffNetLib.errors import InputError

    with pytest.raises(InputError):
        logic.segment("no-such-model", add_synthetic_patient(["flair"]))


def test_no_images_of_the_patient_are_left_behind(logic, scene):
    from MedSegEffNetPanel.run_folders import runs_folder

    logic.segment("tumor-slices", add_synthetic_patient(["flair"]))
    runs = list(runs_folder().iterdir())
    assert runs
    assert not [path for run in runs for path in run.glob("in/*")]


def test_a_color_volume_serves_all_channels(logic, scene):
    arrays, affine = synthetic_images()
    scalars = [np.clip(arrays[channel], 0, 255) for channel in ("t1", "flair", "t1ce")]
    color = add_color_volume("slices", np.stack(scalars, axis=-1).astype(np.uint8), affine)
    segmentation = logic.segment("tumor-slices", {"flair": color})
    assert segmentation.GetName() == "slices segmentation"
    assert np.count_nonzero(segment_array(segmentation)) > 500


def test_where_nothing_is_installed_that_is_told_before_anything_is_written(logic, scene, monkeypatch):
    from MedSegEffNetLib.errors import MedSegEffNetError
    from MedSegEffNetPanel import environment
    from MedSegEffNetPanel.run_folders import runs_folder

    monkeypatch.setattr(environment, "own_engines", list)
    with pytest.raises(MedSegEffNetError, match="Nothing that computes is installed"):
        logic.segment("tumor-slices", add_synthetic_patient(["flair"]))
    assert not runs_folder().exists()
