"""Label maps become segments that lie exactly on the volume."""

import math

import numpy as np
import pytest

from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.image import Image, write
from MedSegEffNetLib.task import Code, Label, Terminology

pytestmark = pytest.mark.usefixtures("scene")
TUMOR = Terminology(Code("SCT", "49755003", "Morphologically Altered Structure"), Code("SCT", "108369006", "Neoplasm"))
LABELS = (
    Label(1, "core", (255, 0, 0), TUMOR),
    Label(2, "edema", (0, 255, 0), TUMOR),
    Label(4, "rim", (0, 0, 255), TUMOR),
)


def oblique(spacing=(0.7, 0.9, 2.5), origin=(-31.4, 12.7, 95.1)):
    """(4, 4) of a grid turned about two axes; its k axis is flipped, so it is left-handed."""
    a, b = 0.31, -0.23
    turn_z = [[math.cos(a), -math.sin(a), 0], [math.sin(a), math.cos(a), 0], [0, 0, 1]]
    turn_x = [[1, 0, 0], [0, math.cos(b), -math.sin(b)], [0, math.sin(b), math.cos(b)]]
    affine = np.eye(4)
    affine[:3, :3] = np.array(turn_z) @ np.array(turn_x) @ np.diag([*spacing[:2], -spacing[2]])
    affine[:3, 3] = origin
    return affine


LPS = np.array([[-0.9, 0, 0, 80.0], [0, -0.9, 0, 70.0], [0, 0, 1.5, -40.0], [0, 0, 0, 1.0]])


@pytest.fixture
def volume(slicer_app):
    """``volume(name, affine, shape)`` makes a volume of 12 x 10 x 8 voxels."""
    import slicer
    import vtk

    def make(name="T1", affine=None, shape=(8, 10, 12)):
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
        slicer.util.updateVolumeFromArray(node, np.random.default_rng(1).integers(0, 99, shape).astype(np.int16))
        matrix = vtk.vtkMatrix4x4()
        matrix.DeepCopy((oblique() if affine is None else affine).ravel().tolist())
        node.SetIJKToRASMatrix(matrix)
        return node

    return make


@pytest.fixture
def put(slicer_app, tmp_path):
    """``put(array, reference, into=None)`` writes the label map (K, J, I) as a model does, and makes segments of it."""
    from MedSegEffNetPanel import bridge, steps
    from MedSegEffNetPanel.bridge.volumes import grid

    def put(array, reference, into=None, labels=LABELS):
        path = tmp_path / "label_map.nii"
        write(path, Image(array.T, grid(reference).affine))
        label_map = steps.finish(bridge.load_label_map(path))
        return steps.finish(bridge.put_segments(into, label_map, reference, labels))[0]

    return put


def some_labels(shape=(8, 10, 12)):
    array = np.zeros(shape, np.uint8)
    array[2:7, 2:9, 3:11] = 2
    array[3:6, 3:7, 4:8] = 1
    return array


def mask(segmentation, name, reference):
    import slicer

    segment_id = segment_ids(segmentation)[name]
    return slicer.util.arrayFromSegmentBinaryLabelmap(segmentation, segment_id, reference).astype(bool)


def segment_ids(segmentation):
    segments = segmentation.GetSegmentation()
    return {
        segments.GetNthSegment(n).GetName(): segments.GetNthSegmentID(n) for n in range(segments.GetNumberOfSegments())
    }


def segment(segmentation, name):
    return segmentation.GetSegmentation().GetSegment(segment_ids(segmentation)[name])


def tag(segment, name):
    import vtk

    value = vtk.reference("")
    assert segment.GetTag(name, value)
    return str(value)


@pytest.mark.parametrize("affine", [oblique(), LPS], ids=["oblique and left-handed", "LPS"])
def test_segments_come_back_voxel_exact(volume, put, affine):
    import vtk

    from MedSegEffNetPanel.bridge.transforms import array_of_matrix

    reference, labels = volume(affine=affine), some_labels()
    segmentation = put(labels, reference)
    for name, value in {"core": 1, "edema": 2, "rim": 4}.items():
        assert np.array_equal(mask(segmentation, name, reference), labels == value)
    image = segment(segmentation, "core").GetRepresentation("Binary labelmap")
    matrix = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    assert np.abs(array_of_matrix(matrix) - affine).max() < 1e-12


