"""A synthesis model that is installed, and jobs that make images without it; a test file takes the fixtures."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

PATIENCE = 60  # s, on a busy computer
SCRIPT = Path(__file__).with_name("fake_synthesis.py")
TARGETS = ("t1", "t1ce", "flair")


def install_maker(folder: Path) -> Path:
    """A model that makes images as the panel sees it: its metadata, and weights of one byte."""
    from MedSegEffNetLib.models.bundle import METADATA
    from MedSegEffNetLib.task import list_tasks

    task = list_tasks()["mri-synthesis"]
    network = {"key": "network", "name": "stargan_unet", "arguments": {}, "weights": "models/model.pt", "context": 0}
    info = {
        "schema": 1, "task": task.id, "name": "fake", "title": task.title,
        "inputs": [dataclasses.asdict(channel) for channel in task.channels], "targets": list(TARGETS),
        "ranges": {name: [0.0, 100.0] for name in TARGETS}, "normalized": {name: [-2.0, 3.0] for name in TARGETS},
        "preprocessing": [], "postprocessing": [], "networks": [{**network, "divisor": 16, "depth": 0}],
        "regions": [], "labels": [], "activation": "none", "nested": False, "thresholds": [],
        "files": {"models/model.pt": hashlib.sha256(b"0").hexdigest()}, "measured": {}, "provenance": {},
    }  # fmt: skip
    model = folder / "fake-1.0.0"
    for name in ("models", "configs"):
        (model / name).mkdir(parents=True)
    (model / "models" / "model.pt").write_bytes(b"0")
    text = json.dumps({"version": "1.0.0", "description": task.description, "medsegeffnet": info})
    (model / METADATA).write_text(text, encoding="utf-8")
    return model


def fake_synthesis(panel: Any, monkeypatch: Any, pause: float = 0.01) -> None:
    """Let jobs that make images give the first input back; each of their four steps takes ``pause`` seconds."""
    from MedSegEffNetPanel.jobs import Interpreter

    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    monkeypatch.setattr(
        panel.jobs, "_interpreter", lambda: Interpreter(sys.executable, (str(SCRIPT), str(pause)), variables)
    )


@pytest.fixture
def nothing_makes(models, monkeypatch):
    """No model that makes images is installed, the shipped one neither."""
    from MedSegEffNetPanel import model_list

    real = model_list.entries
    monkeypatch.setattr(model_list, "entries", lambda: [entry for entry in real() if entry.kind != "synthesis"])


@pytest.fixture
def maker(models, panel, monkeypatch):
    """The section Synthesize with a model, opened; its jobs are quick."""
    install_maker(models)
    fake_synthesis(panel, monkeypatch)
    panel.models_changed.emit()
    section = panel.section("synthesize")
    section.models.choose(lambda entry: entry.name == "fake")
    assert section.models.entry.name == "fake"
    panel.show("synthesize")
    return section


@pytest.fixture
def make(maker, wait_until):
    """A function that makes a channel of what is in the scene, and gives the run."""

    def make(target: str = "t1ce") -> Any:
        maker.ui.targetBox.setCurrentIndex(TARGETS.index(target))
        maker.inputs.fill()
        assert maker.ui.makeButton.enabled, maker.ui.makeButton.toolTip
        maker.ui.makeButton.click()
        assert wait_until(lambda: maker.run.over, PATIENCE)
        return maker.run

    return make
