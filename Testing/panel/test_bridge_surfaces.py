"""Surfaces: large ones come from a process of their own and are those that Slicer would make."""

import numpy as np
import pytest

from MedSegEffNetLib.task import get_segmentation_task

pytestmark = pytest.mark.usefixtures("scene")
SHAPE = (155, 240, 240)


@pytest.fixture
def segmentation(scene):
    """A segmentation on an oblique grid with one ball of 270,000 voxels."""
    import slicer

    from MedSegEffNetPanel import bridge, steps

    volume = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "T1")
    slicer.util.updateVolumeFromArray(volume, np.zeros(SHAPE, np.int16))
    volume.SetIJKToRASDirections(0.8, -0.6, 0, 0.6, 0.8, 0, 0, 0, 1)
    volume.SetSpacing(0.9, 0.9, 1.2)
    z, y, x = np.ogrid[: SHAPE[0], : SHAPE[1], : SHAPE[2]]
    ball = ((z - 75) ** 2 + (y - 120) ** 2 + (x - 110) ** 2 < 40**2).astype(np.uint8)
    labels = get_segmentation_task("tumor-slices").labels
    from MedSegEffNetPanel.bridge.volumes import grid

    return steps.finish(bridge.put_segments(None, bridge.LabelMap(ball, (0, 0, 0), grid(volume)), volume, labels))[0]


def points(surface):
    from vtk.util.numpy_support import vtk_to_numpy

    return vtk_to_numpy(surface.GetPoints().GetData())


@pytest.mark.parametrize(("smoothing", "decimation"), [("0.5", "0.0"), ("0.0", "0.0"), ("0.3", "0.5")])
def test_a_surface_of_the_process_is_the_one_that_slicer_makes(segmentation, smoothing, decimation):
    from MedSegEffNetPanel import steps
    from MedSegEffNetPanel.bridge import surfaces

    segments = segmentation.GetSegmentation()
    segments.SetConversionParameter("Smoothing factor", smoothing)
    segments.SetConversionParameter("Decimation factor", decimation)
    segment_id = segments.GetNthSegmentID(0)
    made = steps.finish(surfaces._surface(segments, segment_id))
    expected = surfaces._surface_at_once(segments, segment_id)
    assert made.GetNumberOfCells() == expected.GetNumberOfCells()
    assert np.allclose(points(made), points(expected), atol=1e-3)


def test_the_window_lives_while_a_large_surface_is_made(segmentation, window_lives, wait_until):
    from MedSegEffNetPanel import bridge

    def show():
        bridge.show_3d(segmentation, False)
        bridge.show_3d(segmentation, True)
        assert wait_until(lambda: segmentation.GetSegmentation().ContainsRepresentation("Closed surface"), 60)

    window_lives(show)


def test_without_a_process_slicer_makes_the_surface(segmentation, monkeypatch):
    from MedSegEffNetPanel import steps
    from MedSegEffNetPanel.bridge import surfaces

    monkeypatch.setattr(surfaces, "_compute", lambda *values: False)
    segments = segmentation.GetSegmentation()
    assert steps.finish(surfaces._surface(segments, segments.GetNthSegmentID(0))).GetNumberOfCells() > 1000
