"""Segments that the user corrected or drew stay; those that a model made are replaced by its next run."""

import numpy as np
import pytest

import test_bridge_segments as segments
from MedSegEffNetLib.errors import InputError
from test_bridge_segments import LABELS, mask, segment, segment_ids, some_labels, tag

volume, put = segments.volume, segments.put
pytestmark = pytest.mark.usefixtures("scene")
FIRST, SECOND = some_labels(), np.roll(some_labels(), 1, axis=2)


@pytest.fixture
def put_told(slicer_app):
    """``put_told(array, reference, into)`` puts labels into a segmentation; gives the notices."""
    from MedSegEffNetPanel import bridge, steps
    from MedSegEffNetPanel.bridge.volumes import grid

    def put_told(array, reference, into):
        work = bridge.put_segments(into, bridge.LabelMap(array, (0, 0, 0), grid(reference)), reference, LABELS)
        node, notices = steps.finish(work)
        assert node is into
        return notices

    return put_told


def paint(segmentation, name, reference, array):
    """As a user does with the segment editor."""
    import slicer

    segment_id = segment_ids(segmentation)[name]
    slicer.util.updateSegmentBinaryLabelmapFromArray(array.astype(np.uint8), segmentation, segment_id, reference)


def corrected(array, value):
    found = array == value
    found[0, 0, 0] = True
    return found


def test_a_segment_corrected_by_hand_stays_and_the_next_run_replaces_only_the_models(volume, put, put_told):
    reference = volume()
    segmentation = put(FIRST, reference)
    mine = corrected(FIRST, 1)
    paint(segmentation, "core", reference, mine)
    for array in (SECOND, FIRST):  # the second run replaces "core (model)"
        notices = put_told(array, reference, segmentation)
        assert notices == ["core was changed by hand and stays; the model's is core (model)."]
        assert list(segment_ids(segmentation)) == ["core", "edema", "rim", "core (model)"]
        assert np.array_equal(mask(segmentation, "core", reference), mine)
        assert np.array_equal(mask(segmentation, "core (model)", reference), array == 1)
        assert np.array_equal(mask(segmentation, "edema", reference), array == 2)


def test_the_models_segment_stays_too_once_it_was_corrected(volume, put, put_told):
    reference = volume()
    segmentation = put(FIRST, reference)
    paint(segmentation, "core", reference, corrected(FIRST, 1))
    put_told(SECOND, reference, segmentation)
    paint(segmentation, "core (model)", reference, corrected(SECOND, 1))
    put_told(FIRST, reference, segmentation)
    assert list(segment_ids(segmentation)) == ["core", "edema", "rim", "core (model)", "core (model 2)"]
    assert np.array_equal(mask(segmentation, "core (model)", reference), corrected(SECOND, 1))


def test_a_segment_that_the_user_emptied_or_filled_stays(volume, put, put_told):
    reference = volume()
    segmentation = put(FIRST, reference)
    paint(segmentation, "core", reference, FIRST > 99)
    paint(segmentation, "rim", reference, FIRST == 1)
    assert len(put_told(SECOND, reference, segmentation)) == 2
    assert not mask(segmentation, "core", reference).any()
    assert np.array_equal(mask(segmentation, "rim", reference), FIRST == 1)
    assert np.array_equal(mask(segmentation, "core (model)", reference), SECOND == 1)


def test_a_segment_of_the_user_that_merely_has_the_name_stays(volume, put_told, scene):
    reference = volume()
    segmentation = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "mine")
    for name in ("core", "edema"):
        segmentation.GetSegmentation().AddEmptySegment(name, name)
    paint(segmentation, "core", reference, FIRST == 1)
    notices = put_told(SECOND, reference, segmentation)
    assert notices == ["core was there before and stays; the model's is core (model)."]
    assert list(segment_ids(segmentation)) == ["core", "edema", "core (model)", "rim"]
    assert np.array_equal(mask(segmentation, "core", reference), FIRST == 1)
    assert np.array_equal(mask(segmentation, "edema", reference), SECOND == 2)


def test_of_two_segments_of_a_name_the_models_is_replaced(volume, put, put_told):
    reference = volume()
    segmentation = put(FIRST, reference)
    own = segmentation.GetSegmentation().AddEmptySegment("own", "edema")
    mine = np.zeros(FIRST.shape, np.uint8)
    mine[0] = 1
    import slicer

    slicer.util.updateSegmentBinaryLabelmapFromArray(mine, segmentation, own, reference)
    assert put_told(SECOND, reference, segmentation) == []
    assert np.array_equal(slicer.util.arrayFromSegmentBinaryLabelmap(segmentation, own, reference), mine)
    assert segmentation.GetSegmentation().GetNumberOfSegments() == 4


