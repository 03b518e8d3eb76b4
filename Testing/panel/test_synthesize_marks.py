"""The mark of an image that a network made, through every path of the panel."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

import synthesis_cases
from cases import add_synthetic_patient, add_volume, segmentations, synthetic_images
from MedSegEffNetLib.image import Image, made_by, read, write

maker, make = synthesis_cases.maker, synthesis_cases.make
KEY, MODEL = "MedSegEffNet_synthesised", "fake@1.0.0"


@pytest.fixture
def marked(scene):
    """``marked(name="t1ce")`` gives a volume of the synthetic patient that says that a network made it."""
    from MedSegEffNetPanel import bridge

    def make(name="t1ce", called="patient_{}"):
        arrays, affine = synthetic_images()
        node = add_volume(called.format(name), arrays[name], affine)
        bridge.mark(node, MODEL)
        return node

    return make


@pytest.fixture
def exported(slicer_app, tmp_path):
    """``exported(node)`` gives the model that the file names which the panel writes of a volume."""
    from MedSegEffNetPanel import bridge, steps

    def exported(node, **named):
        steps.finish(bridge.export_volume(node, tmp_path / "volume.nrrd", **named))
        return made_by(tmp_path / "volume.nrrd")

    return exported


def test_the_files_for_jobs_say_what_the_volume_says(marked, exported, scene):
    assert exported(marked()) == MODEL
    assert exported(add_volume("T1", np.ones((3, 4, 5), np.int16))) == ""
    by_name = add_volume("T1 Synthesized", np.ones((3, 4, 5), np.int16))
    assert exported(by_name) == "an unknown model"


def test_a_dicom_series_whose_description_says_so_is_marked(scene, exported, monkeypatch):
    import slicer

    database = SimpleNamespace(isOpen=True, instanceValue=lambda uid, tag: "T1 post-contrast (synthesised)")
    monkeypatch.setattr(slicer, "dicomDatabase", database, raising=False)
    node = add_volume("5: T1", np.ones((3, 4, 5), np.int16))
    assert exported(node) == ""
    node.SetAttribute("DICOM.instanceUIDs", "1.2.3 1.2.4")
    assert exported(node) == "an unknown model"


def test_a_name_that_is_not_english_is_written_too(scene, exported):
    from MedSegEffNetPanel import bridge

    node = add_volume("T1", np.ones((3, 4, 5), np.int16))
    bridge.mark(node, "modèle@1")
    assert exported(node) == "modèle@1"


def test_a_resampled_copy_keeps_the_mark(marked, exported, scene):
    from MedSegEffNetPanel import bridge, steps

    other = add_volume("FLAIR", np.ones((6, 20, 20), np.int16))
    copy = steps.finish(bridge.resample_like(marked(), other))
    assert copy.GetAttribute(KEY) == MODEL
    assert exported(marked(), like=other) == MODEL


def test_slicers_own_save_keeps_the_mark_in_the_files_header(make, tmp_path):
    import slicer

    add_synthetic_patient(["t1", "t1ce"])
    result = make().result
    for number, node_id in enumerate((result.made_id, result.difference_id)):
        path = tmp_path / f"renamed{number}.nrrd"
        assert slicer.util.saveNode(slicer.mrmlScene.GetNodeByID(node_id), str(path))
        assert made_by(path) == MODEL
        assert read(path).synthesised == MODEL


@pytest.mark.parametrize("suffix", [".nrrd", ".mha", ".nii.gz"])
def test_a_marked_file_that_slicer_loads_is_known_by_its_header(scene, tmp_path, suffix):
    import slicer

    from MedSegEffNetPanel import bridge, steps

    path = tmp_path / f"plain{suffix}"
    write(path, Image(np.ones((5, 4, 3), np.float32), np.eye(4), synthesised=MODEL))
    node = slicer.util.loadVolume(str(path))
    assert bridge.made_by(node) == ""
    assert steps.finish(bridge.look([node]))
    assert bridge.made_by(node) == MODEL
    assert not bridge.unseen([node])


def test_a_file_of_the_same_name_in_another_scene_is_asked_again(scene, tmp_path):
    import slicer

    from harness import mrml
    from MedSegEffNetPanel import bridge, steps

    path = tmp_path / "plain.nrrd"
    write(path, Image(np.ones((5, 4, 3), np.float32), np.eye(4), synthesised=MODEL))
    for _ in range(2):
        node = slicer.util.loadVolume(str(path))
        steps.finish(bridge.look([node]))
        assert bridge.made_by(node) == MODEL
        mrml.clear(scene)


def test_the_panels_own_loading_keeps_the_mark(scene, tmp_path):
    from MedSegEffNetPanel import bridge, steps

    path = tmp_path / "plain.nii.gz"
    write(path, Image(np.ones((5, 4, 3), np.float32), np.eye(4), synthesised=MODEL))
    assert steps.finish(bridge.load_volume(path)).GetAttribute(KEY) == MODEL


def test_a_marked_volume_is_never_chosen_by_itself(section, marked, wait_until):
    nodes = add_synthetic_patient(["flair"])
    made = marked()
    assert wait_until(lambda: section.ui.applyButton.enabled, 5)
    section.inputs.fill()
    assert section.inputs.table.nodes() == {"flair": nodes["flair"], "t1": None, "t1ce": None}
    section.inputs.take({"t1ce": made})
    row = section.inputs.table._rows["t1ce"]
    assert row.state.text == "synthesised"
    assert MODEL in row.state.toolTip
    assert section.ui.applyButton.enabled


def test_a_marked_file_whose_name_does_not_tell_is_taken_out_again(section, tmp_path, wait_until):
    import slicer

    from MedSegEffNetLib.synthetic.brain_patient import make_patient

    images = make_patient().images
    write(tmp_path / "patient_flair.nii.gz", images["flair"])
    image = images["t1ce"]
    write(tmp_path / "patient_t1ce.nii.gz", Image(image.array, image.affine, synthesised=MODEL))
    nodes = [slicer.util.loadVolume(str(path)) for path in sorted(tmp_path.glob("patient_*.nii.gz"))]
    assert wait_until(lambda: section.inputs.table.nodes()["flair"], 5)
    assert wait_until(lambda: nodes[1].GetAttribute(KEY) == MODEL, 5)
    assert section.inputs.table.nodes()["t1ce"] is None
    section.inputs.table._rows["t1ce"].selector.setCurrentNode(nodes[1])
    assert section.inputs.table._rows["t1ce"].state.text == "synthesised"


def test_a_segmentation_from_a_marked_volume_inherits_the_mark(section, marked, scene, wait_until):
    add_synthetic_patient(["flair"])
    section.inputs.fill()
    section.inputs.take({"t1ce": marked()})
    section.ui.applyButton.click()
    assert wait_until(lambda: section.run.over, 90)
    assert section.run.result is not None, section.run.text
    [segmentation] = segmentations(scene)
    assert segmentation.GetAttribute(KEY) == MODEL
    assert segmentation.GetName() == "patient_flair segmentation (from synthesised)"
    remarks = " ".join(section.run.remarks)
    assert "is marked" in remarks
    assert "synthesised it from the others" in remarks


def test_a_segmentation_from_real_volumes_has_no_mark(section, apply, scene):
    add_synthetic_patient(["flair"])
    apply()
    assert segmentations(scene)[0].GetAttribute(KEY) is None
    assert segmentations(scene)[0].GetName() == "patient_flair segmentation"


@pytest.fixture
def drawn(scene):
    """A segmentation with two segments."""
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "mine")
    for name in ("tumor", "edema"):
        node.GetSegmentation().AddEmptySegment(name, name)
    return node


def test_a_segmentation_says_in_its_name_what_it_was_made_from(drawn, scene):
    from MedSegEffNetPanel import bridge

    [remark] = bridge.mark_made_from(drawn, MODEL)
    assert drawn.GetName() == "mine (from synthesised)"
    assert remark.startswith("mine (from synthesised) is marked")
    bridge.mark_made_from(drawn, "other@2", alone=False)
    assert drawn.GetName() == "mine (from synthesised)"
    assert bridge.made_by(drawn) == f"{MODEL}, other@2"
    assert bridge.mark_made_from(drawn, "") == []
    assert (drawn.GetName(), bridge.made_by(drawn)) == ("mine", "")
    drawn.SetName("T1CE (synthesised) segmentation")
    bridge.mark_made_from(drawn, MODEL)
    assert drawn.GetName() == "T1CE (synthesised) segmentation"


def test_a_segmentation_stays_marked_while_other_segments_are_in_it(drawn):
    from MedSegEffNetPanel import bridge

    assert bridge.mark_made_from(drawn, "", alone=False) == []
    bridge.mark_made_from(drawn, MODEL)
    [remark] = bridge.mark_made_from(drawn, "", alone=False)
    assert "stays marked" in remark
    assert bridge.made_by(drawn) == MODEL
    assert drawn.GetName() == "mine (from synthesised)"


def test_undo_does_not_take_the_mark_from_segments_that_come_back(drawn):
    from MedSegEffNetPanel import bridge

    bridge.mark_made_from(drawn, MODEL)
    drawn.RemoveAttribute(KEY)
    drawn.SetName("mine")
    assert bridge.made_by(drawn) == MODEL


def test_slicers_own_save_of_a_segmentation_keeps_the_mark_in_the_files_header(scene, marked, tmp_path):
    import slicer

    from MedSegEffNetPanel import bridge

    volume = marked()
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "tumor")
    node.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    segment_id = node.GetSegmentation().AddEmptySegment("tumor", "tumor")
    voxels = (slicer.util.arrayFromVolume(volume) > 100).astype(np.uint8)
    slicer.util.updateSegmentBinaryLabelmapFromArray(voxels, node, segment_id, volume)
    bridge.mark_made_from(node, MODEL)
    path = tmp_path / "renamed.seg.nrrd"
    assert slicer.util.saveNode(node, str(path))
    assert made_by(path) == MODEL
    assert bridge.made_by(slicer.util.loadSegmentation(str(path))) == MODEL


def test_every_time_point_of_a_sequence_of_segmentations_is_marked(scene, drawn):
    from MedSegEffNetPanel import bridge

    sequence = scene.AddNewNodeByClass("vtkMRMLSequenceNode", "heart segmentation")
    for number in range(2):
        sequence.SetDataNodeAtValue(drawn, str(number))
    bridge.mark_made_from(sequence, MODEL)
    assert sequence.GetName() == "heart segmentation (from synthesised)"
    assert [bridge.made_by(sequence.GetNthDataNode(number)) for number in range(2)] == [MODEL, MODEL]
    assert bridge.made_by(drawn) == ""
