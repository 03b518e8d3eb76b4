"""The section Train with a data set of accepted cases and quick jobs, for tests; a test file takes the fixtures."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

PATIENCE = 60  # s, on a busy computer
ANN = "Ann Lee"
SCRIPT = Path(__file__).with_name("fake_training.py")


def fake_training(panel: Any, monkeypatch: Any, **options: Any) -> dict[str, Any]:
    """Let the jobs of the section Train write events and learn nothing; the options may be changed afterwards.

    Parameters
    ----------
    options : ``pause`` (s an epoch), ``refusal`` (why a check is refused), ``preflight`` and ``overfit`` (fields of these
        events that are other than usual).
    """
    from MedSegEffNetPanel.jobs import Interpreter

    options = {"pause": 0.01, **options}
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}

    def interpreter() -> Interpreter:
        return Interpreter(sys.executable, (str(SCRIPT), json.dumps(options)), variables)

    monkeypatch.setattr(panel.jobs, "_interpreter", interpreter)
    monkeypatch.setattr(panel.section("train").check._queue, "_interpreter", interpreter)
    monkeypatch.setattr(panel.section("train").runs._finishing, "_interpreter", interpreter)
    monkeypatch.setattr(panel.environment, "engines", lambda: {"torch"})
    return options


@pytest.fixture
def runs_base(tmp_path, monkeypatch):
    """Where the runs lie; of this test alone."""
    from MedSegEffNetLib.resources import DATA_VARIABLE

    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path / "own"))
    return tmp_path / "own" / "runs"


@pytest.fixture
def fake_jobs(runs_base, panel, monkeypatch):
    """The options of the quick jobs, see :func:`fake_training`."""
    return fake_training(panel, monkeypatch)


def make_set(folder: Path, accepted: int = 3) -> Any:
    """A data set of tumor slices with small cases that are accepted, and divided into training and validation."""
    from correcting_cases import AFFINE, SHAPE, ball
    from MedSegEffNetLib.dataset.importing import NewCase, add_case
    from MedSegEffNetLib.dataset.splits import make_splits
    from MedSegEffNetLib.dataset.store import Dataset
    from MedSegEffNetLib.image import Image

    made = Dataset.create(folder, "tumor-slices", title="Gliomas")
    label = Image(ball().astype(np.uint8), AFFINE)
    for case in range(1, accepted + 1):
        values = np.random.default_rng(case).integers(0, 90, SHAPE).astype(np.int16)
        images = {channel.name: Image(values + shift, AFFINE) for shift, channel in enumerate(made.task.channels)}
        add_case(made, NewCase(f"case-{case}", f"patient-{case}", images, {}, label), ANN)
    if accepted:
        make_splits(made, {"train": 0.7, "val": 0.3}, 0)
    return made


@pytest.fixture
def trainer(fake_jobs, panel, tmp_path, slicer_app, wait_until):
    """The section, opened, with a data set of three accepted cases and quick jobs."""
    section = panel.section("train")
    panel._bars[type(panel.section("segment"))].collapsed = True
    panel.curation.author = ANN
    panel.show("train")
    panel.curation.open(make_set(tmp_path / "set").folder)
    assert wait_until(lambda: ready(section), PATIENCE), section.ui.startButton.toolTip
    return section


def ready(section: Any) -> bool:
    """Whether a training could be started, and everything is read."""
    reading = (section.setup_view._reading, section.runs._reading, section.panel.curation._reading)
    return bool(section.ui.startButton.enabled) and all(one is None or one.over for one in reading)
