"""Section Compare, clicked through: two segmentations of the scene."""

import csv

import numpy as np
import pytest

import comparing_cases
from cases import add_volume
from comparing_cases import AFFINE, SHAPE, box, nodes_of, texts
from test_bridge_segments import oblique

section, segmentation = comparing_cases.section, comparing_cases.segmentation
pair, evaluate = comparing_cases.pair, comparing_cases.evaluate


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
    shown = [node for node in nodes_of(scene) if node.GetName() == "Differences"]
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
    assert "only reference" not in ui.pairDifferenceText.text
    ui.pairDifferenceBox.checked = True
    assert "only reference" in ui.pairDifferenceText.text


def test_the_table_goes_with_its_segmentation(section, pair, evaluate, scene):
    evaluate(*pair)
    section.ui.pairDifferenceBox.checked = True
    scene.RemoveNode(pair[0])
    assert section.pair.found is None
    assert section.ui.comparedSelector.currentNode() is None
    assert not section.ui.pairTable.visible
    assert not [node for node in nodes_of(scene) if node.GetName() == "Differences"]


def test_the_window_lives_while_large_segmentations_are_compared(section, segmentation, window_lives, wait_until):
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

    def act():
        ui.evaluateButton.click()
        assert wait_until(lambda: not section.pair.busy, 120)
        ui.pairDifferenceBox.checked = True
        assert wait_until(lambda: not section.pair.differences.busy, 60)
        ui.pairNextButton.click()
        ui.pairDifferenceBox.checked = False

    window_lives(act, tries=1)
    assert section.pair.found.rows[0].figures["dice"] > 0.9
