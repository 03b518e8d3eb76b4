"""A folder of cases, one after the other."""

import csv
import json
import shutil

import pytest

from MedSegEffNetLib.job import STOP, read_events


@pytest.fixture
def cases(case, tmp_path):
    """Three case folders, the middle one without its required channel, and a folder without images."""
    folder = tmp_path / "cases"
    for name in ("a", "b", "c"):
        shutil.copytree(case, folder / name)
    (folder / "b" / "p1_flair.nii.gz").unlink()
    (folder / "notes").mkdir()
    return folder


@pytest.fixture
def batch(command, tiny_model, cases, tmp_path):
    """Runs the batch; returns exit code, standard error and the ``case`` events of this start."""

    def run(*words):
        start = len(read_events(tmp_path / "run")[0])
        code, _, errors = command(
            *("segment", tiny_model, "--batch", cases, "--output", tmp_path / "out", "--run", tmp_path / "run"), *words
        )
        return code, errors, [event for event in read_events(tmp_path / "run")[0][start:] if event["event"] == "case"]

    return run


def states(events):
    return [(event["case"], event["state"]) for event in events if event["state"] not in ("queued", "running")]


def test_one_case_that_fails_does_not_end_the_batch(batch, tmp_path):
    code, errors, events = batch()
    assert code == 1
    assert "1 of 3 cases" in errors
    assert [event["state"] for event in events[:3]] == ["queued"] * 3
    assert states(events) == [("a", "done"), ("b", "failed"), ("c", "done")]
    failed, done = events[-3], events[-1]
    assert "no file for channel flair" in failed["message"]
    assert "--input" in failed["hint"]
    assert (done["index"], done["total"]) == (2, 3)
    assert done["output"] == str(tmp_path / "out" / "c" / "c.seg.nrrd")
    assert "tumor" in done["volumes_ml"]
    last = read_events(tmp_path / "run")[0][-1]
    assert (last["event"], last["done"], last["failed"], last["total"]) == ("failed", 2, 1, 3)


def test_a_second_start_does_only_what_is_left(batch, cases, tmp_path):
    batch()
    before = (tmp_path / "out" / "a" / "a.seg.nrrd").stat().st_mtime_ns
    shutil.copy(cases / "a" / "p1_flair.nii.gz", cases / "b")
    code, errors, events = batch()
    assert code == 0, errors
    assert states(events) == [("a", "skipped"), ("b", "done"), ("c", "skipped")]
    assert (tmp_path / "out" / "a" / "a.seg.nrrd").stat().st_mtime_ns == before
    skipped = next(event for event in events if event["state"] == "skipped")
    assert skipped["output"] == str(tmp_path / "out" / "a" / "a.seg.nrrd")
    assert "tumor" in skipped["volumes_ml"]
    last = read_events(tmp_path / "run")[0][-1]
    assert (last["event"], last["done"], last["skipped"], last["failed"]) == ("finished", 1, 2, 0)


def test_a_case_is_done_again_when_its_result_is_not_whole_or_not_the_one_wanted(batch, tmp_path):
    batch()
    (tmp_path / "out" / "a" / "a.seg.nrrd").unlink()
    (tmp_path / "out" / "c" / "result.json").write_text("{", encoding="utf-8")
    assert states(batch()[2])[::2] == [("a", "done"), ("c", "done")]
    assert states(batch("--flips")[2])[::2] == [("a", "done"), ("c", "done")]


def test_a_batch_that_was_stopped_goes_on(batch, cases, tmp_path, monkeypatch):
    from MedSegEffNetLib.job import Job

    emit = Job.emit

    def emit_and_stop(job, kind, /, **fields):
        emit(job, kind, **fields)
        if fields.get("state") == "done":
            (tmp_path / "run" / STOP).touch()

    monkeypatch.setattr(Job, "emit", emit_and_stop)
    assert batch()[0] == 0
    monkeypatch.setattr(Job, "emit", emit)
    assert read_events(tmp_path / "run")[0][-1]["event"] == "stopped"
    assert [row["state"] for row in table(tmp_path / "out")] == ["done", "not done", "not done"]
    assert states(batch()[2]) == [("a", "skipped"), ("b", "failed"), ("c", "done")]


