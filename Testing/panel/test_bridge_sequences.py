"""Sequences of volumes, and of the segmentations made of them."""

import numpy as np
import pytest

from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.task import Code, Label, Terminology

pytestmark = pytest.mark.usefixtures("scene")
LABELS = (Label(1, "tumor", (255, 0, 0), Terminology(Code("SCT", "1", "a"), Code("SCT", "2", "b"))),)
SHAPE = (4, 5, 6)


@pytest.fixture
def shown(scene):
    """The volume node that shows a sequence of three volumes, number n full of n."""
    import slicer

    sequence = scene.AddNewNodeByClass("vtkMRMLSequenceNode", "Dynamic")
    sequence.SetIndexName("time")
    for number in range(3):
        volume = slicer.vtkMRMLScalarVolumeNode()
        volume.SetName("frame")
        slicer.util.updateVolumeFromArray(volume, np.full(SHAPE, number, np.int16))
        volume.SetSpacing(1, 2, 3)
        sequence.SetDataNodeAtValue(volume, str(10 * number))
    browser = scene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode", "browser")
    browser.SetAndObserveMasterSequenceNodeID(sequence.GetID())
    slicer.modules.sequences.logic().UpdateProxyNodesFromSequences(browser)
    return browser.GetProxyNode(sequence)


def test_items_are_reached_from_what_the_browser_shows(shown, scene):
    import slicer

    from MedSegEffNetPanel import bridge

    assert bridge.sequence_of(shown).GetName() == "Dynamic"
    assert bridge.sequence_length(shown) == 3
    assert slicer.util.arrayFromVolume(bridge.sequence_item(shown, 2)).max() == 2
    assert bridge.sequence_of(scene.GetFirstNodeByName("browser")).GetName() == "Dynamic"
    alone = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "alone")
    assert (bridge.sequence_of(alone), bridge.sequence_length(alone), bridge.sequence_of(None)) == (None, 0, None)
    with pytest.raises(InputError, match="no volume number 4"):
        bridge.sequence_item(shown, 3)


def test_an_item_is_written_without_being_shown(shown, tmp_path):
    from MedSegEffNetLib.image import read
    from MedSegEffNetPanel import bridge, steps

    steps.finish(bridge.export_volume(shown, tmp_path / "v.nrrd", item=1))
    assert (read(tmp_path / "v.nrrd").array == 1).all()


def test_segmentations_of_all_time_points_follow_the_browser(shown, scene):
    import slicer

    from MedSegEffNetPanel import bridge, steps
    from MedSegEffNetPanel.bridge.volumes import grid

    maps = []
    for number in range(3):
        values = np.zeros(SHAPE, np.uint8)
        values[: number + 1] = 1
        maps.append(bridge.LabelMap(values, (0, 0, 0), grid(shown)))
    sequence = steps.finish(bridge.put_segment_sequence(shown, maps, LABELS))
    assert sequence.GetName() == "Dynamic segmentation"
    assert [sequence.GetNthIndexValue(n) for n in range(3)] == ["0", "10", "20"]
    browser = scene.GetFirstNodeByName("browser")
    proxy = browser.GetProxyNode(sequence)
    assert scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 1
    assert proxy.GetNodeReference(proxy.GetReferenceImageGeometryReferenceRole()) is shown
    for number in (2, 0, 1):
        browser.SetSelectedItemNumber(number)
        slicer.modules.sequences.logic().UpdateProxyNodesFromSequences(browser)
        volumes = steps.finish(bridge.segment_volumes(proxy))
        assert volumes == {"tumor": pytest.approx((number + 1) * 5 * 6 * 6 / 1000)}
        segment_id = proxy.GetSegmentation().GetNthSegmentID(0)
        found = slicer.util.arrayFromSegmentBinaryLabelmap(proxy, segment_id, shown)
        assert np.array_equal(found, maps[number].values)


def test_a_label_map_too_few_is_refused_and_changes_nothing(shown, scene):
    from MedSegEffNetPanel import bridge, steps

    before = scene.GetNumberOfNodes()
    with pytest.raises(InputError, match="there are 0 label maps"):
        steps.finish(bridge.put_segment_sequence(shown, [], LABELS))
    assert scene.GetNumberOfNodes() == before
