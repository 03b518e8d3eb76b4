"""What was made is looked at side by side, used in Segment, and asked for from there."""

from __future__ import annotations

import pytest

import synthesis_cases
from cases import add_synthetic_patient
from synthesis_cases import PATIENCE, TARGETS

maker, make, nothing_makes = synthesis_cases.maker, synthesis_cases.make, synthesis_cases.nothing_makes


def shown(scene):
    """What the views of the layout show: title and volume, in their order."""
    import slicer

    manager = slicer.app.layoutManager()
    views = manager.layoutLogic().GetViewNodes()
    nodes = [views.GetItemAsObject(number) for number in range(views.GetNumberOfItems())]
    found = {}
    for node in nodes:
        if node.IsA("vtkMRMLSliceNode"):
            composite = manager.sliceWidget(node.GetLayoutName()).mrmlSliceCompositeNode()
            volume = scene.GetNodeByID(composite.GetBackgroundVolumeID() or "")
            found[node.GetLayoutLabel()] = volume.GetName() if volume else ""
    return found


@pytest.fixture
def layout(slicer_app):
    """The number of the layout that is seen."""
    import slicer

    return lambda: slicer.app.layoutManager().layout


def test_without_a_real_image_the_input_and_the_made_image_stand_side_by_side(make, maker, scene, layout):
    add_synthetic_patient(["t1"])
    make()
    before = layout()
    maker.ui.sideButton.checked = True
    assert shown(scene) == {"Input": "patient_t1", "Synthesised": "patient T1CE (synthesised)"}
    maker.ui.sideButton.checked = False
    assert layout() == before


def test_with_a_real_image_four_linked_views_show_the_same_slice(make, maker, scene, wait_until):
    import slicer

    add_synthetic_patient(["t1", "t1ce"])
    make()
    red = slicer.app.layoutManager().sliceWidget("Red").mrmlSliceNode()
    red.SetOrientation("Axial")
    red.SetSliceOffset(red.GetSliceOffset() + 6)
    maker.ui.sideButton.checked = True
    wait_until(lambda: False, 0.1)
    assert shown(scene) == {
        "Input": "patient_t1",
        "Real": "patient_t1ce",
        "Synthesised": "patient T1CE (synthesised)",
        "Difference": "patient T1CE difference (synthesised)",
    }
    parts = ("Input", "Real", "Made", "Difference")
    widgets = [slicer.app.layoutManager().sliceWidget(f"MedSegEffNet{part}") for part in parts]
    assert all(widget.mrmlSliceCompositeNode().GetHotLinkedControl() for widget in widgets)
    assert {widget.mrmlSliceNode().GetViewGroup() for widget in widgets} == {6880}
    [offset] = {round(widget.mrmlSliceNode().GetSliceOffset(), 3) for widget in widgets}
    assert abs(offset - red.GetSliceOffset()) <= 2.5  # half a slice
    maker.ui.sideButton.checked = False


def test_another_layout_that_the_user_chose_meanwhile_stays(make, maker, layout):
    import slicer

    add_synthetic_patient(["t1"])
    make()
    before = layout()
    maker.ui.sideButton.checked = True
    slicer.app.layoutManager().setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView)
    maker.ui.sideButton.checked = False
    assert layout() == slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView
    slicer.app.layoutManager().setLayout(before)


@pytest.mark.parametrize("what", ["image", "scene"])
def test_the_views_before_come_back_when_the_image_goes(make, maker, scene, layout, what):
    add_synthetic_patient(["t1"])
    run = make()
    before = layout()
    maker.ui.sideButton.checked = True
    if what == "image":
        scene.RemoveNode(scene.GetNodeByID(run.result.made_id))
    else:
        scene.Clear(0)
    assert layout() == before
    assert not maker.ui.resultFrame.visible


def test_the_next_image_takes_the_place_of_the_one_before(make, maker, scene, layout):
    add_synthetic_patient(["t1", "flair"])
    before = layout()
    make()
    maker.ui.sideButton.checked = True
    make()
    assert shown(scene) == {"Input": "patient_t1", "Synthesised": "patient T1CE (synthesised)_1"}
    maker.ui.sideButton.checked = False
    assert layout() == before


