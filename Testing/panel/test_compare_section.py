"""Section Compare, clicked through: two segmentations of the scene, and the open case against the model."""

import csv

import numpy as np
import pytest

from cases import PATIENCE, add_volume
from test_bridge_segments import oblique

SHAPE = (6, 10, 12)  # K, J, I
AFFINE = np.diag([-1.0, -1.0, 2.0, 1.0])


@pytest.fixture
def section(panel):
    return panel.section("compare")


@pytest.fixture
def segmentation(panel):
    """``segmentation(name, volume, **masks)`` makes a segmentation with masks (K, J, I) by name."""
    import slicer

    def segmentation(name, volume, **masks):
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", name)
        node.SetReferenceImageGeometryParameterFromVolumeNode(volume)
        for label, mask in masks.items():
            label = label.replace("_", " ")
            node.GetSegmentation().AddEmptySegment(label, label)
            slicer.util.updateSegmentBinaryLabelmapFromArray(mask.astype(np.uint8), node, label, volume)
        return node

    return segmentation


def box(k, j=slice(2, 6), i=slice(3, 8), shape=SHAPE):
    mask = np.zeros(shape, dtype=bool)
    mask[k, j, i] = True
    return mask


@pytest.fixture
def pair(segmentation):
    """A compared segmentation and a reference on one oblique volume; in the reference the tumor has a slice less."""
    volume = add_volume("T1", np.zeros(SHAPE, dtype=np.int16), oblique((1, 1, 2)))
    mine = segmentation("mine", volume, Tumor=box(slice(1, 4)), cyst=box(5))
    truth = segmentation("truth", volume, tumor=box(slice(1, 3)), vessel=box(0))
    return mine, truth


@pytest.fixture
def evaluate(section, wait_until):
    """``evaluate(compared, reference)`` chooses both, clicks Evaluate and gives the Evaluation."""

    def evaluate(compared, reference):
        section.ui.comparedSelector.setCurrentNode(compared)
        section.ui.referenceSelector.setCurrentNode(reference)
        assert section.ui.evaluateButton.enabled, section.ui.evaluateButton.toolTip
        section.ui.evaluateButton.click()
        assert wait_until(lambda: not section.pair.busy, 20)
        return section.pair.found

    return evaluate


def texts(table):
    return [[table.item(row, column).text() for column in range(table.columnCount)] for row in range(table.rowCount)]


def test_what_is_missing_is_told(section, pair):
    mine, _truth = pair
    ui = section.ui
    ui.comparedSelector.setCurrentNode(None)
    ui.referenceSelector.setCurrentNode(None)
    assert not ui.evaluateButton.enabled
    assert "measured" in ui.evaluateButton.toolTip
    assert "reference" in ui.evaluateButton.toolTip
    ui.comparedSelector.setCurrentNode(mine)
    ui.referenceSelector.setCurrentNode(mine)
    assert "two different" in ui.evaluateButton.toolTip
    assert not ui.copyTableButton.enabled
    assert "Evaluate" in ui.copyTableButton.toolTip
    assert not ui.pairNextButton.enabled
    assert "Evaluate" in ui.pairNextButton.toolTip


def test_labels_of_one_name_are_measured_and_the_others_are_shown(section, pair, evaluate):
    found = evaluate(*pair)
    rows = {row[0]: row for row in texts(section.ui.pairTable)}
    assert list(rows) == ["tumor", "cyst", "vessel", "all labels"]
    assert rows["tumor"] == ["tumor", "0.800", "2.0", "0.49", "0.12", "0.08", "+0.04"]
    assert section.ui.pairTable.item(0, 6).toolTip() == "tumor: +0.04 mL (+50%)"
    assert rows["cyst"][1] == "–"
    assert "no label of this name" in section.ui.pairTable.item(1, 0).toolTip()
    assert "Only in mine: cyst." in section.ui.pairMessage.text
    assert "Only in truth: vessel." in section.ui.pairMessage.text
    assert found.rows[0].figures["voxels_a"] == 60


