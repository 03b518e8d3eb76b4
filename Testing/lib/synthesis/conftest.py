"""The tiny model that makes images, opened."""

import pytest

from MedSegEffNetLib.models.bundle import Bundle


@pytest.fixture
def model(maker):
    """A model that makes any of four sequences."""
    return Bundle.open(maker)
