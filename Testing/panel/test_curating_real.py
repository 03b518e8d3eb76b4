"""Real patients on the way of docs/curating.md: imported, predicted, corrected with keys, split, exported."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

import curating_cases
from cases import PATIENCE
from correcting_cases import draw, press, settled
from curating_cases import states, take
from test_dataset_predict import start

section, idle, opened = curating_cases.section, curating_cases.idle, curating_cases.opened
pytestmark = pytest.mark.slow


@pytest.fixture
def patients(shared_data, tmp_path):
    """A folder of three patients of the validation set, without their masks."""
    for folder in sorted((shared_data / "lgg" / "val").iterdir())[:3]:
        for path in folder.glob("*.webp"):
            (tmp_path / "real" / folder.name).mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, tmp_path / "real" / folder.name / path.name)
    return tmp_path / "real"


def correct_one(correct, wait_until, dataset, how):
    """Change the label of the open case through the selection and accept it, all with keys; the next case opens.

    Gives the case, where it was labelled before, and where the selection was, (K, J, I) both.
    """
    settled(correct, wait_until)
    case_id = correct.desk.case_id
    predicted = dataset.load(case_id)[1].array.T > 0
    k, j, i = np.argwhere(predicted).mean(axis=0).astype(int)
    cut = np.zeros_like(predicted)
    box = slice(max(0, k - 1), k + 2), slice(max(0, j - 35), j + 35), slice(max(0, i - 35), i + 35)
    cut[box] = True
    draw(correct, box)
    for keys in ("Shift+G", "Shift+H", how, "Ctrl+Z", "Ctrl+Y"):
        press(correct, keys)
        settled(correct, wait_until)
    press(correct, "Ctrl+Return")
    assert wait_until(lambda: dataset.read(case_id).state == "accepted", PATIENCE), correct.ui.correctMessage.text
    return case_id, predicted, cut


def test_real_patients_become_a_curated_data_set(opened, patients, tmp_path, wait_until, idle):
    from MedSegEffNetLib.dataset.readers import read_folder

    dataset = opened.panel.curation.dataset
    assert "3 cases added" in take(opened, patients, wait_until, idle)
    start(opened)
    assert wait_until(lambda: not opened.predict._running(), PATIENCE), opened.ui.predictMessage.text
    idle()
    assert set(states(opened).values()) == {"predicted"}

    opened.panel.show("correct")
    correct = opened.panel.section("correct")
    correct.ui.nextButton.click()
    assert wait_until(lambda: correct.desk.case_id, PATIENCE), correct.ui.correctMessage.text
    corrected = {}
    for how in ("-", "+", "="):
        case_id, before, cut = correct_one(correct, wait_until, dataset, how)
        label = dataset.load(case_id)[1].array
        wanted = {"+": before | cut, "-": before & ~cut, "=": cut}[how]
        assert np.array_equal(label.T > 0, wanted), how
        assert dataset.read(case_id).label.origin == "corrected"
        corrected[case_id] = label
    assert wait_until(lambda: "3 of 3 done" in correct.ui.progressLabel.text, PATIENCE), correct.ui.progressLabel.text

    opened.panel.show("dataset")
    idle()
    opened.ui.splitButton.click()
    assert "no image is in two splits" in idle()
    opened.ui.releaseBox.collapsed = False
    opened.ui.snapshotButton.click()
    assert "holds 3 cases" in idle()
    assert wait_until(lambda: opened.ui.formatBox.count, PATIENCE)
    for form in ("nnunet", "msd"):
        opened.ui.formatBox.setCurrentIndex(opened.ui.formatBox.findData(form))
        opened.ui.exportFolder.currentPath = str(tmp_path / form)
        opened.ui.exportButton.click()
        assert "3 cases are written" in idle()
        for case in read_folder(tmp_path / form, dataset.task):
            assert np.array_equal(case.load()[1].array, corrected[case.id])
