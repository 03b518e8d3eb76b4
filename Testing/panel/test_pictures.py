"""Pictures of the panel with four views. ``python3 run.py test --slow`` writes them into docs/images."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import pytest

from cases import PATIENCE, add_synthetic_patient, segment_array
from MedSegEffNetLib.job import running_process

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"


@pytest.fixture
def take(request, tmp_path, window, rendering):
    """A function that takes a picture called ``panel-NAME.png`` and gives its pixels (height, width, 3).

    ``kept=False``: not for docs/images. The file has 192 colors, which makes it small.
    """
    from PIL import Image

    from harness.pictures import picture

    folder = IMAGES if request.config.getoption("-m") == "" else tmp_path

    def take(name, *, kept=True, **options):
        path = (folder if kept else tmp_path) / f"panel-{name}.png"
        picture(window, path, **options)
        with Image.open(path) as opened:
            taken = opened.convert("RGB")
        taken.quantize(192, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(path, optimize=True)
        return np.asarray(taken)

    return take


@pytest.fixture
def sample(section, wait_until):
    """The section with the synthetic patient; the slices are as the panel shows them."""
    import slicer

    section.ui.sampleDataButton.click()
    assert wait_until(lambda: section.ui.applyButton.enabled, PATIENCE), section.ui.messageLabel.text
    slicer.util.resetThreeDViews()
    return section


def test_a_picture_before_the_start(sample, take):
    pixels = take("before")
    assert pixels.shape[:2] == (900, 1284)
    assert pixels[:, 500:].std() > 20  # there is something to see in the views


def test_a_picture_while_it_computes(sample, take, monkeypatch, wait_until):
    from slow_jobs import slow_network

    slow_network(sample.panel, monkeypatch, 0.5)
    sample.ui.applyButton.click()
    assert wait_until(lambda: sample.run.fraction and sample.run.text.startswith("Segmenting"), PATIENCE)
    assert wait_until(lambda: sample.run.fraction > 0.3, PATIENCE)
    take("running")
    sample.ui.applyButton.click()
    assert wait_until(lambda: not sample.run._job.alive, PATIENCE)


def test_a_picture_of_the_result(sample, take, wait_until):
    import slicer

    sample.ui.applyButton.click()
    assert wait_until(lambda: sample.run.over, PATIENCE)
    segmentation = slicer.mrmlScene.GetNodeByID(sample.run.result.segmentation_id)
    wait_until(lambda: False, 0.3)  # the slices go to the tumor
    sample.ui.show3DButton.checked = True
    assert wait_until(lambda: segmentation.GetClosedSurfaceInternalRepresentation("Segment_1") is not None, PATIENCE)
    slicer.util.resetThreeDViews()
    pixels = take("done").astype(int)
    red, green, blue = pixels[:, 500:].transpose(2, 0, 1)
    assert ((red > green + 60) & (red > blue + 60)).sum() > 500  # the tumor's color in the views
    assert np.count_nonzero(segment_array(segmentation)) > 500


@pytest.mark.skipif(os.name == "nt", reason="Windows has no signals")
def test_a_picture_of_an_error(sample, take, monkeypatch, wait_until):
    from slow_jobs import slow_network

    slow_network(sample.panel, monkeypatch)
    sample.ui.applyButton.click()
    assert wait_until(lambda: running_process(sample.run.folder), PATIENCE)
    os.kill(running_process(sample.run.folder), signal.SIGKILL)
    assert wait_until(lambda: sample.run.over, PATIENCE)
    sample.ui.logBox.collapsed = False
    take("error")
    assert "vanished" in sample.ui.messageLabel.text


@pytest.mark.parametrize("name", ["compare", "models", "environment", "correct", "synthesize"])
def test_no_section_is_wider_than_the_panel(panel, window, take, name, wait_until):
    panel._bars[type(panel.section("segment"))].collapsed = True
    panel.show(name)
    wait_until(lambda: False, 0.2)
    take(name, kept=False)
    assert window.horizontalScrollBar().maximum == 0


@pytest.fixture
def made(panel, wait_until):
    """The section Synthesize after T1 post-contrast of the synthetic patient was made, with its own one to compare."""
    from MedSegEffNetPanel import bridge

    section = panel.section("synthesize")
    if section.models.entry is None:
        pytest.skip("no model that makes images is installed")
    nodes = add_synthetic_patient()
    bridge.show_volume(nodes["t1"])
    panel._bars[type(panel.section("segment"))].collapsed = True
    panel.show("synthesize")
    section.ui.targetBox.setCurrentIndex(section._targets.index("t1ce"))
    section.inputs.fill()
    section.ui.makeButton.click()
    assert wait_until(lambda: section.run.over, 4 * PATIENCE)
    assert section.run.result is not None, section.run.text
    return section


def test_a_picture_of_a_made_image_beside_the_real_one(made, take, wait_until):
    made.ui.sideButton.checked = True
    wait_until(lambda: False, 0.3)  # the views go to their slice
    pixels = take("synthesize")
    assert "NMAE" in made.ui.resultLabel.text
    assert pixels[:, 500:].std() > 20
    made.ui.sideButton.checked = False
