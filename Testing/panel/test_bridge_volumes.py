"""Volumes become files with the exact geometry, and copies on another grid."""

import math

import numpy as np
import pytest

from MedSegEffNetLib.errors import InputError, MedSegEffNetError
from MedSegEffNetLib.image import read

pytestmark = pytest.mark.usefixtures("scene")

LPS = np.array([[-0.9, 0, 0, 80.0], [0, -0.9, 0, 70.0], [0, 0, 1.5, -40.0], [0, 0, 0, 1.0]])
OBLIQUE = np.eye(4)
OBLIQUE[:3, :3] = [[0.6 * 0.7, -0.8 * 0.9, 0], [0.8 * 0.7, 0.6 * 0.9, 0], [0, 0, -2.5]]
OBLIQUE[:3, 3] = [-31.4159265358979, 12.7, 95.1]


@pytest.fixture
def volume(slicer_app):
    """``volume(name, affine, array)`` makes a volume node of an array (K, J, I[, component])."""
    import slicer
    import vtk

    def make(name="T1", affine=LPS, array=None):
        if array is None:
            array = np.random.default_rng(2).integers(0, 99, (6, 8, 10)).astype(np.int16)
        kind = "vtkMRMLScalarVolumeNode" if array.ndim == 3 else "vtkMRMLVectorVolumeNode"
        node = slicer.mrmlScene.AddNewNodeByClass(kind, name)
        slicer.util.updateVolumeFromArray(node, array)
        matrix = vtk.vtkMatrix4x4()
        matrix.DeepCopy(affine.ravel().tolist())
        node.SetIJKToRASMatrix(matrix)
        node.CreateDefaultDisplayNodes()
        return node

    return make


@pytest.fixture
def moved(scene):
    """``moved(node, matrix)`` puts a node under a linear transform; a bent one without a matrix."""
    import vtk

    def move(node, matrix=None):
        if matrix is None:
            transform = scene.AddNewNodeByClass("vtkMRMLTransformNode")
            spline = vtk.vtkThinPlateSplineTransform()
            points, targets = vtk.vtkPoints(), vtk.vtkPoints()
            for x, y, z in np.random.default_rng(0).uniform(-100, 100, (12, 3)):
                points.InsertNextPoint(x, y, z)
                targets.InsertNextPoint(x + 2.0 * math.sin(y / 30), y, z + 1.5)
            spline.SetBasisToR()
            spline.SetSourceLandmarks(points)
            spline.SetTargetLandmarks(targets)
            transform.SetAndObserveTransformToParent(spline)
        else:
            transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
            shift = vtk.vtkMatrix4x4()
            shift.DeepCopy(matrix.ravel().tolist())
            transform.SetMatrixTransformToParent(shift)
        node.SetAndObserveTransformNodeID(transform.GetID())

    return move


@pytest.fixture
def export(slicer_app, tmp_path):
    """``export(node, ...)`` gives the file's image and the notices."""
    from MedSegEffNetPanel import bridge, steps

    def export(node, *values, **named):
        notices = steps.finish(bridge.export_volume(node, tmp_path / "v.nrrd", *values, **named))
        return read(tmp_path / "v.nrrd"), notices

    return export


def array_of(node):
    import slicer

    return slicer.util.arrayFromVolume(node)


# files


@pytest.mark.parametrize("affine", [LPS, OBLIQUE], ids=["LPS", "oblique and left-handed"])
@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "int32", "float32", "float64"])
def test_voxels_and_geometry_are_written_exactly(volume, export, affine, dtype):
    node = volume(affine=affine, array=np.random.default_rng(3).integers(0, 99, (6, 8, 10)).astype(dtype))
    image, notices = export(node)
    assert notices == ()
    assert np.array_equal(image.array.T, array_of(node))
    assert image.array.dtype == dtype
    assert np.abs(image.affine - affine).max() < 1e-12


def test_slicer_reads_the_file_as_the_same_volume(volume, export, tmp_path):
    import slicer

    from MedSegEffNetPanel.bridge.volumes import grid

    node = volume()
    export(node)
    back = slicer.util.loadVolume(str(tmp_path / "v.nrrd"))
    assert np.abs(grid(back).affine - LPS).max() < 1e-12
    assert np.array_equal(array_of(back), array_of(node))


def test_a_component_of_a_color_volume_is_written(volume, export):
    node = volume(array=np.random.default_rng(4).integers(0, 255, (3, 4, 5, 3)).astype(np.uint8))
    assert np.array_equal(export(node, 1)[0].array.T, array_of(node)[..., 1])
    with pytest.raises(InputError, match="color volume of 3 components"):
        export(node)
    with pytest.raises(InputError, match="has 3 components"):
        export(node, 3)


def test_a_volume_without_voxels_is_refused(scene, export):
    with pytest.raises(InputError, match="holds no voxels"):
        export(scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "empty"))


