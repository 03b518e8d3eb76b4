"""How a segmentation ends when it does not go well: canceled, killed, out of memory, the scene closed under it."""

from __future__ import annotations

import os
import signal

import pytest

from cases import PATIENCE, add_synthetic_patient, count, is_running
from slow_jobs import no_memory, slow_network

STAGES = ("Writing", "Starting", "Segmenting", "Making the segments")


@pytest.mark.parametrize("stage", STAGES)
def test_cancel_in_each_stage_leaves_no_process_and_the_scene_as_it_was(section, scene, wait_until, monkeypatch, stage):
    import qt

    slow_network(section.panel, monkeypatch)
    shown = section._on_run_changed
    add_synthetic_patient()
    section.inputs.fill()
    nodes = scene.GetNumberOfNodes()
    clicked = []

    def on_changed(run):
        if run.text.startswith(stage) and not clicked:
            clicked.append(stage)
            qt.QTimer.singleShot(0, section.ui.applyButton.click)

    monkeypatch.setattr(section, "_on_run_changed", lambda run: (shown(run), on_changed(run)))
    section.ui.applyButton.click()
    run = section.run
    assert section.ui.applyButton.text == "Cancel"
    assert wait_until(lambda: run.over, PATIENCE)
    assert clicked
    assert run.result is None
    assert section.ui.messageLabel.text.startswith("Canceled")
    assert section.ui.applyButton.text == "Apply"
    assert wait_until(lambda: run._job is None or not run._job.alive, 20)
    assert not is_running(run)
    assert scene.GetNumberOfNodes() == nodes
    assert wait_until(lambda: not (run.folder / "in").exists(), PATIENCE)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no signals")
def test_a_process_killed_from_outside_is_explained(section, scene, wait_until):
    from MedSegEffNetLib.job import running_process

    add_synthetic_patient()
    section.inputs.fill()
    section.ui.applyButton.click()
    nodes = scene.GetNumberOfNodes()
    assert wait_until(lambda: running_process(section.run.folder), PATIENCE)
    os.kill(running_process(section.run.folder), signal.SIGKILL)
    assert wait_until(lambda: section.run.over, 20)
    assert "vanished" in section.ui.messageLabel.text
    assert "memory" in section.ui.messageLabel.text
    assert section.ui.copyReportButton.enabled
    assert scene.GetNumberOfNodes() == nodes
    assert section.ui.applyButton.enabled


def test_when_memory_runs_out_smaller_ways_are_tried_and_told(panel, section, scene, wait_until, monkeypatch):
    add_synthetic_patient()
    no_memory(panel, monkeypatch)
    section.inputs.fill()
    section.ui.applyButton.click()
    assert wait_until(lambda: section.run.over, PATIENCE)
    assert section.run.result is None
    assert "Memory ran out" in section.ui.messageLabel.text
    assert "Close other programs" in section.ui.messageLabel.text
    assert "a smaller way of working is tried" in section.ui.logText.plainText
    assert count(scene) == 0


def test_the_scene_may_be_closed_while_a_job_runs(section, scene, wait_until):
    add_synthetic_patient()
    section.inputs.fill()
    section.ui.applyButton.click()
    run = section.run
    assert wait_until(lambda: is_running(run), PATIENCE)
    scene.Clear(0)
    assert run.over
    assert wait_until(lambda: not is_running(run), 20)
    assert count(scene) == 0
    add_synthetic_patient()
    assert wait_until(lambda: section.ui.applyButton.enabled, 5), section.ui.applyButton.toolTip
