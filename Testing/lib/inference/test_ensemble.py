"""Several networks, each with its own image: who votes for what, and what is said when one cannot."""

from types import SimpleNamespace

import numpy as np
import pytest

from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.inference.ensemble import Ballot, Votes, choose, names
from MedSegEffNetLib.task import get_segmentation_task

BRAIN = get_segmentation_task("brain-tumor")


def a_model(*keys):
    """What the votes need to know of a model that has a network for each of these channels."""
    ensembles = [
        {"name": e.name, "votes": {region: dict.fromkeys(channels, 1.0) for region, channels in e.votes.items()}}
        for e in BRAIN.ensembles
    ]
    info = {"networks": [{"key": key, "channels": [key]} for key in keys], "ensembles": ensembles}
    return SimpleNamespace(name="model", info=info, channels=BRAIN.channels, regions=BRAIN.regions)


ALL = ("t1", "t1ce", "t2", "flair")


def test_the_first_combination_is_the_default_and_the_second_adds_t1():
    model = a_model(*ALL)
    assert names(model) == ["first", "second", *ALL]
    first, second = choose(model, "", ALL), choose(model, "second", ALL)
    assert first.by_region["ET"] == first.by_region["TC"] == {"t1ce": 1.0}
    assert set(first.by_region["WT"]) == {"flair", "t1ce", "t2"}
    assert second.by_region["WT"] == {"flair": 0.25, "t1ce": 0.25, "t2": 0.25, "t1": 0.25}
    assert set(first.networks) == {"t1ce", "flair", "t2"}
    assert not first.warnings


def test_a_missing_image_leaves_the_vote_to_the_others_and_says_so():
    votes = choose(a_model(*ALL), "", ("t1ce", "flair"))
    assert votes.by_region["WT"] == {"flair": 0.5, "t1ce": 0.5}
    assert votes.warnings == ("The whole tumor is found without T2, by FLAIR, T1 post-contrast alone.",)


def test_without_t1ce_enhancing_tumor_is_left_to_what_is_there_with_a_strong_word():
    votes = choose(a_model(*ALL), "first", ("flair", "t1"))
    assert votes.by_region["ET"] == {"t1": 0.5, "flair": 0.5}
    assert votes.by_region["WT"] == {"flair": 1.0}
    assert any(
        text.startswith("The enhancing tumor is left to T1, FLAIR") and "far less certain" in text
        for text in votes.warnings
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
