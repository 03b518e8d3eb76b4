"""Maps over a volume in the slices, such as that of uncertainty."""

import numpy as np
import pytest

import test_bridge_segments as segments
from MedSegEffNetLib.image import Image, write
from test_bridge_segments import LPS, some_labels

volume, put = segments.volume, segments.put
pytestmark = pytest.mark.usefixtures("scene")


def count(scene):
    """Volumes and their displays."""
    return [scene.GetNumberOfNodesByClass(kind) for kind in ("vtkMRMLVolumeNode", "vtkMRMLDisplayNode")]


@pytest.fixture
def map_file(tmp_path):
    """A map on the grid of the volumes here, and its voxels."""
    values = np.random.default_rng(0).random((12, 10, 8)).astype(np.float32)
    write(tmp_path / "u.nii", Image(values, LPS))
    return tmp_path / "u.nii", values


def test_an_overlay_is_shown_in_the_slices_and_leaves_no_trace(volume, scene, map_file, wait_until):
    import slicer

    from MedSegEffNetPanel import bridge

    path, values = map_file
    reference, other = volume(affine=LPS), volume("other", LPS)
    view = scene.AddNewNodeByClass("vtkMRMLSliceCompositeNode")
    view.SetForegroundVolumeID(other.GetID())
    view.SetForegroundOpacity(0.2)
    before = count(scene)
    node = bridge.overlay(path, reference)
    assert wait_until(lambda: view.GetForegroundVolumeID() == node.GetID(), 5)
    assert np.array_equal(slicer.util.arrayFromVolume(node).T, values)
    assert (node.GetHideFromEditors(), node.GetSaveWithScene()) == (1, 0)
    assert node not in [scene.GetNodeByID(candidate.id) for candidate in bridge.candidates()]
    display = node.GetDisplayNode()
    assert (display.GetWindowLevelMin(), display.GetWindowLevelMax()) == (0.0, 1.0)
    assert (display.GetApplyThreshold(), display.GetLowerThreshold()) == (1, pytest.approx(0.05))
    assert not display.GetAutoWindowLevel()
    bridge.remove_overlay(node)
    assert (view.GetForegroundVolumeID(), view.GetForegroundOpacity()) == (other.GetID(), 0.2)
    assert count(scene) == before


def test_its_colors_are_no_labels_colors_and_have_a_legend_where_slicer_can(
    volume, scene, map_file, wait_until, monkeypatch
):
    from types import SimpleNamespace

    import slicer

    from MedSegEffNetPanel import bridge

    cividis = scene.AddNewNodeByClass("vtkMRMLColorTableNode", "Cividis")
    legends = []

    def add(node):
        legend = scene.AddNode(slicer.vtkMRMLColorLegendDisplayNode())
        legend.SetAndObservePrimaryDisplayNode(node.GetDisplayNode())
        node.AddAndObserveDisplayNodeID(legend.GetID())
        legends.append(legend)
        return legend

    colors = SimpleNamespace(logic=lambda: SimpleNamespace(AddDefaultColorLegendDisplayNode=add))
    monkeypatch.setattr(slicer.modules, "colors", colors)
    reference = volume(affine=LPS)
    before = count(scene)
    node = bridge.overlay(map_file[0], reference)
    assert wait_until(lambda: legends, 5)
    assert legends[0].GetTitleText() == "Uncertainty"
    assert not legends[0].GetSaveWithScene()
    assert node.GetDisplayNode().GetColorNodeID() == cividis.GetID()
    bridge.remove_overlay(node)
    assert count(scene) == before


def test_without_those_colors_it_is_blue(volume, map_file, wait_until):
    from MedSegEffNetPanel import bridge

    node = bridge.overlay(map_file[0], volume(affine=LPS))
    assert wait_until(lambda: node.GetDisplayNode(), 5)
    assert node.GetDisplayNode().GetColorNodeID() == "vtkMRMLColorTableNodeOcean"


@pytest.mark.parametrize("outlined", [False, True])
def test_segments_are_outlines_while_it_is_shown(volume, put, map_file, wait_until, outlined):
    from MedSegEffNetPanel import bridge

    reference = volume(affine=LPS)
    segmentation = put(some_labels(), reference)
    bridge.show_contours(segmentation, outlined)
    node = bridge.overlay(map_file[0], reference, segmentation)
    assert wait_until(lambda: node.GetDisplayNode() and bridge.shows_contours(segmentation), 5)
    bridge.remove_overlay(node)
    assert bridge.shows_contours(segmentation) == outlined


def test_an_overlay_whose_file_is_damaged_says_so(volume, tmp_path, wait_until, dialogs):
    from MedSegEffNetPanel import bridge

    (tmp_path / "u.nii").write_bytes(b"no image")
    node = bridge.overlay(tmp_path / "u.nii", volume())
    assert wait_until(lambda: node.GetScene() is None, 5)
    assert len(dialogs.shown) == 1


def test_an_overlay_removed_while_it_is_read_stays_away(volume, scene, map_file, wait_until):
    from MedSegEffNetPanel import bridge

    view = scene.AddNewNodeByClass("vtkMRMLSliceCompositeNode")
    reference = volume(affine=LPS)
    before = count(scene)
    bridge.remove_overlay(bridge.overlay(map_file[0], reference))
    wait_until(lambda: False, 0.2)
    assert view.GetForegroundVolumeID() is None
    assert count(scene) == before
