"""The module as Slicer sees it: how fast it opens, its sample data, its own test."""

from __future__ import annotations

import time
import unittest
from pathlib import Path

import pytest


@pytest.fixture
def nothing_installed(monkeypatch, tmp_path):
    """A Slicer whose Python has no engine and no packages of ours."""
    from MedSegEffNetPanel import environment

    monkeypatch.setattr(environment, "own_engines", list)


def test_the_panel_opens_fast_although_nothing_is_installed(module, nothing_installed):
    begin = time.thread_time()  # of the window's thread: a busy neighbor must not decide
    widget = module.widgetRepresentation().self()
    widget.enter()
    seconds = time.thread_time() - begin
    section = widget.panel.section("segment")
    assert section.ui.modelList.count > 0
    assert not section.ui.applyButton.enabled
    assert "Install" in section.ui.applyButton.toolTip
    assert 'href="environment"' in section.ui.messageLabel.text
    assert seconds < 0.5


def test_the_link_opens_the_section_environment(nothing_installed, panel, wait_until):
    section = panel.section("segment")
    section.ui.messageLabel.linkActivated("environment")
    wait_until(lambda: False, 0.05)
    environment = type(panel.section("environment"))
    assert not panel._bars[environment].collapsed


def test_opening_the_module_loads_nothing_heavy(module):
    import sys

    before = set(sys.modules)
    module.widgetRepresentation().self().enter()
    assert not {"torch", "monai", "openvino"} & (set(sys.modules) - before)


def test_slicers_sample_data_offer_the_synthetic_patient(module, scene):
    import slicer

    from harness.scripted import SAMPLES

    slicer.app.startupCompleted()
    sample = SAMPLES[-1]
    assert (sample["category"], sample["sampleName"]) == ("MedSegEffNet", "MedSegEffNetSyntheticBrain")
    assert Path(sample["thumbnailFileName"]).is_file()
    nodes = sample["customDownloader"](None)
    assert sorted(node.GetName() for node in nodes) == ["synthetic_flair", "synthetic_t1", "synthetic_t1ce"]


def test_added_after_the_start_the_module_offers_its_sample_data_at_once(module, monkeypatch):
    from types import SimpleNamespace

    import slicer

    import MedSegEffNet
    from harness.scripted import SAMPLES

    monkeypatch.setattr(slicer.modules, "sampledata", object(), raising=False)
    before = len(SAMPLES)
    MedSegEffNet.MedSegEffNet(SimpleNamespace())
    assert len(SAMPLES) == before + 1


def test_the_modules_own_test_passes(module, window):
    import MedSegEffNet

    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(MedSegEffNet.MedSegEffNetTest).run(result)
    assert result.testsRun >= 2
    assert not result.skipped
    assert not result.errors + result.failures
