"""``medsegeffnet dataset predict``: labels of a model for the cases of a data set, one by one, and again for what is left."""

import json

import numpy as np
import pytest

from MedSegEffNetLib import image
from MedSegEffNetLib.commands._dataset_predict import figures_of
from MedSegEffNetLib.dataset.importing import NewCase, add_case
from MedSegEffNetLib.dataset.labels import save_label
from MedSegEffNetLib.dataset.store import Dataset
from MedSegEffNetLib.job import STOP, read_events

ANN = "Ann Lee"


def new_case(name, case, channels=("t1", "flair", "t1ce")):
    images = {channel: image.read(case / f"p1_{channel}.nii.gz") for channel in channels}
    return NewCase(name, name, images, {})


@pytest.fixture
def dataset(case, tmp_path):
    """Three cases in state new; ``b`` lacks the channel that the model needs."""
    made = Dataset.create(tmp_path / "set", "tumor-slices")
    for name, channels in (("a", ("t1", "flair", "t1ce")), ("b", ("t1",)), ("c", ("flair",))):
        add_case(made, new_case(name, case, channels), ANN)
    return made


@pytest.fixture
def predict(command, dataset, tiny_model, tmp_path):
    """Runs the command; returns exit code, standard error and the events of this start."""

    def run(*words):
        start = len(read_events(tmp_path / "run")[0])
        code, _, errors = command(
            "dataset",
            "predict",
            dataset.folder,
            "--model",
            tiny_model,
            "--author",
            ANN,
            "--run",
            tmp_path / "run",
            *words,
        )
        return code, errors, read_events(tmp_path / "run")[0][start:]

    return run


def states(events):
    told = [event for event in events if event["event"] == "case"]
    return [(event["case"], event["state"]) for event in told if event["state"] not in ("queued", "running")]


def test_new_cases_get_labels_and_one_that_fails_does_not_end_it(predict, dataset):
    code, errors, events = predict()
    assert (code, "1 of 3 cases" in errors) == (1, True)
    assert states(events) == [("a", "done"), ("b", "failed"), ("c", "done")]
    failed = next(event for event in events if event.get("state") == "failed")
    assert "flair" in failed["message"]
    record = dataset.read("a")
    assert (record.state, record.label.origin, record.label.author) == ("predicted", "model", ANN)
    assert record.label.model.startswith("tumor-slices")
    assert set(record.label.figures) <= {"uncertainty", "agreement"}
    assert dataset.read("b").state == "new"
    assert (events[-1]["event"], events[-1]["done"], events[-1]["failed"]) == ("failed", 2, 1)


def test_a_second_start_does_only_what_is_left(predict, dataset, case):
    predict()
    assert states(predict()[2]) == [("b", "failed")]
    code, _, events = predict("--state", "predicted")
    assert (code, states(events)) == (0, [("a", "skipped"), ("c", "skipped")])
    events = predict("--state", "new, predicted")[2]
    assert states(events) == [("a", "skipped"), ("b", "failed"), ("c", "skipped")]
    assert len(dataset.read("a").labels) == 1


def test_only_the_wanted_cases_are_predicted(predict):
    assert states(predict("--case", "c")[2]) == [("c", "done")]


def test_a_stop_ends_it_between_cases(predict, dataset, tmp_path, monkeypatch):
    from MedSegEffNetLib.commands import _dataset_predict

    one = _dataset_predict._one

    def stopping(work, case_id, index, total):
        (tmp_path / "run" / STOP).touch()
        return "done", {} if case_id != "a" else one(work, case_id, index, total)[1]

    monkeypatch.setattr(_dataset_predict, "_one", stopping)
    code, _, events = predict()
    assert (code, events[-1]["event"]) == (0, "stopped")
    assert "c" not in [case for case, _ in states(events)]


def test_a_case_that_somebody_has_open_is_left_alone(predict, dataset):
    with dataset.open_case("a", "Bob May"):
        _, _, events = predict("--case", "a")
    assert states(events) == [("a", "failed")]
    assert "Bob May" in next(event["message"] for event in events if event.get("state") == "failed")


def test_a_label_that_a_person_saved_stays_the_cases_label(predict, dataset):
    there = dataset.load("c")[0]["flair"]
    save_label(dataset, "c", there.with_array(np.zeros(there.shape, np.uint8)), author="Bob May")
    predict("--state", "in review")
    record = dataset.read("c")
    assert [label.origin for label in record.labels] == ["manual", "model"]
    assert (record.current, record.state, record.conflicts) == (1, "in review", ())


def test_a_wrong_model_state_or_case_is_told_before_anything_is_done(predict, command, tiny_model, tmp_path):
    Dataset.create(tmp_path / "lungs", "covid-ct")
    code, _, errors = command("dataset", "predict", tmp_path / "lungs", "--model", tiny_model, "--author", ANN)
    assert (code, "is a model of the task tumor-slices" in errors) == (2, True)
    code, errors, events = predict("--state", "done")
    assert (code, "no state 'done'" in errors) == (2, True)
    assert events[-1]["type"] == "InputError"
    assert predict("--case", "nobody")[0] == 2


def test_the_result_tells_figures_and_where_the_label_lies(predict, dataset):
    done = next(event for event in predict("--case", "a")[2] if event.get("state") == "done")
    assert done["output"].endswith(".nii.gz")
    assert set(done["volumes_ml"]) == {"tumor"}
    assert done["facts"] == [f"unsure {100 * done['figures']['uncertainty']:.0f} %"]
    assert (
        json.loads((dataset.case_folder("a") / "case.json").read_text(encoding="utf-8"))["labels"][0]["figures"]
        == (done["figures"])
    )


def test_the_worst_region_counts():
    measures = {"confidence": {"wt": 0.9, "et": 0.6}, "agreement": {"wt": 0.8, "et": 0.7}, "outside": {"et": 0.1}}
    assert figures_of(measures) == {"uncertainty": 0.4, "agreement": 0.7}
    assert figures_of({"confidence": {}, "outside": {}, "agreement": {}}) == {}


def test_no_case_is_no_failure(command, tiny_model, tmp_path):
    Dataset.create(tmp_path / "empty", "tumor-slices")
    code, output, _ = command("dataset", "predict", tmp_path / "empty", "--model", tiny_model, "--author", ANN)
    assert (code, output.strip()) == (0, "No case is new.")
