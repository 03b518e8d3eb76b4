"""A segmentation in a segment editor, for tests; a test file takes the fixtures that it needs."""

import numpy as np
import pytest

from test_bridge_segments import mask, oblique

SHAPE = (8, 10, 12)  # K, J, I


@pytest.fixture
def volume(scene):
    """An oblique volume of 12 x 10 x 8 voxels; its values grow from 0 to 959."""
    import slicer

    from MedSegEffNetPanel.bridge.transforms import matrix_of_array

    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "T1")
    slicer.util.updateVolumeFromArray(node, np.arange(np.prod(SHAPE), dtype=np.int16).reshape(SHAPE))
    node.SetIJKToRASMatrix(matrix_of_array(oblique((1, 1, 2))))
    return node


@pytest.fixture
def segmentation(scene, volume):
    """A segmentation on the volume with the empty segments a and b."""
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "labels")
    node.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    for name in "ab":
        node.GetSegmentation().AddEmptySegment(name, name)
    return node


@pytest.fixture
def empty_editor(scene):
    """A segment editor with a node of its own."""
    import slicer

    widget = slicer.qMRMLSegmentEditorWidget()
    widget.setMRMLScene(scene)
    widget.setMRMLSegmentEditorNode(scene.AddNewNodeByClass("vtkMRMLSegmentEditorNode"))
    yield widget
    widget.setMRMLSegmentEditorNode(None)
    widget.setMRMLScene(None)


@pytest.fixture
def editor(segmentation, volume, empty_editor):
    """A segment editor on the segmentation; segment a is the current one."""
    empty_editor.setSegmentationNode(segmentation)
    empty_editor.setSourceVolumeNode(volume)
    return empty_editor


@pytest.fixture
def sizes(segmentation, volume):
    """``sizes()`` gives the voxels in a and b."""
    return lambda: tuple(int(mask(segmentation, name, volume).sum()) for name in "ab")


@pytest.fixture
def fill(editor):
    """``fill(segment, k)`` makes these slices of the segment full."""
    from harness.effects import array_of

    def fill(segment_id, k):
        editor.setCurrentSegmentID(segment_id)
        paint = editor.effectByName("Paint")
        image = paint.defaultModifierLabelmap()
        array_of(image)[k] = 1
        image.Modified()
        paint.saveStateForUndo()
        paint.modifySelectedSegmentByLabelmap(image, paint.ModificationModeAdd)

    return fill


def world(voxel):
    """The middle of a voxel (i, j, k) in the world."""
    return (oblique((1, 1, 2)) @ [*voxel, 1])[:3]


def new_segmentation(scene, volume):
    """A segmentation with the segment x."""
    node = scene.CreateNodeByClass("vtkMRMLSegmentationNode")
    node.UnRegister(None)
    node.SetName("made")
    scene.AddNode(node)
    node.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    node.GetSegmentation().AddEmptySegment("x", "x")
    return node
