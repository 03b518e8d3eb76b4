"""The table of cases is quick, and never trusted over the folders."""

import json
import os
import shutil

from MedSegEffNetLib.dataset import index
from MedSegEffNetLib.dataset.store import Dataset

from .conftest import ANN


def age(dataset, seconds=60):
    """Let all records look as if they had been written a minute ago."""
    for path in dataset.folder.glob("cases/*/case.json"):
        told = path.stat()
        os.utime(path, ns=(told.st_atime_ns, told.st_mtime_ns - seconds * 10**9))


def test_the_table_tells_what_the_records_tell(labelled):
    rows = labelled.list()
    assert [row.id for row in rows] == labelled.ids()
    row, record = rows[3], labelled.read("case-3")
    assert (row.patient, row.site, row.state, row.versions) == ("P3", "north", "accepted", 1)
    assert (row.origin, row.author, row.volumes_ml) == ("imported", ANN, record.label.volumes_ml)
    assert row.channels == ("t1", "flair", "t1ce")


def test_settled_cases_are_not_read_again(labelled, monkeypatch):
    age(labelled)
    first = labelled.list()
    read = []
    monkeypatch.setattr(index, "read_record", lambda path: read.append(path))
    assert labelled.list() == first
    assert read == []


def test_a_change_shows_at_once_whatever_the_index_says(labelled):
    age(labelled)
    labelled.list()
    labelled.flag("case-2", "odd", ANN)
    shutil.rmtree(labelled.case_folder("case-5"))
    rows = {row.id: row for row in labelled.list()}
    assert rows["case-2"].flags == ("odd",)
    assert "case-5" not in rows


def test_a_change_of_the_same_size_within_the_clocks_grain_shows_too(labelled):
    """Some disks note times to two seconds; what is younger than that is always read again."""
    labelled.list()
    path = labelled.case_folder("case-1") / "case.json"
    told = path.stat()
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace('"patient": "P1"', '"patient": "P9"'), encoding="utf-8")
    os.utime(path, ns=(told.st_atime_ns, told.st_mtime_ns))
    assert {row.id: row.patient for row in labelled.list()}["case-1"] == "P9"


def test_a_damaged_or_missing_index_is_made_again(labelled):
    age(labelled)
    rows = labelled.list()
    path = labelled.folder / "index.json"
    for text in ("{", '{"version": 1, "columns": [], "cases": 3}', "[]"):
        path.write_text(text, encoding="utf-8")
        assert labelled.list() == rows
    path.unlink()
    assert Dataset.open(labelled.folder).list() == rows
    path.write_text(path.read_text(encoding="utf-8").replace('"case-3": [[', '"case-3": [', 1), encoding="utf-8")
    assert labelled.list() == rows
    assert len(json.loads(path.read_text(encoding="utf-8"))["cases"]) == 8


def test_what_is_being_made_is_no_case_yet(labelled):
    (labelled.folder / "cases" / ".new-0123").mkdir()
    assert len(labelled.list()) == 8


def test_a_renamed_folder_is_told(labelled):
    labelled.case_folder("case-1").rename(labelled.case_folder("case-x"))
    assert "renamed" in next(row for row in labelled.list() if row.id == "case-x").problem
