"""The whole way of docs/teaching.md by clicks, on real patients: corrected, learnt from, killed, promoted, used, rolled back."""

from __future__ import annotations

import json
import os
import shutil
import signal

import numpy as np
import pytest

import curating_cases
from cases import PATIENCE, add_volume, dice, real_patient, segment_array, segmentations
from correcting_cases import draw, press, settled
from curating_cases import states, take
from test_dataset_predict import start

section, idle, opened = curating_cases.section, curating_cases.idle, curating_cases.opened
CORRECTED, HELD_OUT = 3, 2
MODEL = "tumor-slices-efficientnet"
LONG = 900  # s for a few epochs on a busy computer
EPOCHS = 3


@pytest.fixture
def folders(shared_data):
    """Folders of five real patients."""
    pytest.importorskip("torch", reason="trains")
    return sorted((shared_data / "lgg" / "val").iterdir())[: CORRECTED + HELD_OUT]


@pytest.fixture
def curated(opened, folders, tmp_path, wait_until, idle, monkeypatch):
    """A data set by clicks: three patients predicted and corrected, two with the labels that they came with."""
    monkeypatch.setenv("MEDSEGEFFNET_MODELS", str(tmp_path / "models"))
    for number, folder in enumerate(folders):
        kind = "unlabelled" if number < CORRECTED else "labelled"
        ignored = shutil.ignore_patterns("*_mask.png") if number < CORRECTED else None
        shutil.copytree(folder, tmp_path / kind / folder.name, ignore=ignored)
    take(opened, tmp_path / "unlabelled", wait_until, idle)
    start(opened)
    assert wait_until(lambda: not opened.predict._running(), PATIENCE), opened.ui.predictMessage.text
    idle()
    opened.panel.show("correct")
    correct = opened.panel.section("correct")
    correct.ui.nextButton.click()
    for _ in range(CORRECTED):
        assert wait_until(lambda: correct.desk.case_id, PATIENCE), correct.ui.correctMessage.text
        correct_by_truth(correct, folders, wait_until)
    opened.panel.show("dataset")
    take(opened, tmp_path / "labelled", wait_until, idle)
    assert set(states(opened).values()) == {"accepted"}
    for box, part in ((opened.ui.trainBox, 60), (opened.ui.valBox, 20), (opened.ui.testBox, 20)):
        box.value = part
    opened.ui.splitButton.click()
    assert "no image is in two splits" in idle()
    return opened.panel.curation.dataset


def correct_by_truth(correct, folders, wait_until):
    """Make the label of the open case what its mask says, through the selection, and accept it; the next one opens."""
    from MedSegEffNetLib.dataset.readers.slice_images import load_masks
    from MedSegEffNetLib.task import get_segmentation_task

    settled(correct, wait_until)
    case_id, dataset = correct.desk.case_id, correct.desk.session.dataset
    folder = next(folder for folder in folders if folder.name == case_id)
    image = next(iter(dataset.load(case_id)[0].values()))
    truth = load_masks(folder, get_segmentation_task("tumor-slices"), image, 1).array.T > 0
    draw(correct, truth)
    press(correct, "=")
    settled(correct, wait_until)
    press(correct, "Ctrl+Return")
    assert wait_until(lambda: dataset.read(case_id).state == "accepted", PATIENCE), correct.ui.correctMessage.text
    assert np.array_equal(dataset.load(case_id)[1].array.T > 0, truth)


def test_a_model_is_taught_by_three_corrected_patients(
    curated, section, panel, shared_data, scene, wait_until, window_lives
):
    from MedSegEffNetLib.models.registry import find

    panel.show("train")
    train = panel.section("train")
    ui = train.ui
    assert wait_until(lambda: ui.startButton.enabled, PATIENCE), ui.startButton.toolTip
    assert ui.parentBox.currentText.startswith(f"{MODEL} 1.0.0")
    ui.epochsBox.value, ui.rateBox.value = EPOCHS, 1e-5

    killed = []

    def train_and_kill():
        ui.startButton.click()
        assert wait_until(lambda: train.runs.selected is not None, PATIENCE), ui.runMessage.text
        run = train.runs.selected
        assert wait_until(lambda: train.runs.record(run).epoch >= 1, LONG), ui.runText.text
        os.kill(json.loads((run / "lock.json").read_text(encoding="utf-8"))["process"], signal.SIGKILL)
        killed.append(run)
        assert wait_until(lambda: ui.resumeButton.enabled, PATIENCE), ui.resumeButton.toolTip

    window_lives(train_and_kill, tries=1)
    [run] = killed
    assert train.runs.record(run).state == "killed"
    ui.resumeButton.click()
    assert wait_until(lambda: train.runs.record(run).state == "finished", LONG), ui.runText.text
    assert train.runs.record(run).epoch == EPOCHS

    def press_result(name):
        button = getattr(ui, f"{name}Button")
        assert wait_until(lambda: button.enabled and not train.result.busy, PATIENCE), button.toolTip
        button.click()
        assert wait_until(lambda: not train.result.busy, LONG), ui.compareMessage.text

    press_result("compare")
    told = json.loads((run / "comparison" / "comparison.json").read_text(encoding="utf-8"))
    assert (told["split"], told["old"]) == ("test", f"{MODEL}@1.0.0")
    assert told["verdict"] in ("no worse", "better")
    press_result("promote")
    assert find(MODEL).version == "1.1.0"
    assert find(MODEL).info["provenance"]["parent"] == f"{MODEL}@1.0.0"
    assert segment(panel, shared_data, scene, wait_until) > 0.7
    panel.show("train")
    press_result("rollback")
    assert find("tumor-slices").version == "1.0.0"


def segment(panel, shared_data, scene, wait_until):
    """Segment a patient with the new version by clicks; gives the Dice with the mask."""
    scene.Clear(0)  # of the case that was corrected last
    arrays, mask, affine = real_patient(shared_data, CORRECTED + HELD_OUT - 1)
    nodes = {channel: add_volume(f"TCGA_{channel.upper()}", array, affine) for channel, array in arrays.items()}
    panel.show("segment")
    part = panel.section("segment")
    keys = [entry.key for entry in part.models.usable]
    part.ui.modelList.setCurrentRow(keys.index(f"{MODEL}@1.1.0"))
    part.inputs.fill()
    assert part.ui.applyButton.enabled, part.ui.applyButton.toolTip
    part.ui.applyButton.click()
    assert wait_until(lambda: part.run.over, PATIENCE), part.run.text
    [segmentation] = segmentations(scene)
    return dice(segment_array(segmentation, 0, nodes["flair"]), mask)
