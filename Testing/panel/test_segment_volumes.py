"""Volumes of every kind as channels: where they lie, color volumes, sequences."""

from __future__ import annotations

import numpy as np
import pytest

from cases import (
    add_color_volume,
    add_synthetic_patient,
    add_volume,
    count,
    segment_array,
    segmentations,
    synthetic_images,
)

OBLIQUE = np.array([[-0.9, 0.2, 1.1, 12.0], [-0.3, -0.85, 0.4, -7.0], [0.1, -0.3, 4.6, 30.0], [0, 0, 0, 1.0]])
LEFT_HANDED = np.diag([1.0, -1.0, 5.0, 1.0])


@pytest.mark.parametrize("place", [OBLIQUE, LEFT_HANDED, np.diag([-1.0, -1.0, 5.0, 1.0])])
def test_a_volume_on_any_grid_comes_back_voxel_by_voxel(section, apply, scene, place):
    import slicer
    import vtk

    nodes = add_synthetic_patient(ijk_to_ras=place)
    run = apply()
    assert run.result is not None, run.text
    [segmentation] = segmentations(scene)
    segment_id = segmentation.GetSegmentation().GetNthSegmentID(0)
    own = slicer.vtkOrientedImageData()
    segmentation.GetBinaryLabelmapRepresentation(segment_id, own)
    matrix, expected = vtk.vtkMatrix4x4(), vtk.vtkMatrix4x4()
    own.GetImageToWorldMatrix(matrix)
    nodes["t1"].GetIJKToRASMatrix(expected)
    steps = [[matrix.GetElement(r, c) for c in range(3)] for r in range(3)]
    wanted = [[expected.GetElement(r, c) for c in range(3)] for r in range(3)]
    assert np.allclose(steps, wanted, atol=1e-6)
    inside = segment_array(segmentation, reference=nodes["t1"])
    assert inside.shape == slicer.util.arrayFromVolume(nodes["t1"]).shape
    total = segment_array(segmentation)
    assert np.count_nonzero(inside) == np.count_nonzero(total) > 500


def test_a_color_volume_serves_all_channels(section, apply, scene):
    arrays, affine = synthetic_images()
    scalars = [np.clip(arrays[channel], 0, 255) for channel in ("t1", "flair", "t1ce")]
    add_color_volume("slices", np.stack(scalars, axis=-1).astype(np.uint8), affine)
    run = apply()
    assert run.result is not None, run.text
    assert np.count_nonzero(segment_array(segmentations(scene)[0])) > 500


def test_all_time_points_of_a_sequence_are_segmented(section, apply, scene):
    import slicer

    arrays, affine = synthetic_images()
    sequence = scene.AddNewNodeByClass("vtkMRMLSequenceNode", "patient_flair")
    for number in range(2):
        volume = add_volume("patient_flair", arrays["flair"][8:14] + number, affine)
        sequence.SetDataNodeAtValue(volume, str(number))
        scene.RemoveNode(volume)
    browser = scene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode", "browser")
    browser.SetAndObserveMasterSequenceNodeID(sequence.GetID())
    slicer.modules.sequences.logic().UpdateProxyNodesFromSequences(browser)
    section.inputs.fill()
    assert section.ui.framesBox.visible
    section.ui.framesBox.checked = True
    run = apply()
    assert run.result is not None, run.text
    assert "2 time points" in run.text
    made = [scene.GetNthNodeByClass(n, "vtkMRMLSequenceNode") for n in range(count(scene, "vtkMRMLSequenceNode"))]
    assert [one.GetNumberOfDataNodes() for one in made] == [2, 2]
    [segmentation] = segmentations(scene)
    assert browser.GetProxyNode(made[1]) is segmentation
    assert np.count_nonzero(segment_array(segmentation)) > 100


def test_a_transformed_volume_is_segmented_where_it_is_shown(section, apply, scene):
    import slicer
    import vtk

    nodes = add_synthetic_patient(["flair"])
    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "shift")
    matrix = vtk.vtkMatrix4x4()
    matrix.SetElement(0, 3, 25.0)
    transform.SetMatrixTransformToParent(matrix)
    nodes["flair"].SetAndObserveTransformNodeID(transform.GetID())
    before = slicer.util.arrayFromVolume(nodes["flair"]).copy()
    run = apply()
    assert "transform" in section.ui.messageLabel.text
    assert run.result is not None, run.text
    assert np.array_equal(slicer.util.arrayFromVolume(nodes["flair"]), before)
    inside = segment_array(segmentations(scene)[0], reference=nodes["flair"])
    assert np.count_nonzero(inside) > 500
