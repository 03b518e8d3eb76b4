"""Section Compare, clicked through: the case that is open in Correct against the model."""

import numpy as np
import pytest

import comparing_cases
from cases import PATIENCE
from comparing_cases import AFFINE, SHAPE, box, nodes_of, texts

section, segmentation = comparing_cases.section, comparing_cases.segmentation
pair, evaluate = comparing_cases.pair, comparing_cases.evaluate


@pytest.fixture
def dataset(tmp_path):
    from MedSegEffNetLib.dataset.importing import NewCase, add_case
    from MedSegEffNetLib.dataset.labels import save_label
    from MedSegEffNetLib.dataset.store import Dataset
    from MedSegEffNetLib.image import Image

    made = Dataset.create(tmp_path / "data", "brain-tumor")
    values = np.random.default_rng(1).integers(0, 900, SHAPE[::-1]).astype(np.int16)
    images = {name: Image(values + shift, AFFINE) for shift, name in enumerate(("flair", "t1", "t1ce", "t2"))}
    add_case(made, NewCase("case-1", "patient-1", images, {}), "Ada")
    found = np.zeros(SHAPE, dtype=np.uint8)
    found[box(slice(1, 4))] = 2
    found[box(2)] = 4
    save_label(made, "case-1", Image(found.T, AFFINE), author="Ada", origin="model", model="net@1.0.0")
    return made


@pytest.fixture
def case(section, panel, dataset, wait_until):
    """The section with the case open in Correct, and compared with the model's version."""
    panel.curation.author = "Ada"
    panel.curation.open(dataset.folder)
    correct = panel.section("correct")
    assert wait_until(lambda: panel.curation.cases, 10)
    correct.open("case-1")
    assert wait_until(lambda: section.case.rows and not section.case.busy and not correct.desk.busy, 20)
    return section.case


@pytest.fixture
def draw(case, panel, wait_until):
    """``draw(name, mask)`` makes a label what the mask is, and waits until that was noticed."""
    import slicer

    def draw(name, mask):
        session = panel.section("correct").desk.session
        segment_id = session.segmentation.GetSegmentation().GetSegmentIdBySegmentName(name)
        slicer.util.updateSegmentBinaryLabelmapFromArray(
            mask.astype(np.uint8), session.segmentation, segment_id, session.reference
        )
        assert wait_until(lambda: not session.edits.pending and not case.busy, 10)

    return draw


def labels_of(panel):
    from MedSegEffNetPanel import steps

    return steps.finish(panel.section("correct").desk.session.edits.settle())


def choose(section, name):
    table = section.ui.caseTable
    table.setCurrentCell([row[0] for row in texts(table)].index(name), 0)


def outlines(scene):
    """The outlines that are seen."""
    found = [node for node in nodes_of(scene) if node.GetName() == "Outline"]
    return [node for node in found if node.GetDisplayNode().GetVisibility()]


def test_without_a_case_everything_says_what_to_do(section):
    ui = section.ui
    for widget in (
        ui.otherBox,
        ui.outlineBox,
        ui.caseDifferenceBox,
        ui.caseNextButton,
        ui.takeButton,
        ui.proposeButton,
    ):
        assert not widget.enabled
        assert "Open a case in Correct" in widget.toolTip
    assert "Open a case in Correct" in ui.caseMessage.text


def test_the_model_s_last_version_is_proposed_and_outlined(case, section, scene):
    assert section.ui.otherBox.currentText == "Version 1, of the model net@1.0.0"
    rows = {row[0]: row[1:] for row in texts(section.ui.caseTable)}
    assert rows["edema"] == ["1.000", "0.08", "0.08"]
    assert set(rows) == {"necrotic and non-enhancing core", "edema", "enhancing tumor", "WT", "TC"}
    assert len(outlines(scene)) == 1
    display = outlines(scene)[0].GetDisplayNode()
    assert display.GetVisibility2DOutline()
    assert not display.GetVisibility2DFill()
    section.ui.outlineBox.checked = False
    assert outlines(scene) == []


def test_dice_follows_the_edits(case, section, draw):
    draw("edema", box(3))
    rows = {row[0]: row[1] for row in texts(section.ui.caseTable)}
    assert rows["edema"] == "0.667"
    assert rows["enhancing tumor"] == "1.000"
    assert rows["WT"] == "0.800"


def test_the_next_difference_is_the_largest_that_is_left(case, section, draw, wait_until):
    draw("edema", box(3, i=slice(3, 6)))
    section.ui.caseNextButton.click()
    assert wait_until(lambda: not case.differences.busy, 10)
    assert "Difference 1 of 2: 20 voxels, 0.04 mL." in section.ui.caseDifferenceText.text
    draw("edema", box(slice(1, 4), i=slice(3, 6)) | box(1))
    section.ui.caseNextButton.click()
    assert wait_until(lambda: not case.differences.busy, 10)
    assert "Difference 1 of 1: 8 voxels" in section.ui.caseDifferenceText.text


