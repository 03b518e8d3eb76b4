"""A case of usual size goes in and out while the window lives: nothing holds it up for 50 ms."""

import time

import numpy as np
import pytest

from MedSegEffNetLib.image import Image, write
from MedSegEffNetLib.task import get_segmentation_task

pytestmark = pytest.mark.usefixtures("scene")
SHAPE = (155, 240, 240)


@pytest.fixture
def volume(scene):
    """A volume of 240 x 240 x 155 voxels, as most cases with a brain tumor are."""
    import slicer

    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "T1")
    slicer.util.updateVolumeFromArray(node, np.random.default_rng(0).integers(0, 999, SHAPE, dtype=np.int16))
    return node


@pytest.fixture
def calm(slicer_app, window_lives, wait_until):
    """``calm(begin)`` begins work and waits for it; gives its result. It fails where the window stood still.

    ``begin(done, failed)`` is called again where it did.
    """

    def calm(begin):
        done, failed = [], []

        def act():
            before = len(done)
            begin(done.append, failed.append)
            assert wait_until(lambda: len(done) > before or failed, 60)
            assert not failed, failed

        wait_until(lambda: False, 0.05)
        window_lives(act)
        return done[-1]

    return calm


@pytest.fixture
def calm_work(calm):
    """``calm_work(make)`` does the work that ``make()`` gives."""
    from MedSegEffNetPanel import steps

    return lambda make: calm(lambda done, failed: steps.run(make(), done, failed))


def ball_labels():
    z, y, x = np.ogrid[: SHAPE[0], : SHAPE[1], : SHAPE[2]]
    distance = (z - 75) ** 2 + (y - 120) ** 2 + (x - 120) ** 2
    return np.select([distance < 20**2, distance < 30**2, distance < 45**2], [4, 1, 2], 0).astype(np.uint8)


def test_a_volume_is_written_while_the_window_lives(volume, calm_work, tmp_path):
    from MedSegEffNetPanel import bridge

    calm_work(lambda: bridge.export_volume(volume, tmp_path / "v.nrrd"))


def test_a_volume_is_loaded_while_the_window_lives(calm_work, tmp_path):
    from MedSegEffNetPanel import bridge

    array = np.random.default_rng(0).random(SHAPE[::-1], dtype=np.float32)
    write(tmp_path / "v.nii", Image(array, np.eye(4)))
    calm_work(lambda: bridge.load_volume(tmp_path / "v.nii"))


def test_a_label_map_becomes_segments_while_the_window_lives(volume, calm_work, tmp_path):
    from MedSegEffNetPanel import bridge

    write(tmp_path / "l.nii", Image(ball_labels().T, np.eye(4)))
    labels = get_segmentation_task("brain-tumor").labels
    label_map = calm_work(lambda: bridge.load_label_map(tmp_path / "l.nii"))
    segmentation, _ = calm_work(lambda: bridge.put_segments(None, label_map, volume, labels))
    _, notices = calm_work(lambda: bridge.put_segments(segmentation, label_map, volume, labels))
    assert notices == []
    volumes = calm_work(lambda: bridge.segment_volumes(segmentation))
    assert volumes[labels[0].name] == np.count_nonzero(label_map.values == labels[0].value) / 1000


def test_a_volume_is_resampled_while_the_window_lives(volume, calm_work, scene):
    import slicer

    from MedSegEffNetPanel import bridge

    few = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "few slices")
    slicer.util.updateVolumeFromArray(few, np.random.default_rng(0).integers(0, 999, (40, 200, 200), dtype=np.int16))
    few.SetOrigin(0.3, 0.4, 0.5)
    calm_work(lambda: bridge.resample_like(volume, few))
    calm_work(lambda: bridge.resample_like(few, volume))


def test_a_map_is_laid_over_a_volume_while_the_window_lives(volume, calm, tmp_path):
    import slicer

    from MedSegEffNetPanel import bridge, steps

    array = np.random.default_rng(0).random(SHAPE[::-1], dtype=np.float32)
    write(tmp_path / "u.nii", Image(array, np.eye(4)))
    view = next(iter(slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")))

    def shown(node):
        while view.GetForegroundVolumeID() != node.GetID():
            time.sleep(0.001)
            yield
        bridge.remove_overlay(node)

    calm(lambda done, failed: steps.run(shown(bridge.overlay(tmp_path / "u.nii", volume)), done, failed))


def test_segments_of_a_whole_body_are_looked_at_while_the_window_lives(calm_work, calm, scene):
    import slicer
    import vtk

    from MedSegEffNetPanel import bridge, steps
    from MedSegEffNetPanel.bridge.made import fingerprint
    from MedSegEffNetPanel.bridge.masks import mask_of

    image = slicer.vtkOrientedImageData()
    image.SetDimensions(512, 512, 1000)
    image.AllocateScalars(vtk.VTK_UNSIGNED_CHAR, 1)
    layer = vtk.util.numpy_support.vtk_to_numpy(image.GetPointData().GetScalars()).reshape(1000, 512, 512)
    layer[:] = 0
    layer[10:990, 20:500, 20:500] = 1
    segmentation = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "body")
    segment = slicer.vtkSegment()
    segment.SetName("body")
    segment.SetLabelValue(1)
    segment.AddRepresentation("Binary labelmap", image)
    segmentation.GetSegmentation().AddSegment(segment, "body")
    assert calm_work(lambda: bridge.segment_volumes(segmentation)) == {"body": 980 * 480 * 480 / 1000}
    mask = mask_of(segment)
    assert calm_work(lambda: fingerprint(mask.layer, mask.value, mask.first)).startswith("20-499 20-499 10-989 ")
    red = scene.GetNodeByID("vtkMRMLSliceNodeRed")

    def jumped():
        red.SetSliceOffset(0.0)
        bridge.jump_to(segmentation)
        while red.GetSliceOffset() == 0.0:
            time.sleep(0.001)
            yield

    calm(lambda done, failed: steps.run(jumped(), done, failed))


def test_the_volumes_of_a_large_scene_are_listed_at_once(scene, window_lives):
    import slicer

    from MedSegEffNetPanel import bridge

    tree = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    for number in range(300):
        node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", f"volume {number}")
        slicer.util.updateVolumeFromArray(node, np.full((4, 4, 4), number, np.int16))
        tree.CreateItem(tree.GetSceneItemID(), node)
    assert len(bridge.candidates()) == 300
    window_lives(bridge.candidates)