def test_a_layer_that_grows_is_shared_or_saved_is_no_correction(volume, put, put_told, tmp_path):
    import slicer

    reference = volume()
    segmentation = put(FIRST, reference)
    before = tag(segment(segmentation, "edema"), "MedSegEffNet.Made")
    own = segmentation.GetSegmentation().AddEmptySegment("own", "own")
    everywhere = np.zeros(FIRST.shape, np.uint8)
    everywhere[0], everywhere[-1] = 1, 1
    slicer.util.updateSegmentBinaryLabelmapFromArray(everywhere, segmentation, own, reference)
    segmentation.GetSegmentation().CollapseBinaryLabelmaps(False)
    image = segment(segmentation, "edema").GetRepresentation("Binary labelmap")
    assert image.GetDimensions() == (12, 10, 8)
    assert put_told(FIRST, reference, segmentation) == []
    assert tag(segment(segmentation, "edema"), "MedSegEffNet.Made") == before
    assert slicer.util.saveNode(segmentation, str(tmp_path / "s.seg.nrrd"))
    back = slicer.util.loadSegmentation(str(tmp_path / "s.seg.nrrd"))
    assert put_told(SECOND, reference, back) == []
    assert list(segment_ids(back)) == ["core", "edema", "rim", "own"]


def test_undo_brings_back_what_may_be_replaced(volume, put, put_told, monkeypatch):
    from types import SimpleNamespace

    import slicer

    from MedSegEffNetPanel.bridge import undo

    reference = volume()
    segmentation = put(FIRST, reference)
    history = slicer.vtkSegmentationHistory()
    history.SetSegmentation(segmentation.GetSegmentation())
    editor = SimpleNamespace(segmentationNode=lambda: segmentation, saveStateForUndo=history.SaveState)
    monkeypatch.setattr(undo, "editors", [editor])
    assert put_told(SECOND, reference, segmentation) == []
    assert history.GetNumberOfStates() == 1
    history.RestorePreviousState()
    assert np.array_equal(mask(segmentation, "core", reference), FIRST == 1)
    assert put_told(SECOND, reference, segmentation) == []


def test_a_stroke_while_the_segments_are_looked_at_counts(volume, put):
    from MedSegEffNetPanel import bridge
    from MedSegEffNetPanel.bridge.volumes import grid

    reference = volume()
    segmentation = put(FIRST, reference)
    label_map = bridge.LabelMap(SECOND, (0, 0, 0), grid(reference))
    total = sum(1 for _ in bridge.put_segments(segmentation, label_map, reference, LABELS))
    work = bridge.put_segments(segmentation, label_map, reference, LABELS)
    for _ in range(total):
        next(work)
    paint(segmentation, "core", reference, corrected(SECOND, 1))
    for _ in work:
        pass
    assert "core (model)" in segment_ids(segmentation)


def test_nothing_can_be_canceled_after_the_change(volume, put, wait_until):
    from MedSegEffNetPanel import bridge
    from MedSegEffNetPanel.bridge.volumes import grid

    reference = volume()
    segmentation = put(FIRST, reference)
    bridge.show_3d(segmentation, True)
    assert wait_until(lambda: segmentation.GetSegmentation().ContainsRepresentation("Closed surface"))
    label_map = bridge.LabelMap(SECOND, (0, 0, 0), grid(reference))
    for _ in bridge.put_segments(segmentation, label_map, reference, LABELS):
        assert np.array_equal(mask(segmentation, "core", reference), FIRST == 1)
    assert np.array_equal(mask(segmentation, "core", reference), SECOND == 1)
    assert wait_until(lambda: segmentation.GetSegmentation().ContainsRepresentation("Closed surface"))


@pytest.mark.parametrize("which", ["segmentation", "volume"])
def test_a_scene_closed_meanwhile_gets_nothing(volume, put, scene, which):
    from MedSegEffNetPanel import bridge
    from MedSegEffNetPanel.bridge.volumes import grid

    reference = volume()
    segmentation = put(FIRST, reference) if which == "segmentation" else None
    label_map = bridge.LabelMap(SECOND, (0, 0, 0), grid(reference))
    work = bridge.put_segments(segmentation, label_map, reference, LABELS)
    next(work)
    scene.RemoveNode(segmentation or reference)
    before = scene.GetNumberOfNodes()
    with pytest.raises(InputError, match="no longer in the scene"):
        for _ in work:
            pass
    assert scene.GetNumberOfNodes() == before


def test_the_fingerprint_tells_shapes_and_places_but_not_layers(slicer_app):
    from MedSegEffNetPanel import steps
    from MedSegEffNetPanel.bridge.made import fingerprint

    def of(array, value=1, first=(0, 0, 0)):
        return steps.finish(fingerprint(array, value, first))

    array = np.zeros((40, 9, 10), np.uint8)
    array[3:30, 2:7, 1:8] = np.random.default_rng(0).integers(0, 2, (27, 5, 7))
    array[3, 2, 1] = array[29, 6, 7] = 1
    larger = np.pad(array.astype(np.int16) * 5, 2) + 0
    larger[0] = 3
    assert of(array) == of(larger, 5, (-2, -2, -2)) == of(array[3:30, 2:7, 1:8], 1, (1, 2, 3))
    other = array.copy()
    other[10, 4, 4] ^= 1
    assert len({of(array), of(other), of(array, first=(1, 0, 0)), of(array, 7)}) == 4
