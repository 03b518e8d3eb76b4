"""Before the start: the check, the probe of one case, and what they keep from starting."""

from __future__ import annotations

import json

import pytest

import training_jobs
from training_jobs import PATIENCE

runs_base, fake_jobs, trainer = training_jobs.runs_base, training_jobs.fake_jobs, training_jobs.trainer


@pytest.fixture
def checked(trainer, wait_until):
    """A function that clicks a button and waits for the answer; gives the section's text."""

    def check(button="checkTrainButton"):
        assert getattr(trainer.ui, button).enabled, getattr(trainer.ui, button).toolTip
        getattr(trainer.ui, button).click()
        assert trainer.check.busy
        assert wait_until(lambda: not trainer.check.busy, PATIENCE)
        return trainer.ui.preflightText.text

    return check


def table(ui):
    rows, columns = ui.preflightTable.rowCount, ui.preflightTable.columnCount
    return [[ui.preflightTable.item(row, column).text() for column in range(columns)] for row in range(rows)]


def words_of_last(runs_base):
    folder = max(runs_base.glob("*-check"))
    return json.loads((folder / "job.json").read_text(encoding="utf-8"))["request"]["words"]


def test_a_check_shows_splits_labels_and_what_it_will_take(trainer, checked, runs_base):
    ui = trainer.ui
    assert "Check looks at splits" in ui.preflightText.text
    told = checked()
    assert "Nothing stands in the way" in told
    assert "About 12 min (36 s an epoch), memory 1.4 GB of 8.0 GB free, disk 120 MB of 35.0 GB free." in told
    assert table(ui) == [["cases", "2", "1"], ["patients", "2", "1"], ["tumor", "2", "1"]]
    assert [ui.preflightTable.horizontalHeaderItem(column).text() for column in (1, 2)] == ["train", "val"]
    words = words_of_last(runs_base)
    assert words[:2] == ["train", "tumor-slices"]
    assert "--check" in words
    assert "--snapshot" not in words
    assert "epochs=20" in words
    assert list(runs_base.glob("*-train")) == []
    assert not trainer.panel.curation.dataset.folder.joinpath("snapshots").exists()


def test_errors_are_red_and_nothing_starts(trainer, checked, fake_jobs):
    leak = "case a (train) and case b (val) show the same image"
    fake_jobs["preflight"] = {"errors": [leak], "labels": {"train": {"tumor": 0}, "val": {"tumor": 1}}}
    told = checked()
    assert f"✖ C{leak[1:]}." in told
    assert "about 12 min" not in told.lower()
    assert table(trainer.ui)[2] == ["tumor", "✖ 0", "1"]
    assert not trainer.ui.startButton.enabled
    assert "errors" in trainer.ui.startButton.toolTip
    trainer.ui.epochsBox.value = 3  # other settings: they may be better
    assert trainer.ui.startButton.enabled
    assert "of other settings" in trainer.ui.preflightBox.title


def test_warnings_keep_nobody_from_starting(trainer, checked, fake_jobs):
    fake_jobs["preflight"] = {"warnings": ["no validation case has edema"], "seconds_total": None, "memory_mb": None}
    told = checked()
    assert "⚠ No validation case has edema." in told
    assert "min" not in told
    assert trainer.ui.startButton.enabled


def test_a_refusal_is_told(trainer, checked, fake_jobs):
    fake_jobs["refusal"] = "the weights do not fit"
    assert "✖ The weights do not fit. Mend it." in checked()
    assert trainer.ui.startReport.isVisibleTo(trainer.widget)
    trainer.ui.startReport.click()
    import qt

    assert "the weights do not fit" in qt.QApplication.clipboard().text()


def test_the_probe_of_one_case_says_whether_it_learns(trainer, checked, fake_jobs):
    checked("tryButton")
    assert trainer.ui.overfitText.text == "It learns one case."
    assert trainer.ui.startButton.enabled
    fake_jobs["overfit"] = {"learns": False, "text": "the loss does not fall"}
    checked("tryButton")
    assert "✖ The loss does not fall." in trainer.ui.overfitText.text


def test_a_check_can_be_canceled(trainer, fake_jobs, wait_until):
    fake_jobs["pause"] = 3
    trainer.ui.checkTrainButton.click()
    assert "A check is under way" in trainer.ui.startButton.toolTip
    assert trainer.ui.startFrame.isVisibleTo(trainer.widget)
    trainer.ui.startCancel.click()
    assert wait_until(lambda: not trainer.check.busy, PATIENCE)
    assert "Check looks at splits" in trainer.ui.preflightText.text
    assert trainer.ui.startButton.enabled


def test_start_checks_first_and_takes_a_snapshot(trainer, runs_base, wait_until):
    from MedSegEffNetLib.dataset.snapshots import list_snapshots

    trainer.ui.startButton.click()
    assert trainer.check.busy
    assert wait_until(lambda: list(runs_base.glob("*-train/model")), PATIENCE)
    (taken,) = list_snapshots(trainer.panel.curation.dataset)
    assert (len(taken.cases), taken.author, taken.comment) == (3, "Ann Lee", "for a training")
    assert "Nothing stands in the way" in trainer.ui.preflightText.text
    request = trainer.runs.record(trainer.runs.selected).request
    assert (request["snapshot"], request["parent"]) == (taken.id, trainer.setup_view.parent.key)


def test_what_was_checked_is_not_checked_again(trainer, checked, runs_base, wait_until):
    checked()
    trainer.ui.startButton.click()
    assert not trainer.check.busy
    assert wait_until(lambda: list(runs_base.glob("*-train/model")), PATIENCE)
    assert len(list(runs_base.glob("*-check"))) == 1


def test_other_cases_are_checked_anew(trainer, checked, wait_until):
    checked()
    curation = trainer.panel.curation
    assert trainer.check.knows(trainer._wanted()[1])
    curation.dataset.set_state("case-1", "in review", author="Ann Lee")
    curation.refresh()
    assert wait_until(lambda: trainer.setup_view.accepted == 2, PATIENCE)
    assert not trainer.check.knows(trainer._wanted()[1])


def test_start_does_not_start_what_the_check_finds_wrong(trainer, fake_jobs, runs_base, wait_until):
    fake_jobs["preflight"] = {"errors": ["no training case has tumor"]}
    trainer.ui.startButton.click()
    assert wait_until(lambda: not trainer.check.busy, PATIENCE)
    assert "No training case has tumor" in trainer.ui.preflightText.text
    assert list(runs_base.glob("*-train")) == []


def test_a_check_never_holds_the_window_up(trainer, checked, window_lives):
    window_lives(checked)