def test_a_transformed_volume_is_written_in_the_world_with_a_notice(volume, export, moved):
    turn = np.array([[0.0, -1, 0, 5], [1, 0, 0, -7], [0, 0, 1, 9], [0, 0, 0, 1]])
    node = volume(affine=OBLIQUE)
    moved(node, turn)
    image, notices = export(node)
    assert np.abs(image.affine - turn @ OBLIQUE).max() < 1e-12
    assert np.array_equal(image.array.T, array_of(node))
    assert "under a transform" in notices[0]
    assert node.GetParentTransformNode() is not None


def test_a_bent_volume_is_resampled_with_a_notice(volume, export, moved):
    i = np.arange(40.0)
    ramp = np.broadcast_to(i, (30, 35, 40)).astype(np.float32).copy()
    node = volume(affine=np.eye(4), array=ramp)
    moved(node)
    image, notices = export(node)
    assert "bent by a transform" in notices[0]
    assert np.array_equal(image.affine, np.eye(4))
    inside = image.array.T[12:18, 12:20, 10:30]
    assert 0.1 < np.abs(inside - ramp[12:18, 12:20, 10:30]).max() < 3.0
    assert np.array_equal(array_of(node), ramp)


def test_a_volume_is_written_on_the_grid_of_another(volume, export):
    k, j, i = np.mgrid[:20, :24, :28]
    node = volume("ramp", np.eye(4), (i + 2 * j + 3 * k).astype(np.float32))
    finer = np.diag([0.5, 0.5, 0.5, 1.0])
    finer[:3, 3] = [4.25, 5, 6]
    like = volume("like", finer, np.zeros((8, 8, 8), np.int16))
    image, notices = export(node, like=like)
    x, y, z = np.meshgrid(*(0.5 * np.arange(8) + start for start in (4.25, 5, 6)), indexing="ij")
    assert np.allclose(image.array, x + 2 * y + 3 * z, atol=1e-3)
    assert "resampled onto like" in notices[0]


def test_a_volume_that_changes_while_it_is_written_ends_the_work(volume, tmp_path, monkeypatch):
    from MedSegEffNetPanel import bridge
    from MedSegEffNetPanel.bridge import volumes

    node = volume()
    monkeypatch.setattr(volumes, "_write_nrrd", lambda path, array, place, stop, model: stop.wait(5))
    work = bridge.export_volume(node, tmp_path / "v.nrrd")
    next(work)
    node.GetImageData().Modified()
    with pytest.raises(MedSegEffNetError, match="was changed"):
        for _ in work:
            pass


def test_canceled_work_leaves_no_file(volume, tmp_path, monkeypatch):
    import time

    from MedSegEffNetPanel import bridge
    from MedSegEffNetPanel.bridge import volumes

    write, ended = volumes._write_nrrd, []

    def slowly(path, array, place, stop, model):
        stop.wait(5)
        try:
            write(path, array, place, stop, model)
        finally:
            ended.append(path)

    monkeypatch.setattr(volumes, "_write_nrrd", slowly)
    work = bridge.export_volume(volume(), tmp_path / "v.nrrd")
    next(work)
    work.close()
    while not ended:
        time.sleep(0.01)
    assert list(tmp_path.iterdir()) == []


# facts


def test_only_images_are_offered_as_channels(volume, scene):
    from MedSegEffNetPanel import bridge

    node = volume("T1")
    volume("hidden").SetHideFromEditors(True)
    volume("map").SetAttribute(bridge.OVERLAY, "1")
    scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "empty")
    labels = scene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "labels")
    labels.SetAndObserveImageData(node.GetImageData())
    assert [candidate.name for candidate in bridge.candidates()] == ["T1"]
    assert bridge.facts(None) is None


def test_facts_tell_equal_images_and_places(volume, scene):
    import slicer

    from MedSegEffNetPanel import bridge

    one, twin = volume("one"), volume("twin", OBLIQUE)
    other = volume("other", array=np.ones((6, 8, 10), np.int16))
    tree = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    folder = tree.CreateFolderItem(tree.GetSceneItemID(), "patient")
    tree.CreateItem(folder, one)
    facts = bridge.facts(one)
    assert facts.fingerprint == bridge.facts(twin).fingerprint != bridge.facts(other).fingerprint
    assert facts.grid.shape == (10, 8, 6)
    assert facts.group == str(folder)
    assert bridge.facts(other).group == ""
    assert bridge.components(volume("color", array=np.zeros((2, 2, 2, 3), np.uint8))) == 3


def test_images_that_share_their_background_are_not_the_same(volume):
    from MedSegEffNetPanel import bridge

    shape, found = (16, 64, 64), []
    for seed in range(2):
        array = np.zeros(shape, np.int16)
        array[2:14, 10:50, 10:50] = np.random.default_rng(seed).integers(1, 99, (12, 40, 40))
        found.append(bridge.facts(volume(array=array)).fingerprint)
    assert all(found)
    assert found[0] != found[1]


