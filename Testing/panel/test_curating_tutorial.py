"""The tutorial docs/curating.md, step by step: 20 unlabelled cases become a curated data set, and its pictures are taken."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest

import curating_cases
import test_pictures
from correcting_cases import settled
from curating_cases import message, shown, states
from test_dataset_predict import start

section, idle, opened = curating_cases.section, curating_cases.idle, curating_cases.opened
take = test_pictures.take
PATIENCE = 300  # s
SEEDS = (
    0,
    1,
    2,
    3,
    6,
    7,
    8,
    9,
    12,
    13,
    16,
    18,
    24,
    28,
    31,
    34,
    35,
    37,
    40,
    48,
)  # heads too alike would be told as copies
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("rendering")]


def head(seed):
    """A synthetic head, another size, place and tumor for each seed."""
    from MedSegEffNetLib.synthetic import brain_patient

    recipe, draw = brain_patient._shipped_recipe(), np.random.default_rng(seed)
    side, front, top = draw.choice([-1, 1]) * draw.uniform(16, 26), draw.uniform(-25, 15), draw.uniform(0, 20)
    tumor = {"center_mm": [side, front, top], "radius_mm": draw.uniform(10, 22), "core_radius_mm": 6.0}
    changes = {"seed": seed, "shape": [128, 128, 16], "spacing": [1.8, 1.8, 7.5], "bias": 0.6, "tumor": tumor}
    axes = (np.array(recipe["head_semi_axes_mm"]) * draw.uniform(0.8, 1.12, 3)).tolist()
    place = draw.uniform(-14, 14, 3).tolist()
    changes |= {"head_semi_axes_mm": axes, "head_center_mm": place, "csf_mm": draw.uniform(1, 7)}
    return brain_patient.make_patient({**recipe, **changes})


@pytest.fixture
def place():
    """A folder with a short name, as paths are seen in the pictures."""
    with tempfile.TemporaryDirectory(prefix="study-") as folder:
        yield Path(folder)


@pytest.fixture
def source(place):
    """20 case folders of heads without labels."""
    from MedSegEffNetLib.image import write

    for number, seed in enumerate(SEEDS, 1):
        for channel, image in head(seed).images.items():
            write(place / "heads" / f"head-{number:02d}" / f"head-{number:02d}_{channel}.nii.gz", image)
    return place / "heads"


def show(section, wait_until, *boxes):
    """Open these boxes and close the others."""
    for box in section._boxes:
        box.collapsed = box not in boxes
    wait_until(lambda: False, 0.3)


def test_twenty_unlabelled_cases_become_a_curated_data_set(opened, source, idle, wait_until, take, place):
    ui, curation = opened.ui, opened.panel.curation
    show(opened, wait_until, ui.importBox)
    ui.sourceFolder.currentPath = str(source)
    assert wait_until(lambda: ui.importButton.enabled, PATIENCE), ui.importButton.toolTip
    take("curate-import")
    ui.importButton.click()
    assert "20 cases added" in idle()

    show(opened, wait_until, ui.predictBox)
    start(opened)
    assert wait_until(lambda: not opened.predict._running(), PATIENCE)
    idle()
    assert list(states(opened).values()) == ["predicted"] * 20
    ui.caseTable.horizontalHeader().sectionClicked(3)
    ui.caseTable.horizontalHeader().sectionClicked(3)  # the least sure ones first
    wait_until(lambda: opened.table._arranging.over, 5)
    assert opened.table.shown[0].figures["uncertainty"] == max(row.figures["uncertainty"] for row in curation.cases)
    take("curate-predict")

    first = correct_the_least_sure(opened, wait_until, take)
    idle()
    assert states(opened)[first] == "accepted"
    accept_the_others(opened, idle)
    release(opened, idle, wait_until, take, place)


def correct_the_least_sure(section, wait_until, take):
    """Open the case at the top in Correct, and accept it there."""
    correct = section.panel.section("correct")
    first = section.table.shown[0].id
    section.panel._bars[type(section)].collapsed = True
    section.ui.caseTable.cellDoubleClicked(0, 0)
    assert wait_until(lambda: correct.ui.acceptButton.enabled, PATIENCE), correct.ui.correctMessage.text
    pictured = lambda row: not correct.ui.caseTable.item(row, 0).icon().isNull()  # noqa: E731
    assert wait_until(lambda: all(map(pictured, range(3))), PATIENCE)
    take("curate-correct")
    save_a_correction(correct, wait_until)
    take("curate-save", bottom=True)
    correct.ui.acceptButton.click()
    assert wait_until(lambda: section.panel.curation.dataset.read(first).state == "accepted", PATIENCE)
    section.panel._bars[type(correct)].collapsed = True
    section.panel.show("dataset")
    wait_until(lambda: False, 0.5)
    return first


def save_a_correction(correct, wait_until):
    """Make the label one voxel larger in its slices, and save it."""
    ui = correct.ui
    ui.flatBox.checked = True
    for button in (ui.takeButton, ui.growButton, ui.addButton):
        button.click()
        settled(correct, wait_until)
    ui.commentEdit.text = "border"
    ui.saveButton.click()
    settled(correct, wait_until)
    assert wait_until(lambda: ui.versionTable.rowCount == 2, PATIENCE), ui.correctMessage.text
    ui.versionsBox.collapsed = False
    wait_until(lambda: False, 0.3)


def accept_the_others(section, idle):
    """Choose what is predicted still, and accept it at once."""
    section.ui.stateFilter.setCurrentIndex(section.ui.stateFilter.findData("predicted"))
    idle()
    section.ui.caseTable.selectAll()
    section.ui.acceptButton.click()
    idle()
    section.ui.stateFilter.setCurrentIndex(0)
    idle()
    assert len(shown(section)) == 20
    assert "accepted" in states(section).values()


def release(section, idle, wait_until, take, place):
    """Check, split, snapshot, export."""
    ui = section.ui
    show(section, wait_until, ui.checkBox)
    ui.checkButton.click()
    assert "The check has found" in idle() or "Nothing" in message(section)
    ui.splitButton.click()
    assert "The patients are split" in idle()
    assert wait_until(lambda: "train" in ui.splitText.text, 5)
    wait_until(lambda: False, 0.5)
    take("curate-split")
    show(section, wait_until, ui.releaseBox)
    ui.snapshotComment.text = "first training"
    ui.snapshotButton.click()
    assert "holds 20 cases" in idle() or "holds 19 cases" in message(section)
    assert wait_until(lambda: ui.snapshotTable.rowCount == 1 and ui.formatBox.count, 10)
    ui.formatBox.setCurrentIndex(ui.formatBox.findData("nnunet"))
    ui.exportFolder.currentPath = str(place / "Dataset101_Heads")
    ui.exportButton.click()
    assert "cases are written" in idle()
    take("curate-export", bottom=True)
    assert (place / "Dataset101_Heads" / "labelsTr").is_dir()
