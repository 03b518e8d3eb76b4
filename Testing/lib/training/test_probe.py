"""The probe: one case by heart."""

import pytest

from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.job import read_events
from MedSegEffNetLib.training import probe
from MedSegEffNetLib.training.learner import Learner, NotFinite

from .conftest import TINY, write_patients

SETTINGS = dict(text.split("=", 1) for text in TINY)


def overfit(data, run, **settings):
    return probe.overfit("tumor-slices", data, run, network="unet_2d", settings={**SETTINGS, **settings})


def test_one_case_is_learnt_by_heart_and_it_is_told_how_well(patients, tmp_path):
    found = overfit(patients, tmp_path / "run", learning_rate="0.02", **{"network.dropout": "0"})
    assert found.learns
    assert found.dice > 0.95
    assert found.loss_last < found.loss_first
    assert 1 < found.steps <= 60
    told, finished = read_events(tmp_path / "run")[0][-2:]
    assert (told["event"], finished["event"]) == ("overfit", "finished")
    assert (told["case"], told["text"]) == (found.case, found.text)
    assert {path.name for path in (tmp_path / "run").iterdir()} == {"job.json", "events.jsonl"}


def test_a_network_that_does_not_learn_the_case_is_told(patients, tmp_path):
    found = overfit(patients, tmp_path / "run", learning_rate="1e-9")
    assert not found.learns
    assert found.steps == 60
    assert "hardly learns" in found.text


def test_a_loss_that_falls_because_nothing_is_found_is_no_learning():
    found = probe._judged("a", [0.15, 0.08], 0.0)
    assert not found.learns
    assert "hardly learns" in found.text
    assert probe._judged("a", [0.15, 0.08], 0.4).learns


def test_an_unstable_probe_is_told(patients, tmp_path, monkeypatch):
    learn = Learner.learn

    def failing(self, *given):
        if self.steps:
            raise NotFinite("the loss was nan")
        return learn(self, *given)

    monkeypatch.setattr(Learner, "learn", failing)
    found = overfit(patients, tmp_path / "run")
    assert not found.learns
    assert found.loss_last is None
    assert "unstable" in found.text


def test_without_any_label_there_is_nothing_to_try(tmp_path):
    data = write_patients(tmp_path / "data", slices=1)  # the last slice of a patient is empty
    with pytest.raises(InputError, match="no training case"):
        overfit(data, tmp_path / "run")
