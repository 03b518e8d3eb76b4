"""The open data set that the sections share, and its table of 10,000 cases: the window never waits for it."""

from __future__ import annotations

import json
import os
import threading
import time

import pytest

from MedSegEffNetLib.dataset.index import CaseSummary
from MedSegEffNetLib.dataset.records import CaseRecord, ImageRecord, LabelVersion, to_json
from MedSegEffNetLib.dataset.store import Dataset

MANY = 10_000
TIME = "2026-01-01T00:00:00.000+00:00"


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """The folder of a data set of 10,000 cases (records alone, a minute old), with its index."""
    dataset = Dataset.create(tmp_path_factory.mktemp("large") / "set", "tumor-slices")
    image = ImageRecord("images/t1.nii.gz", "a" * 64, "b" * 64, "c" * 40, (240, 240, 155), (1.0,) * 12)
    before = time.time() - 60
    for number in range(MANY):
        figures = {"uncertainty": number % 100 / 100}
        label = LabelVersion(
            1, "labels/0001-aaaaaaaa.nii.gz", "a" * 64, "Ann", TIME, "model", "net@1.0.0", figures=figures,
            volumes_ml={"tumor": number / 10},
        )  # fmt: skip
        record = CaseRecord(
            f"case-{number:05d}", f"P{number // 2:05d}", state="predicted" if number % 3 else "in review",
            images={"t1": image}, labels=(label,), current=1, created=TIME, flags=("hard",) if number % 50 == 7 else (),
        )  # fmt: skip
        path = dataset.case_folder(record.id)
        path.mkdir()
        (path / "case.json").write_text(json.dumps(to_json(record)), encoding="utf-8")
        os.utime(path / "case.json", (before, before))
    assert len(dataset.list()) == MANY
    return dataset.folder


@pytest.fixture
def section(panel, slicer_app):
    panel._bars[type(panel.section("segment"))].collapsed = True
    panel.show("dataset")
    slicer_app.processEvents()
    return panel.section("dataset")


def test_ten_thousand_cases_are_opened_searched_and_sorted_while_the_window_lives(
    section, large, window_lives, wait_until
):
    def act():
        section.panel.curation.close()
        section.ui.caseFilter.text = ""
        section.ui.stateFilter.setCurrentIndex(0)
        assert wait_until(lambda: not section.table.shown, 5)
        section.open_folder(large)
        assert wait_until(lambda: len(section.table.shown) == MANY, 60)
        section.ui.caseFilter.text = "hard"
        assert wait_until(lambda: len(section.table.shown) == MANY // 50, 10)
        section.ui.caseFilter.text = ""
        section.ui.stateFilter.setCurrentIndex(section.ui.stateFilter.findData("in review"))
        assert wait_until(lambda: len(section.table.shown) == MANY // 3 + 1, 10)
        section.ui.stateFilter.setCurrentIndex(0)
        section.ui.caseTable.horizontalHeader().sectionClicked(3)
        section.ui.caseTable.horizontalHeader().sectionClicked(3)
        assert wait_until(lambda: len(section.table.shown) == MANY, 10)
        wait_until(lambda: section.table._arranging.over, 10)
        section.ui.caseTable.verticalScrollBar().value = 5000
        wait_until(lambda: False, 0.05)

    window_lives(act)
    assert section.table.shown[0].figures["uncertainty"] == 0.99


def test_reading_ten_thousand_cases_starts_no_full_garbage_collection(section, large, wait_until):
    """It would hold the window up for as long as it takes, in whatever thread it is started."""
    import gc

    found = []

    def note(phase, told):
        if told["generation"] == 2 and threading.current_thread() is not threading.main_thread():
            found.append(phase)

    gc.callbacks.append(note)
    try:
        section.open_folder(large)
        assert wait_until(lambda: len(section.table.shown) == MANY, 60)
    finally:
        gc.callbacks.remove(note)
    assert found == []


def test_only_rows_that_are_seen_have_cells(section, large, wait_until):
    section.open_folder(large)
    assert wait_until(lambda: len(section.table.shown) == MANY, 60)
    table = section.ui.caseTable
    assert table.item(0, 0).text() == "case-00000"
    assert table.item(MANY - 1, 0) is None
    assert wait_until(lambda: table.verticalScrollBar().maximum > 0, 5)
    table.verticalScrollBar().value = table.verticalScrollBar().maximum
    assert table.item(MANY - 1, 0).text() == f"case-{MANY - 1:05d}"
    table.setCurrentCell(MANY - 1, 0)
    section.ui.caseFilter.text = f"{MANY - 1:05d}"
    assert wait_until(lambda: len(section.table.shown) == 1, 10)
    assert [row.id for row in section.table.chosen()] == [f"case-{MANY - 1:05d}"]
    assert "1 of 10000 cases" in section.ui.caseCount.text


def test_a_section_that_is_not_ready_keeps_the_open_data_set(panel, tmp_path):
    one, two = (Dataset.create(tmp_path / name, "tumor-slices").folder for name in ("one", "two"))
    panel.curation.open(one)
    panel.curation.guards.append(lambda: False)
    panel.curation.open(two)
    assert panel.curation.dataset.folder == one
    panel.curation.close()
    assert panel.curation.dataset.folder == one
    panel.curation.guards.pop()
    panel.curation.close()
    assert panel.curation.dataset is None


def test_cases_of_a_data_set_that_was_closed_meanwhile_are_not_shown(panel, tmp_path, wait_until):
    folder = Dataset.create(tmp_path / "one", "tumor-slices").folder
    panel.curation.open(folder)
    panel.curation.close()
    wait_until(lambda: False, 0.2)
    assert panel.curation.cases == []
    assert panel.curation.last_folder == folder


def test_the_worst_figure_says_how_unsure_the_model_is(slicer_app):
    from MedSegEffNetPanel.curating import rows

    assert rows.unsure_text({"uncertainty": 0.948}) == "95 %"
    assert rows.unsure_text({"uncertainty": 0.1, "agreement": 0.4}) == "60 %"
    assert rows.unsure_text({}) == ""
    told = rows.tooltip(
        CaseSummary("a", "p", state="predicted", origin="model", model="net@1", figures={"agreement": 1.0})
    )
    assert "unsure: 0 %" in told
    assert "net@1" in told
    assert "patient: p" in told


def test_rows_are_ordered_by_what_their_cells_mean():
    from MedSegEffNetPanel import steps
    from MedSegEffNetPanel.curating import rows

    listed = [
        CaseSummary("a", state="accepted", volumes_ml={"tumor": 9.0}),
        CaseSummary("b", state="new"),
        CaseSummary("c", problem="case.json is damaged"),
        CaseSummary("d", state="new", volumes_ml={"tumor": 100.0}, figures={"uncertainty": 0.3}, conflicts=1),
    ]

    def ordered(column, descending=False, text="", state=""):
        return "".join(row.id for row in steps.finish(rows.arrange(listed, text, state, column, descending)))

    assert ordered(1) == "cbda"
    assert ordered(4, True) == "dabc"
    assert ordered(3, True)[0] == "d"
    assert ordered(5)[:2] == "cd"
    assert ordered(0, text="conflict") == "d"
    assert ordered(0, state="new") == "bd"
    assert ordered(0, state=rows.UNREADABLE) == "c"
    assert rows.counted(listed) == "2 new, 1 accepted, 1 unreadable"
