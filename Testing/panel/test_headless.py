"""Segmentation from a script, without the panel."""

from __future__ import annotations

import numpy as np
import pytest

from cases import add_synthetic_patient, segment_array


@pytest.fixture
def logic(module):
    import slicer

    return slicer.util.getModuleLogic("MedSegEffNet")


def test_a_script_segments_nodes(logic, scene):
    nodes = add_synthetic_patient()
    segmentation = logic.segment("tumor-slices", nodes)
    assert segmentation.GetName() == "patient_t1 segmentation"
    assert np.count_nonzero(segment_array(segmentation, reference=nodes["t1"])) > 500


def test_a_result_can_be_taken_by_a_given_node(logic, scene):
    nodes = add_synthetic_patient(["flair"])
    mine = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "mine")
    mine.CreateDefaultDisplayNodes()
    assert logic.segment("tumor-slices", nodes, output=mine) is mine
    assert mine.GetSegmentation().GetNumberOfSegments() == 1


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
    from MedSegEffNetLib.models.registry import user_folder

    logic.segment("tumor-slices", add_synthetic_patient(["flair"]))
    runs = list((user_folder().parent / "runs").iterdir())
    assert runs
    assert not [path for run in runs for path in run.glob("in/*")]
