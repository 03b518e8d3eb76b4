import io
import math

from MedSegEffNetLib.job import Job
from MedSegEffNetLib.terminal import ProgressLine, bar, duration, number, table


class Terminal(io.StringIO):
    def isatty(self):
        return True


def shown(stream, events):
    job = Job.open(None, {})
    job.listeners.append(ProgressLine(stream))
    with job:
        events(job)
    return stream.getvalue()


def test_a_terminal_sees_a_bar_on_one_line_that_goes_away_at_the_end():
    text = shown(Terminal(), lambda job: job.progress("Segmenting", 1, 2))
    assert "Segmenting [############------------] 50 %" in text
    assert "\n" not in text
    assert text.split("\r")[-1] == ""
    assert text.split("\r")[-2].strip() == ""


def test_elsewhere_a_short_job_is_silent():
    assert shown(io.StringIO(), lambda job: job.progress("Segmenting", 1, 2)) == ""


def test_elsewhere_a_long_job_says_a_line_now_and_then(monkeypatch):
    monkeypatch.setattr("MedSegEffNetLib.terminal._QUIET", 0.0)
    text = shown(io.StringIO(), lambda job: job.progress("Segmenting", 1, 2))
    assert text == "Segmenting [############------------] 50 %\n"


def test_notices_and_epochs_have_lines_of_their_own():
    def events(job):
        job.notice("Memory ran out.")
        job.emit("epoch", epoch=3.0, train_loss=0.25, val_loss=math.nan, val_dice=0.9, best=0.9, best_epoch=3)

    text = shown(io.StringIO(), events)
    assert text.splitlines()[0] == "Note: Memory ran out."
    assert text.splitlines()[1] == "Epoch 3: loss 0.250, validation loss –, Dice 0.900, best 0.900 (epoch 3)"


def test_the_time_left_is_told_in_words():
    assert bar("Segmenting", 1, 4, 42.0) == "Segmenting [######------------------] 25 %, 42 s left"
    assert [duration(seconds) for seconds in (42, 150, 7500)] == ["42 s", "2 min", "2 h 05 min"]


def test_a_table_has_columns_of_one_width():
    assert table([["1", "tumor"], ["10", "x"]], ["value", "label"]).splitlines() == [
        "value  label",
        "-----  -----",
        "1      tumor",
        "10     x",
    ]


def test_an_undefined_number_is_a_dash():
    assert [number(value) for value in (0.5, None, math.nan)] == ["0.500", "–", "–"]


def test_the_plan_and_the_cases_of_a_batch_are_told():
    nothing = {"message": "", "hint": "", "volumes_ml": {}, "warnings": []}
    failed = {**nothing, "message": "no flair", "hint": "name it"}
    done = {**nothing, "volumes_ml": {"edema": 1.234, "core": None}, "warnings": ["T1 is missing."]}

    def events(job):
        job.emit("plan", batch_size=4, megabytes=600, seconds=42.0)
        job.emit("case", case="P1", index=0, total=2, state="running", **nothing)
        job.emit("case", case="P1", index=0, total=2, state="failed", **failed)
        job.emit("case", case="P2", index=1, total=2, state="done", **done)

    assert "Expected: 42 s, 600 MB of memory" in shown(Terminal(), events)
    assert shown(io.StringIO(), events).splitlines()[1:] == [
        "Case 1 of 2, P1: failed: no flair",
        "  What to do: name it",
        "Case 2 of 2, P2: done: edema 1.23 mL",
        "  Warning: T1 is missing.",
    ]
