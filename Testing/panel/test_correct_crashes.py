"""Slicer is really killed, at any moment: no saved label is lost, and no edit that was said to be on disk."""

import contextlib
import os
import queue
import random
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from correcting_cases import SHAPE, make_dataset
from MedSegEffNetLib.dataset.selections import load_selection

pytestmark = pytest.mark.usefixtures("scene")
SCRIPT = Path(__file__).parent / "edit_until_killed.py"
CASE = "case-1"
WORDS = ("ready", "recorded", "saved", "selected")
START = 300  # s until a case is open, on a busy computer; more than the process itself waits, which says why


@pytest.fixture
def dataset(tmp_path):
    return make_dataset(tmp_path / "data", 1)


class Annotator:
    """A process that edits until it is killed."""

    def __init__(self, dataset, seed):
        words = [sys.executable, str(SCRIPT), str(dataset.folder), CASE, str(seed)]
        self._process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8")
        self._lines = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.told = {}  # the last number of each word
        self._other = []  # what else it printed

    def _read(self):
        for line in self._process.stdout:
            self._lines.put(line)

    def wait_for(self, word, seconds=START):
        end = time.monotonic() + seconds
        while word not in self.told:
            with contextlib.suppress(queue.Empty):
                self._take(self._lines.get(timeout=0.1))
            ended = self._process.poll() is not None and self._lines.empty()
            assert not ended, f"no '{word}', exit code {self._process.poll()}: {self._other}"
            assert time.monotonic() < end, f"no '{word}' after {seconds} s: {self._other}"

    def _take(self, line):
        word, _, number = line.strip().partition(" ")
        if word in WORDS and number.isdigit():
            self.told[word] = int(number)
        else:
            self._other.append(line.rstrip())

    def kill(self):
        """Kill the process at once; what it had told by then counts."""
        self._process.kill()
        self._process.wait()
        self._reader.join()
        while not self._lines.empty():
            self._take(self._lines.get())


def kept(dataset):
    """Labeled voxels that the next session has, and whether it says that edits were recovered."""
    from MedSegEffNetPanel import steps
    from MedSegEffNetPanel.correcting.session import open_case

    session = steps.finish(open_case(dataset, CASE, "Ada"))
    try:
        counts = [int(np.count_nonzero(session.edits.labels))]
        counts += [put_aside(dataset, path) for path in dataset.case_folder(CASE).glob("journal-*")]
        return max(counts), session.recovered
    finally:
        session.close()


def put_aside(dataset, path):
    """Labeled voxels of a journal that was put aside, as it was killed between the saving of a version and its end."""
    from MedSegEffNetLib.dataset.journal import recover

    found, record = recover(path), dataset.read(CASE)
    base = next((version.number for version in record.labels if version.sha256 == found.start.base), 0)
    label = dataset.load_label(record, base).array.T.copy() if base else np.zeros(found.start.shape, np.uint8)
    found.replay(label)
    return int(np.count_nonzero(label))


def crash(dataset, seed, pause):
    """An annotator is killed ``pause`` seconds after the case was opened; checks what is left."""
    annotator = Annotator(dataset, seed)
    try:
        annotator.wait_for("ready")
        time.sleep(pause)
    finally:
        annotator.kill()
    told = annotator.told
    selected = told.pop("selected", 0)
    selection = load_selection(dataset.case_folder(CASE) / "selection", SHAPE[::-1])
    assert selected == 0 or selection.voxels >= selected, (told, seed, pause)
    voxels, _recovered = kept(dataset)
    assert voxels >= max(told.values()), (told, seed, pause)
    record = dataset.read(CASE)
    sizes = [np.count_nonzero(dataset.load_label(record, version.number).array) for version in record.labels]
    assert told.get("saved", 0) in [0, *sizes], (told, sizes)


@pytest.mark.skipif(os.name == "nt", reason="the harness runs where Slicer's wheel is")
def test_the_next_session_has_what_a_killed_one_recorded(dataset):
    annotator = Annotator(dataset, 0)
    try:
        annotator.wait_for("ready")
        annotator.told.clear()
        annotator.wait_for("recorded")
    finally:
        annotator.kill()
    annotator.told.pop("selected", 0)
    voxels, recovered = kept(dataset)
    assert voxels >= max(annotator.told.values()) > 0
    assert recovered or annotator.told.get("saved")
    assert kept(dataset) == (voxels, recovered)  # and the one after that as well


@pytest.mark.skipif(os.name == "nt", reason="the harness runs where Slicer's wheel is")
@pytest.mark.parametrize("seed", range(5))
def test_a_kill_at_a_random_moment_loses_nothing_that_was_recorded(dataset, seed):
    crash(dataset, seed, random.Random(seed).uniform(0.0, 3.0))


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="the harness runs where Slicer's wheel is")
def test_fifty_kills_one_after_the_other_lose_nothing_that_was_recorded(dataset):
    chance = random.Random(50)
    for seed in range(50):
        crash(dataset, seed, chance.uniform(0.0, 4.0))
