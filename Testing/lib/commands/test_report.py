import json

import pytest

from MedSegEffNetLib import report
from MedSegEffNetLib.job import Job
from MedSegEffNetLib.reporting.evaluation_files import Picture, Shown


def epoch(number, **more):
    figures = {"train_loss": 1 / number, "val_loss": 1.2 / number, "val_dice": 0.5 + 0.1 * number, "rate": 0.001}
    return {"epoch": float(number), **figures, "seconds": 3.0, "best": 0.7, "best_epoch": number, **more}


@pytest.fixture
def training(tmp_path):
    """The folder of a training that is still going on."""
    request = {"command": "train", "task": "tumor-slices", "network": "unet_2d", "data": "somewhere",
               "recipe": {"epochs": 9, "monitor": "dice"}, "preprocessing": [{"name": "zscore"}]}  # fmt: skip
    with Job.open(tmp_path / "run", request) as job:
        job.emit("data", splits={"train": {"cases": 61, "patients": 40}})
        job.emit("epoch", **epoch(1))
        yield tmp_path / "run"


def test_a_training_that_still_runs_has_a_page(command, training, tmp_path):
    with (training / "events.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"sequence": 99, "event": "epo')
    code, text, errors = command("report", training, "--output", tmp_path / "page.html")
    assert code == 0, errors
    assert "page.html" in text
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    for word in ("still running", "1 of at most 9", "best: epoch 1", "61", "zscore", "somewhere"):
        assert word in page


def test_an_evaluation_gives_the_same_page_again(command, tmp_path):
    rows = [{"case": "p", "region": "tumor", "kind": "real", "dice": 0.5}]
    shown = Shown("Best: p", (Picture(b"png", "alt", "True"),))
    found = report.Evaluation("a model", rows, "tumor-slices", {"tumor": (255, 0, 0)}, (shown,), card="# Card")
    report.write_evaluation(tmp_path / "e", found)
    report.write_evaluation_page(tmp_path / "e" / "report.html", found)
    assert command("report", tmp_path / "e", "--output", tmp_path / "again.html")[0] == 0
    assert (tmp_path / "again.html").read_bytes() == (tmp_path / "e" / "report.html").read_bytes()


def test_other_folders_are_refused_with_what_was_found(command, tmp_path):
    (tmp_path / "notes.txt").touch()
    code, _, errors = command("report", tmp_path, "--output", tmp_path / "page.html")
    assert code == 2
    assert "neither a training nor an evaluation, but notes.txt" in errors
    assert "is not there" in command("report", tmp_path / "x", "--output", tmp_path / "page.html")[2]
    with Job.open(tmp_path / "job", {"command": "evaluate", "output": "there"}):
        pass
    code, _, errors = command("report", tmp_path / "job", "--output", tmp_path / "page.html")
    assert code == 2
    assert "command 'evaluate'" in errors
    assert "in there" in errors
    assert not (tmp_path / "page.html").exists()


def test_a_page_is_html_and_a_damaged_or_newer_evaluation_is_refused(command, tmp_path):
    rows = [{"case": "p", "region": "tumor", "dice": 0.5}]
    report.write_evaluation(tmp_path / "e", report.Evaluation("a model", rows))
    assert command("report", tmp_path / "e", "--output", tmp_path / "page.txt")[0] == 2
    about = tmp_path / "e" / report.ABOUT
    about.write_text(json.dumps({"schema": 99}), encoding="utf-8")
    assert "newer version" in command("report", tmp_path / "e", "--output", tmp_path / "page.html")[2]
    about.write_text("{}", encoding="utf-8")
    assert "is damaged" in command("report", tmp_path / "e", "--output", tmp_path / "page.html")[2]
    (tmp_path / "e" / report.PER_CASE).write_text("case\n", encoding="utf-8")
    assert "no rows" in command("report", tmp_path / "e", "--output", tmp_path / "page.html")[2]
