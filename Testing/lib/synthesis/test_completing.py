"""Which missing images are made for a model of several networks."""

from dataclasses import asdict, replace
from pathlib import Path

import pytest

from MedSegEffNetLib.inference.checks import Checked
from MedSegEffNetLib.inference.ensemble import choose
from MedSegEffNetLib.inference.options import Options
from MedSegEffNetLib.job import Job
from MedSegEffNetLib.models.bundle import OUR_KEY, Bundle
from MedSegEffNetLib.synthesis.completing import completed
from MedSegEffNetLib.task import get_segmentation_task

BRAIN = get_segmentation_task("brain-tumor")
OPTIONS = Options(device="cpu", threads=1)


@pytest.fixture
def segmenter():
    """What completing needs to know of a model with a network for each channel, in the task's combinations."""
    info = {
        "name": "model",
        "networks": [{"key": channel.name, "channels": [channel.name]} for channel in BRAIN.channels],
        "ensembles": [asdict(ensemble) for ensemble in BRAIN.ensembles],
        "inputs": [asdict(channel) for channel in BRAIN.channels],
        "regions": [asdict(region) for region in BRAIN.regions],
    }
    return Bundle(Path("model"), {OUR_KEY: info})


@pytest.mark.parametrize(
    ("ensemble", "there"),
    [("", {"t1ce", "t2", "flair"}), ("second", {"t1", "t1ce", "t2", "flair"}), ("t2", {"t2", "flair"})],
)
def test_only_what_a_network_with_a_vote_sees_is_made(segmenter, model, head, ensemble, there):
    given = Checked({"flair": head["flair"]}, ())
    options = replace(OPTIONS, ensemble=ensemble)
    found = completed(given, segmenter, model, options, Job.open(None, {}))
    assert set(found.images) == there
    votes = choose(segmenter, ensemble, set(found.images))
    assert votes.channels(segmenter) <= there
    assert not any("without a vote" in text for text in votes.warnings)
