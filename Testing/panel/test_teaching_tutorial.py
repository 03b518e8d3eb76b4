"""The tutorial docs/teaching.md, step by step, and its pictures.

The heads are synthetic: no patient is in the pictures. The training is a real one of some minutes: the shipped model
learns from six heads of a scanner that shows tumors darker than it knows them, and is measured on six others.
"""

from __future__ import annotations

import json
import os
import signal

import numpy as np
import pytest

import test_pictures
import training_jobs
from cases import PATIENCE, add_volume, dice, segment_array, segmentations

take, runs_base = test_pictures.take, training_jobs.runs_base
LONG = 900  # s for all epochs on a busy computer
EPOCHS = 8
PARTS = {"train": 0.43, "val": 0.14, "test": 0.43}  # 6, 2 and 6 heads
SEEDS = (0, 1, 2, 3, 7, 8, 9, 13, 16, 24, 31, 34, 35, 37)  # heads too alike would be told as copies
NEW_SEEDS = (48, 50, 51)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("rendering"),
    pytest.mark.skipif(os.name == "nt", reason="Windows has no signals"),
]


def head(seed):
    """A synthetic head, another size, place and tumor for each seed, whose tumor is hardly brighter than the brain."""
    from MedSegEffNetLib.synthetic import brain_patient

    recipe, draw = brain_patient._shipped_recipe(), np.random.default_rng(seed)
    place = [draw.choice([-1, 1]) * draw.uniform(16, 26), draw.uniform(-25, 15), draw.uniform(0, 20)]
    tumor = {"center_mm": place, "radius_mm": draw.uniform(15, 23), "core_radius_mm": 6.0}
    changes = {"seed": seed, "shape": [128, 128, 16], "spacing": [1.8, 1.8, 7.5], "bias": 0.4, "noise": 6.0}
    axes = (np.array(recipe["head_semi_axes_mm"]) * draw.uniform(0.8, 1.12, 3)).tolist()
    changes |= {"head_semi_axes_mm": axes, "head_center_mm": draw.uniform(-14, 14, 3).tolist()}
    dark = {**recipe["intensities"]["flair"], "tumor": 78, "core": 70}
    intensities = {**recipe["intensities"], "flair": dark}
    more = {"csf_mm": draw.uniform(1, 7), "tumor": tumor, "intensities": intensities}
    return brain_patient.make_patient({**recipe, **changes, **more})


@pytest.fixture
def curated(tmp_path):
    """A data set as docs/curating.md leaves it, 14 accepted cases, divided; and three that came since."""
    from MedSegEffNetLib.dataset.importing import NewCase, add_case
    from MedSegEffNetLib.dataset.splits import make_splits
    from MedSegEffNetLib.dataset.store import Dataset

    made = Dataset.create(tmp_path / "set", "tumor-slices", title="New scanner")
    for number, seed in enumerate((*SEEDS, *NEW_SEEDS), 1):
        patient, name = head(seed), f"head-{number:02d}"
        label = patient.label_map if seed in SEEDS else None
        add_case(made, NewCase(name, name, patient.images, {}, label), training_jobs.ANN)
        if number == len(SEEDS):
            make_splits(made, PARTS, 0)
    return made.folder


@pytest.fixture
def section(runs_base, models, panel, curated, wait_until):
    """The section Train with the data set, and a new head in the views; a training can be started."""
    pytest.importorskip("torch", reason="trains")
    load(head(NEW_SEEDS[0]))
    section = panel.section("train")
    panel._bars[type(panel.section("segment"))].collapsed = True
    panel.curation.author = training_jobs.ANN
    panel.show("train")
    panel.curation.open(curated)
    assert wait_until(lambda: training_jobs.ready(section), PATIENCE), section.ui.startButton.toolTip
    return section


def load(patient):
    """Show a patient in the slices."""
    import slicer

    arrays = {channel: np.ascontiguousarray(image.array.T) for channel, image in patient.images.items()}
    affine = patient.label_map.affine
    nodes = {channel: add_volume(f"Head {channel.upper()}", array, affine) for channel, array in arrays.items()}
    slicer.util.setSliceViewerLayers(background=nodes["flair"], fit=True)
    view = slicer.app.layoutManager().threeDWidget(0).mrmlViewNode()
    view.SetBoxVisible(False)
    view.SetAxisLabelsVisible(False)


def show(section, wait_until, *boxes):
    """Open these boxes and close the others."""
    ui = section.ui
    for box in (ui.setupBox, ui.preflightBox, ui.runsBox, ui.watchBox, ui.resultBox):
        box.collapsed = box not in boxes
    wait_until(lambda: False, 0.5)


def test_a_model_is_taught_a_new_scanner(section, wait_until, take):
    ui = section.ui
    check(section, wait_until, take)
    ui.startButton.click()
    assert wait_until(lambda: section.runs.selected is not None, PATIENCE), ui.runMessage.text
    run = section.runs.selected
    show(section, wait_until, ui.runsBox, ui.watchBox)
    train_kill_and_resume(section, run, wait_until, take)
    compare_and_promote(section, run, wait_until, take)
    use_it(section, wait_until, take)
    predict_again(section, wait_until, take)

    assert ui.rollbackButton.text == "Roll back to 1.0.0"
    ui.rollbackButton.click()
    assert wait_until(lambda: not section.result.busy, PATIENCE)
    assert "tumor-slices-efficientnet@1.0.0 is the current version now." in ui.compareMessage.text
    ui.versionsTable.setCurrentCell(0, 0)
    assert ui.rollbackButton.text == "Make 1.1.0 current again"


