"""A case of usual size goes in and out while the window lives: nothing holds it up for 50 ms."""

import numpy as np
import pytest

from MedSegEffNetLib.image import Image, write
from MedSegEffNetLib.task import get_segmentation_task

pytestmark = pytest.mark.usefixtures("scene")
LONGEST = 0.05  # s
SHAPE = (155, 240, 240)


@pytest.fixture
def volume(scene):
    """A volume of 240 x 240 x 155 voxels, as most cases with a brain tumor are."""
    import slicer

    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "T1")
    slicer.util.updateVolumeFromArray(node, np.random.default_rng(0).integers(0, 999, SHAPE, dtype=np.int16))
    return node


@pytest.fixture
def longest(slicer_app, loop_watch, wait_until):
    """``longest(work)`` does the work in the window's loop; gives its result and how long the window stood still at most."""
    from MedSegEffNetPanel import steps

    def longest(work):
        done, failed = [], []
        wait_until(lambda: False, 0.05)
        with loop_watch() as watch:
            steps.run(work, done.append, failed.append)
            assert wait_until(lambda: done or failed, 60)
        assert not failed, failed
        return done[0], watch.longest

    return longest


def ball_labels():
    z, y, x = np.ogrid[: SHAPE[0], : SHAPE[1], : SHAPE[2]]
    distance = (z - 75) ** 2 + (y - 120) ** 2 + (x - 120) ** 2
    return np.select([distance < 20**2, distance < 30**2, distance < 45**2], [4, 1, 2], 0).astype(np.uint8)


def test_a_volume_is_written_while_the_window_lives(volume, longest, tmp_path):
    from MedSegEffNetPanel import bridge

    _, seconds = longest(bridge.export_volume(volume, tmp_path / "v.nrrd"))
    assert seconds < LONGEST


def test_a_label_map_becomes_segments_while_the_window_lives(volume, longest, tmp_path):
    from MedSegEffNetPanel import bridge

    write(tmp_path / "l.nii", Image(ball_labels().T, np.eye(4)))
    labels = get_segmentation_task("brain-tumor").labels
    label_map, reading = longest(bridge.load_label_map(tmp_path / "l.nii"))
    segmentation, first = longest(bridge.put_segments(None, label_map, volume, labels))
    _, second = longest(bridge.put_segments(segmentation, label_map, volume, labels))
    assert max(reading, first, second) < LONGEST


def test_a_volume_is_resampled_while_the_window_lives(volume, longest, scene):
    import slicer

    from MedSegEffNetPanel import bridge

    reference = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "FLAIR")
    slicer.util.updateVolumeFromArray(reference, np.zeros((40, 200, 200), np.int16))
    reference.SetOrigin(0.3, 0.4, 0.5)
    _, seconds = longest(bridge.resample_like(volume, reference))
    assert seconds < LONGEST
