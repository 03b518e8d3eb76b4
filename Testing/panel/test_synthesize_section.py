"""The section Synthesize: an image is made by clicks, by a process, and comes into the scene marked."""

from __future__ import annotations

import numpy as np
import pytest

import synthesis_cases
from cases import add_synthetic_patient, add_volume, count, synthetic_images
from synthesis_cases import PATIENCE, TARGETS, fake_synthesis

maker, make, nothing_makes = synthesis_cases.maker, synthesis_cases.make, synthesis_cases.nothing_makes
KEY = "MedSegEffNet_synthesised"


def node_of(node_id):
    import slicer

    return slicer.mrmlScene.GetNodeByID(node_id)


def state(section, channel):
    return section.inputs.table._rows[channel].state.text


def test_an_image_is_made_with_one_click_and_lies_beside_its_input(make, maker, scene):
    import slicer

    nodes = add_synthetic_patient(["t1", "flair"])
    tree = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    patient = tree.CreateFolderItem(tree.GetSceneItemID(), "patient")
    for node in nodes.values():
        tree.CreateItem(patient, node)
    run = make()
    assert run.result is not None, run.text
    made = node_of(run.result.made_id)
    assert made.GetName() == "patient T1CE (synthesised)"
    assert made.GetAttribute(KEY) == "fake@1.0.0"
    assert tree.GetItemParent(tree.GetItemByDataNode(made)) == patient
    t1 = slicer.util.arrayFromVolume(nodes["t1"])
    assert np.allclose(slicer.util.arrayFromVolume(made), 0.8 * t1.astype(np.float32))
    from MedSegEffNetPanel import bridge

    assert bridge.grid(made).same(bridge.grid(nodes["t1"]))
    assert count(scene, "vtkMRMLScalarVolumeNode") == 3
    assert maker.ui.resultFrame.visible
    assert "patient T1CE (synthesised)" in maker.ui.resultLabel.text
    assert "no measurement" in maker.ui.messageLabel.text


def test_the_model_is_shown_the_inputs_and_never_the_real_image(make, scene):
    add_synthetic_patient(["t1", "flair", "t1ce"])
    run = make()
    words = run._job.arguments
    given = words[words.index("--input") + 1 : words.index("--target")]
    assert [word.partition("=")[0] for word in given] == ["t1", "flair"]
    assert words[words.index("--real") + 1].endswith("t1ce.nrrd")


def test_a_real_image_gives_figures_and_a_volume_of_the_difference(make, maker, scene):
    add_synthetic_patient(["t1", "flair", "t1ce"])
    run = make()
    assert "NMAE 0.041, PSNR 24.3 dB, SSIM 0.873" in maker.ui.resultLabel.text
    difference = node_of(run.result.difference_id)
    assert difference.GetName() == "patient T1CE difference (synthesised)"
    assert difference.GetAttribute(KEY) == "fake@1.0.0"
    display = difference.GetDisplayNode()
    assert (display.GetWindowLevelMin(), display.GetWindowLevelMax()) == (-2.0, 2.0)
    assert display.GetColorNode().GetNumberOfColors() == 255
    from MedSegEffNetPanel import bridge

    assert "difference" not in "".join(one.name for one in bridge.candidates())


def test_two_differences_share_their_colors(make, scene):
    add_synthetic_patient(["t1", "flair", "t1ce"])
    one, other = (node_of(make().result.difference_id).GetDisplayNode() for _ in range(2))
    assert one.GetColorNodeID() == other.GetColorNodeID()


def test_without_an_input_the_button_says_what_to_choose(maker):
    assert not maker.ui.makeButton.enabled
    add_synthetic_patient(["t1ce"])
    maker.inputs.fill()
    maker.ui.targetBox.setCurrentIndex(TARGETS.index("t1ce"))
    assert not maker.ui.makeButton.enabled
    assert "one at least of T1, T2, FLAIR" in maker.ui.makeButton.toolTip


def test_the_row_of_the_target_says_what_becomes_of_its_volume(maker):
    add_synthetic_patient(["t1", "t1ce"])
    maker.inputs.fill()
    maker.ui.targetBox.setCurrentIndex(TARGETS.index("t1ce"))
    assert [state(maker, name) for name in ("t1", "t1ce", "flair")] == ["ok", "real image", "not given"]
    assert "does not see it" in maker.ui.realNote.text
    maker.ui.targetBox.setCurrentIndex(TARGETS.index("flair"))
    assert [state(maker, name) for name in ("t1", "t1ce", "flair")] == ["ok", "ok", "to be made"]
    assert not maker.ui.realNote.visible


def test_the_section_is_frank_about_contrast_agent(maker):
    maker.ui.targetBox.setCurrentIndex(TARGETS.index("t1ce"))
    assert "it is a guess" in maker.ui.targetNote.text
    maker.ui.targetBox.setCurrentIndex(TARGETS.index("flair"))
    assert "guess" not in maker.ui.targetNote.text
    assert "no measurement" in maker.ui.targetNote.text