def test_a_new_segmentation_is_named_placed_and_described(volume, put, scene):
    import slicer

    reference = volume("T1")
    tree = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    study = tree.CreateFolderItem(tree.GetSceneItemID(), "study")
    tree.CreateItem(study, reference)
    segmentation = put(some_labels(), reference)
    assert segmentation.GetName() == "T1 segmentation"
    assert tree.GetItemParent(tree.GetItemByDataNode(segmentation)) == study
    assert segmentation.GetNodeReference(segmentation.GetReferenceImageGeometryReferenceRole()) is reference
    made = segment(segmentation, "core")
    assert made.GetColor() == (1.0, 0.0, 0.0)
    assert "~SCT^49755003^Morphologically Altered Structure~SCT^108369006^Neoplasm~" in tag(made, "TerminologyEntry")
    assert put(some_labels(), reference).GetName() == "T1 segmentation_1"


def test_a_label_that_was_not_found_is_an_empty_segment(volume, put):
    from MedSegEffNetPanel import bridge, steps

    reference = volume()
    assert list(segment_ids(put(some_labels(), reference))) == ["core", "edema", "rim"]
    nothing = put(np.zeros((8, 10, 12), np.uint8), reference)
    assert steps.finish(bridge.segment_volumes(nothing)) == {"core": 0.0, "edema": 0.0, "rim": 0.0}


def test_a_volume_under_a_transform_gives_a_segmentation_in_the_world(volume, put, scene):
    import slicer
    import vtk

    reference = volume()
    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    shift = vtk.vtkMatrix4x4()
    shift.SetElement(0, 3, 25.0)
    transform.SetMatrixTransformToParent(shift)
    reference.SetAndObserveTransformNodeID(transform.GetID())
    segmentation = put(some_labels(), reference)
    assert segmentation.GetParentTransformNode() is None
    assert np.array_equal(mask(segmentation, "core", reference), some_labels() == 1)
    corner = slicer.vtkOrientedImageData()
    text = segmentation.GetSegmentation().GetConversionParameter("Reference image geometry")
    slicer.vtkSegmentationConverter.DeserializeImageGeometry(text, corner)
    assert corner.GetOrigin()[0] == pytest.approx(oblique()[0, 3] + 25.0)


def test_other_segments_of_an_existing_segmentation_stay(volume, put):
    import slicer

    reference, first = volume(), some_labels()
    segmentation = put(first, reference)
    logic = slicer.modules.segmentations.logic()
    own = segmentation.GetSegmentation().AddEmptySegment("own", "my own")
    drawn = np.zeros(first.shape, np.uint8)
    drawn[0:4, 0:5, 0:6] = 1
    slicer.util.updateSegmentBinaryLabelmapFromArray(drawn, segmentation, own, reference)
    segment(segmentation, "edema").SetName("by hand")
    second = np.roll(first, 2, axis=0)
    core = segment_ids(segmentation)["core"]
    assert put(second, reference, segmentation, LABELS[:1]) is segmentation
    assert np.array_equal(mask(segmentation, "core", reference), second == 1)
    assert np.array_equal(mask(segmentation, "by hand", reference), first == 2)
    assert np.array_equal(mask(segmentation, "my own", reference), drawn == 1)
    assert list(segment_ids(segmentation)) == ["core", "by hand", "rim", "my own"]
    assert segment_ids(segmentation)["core"] == core
    assert logic.GetSegmentStatus(segment(segmentation, "core")) == logic.InProgress


def test_segments_can_be_edited_beyond_what_the_model_found(volume, put):
    import slicer

    reference, first = volume(), some_labels()
    segmentation = put(first, reference)
    painted = (first == 1).astype(np.uint8)
    painted[0, 0, 0] = painted[-1, -1, -1] = 1
    core = segment_ids(segmentation)["core"]
    slicer.util.updateSegmentBinaryLabelmapFromArray(painted, segmentation, core, reference)
    assert np.array_equal(mask(segmentation, "core", reference), painted == 1)
    assert np.array_equal(mask(segmentation, "edema", reference), first == 2)