def test_a_label_is_taken_in_one_step_and_can_be_undone(case, section, draw, panel, wait_until):
    desk = panel.section("correct").desk
    assert not section.ui.takeButton.enabled
    assert "Choose a label" in section.ui.takeButton.toolTip
    draw("edema", box(3))
    before = labels_of(panel).copy()
    choose(section, "edema")
    assert section.ui.takeButton.enabled, section.ui.takeButton.toolTip
    section.ui.takeButton.click()
    assert wait_until(lambda: not desk.busy, 10)
    assert (labels_of(panel)[box(slice(1, 4)) & ~box(2)] == 2).all()
    panel.section("correct").ui.segmentEditor.undo()
    np.testing.assert_array_equal(labels_of(panel), before)


def test_what_is_locked_stays(case, section, draw, panel, wait_until):
    correct = panel.section("correct")
    draw("edema", box(0))
    draw("enhancing tumor", box(slice(2, 4)))
    ids = {value: segment_id for segment_id, value in correct.desk.session.values.items()}
    choose(section, "enhancing tumor")
    assert section.ui.takeButton.enabled
    correct.bench.locks.set_locked(ids[4], True)
    assert wait_until(lambda: not correct.bench.locks.busy, 10)
    assert "locked" in section.ui.takeButton.toolTip
    choose(section, "edema")
    section.ui.takeButton.click()
    assert wait_until(lambda: not correct.desk.busy, 10)
    labels = labels_of(panel)
    assert (labels[box(slice(2, 4))] == 4).all()  # the model has edema in slice 3
    assert (labels[box(1)] == 2).all()
    assert (labels[box(0)] == 0).all()


def test_a_segmentation_of_the_scene_can_be_compared_with(case, section, segmentation, panel, wait_until):
    volume = panel.section("correct").desk.session.reference
    mine = segmentation("mine", volume, Edema=box(1))
    other = segmentation("other", volume, bone=box(1))
    section.ui.otherBox.setCurrentIndex(section.ui.otherBox.count - 1)
    assert section.ui.otherSelector.isVisibleTo(section.widget)
    section.ui.otherSelector.setCurrentNode(None)
    assert "Choose a segmentation" in section.ui.takeButton.toolTip
    section.ui.otherSelector.setCurrentNode(mine)
    assert wait_until(lambda: case.rows and not case.busy, 10)
    assert {row[0]: row[1] for row in texts(section.ui.caseTable)}["edema"] == "0.667"
    section.ui.otherSelector.setCurrentNode(other)
    assert wait_until(lambda: "none of the labels" in section.ui.caseMessage.text, 10)


def test_a_saved_version_is_offered_and_the_choice_stays(case, section, draw, panel, wait_until):
    correct = panel.section("correct")
    draw("edema", box(3))
    correct.desk.save()
    assert wait_until(lambda: not correct.desk.busy, 20)
    listed = section.ui.otherBox
    assert listed.itemText(0) == "Version 2, corrected by Ada"
    assert listed.currentText == "Version 1, of the model net@1.0.0"
    listed.setCurrentIndex(0)
    assert wait_until(lambda: case.rows and not case.busy, 10)
    assert {row[1] for row in texts(section.ui.caseTable)} == {"1.000"}


def test_nothing_stays_when_the_case_is_put_away(case, section, panel, scene, wait_until):
    section.ui.caseDifferenceBox.checked = True
    assert wait_until(lambda: not case.busy, 10)
    panel.section("correct").desk.put_away()
    assert wait_until(lambda: not panel.section("correct").desk.busy, 10)
    assert nodes_of(scene) == []
    assert not section.ui.takeButton.enabled
    assert not section.ui.caseDifferenceBox.checked


def test_closing_the_scene_leaves_nothing_behind(case, section, pair, evaluate, panel, scene, wait_until):
    evaluate(*pair)
    for shown in (section.ui.pairDifferenceBox, section.ui.caseDifferenceBox):
        shown.checked = True
    assert wait_until(lambda: not case.busy and not section.pair.differences.busy, 10)
    scene.Clear(0)
    wait_until(lambda: False, 0.2)
    assert section.pair.found is None
    assert case.other is None
    assert nodes_of(scene) == []
    assert "Open a case in Correct" in section.ui.caseMessage.text


def test_a_model_of_other_labels_cannot_be_asked(case, section, panel):
    models = panel.section("segment").models
    models.usable = [entry for entry in models.usable if entry.task != "brain-tumor"]
    models.choose_task("tumor-slices")
    section.case.refresh()
    assert not section.ui.proposeButton.enabled
    assert "no labels of this data set" in section.ui.proposeButton.toolTip