def test_the_report_is_opened(make, maker, monkeypatch):
    import qt

    opened = []
    monkeypatch.setattr(qt.QDesktopServices, "openUrl", lambda url: opened.append(url.toLocalFile()))
    add_synthetic_patient(["t1"])
    make()
    maker.ui.reportButton.click()
    assert opened[0].endswith("report.html")


def test_segment_takes_the_made_image_into_its_row_with_those_that_it_was_made_from(make, maker, panel, scene):
    nodes = add_synthetic_patient(["flair"])
    run = make()
    segment = panel.section("segment")
    segment.models.choose_task("tumor-slices")
    maker.ui.useButton.click()
    chosen = segment.inputs.table.nodes()
    assert chosen["t1ce"].GetID() == run.result.made_id
    assert chosen["flair"] is nodes["flair"]
    assert segment.inputs.table._rows["t1ce"].state.text == "synthesised"
    assert segment.ui.applyButton.enabled, segment.ui.applyButton.toolTip
    assert "made by a network" in segment.ui.messageLabel.text


def test_an_image_with_letters_in_its_corner_is_not_offered_to_segment(make, maker):
    add_synthetic_patient(["flair"])
    usual = maker.ui.useButton.toolTip
    maker.ui.markBox.checked = True
    make()
    assert not maker.ui.useButton.enabled
    assert "without them to segment it" in maker.ui.useButton.toolTip
    maker.ui.markBox.checked = False
    assert not maker.ui.useButton.enabled  # the image that is shown has them
    make()
    assert maker.ui.useButton.enabled
    assert maker.ui.useButton.toolTip == usual


def test_segment_changes_to_a_model_that_takes_the_image(make, maker, panel):
    add_synthetic_patient(["flair"])
    make()
    segment = panel.section("segment")
    segment.models.choose_task("covid-ct")
    maker.ui.useButton.click()
    assert "t1ce" in segment.inputs.table.nodes()
    assert segment.inputs.table.nodes()["t1ce"] is not None


def test_a_missing_channel_of_segment_offers_to_be_made(maker, panel, wait_until):
    nodes = add_synthetic_patient(["flair"])
    segment = panel.section("segment")
    segment.models.choose_task("tumor-slices")
    segment.inputs.fill()
    rows = segment.inputs.table._rows
    assert [name for name, row in rows.items() if row.mend.visible] == ["t1", "t1ce"]
    assert rows["t1ce"].mend.text == "Make …"
    maker.ui.targetBox.setCurrentIndex(0)
    rows["t1ce"].mend.click()
    assert maker.inputs.target == "t1ce"
    given = {name: node for name, node in maker.inputs.table.nodes().items() if node is not None}
    assert given == {"flair": nodes["flair"]}
    assert maker.ui.makeButton.enabled, maker.ui.makeButton.toolTip


def test_nothing_offers_to_make_an_image_where_nothing_can(nothing_makes, panel):
    segment = panel.section("segment")
    segment.models.choose_task("tumor-slices")
    add_synthetic_patient(["flair"])
    segment.inputs.fill()
    assert not any(row.mend.visible for row in segment.inputs.table._rows.values())


def test_what_is_made_while_the_section_waits_can_still_be_canceled_from_it(maker, panel, monkeypatch, wait_until):
    synthesis_cases.fake_synthesis(panel, monkeypatch, 0.3)
    nodes = add_synthetic_patient(["t1"])
    maker.inputs.fill()
    maker.ui.targetBox.setCurrentIndex(TARGETS.index("t1ce"))
    maker.ui.makeButton.click()
    assert wait_until(lambda: maker.run._job is not None, PATIENCE)
    maker.open_for("flair", nodes)
    assert maker.inputs.target == "t1ce"
    maker.ui.makeButton.click()
    assert maker.run.over
    assert wait_until(lambda: not maker.run._job.alive, PATIENCE)