def test_images_that_cannot_be_told_apart_have_no_fingerprint(volume):
    from MedSegEffNetPanel import bridge

    assert bridge.facts(volume(array=np.full((6, 8, 10), 5, np.int16))).fingerprint == ""


def test_the_fingerprint_follows_the_voxels(volume):
    import slicer

    from MedSegEffNetPanel import bridge

    node = volume()
    before = bridge.facts(node).fingerprint
    slicer.util.arrayFromVolume(node)[:] += 1
    slicer.util.arrayFromVolumeModified(node)
    assert bridge.facts(node).fingerprint != before


def test_volumes_that_are_only_offered_are_not_compared(volume):
    from MedSegEffNetPanel import bridge

    volume()
    assert [candidate.fingerprint for candidate in bridge.candidates()] == [""]


# copies and files that are read


def test_a_resampled_copy_lies_beside_its_original(volume, scene, moved):
    import slicer

    from MedSegEffNetPanel import bridge, steps

    k, j, i = np.mgrid[:20, :24, :28]
    node = volume("T1", np.eye(4), (i + 2 * j + 3 * k).astype(np.float32))
    reference = volume("FLAIR", np.diag([2.0, 2.0, 2.0, 1.0]), np.zeros((6, 7, 8), np.int16))
    shift = np.eye(4)
    shift[:3, 3] = [1, 2, 3]
    moved(reference, shift)
    tree = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    study = tree.CreateFolderItem(tree.GetSceneItemID(), "study")
    tree.CreateItem(study, node)
    node.GetDisplayNode().SetAutoWindowLevel(False)
    node.GetDisplayNode().SetWindowLevel(50, 30)
    copy = steps.finish(bridge.resample_like(node, reference))
    x, y, z = np.meshgrid(*(2.0 * np.arange(n) + start for n, start in ((8, 1), (7, 2), (6, 3))), indexing="ij")
    assert np.allclose(array_of(copy).T, x + 2 * y + 3 * z, atol=1e-3)
    assert copy.GetName() == "T1 on FLAIR"
    assert tree.GetItemParent(tree.GetItemByDataNode(copy)) == study
    assert bridge.facts(copy).grid.same(bridge.facts(reference).grid)
    assert (copy.GetDisplayNode().GetWindow(), copy.GetDisplayNode().GetLevel()) == (50, 30)


def test_a_copy_of_a_volume_without_display_gets_the_contrast_of_its_voxels(volume, scene):
    from MedSegEffNetPanel import bridge, steps

    node, reference = volume(), volume("FLAIR", array=np.zeros((6, 8, 10), np.int16))
    scene.RemoveNode(node.GetDisplayNode())
    display = steps.finish(bridge.resample_like(node, reference)).GetDisplayNode()
    assert -1 <= display.GetWindowLevelMin() <= 5
    assert 93 <= display.GetWindowLevelMax() <= 99
    assert not display.GetAutoWindowLevel()
    assert display.GetColorNodeID() == "vtkMRMLColorTableNodeGrey"


@pytest.mark.parametrize("which", ["volume", "reference"])
def test_a_copy_is_not_put_into_a_scene_that_was_closed_meanwhile(volume, scene, which):
    from MedSegEffNetPanel import bridge, steps

    node, reference = volume(), volume("FLAIR", OBLIQUE)
    work = bridge.resample_like(node, reference)
    next(work)
    scene.RemoveNode(node if which == "volume" else reference)
    before = scene.GetNumberOfNodes()
    with pytest.raises(InputError, match="no longer in the scene") as error:
        steps.finish(work)
    assert error.value.hint
    assert scene.GetNumberOfNodes() == before


def test_a_copy_that_is_canceled_at_any_step_leaves_nothing(volume, scene):
    from MedSegEffNetPanel import bridge

    node, reference = volume(), volume("FLAIR", OBLIQUE)
    total = sum(1 for _ in bridge.resample_like(node, reference))
    before = scene.GetNumberOfNodes()
    for count in range(1, total + 1):
        work = bridge.resample_like(node, reference)
        for _ in range(count):
            next(work)
        work.close()
        assert scene.GetNumberOfNodes() == before


@pytest.mark.parametrize("value", [0, 7, np.nan])
def test_an_image_of_one_value_is_loaded(scene, tmp_path, value):
    from MedSegEffNetLib.image import Image, write
    from MedSegEffNetPanel import bridge, steps

    write(tmp_path / "flat.nii", Image(np.full((10, 8, 6), value, np.float32), LPS))
    node = steps.finish(bridge.load_volume(tmp_path / "flat.nii"))
    assert node.GetName() == "flat"
    assert np.array_equal(array_of(node), np.full((6, 8, 10), value, np.float32), equal_nan=True)
    display = node.GetDisplayNode()
    assert display.GetWindowLevelMin() <= np.nan_to_num(value) < display.GetWindowLevelMax()
