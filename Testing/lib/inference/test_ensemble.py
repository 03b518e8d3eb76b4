"""Several networks, each with its own image: who votes for what, and what is said when one cannot."""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.inference.ensemble import Ballot, Votes, choose, validated
from MedSegEffNetLib.models.bundle import OUR_KEY, Bundle
from MedSegEffNetLib.task import get_segmentation_task

BRAIN = get_segmentation_task("brain-tumor")


def a_model(*keys, more=()):
    """What the votes need to know of a model that has a network for each of these channels."""
    info = {
        "name": "model",
        "networks": [{"key": key, "channels": [key]} for key in keys],
        "ensembles": [asdict(ensemble) for ensemble in (*more, *BRAIN.ensembles)],
        "inputs": [asdict(channel) for channel in BRAIN.channels],
        "regions": [asdict(region) for region in BRAIN.regions],
    }
    return Bundle(Path("model"), {OUR_KEY: info})


ALL = ("t1", "t1ce", "t2", "flair")


def test_the_first_combination_is_the_default_and_the_second_adds_t1():
    model = a_model(*ALL)
    assert model.ensembles == ("first", "second", *ALL)
    first, second = choose(model, "", ALL), choose(model, "second", ALL)
    assert first.by_region["ET"] == first.by_region["TC"] == {"t1ce": 1.0}
    assert set(first.by_region["WT"]) == {"flair", "t1ce", "t2"}
    assert second.by_region["WT"] == {"flair": 0.25, "t1ce": 0.25, "t2": 0.25, "t1": 0.25}
    assert set(first.networks) == {"t1ce", "flair", "t2"}
    assert first.warnings == ("There, but without a vote in this combination of networks: T1.",)
    assert [*first.doubts, *second.doubts, *second.warnings] == []


def test_votes_that_follow_from_a_validation_come_first_and_leave_weak_networks_out():
    dice = {"WT": {"flair": 0.8, "t1ce": 0.6, "t2": 0.7}, "TC": {"t1ce": 0.5, "flair": 0.1}, "ET": {"t1ce": 0.0004}}
    model = a_model(*ALL, more=(validated(dice),))
    assert model.ensembles[0] == "validated"
    votes = choose(model, "", ALL)
    assert votes.by_region["WT"] == pytest.approx({"flair": 0.8 / 1.5, "t2": 0.7 / 1.5})
    assert votes.by_region["TC"] == {"t1ce": 1.0}
    assert votes.by_region["ET"] == {"t1ce": 1.0}


def test_a_missing_image_leaves_the_vote_to_the_others_and_says_so():
    votes = choose(a_model(*ALL), "", ("t1ce", "flair"))
    assert votes.by_region["WT"] == {"flair": 0.5, "t1ce": 0.5}
    assert votes.warnings == ("The whole tumor is found without T2, by FLAIR and T1 post-contrast alone.",)


def test_without_t1ce_enhancing_tumor_is_left_to_what_is_there_with_a_strong_word():
    votes = choose(a_model(*ALL), "first", ("flair", "t1"))
    assert votes.by_region["ET"] == {"t1": 0.5, "flair": 0.5}
    assert votes.by_region["WT"] == {"flair": 1.0}
    assert any(
        text.startswith("The enhancing tumor is left to T1 and FLAIR") and "far less certain" in text
        for text in votes.doubts
    )


def test_a_network_that_was_never_trained_is_as_good_as_a_missing_image():
    assert choose(a_model("t1ce", "flair"), "first", ALL).by_region["WT"] == {"flair": 0.5, "t1ce": 0.5}


def test_single_networks_can_be_asked_for_but_not_without_their_image():
    model = a_model(*ALL)
    assert choose(model, "t2", ALL).by_region == {region: {"t2": 1.0} for region in ("WT", "TC", "ET")}
    with pytest.raises(InputError, match="t2 needs the image t2"):
        choose(model, "t2", ("flair",))
    with pytest.raises(InputError, match="no ensemble 'third'") as caught:
        choose(model, "third", ALL)
    assert "second" in caught.value.expected
    with pytest.raises(InputError, match="no network"):
        choose(a_model("t2", "t1"), "", ("flair",))


def test_votes_are_a_weighted_mean_region_by_region():
    votes = Votes({"WT": {"a": 0.5, "b": 0.5}, "TC": {"a": 1.0}, "ET": {"a": 0.25, "b": 0.75}})
    ballot = Ballot(votes, ["WT", "TC", "ET"])
    ballot.add("a", np.full((3, 2, 2, 2), 0.8, dtype=np.float32))
    assert ballot.rows("b") == [0, 2]
    ballot.add("b", np.full((2, 2, 2, 2), 0.4, dtype=np.float32))
    np.testing.assert_allclose(ballot.result()[:, 0, 0, 0], [0.6, 0.8, 0.5], rtol=1e-6)