def test_a_saved_segmentation_is_read_back_the_same(volume, put, tmp_path):
    import slicer

    reference, first = volume(affine=LPS), some_labels()
    segmentation = put(first, reference)
    assert slicer.util.saveNode(segmentation, str(tmp_path / "s.seg.nrrd"))
    back = slicer.util.loadSegmentation(str(tmp_path / "s.seg.nrrd"))
    for name, value in {"core": 1, "edema": 2, "rim": 4}.items():
        assert np.array_equal(mask(back, name, reference), first == value)
        assert tag(segment(back, name), "TerminologyEntry") == tag(segment(segmentation, name), "TerminologyEntry")


def test_a_segmentation_under_a_transform_takes_labels_at_their_place(volume, put, scene):
    import vtk

    reference, first = volume(), some_labels()
    segmentation = put(first, reference)
    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    shift = vtk.vtkMatrix4x4()
    shift.SetElement(0, 3, 25.0)
    transform.SetMatrixTransformToParent(shift)
    segmentation.SetAndObserveTransformNodeID(transform.GetID())
    second = np.roll(first, 1, axis=0)
    put(second, reference, segmentation)
    assert np.array_equal(mask(segmentation, "core", reference), second == 1)


@pytest.mark.parametrize("how", ["locked", "completed"])
def test_a_locked_segment_is_never_overwritten(volume, put, how):
    import slicer

    from MedSegEffNetPanel import bridge

    reference, first = volume(), some_labels()
    segmentation = put(first, reference)
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    if how == "locked":
        segment(segmentation, "core").SetTag(bridge.LOCKED, "1")
    else:
        logic.SetSegmentStatus(segment(segmentation, "core"), logic.Completed)
    second = np.roll(first, 1, axis=2)
    for _ in range(2):  # the second run replaces what the first one made
        put(second, reference, segmentation)
        assert list(segment_ids(segmentation)) == ["core", "edema", "rim", "core (model)"]
        assert np.array_equal(mask(segmentation, "core", reference), first == 1)
        assert np.array_equal(mask(segmentation, "core (model)", reference), second == 1)
        assert np.array_equal(mask(segmentation, "edema", reference), second == 2)


def test_an_empty_segmentation_that_was_made_before_takes_the_volume_as_reference(volume, put, scene):
    reference = volume()
    empty = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "mine")
    put(some_labels(), reference, empty)
    assert empty.GetName() == "mine"
    assert empty.GetNodeReference(empty.GetReferenceImageGeometryReferenceRole()) is reference
    assert np.array_equal(mask(empty, "edema", reference), some_labels() == 2)


def test_a_segmentation_of_surfaces_is_refused(volume, put, scene):
    import slicer

    surfaces = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "surfaces")
    surfaces.GetSegmentation().SetSourceRepresentationName("Closed surface")
    slicer.app.processEvents()
    with pytest.raises(InputError, match="cannot take masks"):
        put(some_labels(), volume(), surfaces)


@pytest.mark.parametrize("whose", ["ours", "Segment Editor"])
def test_undo_takes_all_labels_back_in_one_step(volume, put, monkeypatch, whose):
    from types import SimpleNamespace

    import slicer

    from MedSegEffNetPanel.bridge import undo

    reference, first = volume(), some_labels()
    segmentation = put(first, reference)
    history = slicer.vtkSegmentationHistory()
    history.SetSegmentation(segmentation.GetSegmentation())

    class Editor:
        def segmentationNode(self):
            return segmentation

        def saveStateForUndo(self):
            history.SaveState()

    if whose == "ours":
        monkeypatch.setattr(undo, "editors", [Editor()])
    else:
        monkeypatch.setattr(slicer.modules, "SegmentEditorWidget", SimpleNamespace(editor=Editor()), raising=False)
    second = np.roll(first, 2, axis=1)
    put(second, reference, segmentation)
    assert np.array_equal(mask(segmentation, "core", reference), second == 1)
    assert history.GetNumberOfStates() == 1
    history.RestorePreviousState()
    for name, value in {"core": 1, "edema": 2}.items():
        assert np.array_equal(mask(segmentation, name, reference), first == value)


