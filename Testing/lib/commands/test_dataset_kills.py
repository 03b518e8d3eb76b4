"""Jobs on a data set that are killed at random points: what is there is whole, and the same command does the rest."""

import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from MedSegEffNetLib import image
from MedSegEffNetLib.dataset.checks import check_dataset
from MedSegEffNetLib.dataset.importing import NewCase, add_case
from MedSegEffNetLib.dataset.store import Dataset
from MedSegEffNetLib.image import Image
from MedSegEffNetLib.job import read_events

ROOT = Path(__file__).resolve().parents[3]
ANN = "Ann Lee"
AFFINE = np.diag([-1.0, -1.0, 3.0, 1.0])
CASES = 12


def flair(number):
    return Image(np.random.default_rng(number).integers(0, 900, (32, 32, 4)).astype(np.int16), AFFINE)


@pytest.fixture
def source(tmp_path):
    """Case folders with images and label maps."""
    for number in range(CASES):
        folder = tmp_path / "source" / f"p{number}"
        image.write(folder / f"p{number}_flair.nii.gz", flair(number))
        image.write(folder / f"p{number}_seg.nii.gz", Image((flair(number).array > 450).astype(np.uint8), AFFINE))
    return tmp_path / "source"


def started(words, run):
    words = [sys.executable, "-m", "MedSegEffNetLib", "dataset", *map(str, words), "--author", ANN, "--run", str(run)]
    return subprocess.Popen(words, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, encoding="utf-8")


def told(run):
    """How many events there are that tell of work."""
    events = read_events(run)[0] if run.is_dir() else []
    return sum(event["event"] in ("progress", "case", "failed") for event in events)


def killed(words, run, pause):
    """Start a command and kill it ``pause`` seconds after it began its work; False: it ended before."""
    before = told(run)
    process = started(words, run)
    while told(run) == before and process.poll() is None:
        time.sleep(0.01)
    time.sleep(pause)
    alive = process.poll() is None
    process.kill()
    errors = process.communicate()[1]
    assert alive or process.returncode == 0, errors
    return alive


def check_whole(dataset):
    """Every case can be read and is one of its own, and nothing is wrong with its files."""
    rows = dataset.list()
    assert [row.problem for row in rows] == [""] * len(rows)
    assert len({row.content for row in rows}) == len(rows)
    for row in rows:
        for version in dataset.read(row.id).labels:
            dataset.load(row.id, version.number)  # compares the hashes


def kill_often(make, words, kills, tmp_path, longest):
    """Kill ``words`` on data sets of ``make``, a new one whenever there is nothing left to do; then let it end."""
    draw, number, done = random.Random(kills), 0, 0
    dataset = make(tmp_path / "set-0")
    while done < kills:
        if killed(words(dataset), tmp_path / f"run-{number}", draw.uniform(0, longest)):
            done += 1
        else:
            number += 1
            dataset = make(tmp_path / f"set-{number}")
        check_whole(dataset)
    process = started(words(dataset), tmp_path / f"run-{number}")
    errors = process.communicate()[1]
    assert process.returncode == 0, errors
    check_whole(dataset)
    assert [one for one in check_dataset(dataset, lambda *_: None) if one.severity == "error"] == []
    return dataset


def kill_imports(source, kills, tmp_path):
    dataset = kill_often(
        lambda folder: Dataset.create(folder, "tumor-slices"),
        lambda made: ["import", made.folder, source],
        kills, tmp_path, 0.25,
    )  # fmt: skip
    assert [row.state for row in dataset.list()] == ["accepted"] * CASES


def kill_predictions(model, kills, tmp_path):
    template = Dataset.create(tmp_path / "template", "tumor-slices")
    for number in range(4):
        add_case(template, NewCase(f"p{number}", f"p{number}", {"flair": flair(number)}, {}), ANN)

    def make(folder):
        shutil.copytree(template.folder, folder)
        return Dataset.open(folder)

    dataset = kill_often(make, lambda made: ["predict", made.folder, "--model", model], kills, tmp_path, 2.0)
    assert [row.state for row in dataset.list()] == ["predicted"] * 4
    for case_id in dataset.ids():
        origins = [version.origin for version in dataset.read(case_id).labels]
        assert sorted(set(origins)) in (["model"], ["model", "recovered"])
        assert origins.count("model") == 1


def test_an_import_that_is_killed_again_and_again_ends_whole(source, tmp_path):
    kill_imports(source, 12, tmp_path)


def test_a_prediction_that_is_killed_again_and_again_ends_whole(tiny_model, tmp_path):
    kill_predictions(tiny_model, 8, tmp_path)


@pytest.mark.slow
def test_two_hundred_kills_of_jobs_leave_whole_cases(source, tiny_model, tmp_path):
    for name in ("imports", "predictions"):
        (tmp_path / name).mkdir()
    kill_imports(source, 120, tmp_path / "imports")
    kill_predictions(tiny_model, 80, tmp_path / "predictions")