def test_the_table_is_copied_and_saved_with_all_figures(section, pair, evaluate, tmp_path):
    import qt

    evaluate(*pair)
    section.ui.copyTableButton.click()
    lines = [line.split("\t") for line in qt.QApplication.clipboard().text().splitlines()]
    assert lines[0][:4] == ["compared", "reference", "label", "dice"]
    assert lines[1][:4] == ["mine", "truth", "tumor", "0.8"]
    section.pair.save(tmp_path / "table.csv")
    with (tmp_path / "table.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["label"] for row in rows] == ["tumor", "cyst", "vessel", "all labels"]
    assert (rows[0]["compared_voxels"], rows[0]["reference_ml"], rows[1]["dice"]) == ("60", "0.08", "")
    assert "table.csv" in section.ui.pairMessage.text
    assert not (tmp_path / "table-slices.csv").exists()


def test_a_folder_that_cannot_be_written_is_told(section, pair, evaluate, tmp_path):
    evaluate(*pair)
    (tmp_path / "file").write_text("", encoding="utf-8")
    section.pair.save(tmp_path / "file" / "table.csv")
    assert "could not be written" in section.ui.pairMessage.text


def test_slices_are_listed_saved_and_gone_to(section, pair, evaluate, tmp_path):
    import slicer

    evaluate(*pair)
    ui = section.ui
    ui.slicesBox.collapsed = False
    assert ui.slicePartBox.currentText == "tumor"
    assert [row[:2] for row in texts(ui.sliceTable)] == [["2", "1.000"], ["3", "1.000"], ["4", "0.000"]]
    ui.sliceTable.setCurrentCell(2, 0)
    affine = oblique((1, 1, 2))
    view = slicer.mrmlScene.GetNodeByID("vtkMRMLSliceNodeRed")
    place = np.array([view.GetSliceToRAS().GetElement(row, 3) for row in range(3)])
    assert abs((np.linalg.inv(affine) @ [*place, 1])[2] - 3) < 3  # the view is not oblique: near is enough
    section.pair.save(tmp_path / "table.csv")
    assert "tumor,3,1.0,20,20" in (tmp_path / "table-slices.csv").read_text(encoding="utf-8")


def test_a_segmentation_on_another_grid_is_resampled_and_that_is_told(section, segmentation, evaluate):
    coarse = add_volume("coarse", np.zeros(SHAPE, dtype=np.int16), AFFINE)
    fine = add_volume("fine", np.zeros((12, 20, 24), np.int16), AFFINE @ np.diag([0.5, 0.5, 0.5, 1]) + _shift(-0.25))
    mine = segmentation("mine", fine, tumor=np.kron(box(slice(1, 4)), np.ones((2, 2, 2))))
    truth = segmentation("truth", coarse, tumor=box(slice(1, 4)))
    found = evaluate(mine, truth)
    assert found.rows[0].figures["dice"] == 1.0
    assert "other voxels" in section.ui.pairMessage.text


def _shift(voxels):
    """An offset that puts the middle of 2 x 2 x 2 small voxels into the middle of a large one."""
    move = np.zeros((4, 4))
    move[:3, 3] = np.diag(AFFINE)[:3] * voxels
    return move


def test_segments_that_are_cropped_lie_where_they_were(section, pair, evaluate):
    mine, truth = pair
    truth.GetSegmentation().CollapseBinaryLabelmaps(True)
    assert evaluate(mine, truth).rows[0].figures["dice"] == pytest.approx(0.8)
    assert "other voxels" not in section.ui.pairMessage.text


def test_surfaces_without_masks_are_refused_with_a_reason(section, pair):
    import slicer

    mine, truth = pair
    segments = truth.GetSegmentation()
    truth.CreateClosedSurfaceRepresentation()
    segments.SetSourceRepresentationName("Closed surface")
    segments.RemoveRepresentation("Binary labelmap")
    section.ui.comparedSelector.setCurrentNode(mine)
    section.ui.referenceSelector.setCurrentNode(truth)
    assert not section.ui.evaluateButton.enabled
    assert "truth holds no masks" in section.ui.evaluateButton.toolTip
    assert slicer.mrmlScene.GetNodeByID(truth.GetID()) is truth


def test_the_regions_of_a_task_are_measured_too(section, segmentation, evaluate):
    volume = add_volume("T1", np.zeros(SHAPE, dtype=np.int16), AFFINE)
    masks = {"necrotic_and_non-enhancing_core": box(1), "edema": box(2), "enhancing_tumor": box(3)}
    moved = {**masks, "edema": box(4)}
    evaluate(segmentation("mine", volume, **moved), segmentation("truth", volume, **masks))
    rows = {row[0]: row[1] for row in texts(section.ui.pairTable)}
    assert rows["edema"] == "0.000"
    assert rows["TC (tumor core)"] == "1.000"
    assert rows["WT (whole tumor)"] == "0.667"


def test_differences_are_shown_gone_to_and_taken_away(section, pair, evaluate, scene, wait_until):
    evaluate(*pair)
    ui = section.ui
    before = scene.GetNumberOfNodes()
    ui.pairDifferenceBox.checked = True
    assert wait_until(lambda: not section.pair.differences.busy, 10)
    shown = [node for node in _nodes(scene) if node.GetName() == "Differences"]
    assert len(shown) == 1
    assert shown[0].GetHideFromEditors()
    assert not shown[0].GetSaveWithScene()
    assert ui.comparedSelector.currentNode() is pair[0]
    assert "3 connected differences." in ui.pairDifferenceText.text
    ui.pairNextButton.click()
    assert "Difference 1 of 3: 20 voxels" in ui.pairDifferenceText.text
    ui.pairNextButton.click()
    ui.pairNextButton.click()
    ui.pairNextButton.click()
    assert "Difference 1 of 3" in ui.pairDifferenceText.text
    ui.pairPreviousButton.click()
    assert "Difference 3 of 3" in ui.pairDifferenceText.text
    ui.pairDifferenceBox.checked = False
    assert scene.GetNumberOfNodes() == before


def test_the_table_goes_with_its_segmentation(section, pair, evaluate, scene):
    evaluate(*pair)
    section.ui.pairDifferenceBox.checked = True
    scene.RemoveNode(pair[0])
    assert section.pair.found is None
    assert section.ui.comparedSelector.currentNode() is None
    assert not section.ui.pairTable.visible
    assert not [node for node in _nodes(scene) if node.GetName() == "Differences"]


def test_the_window_lives_while_large_segmentations_are_compared(section, segmentation, loop_watch, wait_until):
    shape = (155, 240, 240)
    volume = add_volume("large", np.zeros(shape, dtype=np.uint8), AFFINE)
    place = np.indices(shape, sparse=True)
    ball = sum((axis - middle) ** 2 for axis, middle in zip(place, (70, 120, 110), strict=True)) < 50**2
    mine = segmentation("mine", volume, edema=ball, cyst=box(slice(0, 155), shape=shape))
    truth = segmentation("truth", volume, edema=np.roll(ball, 3, axis=1))
    ui = section.ui
    ui.comparedSelector.setCurrentNode(mine)
    ui.referenceSelector.setCurrentNode(truth)
    wait_until(lambda: False, 0.5)
    with loop_watch() as watch:
        ui.evaluateButton.click()
        assert wait_until(lambda: not section.pair.busy, 120)
        ui.pairDifferenceBox.checked = True
        assert wait_until(lambda: not section.pair.differences.busy, 60)
        ui.pairNextButton.click()
        ui.pairDifferenceBox.checked = False
    assert section.pair.found.rows[0].figures["dice"] > 0.9
    assert watch.longest_work < 0.05


def _nodes(scene):
    kind = "vtkMRMLSegmentationNode"
    return [scene.GetNthNodeByClass(number, kind) for number in range(scene.GetNumberOfNodesByClass(kind))]


# the open case


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
    found = [node for node in _nodes(scene) if node.GetName() == "Outline"]
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
    assert _nodes(scene) == []
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
    assert _nodes(scene) == []
    assert "Open a case in Correct" in section.ui.caseMessage.text


def test_a_model_of_other_labels_cannot_be_asked(case, section):
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


def test_the_window_lives_while_a_large_case_is_compared(section, panel, tmp_path, loop_watch, wait_until):
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
    with loop_watch() as watch:
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
    assert case.rows[1].dice < 1
    assert watch.longest_work < 0.05