def check(section, wait_until, take):
    """Fewer epochs than usual; look before it starts."""
    ui = section.ui
    assert ui.parentBox.currentText == "tumor-slices-efficientnet 1.0.0"
    ui.epochsBox.value, ui.rateBox.value = EPOCHS, 2e-4
    for button in (ui.checkTrainButton, ui.tryButton):
        button.click()
        assert wait_until(lambda: not section.check.busy, LONG), ui.preflightText.text
    assert "Nothing stands in the way." in ui.preflightText.text
    assert "can learn this case" in ui.overfitText.text
    show(section, wait_until, ui.setupBox, ui.preflightBox)
    take("train-check")


def train_kill_and_resume(section, run, wait_until, take):
    """Watch the curves, end the process, and go on."""
    ui = section.ui
    assert wait_until(lambda: section.runs.record(run).epoch >= 5, LONG), ui.runText.text
    ui.curvesButton.click()
    assert wait_until(lambda: ui.previewText.text.endswith("epoch 5") or "epoch 5:" in ui.previewText.text, PATIENCE)
    take("train-curves", bottom=True)
    os.kill(json.loads((run / "lock.json").read_text(encoding="utf-8"))["process"], signal.SIGKILL)
    assert wait_until(lambda: ui.resumeButton.enabled, PATIENCE), ui.resumeButton.toolTip
    ui.curvesButton.click()
    wait_until(lambda: False, 1.5)
    take("train-killed", bottom=True)
    ui.resumeButton.click()
    assert wait_until(lambda: section.runs.record(run).state == "finished", LONG), ui.runText.text
    assert section.runs.record(run).epoch == EPOCHS


def compare_and_promote(section, run, wait_until, take):
    """The held-out heads decide."""
    ui = section.ui
    assert wait_until(lambda: ui.compareButton.enabled, PATIENCE), ui.compareButton.toolTip
    assert not ui.promoteButton.enabled
    ui.compareButton.click()
    assert wait_until(lambda: not section.result.busy, LONG), ui.compareMessage.text
    told = json.loads((run / "comparison" / "comparison.json").read_text(encoding="utf-8"))
    assert (told["verdict"], len(told["cases"])) == ("better", 6)
    show(section, wait_until, ui.resultBox)
    take("train-compare")
    assert wait_until(lambda: ui.promoteButton.enabled, PATIENCE), ui.promoteButton.toolTip
    ui.promoteButton.click()
    assert wait_until(lambda: not section.result.busy, PATIENCE), ui.compareMessage.text
    assert "tumor-slices-efficientnet@1.1.0 is the current version now" in ui.compareMessage.text
    wait_until(lambda: False, 0.5)
    take("train-promote", bottom=True)


def use_it(section, wait_until, take):
    """Segment the head that is in the views."""
    import slicer

    panel = section.panel
    part = panel.section("segment")
    panel._bars[type(section)].collapsed = True
    panel.show("segment")
    keys = [entry.key for entry in part.models.usable]
    part.ui.modelList.setCurrentRow(keys.index("tumor-slices-efficientnet@1.1.0"))
    part.inputs.fill()
    assert part.ui.applyButton.enabled, part.ui.applyButton.toolTip
    part.ui.applyButton.click()
    assert wait_until(lambda: part.run.over, PATIENCE), part.run.text
    wait_until(lambda: False, 0.5)  # the slices go to the tumor
    [segmentation] = segmentations(slicer.mrmlScene)
    found = segment_array(segmentation, 0, slicer.util.getNode("Head FLAIR"))
    assert dice(found, head(NEW_SEEDS[0]).label_map.array.T) > 0.8
    part.ui.show3DButton.checked = True
    wait_until(lambda: False, 2)
    take("train-use")
    panel._bars[type(part)].collapsed = True
    panel.show("train")
    wait_until(lambda: False, 0.5)


def predict_again(section, wait_until, take):
    """The new version predicts the cases that came since; those it is least sure of are corrected first."""
    import slicer

    slicer.mrmlScene.RemoveNode(segmentations(slicer.mrmlScene)[0])  # of the head before
    ui, panel = section.ui, section.panel
    assert wait_until(lambda: ui.againButton.enabled, PATIENCE), ui.againButton.toolTip
    assert ui.againButton.text == "Predict 3 cases again"
    ui.againButton.click()
    assert wait_until(lambda: "The prediction has ended" in ui.againText.text, LONG), ui.againText.text
    panel._bars[type(section)].collapsed = True
    panel.show("correct")
    correct = panel.section("correct")
    assert correct.ui.orderBox.currentData == "unsure"
    assert wait_until(lambda: unsure(correct) == sorted(unsure(correct), reverse=True) != [], PATIENCE)
    correct.ui.nextButton.click()
    assert wait_until(lambda: correct.ui.acceptButton.enabled, PATIENCE), correct.ui.correctMessage.text
    assert correct.desk.case_id == correct.queue.cases[0].id
    wait_until(lambda: False, 2)  # the cases get their pictures
    take("train-again")
    panel._bars[type(correct)].collapsed = True
    panel.show("train")
    wait_until(lambda: False, 0.5)


def unsure(correct):
    """How unsure the model is of the cases, in their order in Correct; empty: it is not known of all three."""
    told = [case.figures.get("uncertainty") for case in correct.queue.cases]
    return told if len(told) == len(NEW_SEEDS) and None not in told else []
