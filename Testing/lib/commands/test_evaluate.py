import csv
import json
from dataclasses import replace

import pytest

from MedSegEffNetLib.errors import Stopped
from MedSegEffNetLib.evaluation import cases_of, evaluate, summary_table
from MedSegEffNetLib.inference.options import Options
from MedSegEffNetLib.job import STOP, Job, read_events
from MedSegEffNetLib.models.bundle import Bundle


def test_an_evaluation_writes_summary_table_and_report(command, tiny_model, data, tmp_path):
    output = tmp_path / "out"
    code, text, errors = command("evaluate", tiny_model, "--data", data, "--split", "val", "--output", output)
    assert code == 0, errors
    summary = json.loads((output / "summary.json").read_text(encoding="utf-8"))
    assert set(summary) == {"tumor"}
    assert set(summary["tumor"]["dice"]) == {"mean", "std", "median", "n"}
    assert summary["tumor"]["dice"]["n"] == 3
    rows = list(csv.DictReader((output / "per_case.csv").open(encoding="utf-8")))
    assert [row["case"] for row in rows] == ["c", "d", "e"]
    mean = sum(float(row["dice"]) for row in rows) / 3
    assert summary["tumor"]["dice"]["mean"] == pytest.approx(mean)
    page = (output / "report.html").read_text(encoding="utf-8")
    assert all(word in page for word in ("Best", "Median", "Worst"))
    assert "dice" in text


def test_all_splits_can_be_evaluated_together(command, tiny_model, data, tmp_path):
    words = ("evaluate", tiny_model, "--data", data, "--split", "all", "--output", tmp_path / "out")
    assert command(*words)[0] == 0
    assert len((tmp_path / "out" / "per_case.csv").read_text(encoding="utf-8").splitlines()) == 6


def test_a_split_that_is_not_there_is_refused_with_those_there_are(command, tiny_model, data, tmp_path):
    words = ("evaluate", tiny_model, "--data", data, "--split", "test", "--output", tmp_path / "out")
    code, _, errors = command(*words, "--run", tmp_path / "run")
    assert code == 2
    assert "train (2 cases), val (3 cases), all (5 cases)" in errors
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "run").exists()


def test_an_output_folder_that_is_a_file_is_refused(command, tiny_model, data, tmp_path):
    (tmp_path / "out").touch()
    code, _, errors = command("evaluate", tiny_model, "--data", data, "--split", "val", "--output", tmp_path / "out")
    assert code == 2
    assert "could not be written" in errors


def test_an_evaluation_stops_when_asked_and_writes_nothing(tiny_model, data, tmp_path):
    bundle = Bundle.open(tiny_model)
    job = Job.open(tmp_path / "run", {})
    job.listeners.append(lambda event: (tmp_path / "run" / STOP).touch())
    with pytest.raises(Stopped), job:
        evaluate(bundle, cases_of(bundle, data, "val"), tmp_path / "out", Options(), job)
    assert read_events(tmp_path / "run")[0][-1]["event"] == "stopped"
    assert not (tmp_path / "out").exists()


def test_the_printed_table_has_a_dash_for_what_is_undefined():
    figures = {"mean": 0.5, "std": float("nan"), "median": 0.5, "n": 1}
    assert summary_table({"tumor": {"dice": figures}}).splitlines()[-1].split() == [
        "tumor", "dice", "0.500", "–", "0.500", "1",
    ]  # fmt: skip


def test_the_page_comes_again_from_the_files_and_the_table_tells_sizes(command, tiny_model, data, tmp_path):
    output = tmp_path / "out"
    assert command("evaluate", tiny_model, "--data", data, "--split", "val", "--output", output)[0] == 0
    assert command("report", output, "--output", tmp_path / "again.html")[0] == 0
    assert (tmp_path / "again.html").read_bytes() == (output / "report.html").read_bytes()
    row = next(csv.DictReader((output / "per_case.csv").open(encoding="utf-8")))
    assert row["kind"] == "real"
    assert row["true_voxels"] == "192"
    assert row["true_ml"] == "", "no voxel size is known"
    assert float(row["predicted_voxels"]) >= 0


def test_synthetic_cases_and_unknown_regions_stay_out_of_the_figures(tiny_model, data, tmp_path):
    (data / "val" / "c" / "SYNTHETIC.txt").touch()
    bundle = Bundle.open(tiny_model)
    cases = cases_of(bundle, data, "val")
    assert [case.synthetic for case in cases] == [True, False, False]
    made, unknown = cases[0], replace(cases[1], regions=("another",))
    summary = evaluate(bundle, [made, unknown, cases[2]], tmp_path / "out", Options(), Job.open(None, {}))
    assert summary["tumor"]["dice"]["n"] == 1
    rows = list(csv.DictReader((tmp_path / "out" / "per_case.csv").open(encoding="utf-8")))
    assert [row["kind"] for row in rows] == ["synthetic", "real", "real"]
    assert [bool(row["dice"]) for row in rows] == [True, False, True]
    assert rows[1]["true_voxels"] == ""
    (data / "SYNTHETIC.txt").touch()
    assert all(case.synthetic for case in cases_of(bundle, data, "val"))
