"""What the slices show, and where they go."""

import numpy as np
import pytest

import test_bridge_segments as segments
from test_bridge_segments import some_labels

volume, put = segments.volume, segments.put
pytestmark = pytest.mark.usefixtures("scene")


@pytest.fixture
def red(scene):
    """The node of a slice view."""
    return scene.GetNodeByID("vtkMRMLSliceNodeRed")


def seen_voxel(slice_node, reference):
    """Indices (i, j, k) in the volume of a point in each plane of the three slice views, from where they meet."""
    import slicer

    normals, offsets = [], []
    for number in range(slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSliceNode")):
        matrix = slicer.util.arrayFromVTKMatrix(
            slicer.mrmlScene.GetNthNodeByClass(number, "vtkMRMLSliceNode").GetSliceToRAS()
        )
        normals.append(matrix[:3, 2])
        offsets.append(matrix[:3, 2] @ matrix[:3, 3])
    point = np.linalg.solve(np.array(normals), np.array(offsets))
    from MedSegEffNetPanel.bridge.volumes import grid

    return np.linalg.inv(grid(reference).affine) @ [*point, 1.0]


def test_a_volume_is_shown_in_all_slices(volume, scene):
    from MedSegEffNetPanel import bridge

    views = [scene.GetNthNodeByClass(n, "vtkMRMLSliceCompositeNode") for n in range(3)]
    for node in (volume("one"), volume("two")):
        bridge.show_volume(node)
        assert {view.GetBackgroundVolumeID() for view in views} == {node.GetID()}


def test_a_segmentation_knows_its_volume(volume, put, scene):
    from MedSegEffNetPanel import bridge

    reference = volume()
    segmentation = put(some_labels(), reference)
    assert bridge.reference_of(segmentation) is reference
    scene.RemoveNode(reference)
    assert bridge.reference_of(segmentation) is None


@pytest.mark.parametrize("name", [None, "core"])
def test_slices_jump_into_the_largest_or_the_named_segment(volume, put, red, wait_until, scene, name):
    import vtk

    from MedSegEffNetPanel import bridge

    reference, labels = volume(), some_labels()
    segmentation = put(labels, reference)
    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    shift = vtk.vtkMatrix4x4()
    shift.SetElement(1, 3, -15.0)
    transform.SetMatrixTransformToParent(shift)
    for node in (segmentation, reference):
        node.SetAndObserveTransformNodeID(transform.GetID())
    before = red.GetSliceOffset()
    bridge.jump_to(segmentation, name)
    assert wait_until(lambda: red.GetSliceOffset() != before, 5)
    i, j, k, _ = seen_voxel(red, reference)
    assert np.allclose([i, j, k], np.round([i, j, k]), atol=1e-6)
    assert labels[round(k), round(j), round(i)] == (2 if name is None else 1)


def test_slices_stay_where_there_is_nothing_to_see(volume, put, red, wait_until, scene):
    from MedSegEffNetPanel import bridge

    reference = volume()
    nothing, gone = put(np.zeros((8, 10, 12), np.uint8), reference), put(some_labels(), reference)
    before = red.GetSliceOffset()
    bridge.jump_to(nothing)
    bridge.jump_to(gone, "rim")
    bridge.jump_to(gone, "not there")
    bridge.jump_to(gone)
    scene.RemoveNode(gone)
    wait_until(lambda: False, 0.1)
    assert red.GetSliceOffset() == before