def table(folder):
    with open(folder / "results.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_warnings_and_volumes_are_told_and_kept_in_a_table(batch, cases, tmp_path):
    (cases / "a" / "p1_t1.nii.gz").unlink()
    _, errors, _ = batch()
    assert "Case 1 of 3, a: done: tumor " in errors
    assert "  Warning: Channel T1 is missing: FLAIR stands in for it" in errors
    first, second, third = table(tmp_path / "out")
    assert (first["case"], first["state"], second["state"], third["state"]) == ("a", "done", "failed", "done")
    assert float(first["tumor (mL)"]) >= 0
    assert "Channel T1 is missing" in first["warnings"]
    assert "no file for channel flair" in second["message"]
    assert second["tumor (mL)"] == third["message"] == second["quality"] == ""
    assert third["quality"] == "doubtful"
    assert third["doubtful because"] == third["warnings"] != ""
    told = read_events(tmp_path / "run")[0][-1]
    assert told["results"] == str(tmp_path / "out" / "results.csv")


def test_a_label_map_that_was_corrected_by_hand_is_not_overwritten(batch, tmp_path):
    batch()
    corrected = tmp_path / "out" / "a" / "a.seg.nrrd"
    corrected.write_bytes(b"corrected")
    assert states(batch()[2])[0] == ("a", "skipped")
    _, errors, events = batch("--flips")
    assert states(events) == [("a", "failed"), ("b", "failed"), ("c", "done")]
    assert corrected.read_bytes() == b"corrected"
    assert "was changed since it was written" in errors
    assert "move it away, or choose another output folder" in errors
    assert states(batch("--flips")[2])[0] == ("a", "failed")
    corrected.rename(tmp_path / "corrected.seg.nrrd")
    assert states(batch("--flips")[2])[0] == ("a", "done")


def test_a_label_map_corrected_after_a_start_that_failed_is_not_overwritten(batch, cases, tmp_path):
    batch()
    flair = (cases / "a" / "p1_flair.nii.gz").rename(tmp_path / "aside")
    assert states(batch()[2])[0] == ("a", "failed")
    flair.rename(cases / "a" / "p1_flair.nii.gz")
    (tmp_path / "out" / "a" / "a.seg.nrrd").write_bytes(b"corrected")
    assert states(batch()[2])[0] == ("a", "failed")


def test_further_outputs_lie_in_each_cases_folder(batch, tmp_path):
    words = ("--report", "report.html", "--uncertainty", "unsure.nii.gz", "--probabilities", "maps")
    _, _, events = batch(*words)
    folder = tmp_path / "out" / "a"
    done = next(event for event in events if event["state"] == "done")
    assert done["report"] == str(folder / "report.html")
    assert done["uncertainty"] == str(folder / "unsure.nii.gz")
    assert done["probabilities"] == {"tumor": str(folder / "maps" / "tumor.nii.gz")}
    assert all((folder / name).is_file() for name in ("report.html", "unsure.nii.gz", "maps/tumor.nii.gz"))
    assert json.loads((folder / "result.json").read_text(encoding="utf-8"))["result"]["report"] == done["report"]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--batch", "{tmp}/cases/notes", "--output", "{tmp}/out"], "holds no case folders"),
        (["--batch", "{tmp}/nothing", "--output", "{tmp}/out"], "there is no folder"),
        (["--batch", "{tmp}/cases", "--output", "{tmp}/cases"], "a folder of its own"),
        (["--batch", "{tmp}/cases", "--output", "{tmp}/out.nii.gz"], "called like a file"),
        (["--batch", "{tmp}/cases", "--output", "{tmp}/out", "--report", "../r.html"], "a name in each case's folder"),
        (["--batch", "{tmp}/cases", "--output", "{tmp}/out", "--report", "result.json"], "ends in .html"),
    ],
)
def test_a_batch_that_cannot_be_is_refused_before_anything_is_written(
    command, tiny_model, cases, tmp_path, words, text
):
    before = sorted(tmp_path.rglob("*"))
    words = [word.replace("{tmp}", str(tmp_path)) for word in words]
    code, _, errors = command("segment", tiny_model, *words, "--run", tmp_path / "run")
    assert code == 2
    assert text in errors
    assert sorted(tmp_path.rglob("*")) == before
