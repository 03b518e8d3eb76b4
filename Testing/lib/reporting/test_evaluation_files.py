import csv
import json
import math

import numpy as np
import pytest

from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.reporting import evaluation_files as files

ROWS = [
    {"case": "a", "region": "WT", "kind": "real", "dice": 1 / 3, "hd95": math.nan, "true_voxels": 7.0},
    {"case": "b, c", "region": "WT", "kind": "synthetic", "dice": 1.0, "hd95": 2.0, "true_voxels": 0.0},
]


def test_an_evaluation_comes_back_from_its_files(tmp_path):
    shown = files.Shown("Best: a", (files.Picture(b"one", "alt", "True"), files.Picture(b"two", "alt", "Predicted")))
    written = files.Evaluation(
        "a title",
        ROWS,
        "brain-tumor",
        {"edema": (1, 2, 3)},
        (shown,),
        np.array([[5, 1], [2, 3]]),
        card="# Card",
        warnings=("careful",),
        facts={"model": "m"},
    )
    files.write_evaluation(tmp_path, written)
    read = files.read_evaluation(tmp_path)
    assert np.array_equal(read.confusion, written.confusion)
    for name in ("title", "task_id", "labels", "examples", "card", "warnings", "facts"):
        assert getattr(read, name) == getattr(written, name)
    assert [row["dice"] for row in read.rows] == [1 / 3, 1.0]
    assert math.isnan(read.rows[0]["hd95"])
    summary = json.loads((tmp_path / files.SUMMARY).read_text(encoding="utf-8"))
    assert summary["WT"]["dice"]["n"] == 1, "of the real case"
    assert summary["WT"]["hd95"]["mean"] is None


def test_a_table_of_cases_alone_is_enough(tmp_path):
    files.write_rows(tmp_path / "old" / files.PER_CASE, ROWS)
    read = files.read_evaluation(tmp_path / "old")
    assert read.title == "old"
    assert len(read.rows) == 2


def test_undefined_values_are_empty_cells(tmp_path):
    files.write_rows(tmp_path / "rows.csv", ROWS)
    with (tmp_path / "rows.csv").open(encoding="utf-8", newline="") as stream:
        read = list(csv.DictReader(stream))
    assert [row["hd95"] for row in read] == ["", "2.0"]
    assert read[1]["case"] == "b, c"


@pytest.mark.parametrize(
    "content", ["", "case,region\n", "x,y\n1,2\n", "case,region,dice\na,b,c\n", "case,region\na,b,c\n"]
)
def test_a_table_that_is_none_of_an_evaluation_is_refused(content, tmp_path):
    (tmp_path / "rows.csv").write_text(content, encoding="utf-8")
    with pytest.raises(InputError):
        files.read_rows(tmp_path / "rows.csv")
