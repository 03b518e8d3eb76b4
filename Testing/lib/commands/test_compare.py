import csv
import json

import numpy as np
import pytest

from MedSegEffNetLib import image, report
from MedSegEffNetLib.image import Image


@pytest.fixture
def maps(tmp_path):
    """Two label maps of one grid, with labels 1 and 2."""
    paths = []
    for name, shift in (("a", 0), ("b", 1)):
        array = np.zeros((12, 10, 3), np.uint8)
        array[2 + shift : 6 + shift, 2:6] = 1
        array[8:10, 2:6, 1] = 2
        paths.append(tmp_path / f"{name}.nii.gz")
        image.write(paths[-1], Image(array, np.diag([1.0, 1, 3, 1])))
    return paths


def evaluated(folder, figures, **more):
    rows = [{"case": case, "region": "tumor", "kind": "real", "dice": dice, **more} for case, dice in figures.items()]
    report.write_evaluation(folder, report.Evaluation(f"model {folder.name}", rows, "tumor-slices"))
    return folder


def test_two_label_maps_give_a_table_slices_a_page_and_difference_maps(command, maps, tmp_path):
    code, text, errors = command("compare", *maps, "--output", tmp_path / "out", "--run", tmp_path / "run")
    assert code == 0, errors
    assert "label 1" in text
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "comparison.csv",
        "slices.csv",
        "comparison.html",
        "difference.seg.nrrd",
        "difference-1-label-1.seg.nrrd",
        "difference-2-label-2.seg.nrrd",
    }
    rows = list(csv.DictReader((tmp_path / "out" / "comparison.csv").open(encoding="utf-8")))
    assert [float(row["dice"]) for row in rows] == [0.75, 1.0]
    difference = image.read_label_map(tmp_path / "out" / "difference.seg.nrrd")
    assert np.bincount(difference.array.ravel()).tolist()[1:] == [12, 12]
    last = json.loads((tmp_path / "run" / "events.jsonl").read_text(encoding="utf-8").splitlines()[-1])
    assert last["event"] == "finished"
    assert last["rows"][0]["dice"] == 0.75


def test_without_an_output_only_the_table_is_printed(command, maps, tmp_path):
    before = sorted(tmp_path.iterdir())
    code, text, _ = command("compare", *maps, "--task", "tumor-slices")
    assert code == 0
    assert "tumor" in text
    assert sorted(tmp_path.iterdir()) == before


def test_label_maps_on_other_grids_are_refused(command, maps, tmp_path):
    image.write(tmp_path / "c.nii.gz", Image(np.ones((12, 10, 4), np.uint8), np.eye(4)))
    code, _, errors = command("compare", maps[0], tmp_path / "c.nii.gz", "--output", tmp_path / "out")
    assert code == 2
    assert "different grids" in errors
    assert not (tmp_path / "out").exists()


def test_two_evaluations_give_paired_figures(command, tmp_path):
    a = evaluated(tmp_path / "old", {"p": 0.5, "q": 0.6, "r": 0.9}, true_voxels=7)
    b = evaluated(tmp_path / "new", {"p": 0.7, "q": 0.8, "r": 0.8}, true_voxels=8)
    code, text, errors = command("compare", a, b, "--output", tmp_path / "out")
    assert code == 0
    assert "not the same in A and B: p, q, r" in errors
    assert "0.100" in text
    rows = list(csv.DictReader((tmp_path / "out" / "comparison.csv").open(encoding="utf-8")))
    assert float(rows[0]["difference"]) == pytest.approx(0.1)
    assert float(rows[0]["p"]) == pytest.approx(0.5)
    assert len((tmp_path / "out" / "paired.csv").read_text(encoding="utf-8").splitlines()) == 4
    page = (tmp_path / "out" / "comparison.html").read_text(encoding="utf-8")
    assert "new (model new)" in page
    assert "Where B loses most" in page


def test_an_evaluation_and_a_label_map_cannot_be_compared(command, maps, tmp_path):
    a = evaluated(tmp_path / "old", {"p": 0.5})
    code, _, errors = command("compare", a, maps[0])
    assert code == 2
    assert "two label maps, or two folders" in errors
    assert command("compare", a, evaluated(tmp_path / "other", {"z": 0.5}))[0] == 2
    assert command("compare", maps[0], tmp_path / "missing.nii.gz")[0] == 2