@pytest.fixture
def patient(tmp_path, section, panel, wait_until):
    """The section with the synthetic patient open in Correct, without any label."""
    from MedSegEffNetLib.dataset.importing import NewCase, add_case
    from MedSegEffNetLib.dataset.store import Dataset
    from MedSegEffNetLib.synthetic.brain_patient import make_patient

    made = Dataset.create(tmp_path / "patients", "tumor-slices")
    add_case(made, NewCase("case-1", "patient-1", dict(make_patient().images), {}), "Ada")
    panel.curation.author = "Ada"
    panel.curation.open(made.folder)
    desk = panel.section("correct").desk
    panel.section("correct").open("case-1")
    assert wait_until(lambda: desk.session is not None and not desk.busy, 30)
    return section


def test_the_model_is_asked_again_and_its_labels_are_outlined_and_taken(patient, panel, scene, wait_until):
    ui, case, desk = patient.ui, patient.case, panel.section("correct").desk
    assert ui.otherBox.currentText == "A segmentation of the scene"
    assert ui.proposeButton.enabled, ui.proposeButton.toolTip
    ui.proposeButton.click()
    assert not ui.proposeButton.enabled
    assert "Proposing labels for case-1" in ui.caseMessage.text
    assert wait_until(lambda: case.rows and not case.busy, PATIENCE), ui.caseMessage.text
    assert ui.otherBox.currentText == "Proposal 1 of tumor-slices-efficientnet@1.0.0"
    assert case.rows[0].there > 500
    assert labels_of(panel).sum() == 0
    assert len(outlines(scene)) == 1
    choose(patient, "tumor")
    ui.takeButton.click()
    assert wait_until(lambda: not desk.busy, 20)
    assert labels_of(panel).sum() == case.rows[0].there
    assert wait_until(lambda: case.rows[0].dice == 1.0, 10)


def test_a_proposal_for_a_case_that_was_put_away_is_not_waited_for(patient, panel, wait_until):
    desk = panel.section("correct").desk
    patient.ui.proposeButton.click()
    desk.put_away()
    assert wait_until(lambda: not desk.busy, 10)
    job = panel.jobs.jobs[-1]
    assert wait_until(lambda: job.state.over and not job.alive, PATIENCE)
    assert patient.ui.otherBox.count == 0


def test_the_window_lives_while_a_large_case_is_compared(section, panel, tmp_path, window_lives, wait_until):
    import slicer

    from MedSegEffNetLib.dataset.importing import NewCase, add_case
    from MedSegEffNetLib.dataset.labels import save_label
    from MedSegEffNetLib.dataset.store import Dataset
    from MedSegEffNetLib.image import Image

    shape = (155, 240, 240)
    made = Dataset.create(tmp_path / "large", "brain-tumor")
    ramp = np.broadcast_to(np.arange(240, dtype=np.int16), shape)
    images = {name: Image(ramp.T, AFFINE) for name in ("flair", "t1", "t1ce", "t2")}
    add_case(made, NewCase("case-1", "patient-1", images, {}), "Ada")
    found = 2 * box(slice(40, 120), slice(60, 180), slice(60, 180), shape).astype(np.uint8)
    save_label(made, "case-1", Image(found.T, AFFINE), author="Ada", origin="model", model="net@1.0.0")
    panel.curation.author = "Ada"
    panel.curation.open(made.folder)
    correct, case = panel.section("correct"), section.case
    correct.open("case-1")
    assert wait_until(lambda: case.rows and not case.busy and not correct.desk.busy, 120)
    edema = correct.desk.session.segmentation.GetSegmentation().GetSegmentIdBySegmentName("edema")
    mask = (found > 0) & ~box(80, slice(0, 240), slice(0, 120), shape)
    slicer.util.updateSegmentBinaryLabelmapFromArray(
        mask.astype(np.uint8), correct.desk.session.segmentation, edema, correct.desk.session.reference
    )
    choose(section, "edema")
    edits = correct.desk.session.edits
    assert wait_until(lambda: not edits.pending and not case.busy, 60)

    def act():
        section.ui.caseDifferenceBox.checked = True
        edits.changed.emit()
        assert wait_until(lambda: not case.busy, 60)
        section.ui.caseNextButton.click()
        assert wait_until(lambda: not case.busy, 60)
        section.ui.outlineBox.checked = False
        wait_until(lambda: False, 0.1)
        section.ui.outlineBox.checked = True
        assert wait_until(lambda: not case.busy, 60)
        section.ui.otherBox.setCurrentIndex(1)
        wait_until(lambda: False, 0.1)
        section.ui.otherBox.setCurrentIndex(0)
        assert wait_until(lambda: case.rows and not case.busy, 60)

    window_lives(act, tries=1)
    assert case.rows[1].dice < 1