def test_work_that_is_canceled_or_fails_leaves_the_scene_as_it_was(volume, slicer_app, tmp_path, monkeypatch, scene):
    from MedSegEffNetPanel import bridge, steps
    from MedSegEffNetPanel.bridge import segments

    reference = volume()
    label_map = bridge.LabelMap(np.ones((8, 10, 12), np.uint8), (0, 0, 0), segments.grid(reference))
    before = scene.GetNumberOfNodes()
    work = bridge.put_segments(None, label_map, reference, LABELS)
    next(work)
    work.close()
    assert scene.GetNumberOfNodes() == before

    def fail(node, other):
        raise RuntimeError("no place")

    monkeypatch.setattr(segments, "put_beside", fail)
    with pytest.raises(RuntimeError, match="no place"):
        steps.finish(bridge.put_segments(None, label_map, reference, LABELS))
    assert scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 0


def test_volumes_are_counted_in_voxels(volume, put):
    from MedSegEffNetPanel import bridge, steps

    volumes = steps.finish(bridge.segment_volumes(put(some_labels(), volume())))
    assert volumes["core"] == pytest.approx(3 * 4 * 4 * 0.7 * 0.9 * 2.5 / 1000)


def test_a_file_that_is_no_label_map_is_refused(slicer_app, tmp_path):
    from MedSegEffNetPanel import bridge, steps

    write(tmp_path / "x.nii", Image(np.full((2, 2, 2), 0.5, np.float32), np.eye(4)))
    with pytest.raises(InputError, match="no label map"):
        steps.finish(bridge.load_label_map(tmp_path / "x.nii"))


def test_surfaces_are_shown_and_renewed_with_the_segments(volume, put, wait_until):
    from MedSegEffNetPanel import bridge

    reference = volume(shape=(30, 30, 30), affine=np.eye(4))
    labels = np.zeros((30, 30, 30), np.uint8)
    labels[5:15, 5:15, 5:15] = 1
    segmentation = put(labels, reference)

    def top():
        surface = segment(segmentation, "core").GetRepresentation("Closed surface")
        return surface.GetBounds()[5] if surface is not None else 0.0

    bridge.show_3d(segmentation, True)
    assert wait_until(lambda: segmentation.GetDisplayNode().GetVisibility3D() and top() > 0)
    assert top() == pytest.approx(14.5, abs=1.0)
    assert bridge.shows_3d(segmentation)
    put(np.roll(labels, 10, axis=0), reference, segmentation)
    assert bridge.shows_3d(segmentation)
    assert wait_until(lambda: top() == pytest.approx(24.5, abs=1.0))
    bridge.show_3d(segmentation, False)
    assert not bridge.shows_3d(segmentation)
    assert segment(segmentation, "core").GetRepresentation("Closed surface") is None


def test_surfaces_that_are_not_wanted_any_more_stay_away(volume, put, wait_until, scene):
    from MedSegEffNetPanel import bridge

    labels = np.ones((30, 30, 30), np.uint8)
    one, two = (put(labels, volume(shape=(30, 30, 30))) for _ in range(2))
    for segmentation in (one, two):
        bridge.show_3d(segmentation, True)
    bridge.show_3d(one, False)
    scene.RemoveNode(two)
    wait_until(lambda: False, 0.3)
    for segmentation in (one, two):
        assert segment(segmentation, "core").GetRepresentation("Closed surface") is None


def test_contours_are_outlines_without_areas(volume, put):
    from MedSegEffNetPanel import bridge

    segmentation = put(some_labels(), volume())
    display = segmentation.GetDisplayNode()
    assert not bridge.shows_contours(segmentation)
    bridge.show_contours(segmentation, True)
    assert bridge.shows_contours(segmentation)
    assert (display.GetVisibility2DOutline(), display.GetVisibility2DFill()) == (1, 0)
    bridge.show_contours(segmentation, False)
    assert (display.GetVisibility2DOutline(), display.GetVisibility2DFill()) == (1, 1)
