"""The advanced options: what is offered, and what is said of what cannot be used."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

DEVICE = "mps" if sys.platform == "darwin" else "cuda"


@pytest.fixture
def environment():
    """An environment of which the tests say what it has."""
    from MedSegEffNetPanel.signals import Signal

    known = SimpleNamespace(changed=Signal(), found={"openvino"}, lacks_gpu=False)
    known.engines = lambda: known.found
    return known


@pytest.fixture
def section(panel):
    return panel.section("segment")


@pytest.fixture
def options(section, settings, environment):
    """The options in boxes of the panel's, emptied."""
    from MedSegEffNetPanel.segmenting.advanced import AdvancedOptions

    section.ui.deviceBox.clear()
    section.ui.engineBox.clear()
    return AdvancedOptions(section.ui, section.panel.settings, environment)


def texts(box):
    return [box.itemText(place) for place in range(box.count)]


def test_what_is_not_installed_is_offered_and_says_so(section, options):
    assert texts(section.ui.engineBox) == ["automatic", "openvino", "torch (not installed)"]
    assert texts(section.ui.deviceBox) == ["automatic", "cpu", f"{DEVICE} (torch is not installed)"]


def test_an_installation_changes_the_texts_and_not_the_choice(section, options, environment):
    section.ui.engineBox.setCurrentIndex(2)
    environment.found = {"openvino", "torch"}
    environment.changed.emit()
    assert texts(section.ui.engineBox) == ["automatic", "openvino", "torch"]
    assert options.options().engine == "torch"


def test_nothing_is_said_of_what_is_not_known(section, options, environment):
    environment.found = None
    environment.changed.emit()
    assert texts(section.ui.deviceBox) == ["automatic", "cpu", DEVICE]


@pytest.mark.skipif(sys.platform == "darwin", reason="a Mac has no NVIDIA GPU to look for")
def test_a_computer_without_a_gpu_says_so(section, options, environment):
    environment.found, environment.lacks_gpu = {"openvino", "torch"}, True
    environment.changed.emit()
    assert texts(section.ui.deviceBox)[2] == "cuda (no NVIDIA GPU was found)"
    assert texts(section.ui.deviceBox)[1] == "cpu"


def test_choices_are_kept_for_the_next_time(section, options):
    section.ui.deviceBox.setCurrentIndex(1)
    section.ui.threadsBox.value = 3
    assert section.panel.settings.text("device") == "cpu"
    options._restore()
    assert (options.options().device, options.options().threads) == ("cpu", 3)