def test_the_caution_about_contrast_agent_stands_once(make, maker):
    add_synthetic_patient(["t1"])
    for _ in range(2):
        make()
        shown = maker.ui.targetNote.text + maker.ui.messageLabel.text
        assert shown.count("cannot be known") == 1
    maker.ui.targetBox.setCurrentIndex(TARGETS.index("flair"))
    make("flair")
    maker.ui.targetBox.setCurrentIndex(TARGETS.index("t1ce"))
    assert "it is a guess" in maker.ui.targetNote.text


def test_an_image_that_a_network_made_is_no_input_and_no_real_image(make, maker):
    nodes = add_synthetic_patient(["t1", "flair"])
    made = node_of(make().result.made_id)
    maker.inputs.take({"t1ce": made})
    assert state(maker, "t1ce") == "synthesised"
    assert not maker.ui.makeButton.enabled
    maker.ui.targetBox.setCurrentIndex(TARGETS.index("flair"))
    assert "tells another one nothing" in maker.ui.makeButton.toolTip
    maker.inputs.take({"t1ce": None, "t1": nodes["t1"]})
    assert maker.ui.makeButton.enabled


def test_the_real_image_on_another_grid_is_mended_with_a_click(maker, wait_until):
    arrays, affine = synthetic_images()
    add_volume("patient_t1", arrays["t1"], affine)
    moved = affine.copy()
    moved[:3, 3] += 7.5
    real = add_volume("patient_t1ce", arrays["t1ce"], moved)
    maker.ui.targetBox.setCurrentIndex(TARGETS.index("t1ce"))
    maker.inputs.fill()
    maker.inputs.take({"t1ce": real})
    row = maker.inputs.table._rows["t1ce"]
    assert state(maker, "t1ce") == "other grid"
    row.mend.click()
    assert wait_until(lambda: maker.ui.makeButton.enabled, PATIENCE), maker.ui.makeButton.toolTip
    assert row.selector.currentNode().GetName() == "patient_t1ce on patient_t1"


@pytest.mark.parametrize("on", [False, True])
def test_the_corner_is_marked_on_request_and_the_request_is_kept(make, maker, panel, on):
    add_synthetic_patient(["t1"])
    maker.ui.markBox.checked = on
    assert ("--mark" in make()._job.arguments) is on
    assert panel.settings.flag("synthesis_mark") is on


def test_cancel_leaves_the_scene_as_it_was(maker, panel, monkeypatch, scene, wait_until):
    fake_synthesis(panel, monkeypatch, 0.5)
    add_synthetic_patient(["t1"])
    maker.inputs.fill()
    maker.ui.targetBox.setCurrentIndex(TARGETS.index("t1ce"))
    maker.ui.makeButton.click()
    assert wait_until(lambda: maker.run.fraction and maker.run.text.startswith("Synthesizing"), PATIENCE)
    assert maker.ui.makeButton.text == "Cancel"
    assert not maker.ui.targetBox.enabled
    maker.ui.makeButton.click()
    assert maker.run.over
    assert maker.ui.makeButton.text == "Make image"
    assert count(scene, "vtkMRMLScalarVolumeNode") == 1
    assert wait_until(lambda: not maker.run._job.alive, PATIENCE)
    assert wait_until(lambda: not (maker.run.folder / "in").exists(), PATIENCE)


def test_closing_the_scene_ends_the_run_and_hides_the_result(make, maker, scene, wait_until):
    add_synthetic_patient(["t1"])
    make()
    scene.Clear(0)
    wait_until(lambda: False, 0.1)
    assert not maker.ui.resultFrame.visible
    assert not maker.ui.makeButton.enabled


def test_the_window_never_stands_still_while_an_image_is_made(make, maker, scene, window_lives):
    rng = np.random.default_rng(1)
    for name in ("t1", "t1ce"):
        add_volume(f"large_{name}", rng.integers(0, 400, (80, 240, 240)).astype(np.int16))
    window_lives(make)
    assert maker.run.result is not None, maker.run.text


def test_the_choices_are_kept_apart_from_those_of_segment(maker, panel):
    nodes = add_synthetic_patient(["t1", "flair"])
    segment = panel.section("segment")
    segment.models.choose_task("tumor-slices")
    segment.inputs.fill()
    maker.inputs.take({"t1": nodes["t1"], "flair": None})
    assert segment.inputs.table.nodes()["flair"] is nodes["flair"]
    assert maker.inputs.table.nodes()["flair"] is None


def test_without_a_model_the_section_says_where_to_get_one(nothing_makes, panel):
    section = panel.section("synthesize")
    assert section.models.entry is None
    assert "Import one in Models" in section.ui.modelSummary.text
    assert "No model is chosen" in section.ui.makeButton.toolTip


@pytest.mark.parametrize(
    ("name", "channel", "case"),
    [
        ("patient_7_T1", "t1", "patient_7"),
        ("T1", "t1", ""),
        ("FLAIR - Müller", "flair", "Müller"),
        ("sub-01 t1 post.x", "t2", "sub-01 t1 post.x"),
    ],
)
def test_the_case_is_the_volumes_name_without_its_channel(slicer_app, name, channel, case):
    from MedSegEffNetLib.task import list_tasks
    from MedSegEffNetPanel.synthesizing.request import case_of

    assert case_of(name, list_tasks()["mri-synthesis"].channel(channel)) == case
