"""``medsegeffnet dataset``: each subcommand does what it says, and ends with the right exit code."""

import json

import numpy as np
import pytest

from MedSegEffNetLib import image
from MedSegEffNetLib.image import Image


@pytest.fixture
def made(command, data, tmp_path):
    """A data set into which the five patients of ``data`` were imported."""
    folder = tmp_path / "set"
    assert command("dataset", "create", folder, "--task", "tumor-slices")[0] == 0
    assert command("dataset", "import", folder, data, "--author", "Ann Lee")[0] == 0
    return folder


def listed(command, folder):
    return json.loads(command("dataset", "list", folder, "--json")[1])


@pytest.fixture
def label(made, tmp_path):
    """A label map on the grid of the cases, with a voxel more than theirs."""
    found = image.read(made / "cases" / "a" / "labels" / next((made / "cases" / "a" / "labels").iterdir()).name)
    array = found.array.copy()
    array[0:4, 0:4] = 1
    image.write(tmp_path / "label.nii.gz", Image(array.astype(np.uint8), found.affine))
    return tmp_path / "label.nii.gz"


def test_a_folder_is_imported_once_and_listed(command, made, data):
    rows = listed(command, made)
    assert [row["id"] for row in rows] == ["a", "b", "c", "d", "e"]
    assert {row["state"] for row in rows} == {"accepted"}
    assert rows[0]["author"] == "Ann Lee"
    code, output, _ = command("dataset", "import", made, data)
    assert (code, "0 cases added" in output, "5 known already" in output) == (0, True, True)
    code, output, _ = command("dataset", "list", made, "--state", "new")
    assert (code, output.strip()) == (0, "No cases.")
    assert "5 accepted" in command("dataset", "list", made)[1]
    assert command("dataset", "list", made, "--state", "done")[0] == 2


def test_who_works_must_be_told_once(command, data, tmp_path):
    command("dataset", "create", tmp_path / "set", "--task", "tumor-slices")
    code, _, errors = command("dataset", "import", tmp_path / "set", data)
    assert (code, "--author NAME" in errors) == (2, True)
    assert list((tmp_path / "set" / "cases").iterdir()) == []


def test_a_case_is_added_labelled_flagged_and_accepted(command, made, case, tmp_path):
    inputs = [part for name in ("t1", "flair", "t1ce") for part in ("--input", f"{name}={case}/p1_{name}.nii.gz")]
    code, _, errors = command("dataset", "add", made, "new-1", *inputs, "--patient", "P1", "--site", "north")
    assert code == 0, errors
    mask = np.zeros((48, 40, 3), np.uint8)
    mask[10:20, 10:20] = 1
    image.write(tmp_path / "l.nii.gz", Image(mask, image.read(case / "p1_t1.nii.gz").affine))
    command("dataset", "add", made, "new-1", "--label", tmp_path / "l.nii.gz", "--model", "net@1.0.0")
    assert json.loads(command("dataset", "show", made, "new-1", "--json")[1])["record"]["state"] == "predicted"
    code, output, _ = command(
        "dataset", "add", made, "new-1", "--label", tmp_path / "l.nii.gz", "--minutes", 3, "--flag", "hard",
        "--comment", "better", "--state", "accepted",
    )  # fmt: skip
    assert code == 0
    assert "accepted (hard)" in output
    assert "corrected from net@1.0.0" in output
    assert "better" in output
    code, _, errors = command("dataset", "add", made, "new-1", *inputs)
    assert (code, "a case new-1 already" in errors) == (2, True)


def test_a_state_that_there_is_not_is_told_before_anything_is_saved(command, made, label):
    code, _, errors = command("dataset", "add", made, "a", "--label", label, "--state", "done")
    assert (code, "there is no state 'done'" in errors) == (2, True)
    assert listed(command, made)[0]["versions"] == 1


def test_a_conflict_is_shown_and_settled(command, made, label):
    command("dataset", "add", made, "a", "--label", label, "--base", 1)
    command("dataset", "add", made, "a", "--label", label, "--base", 1, "--author", "Bob May")
    assert "CONFLICT: version 3 was saved beside version 2" in command("dataset", "show", made, "a")[1]
    assert command("dataset", "add", made, "a", "--state", "accepted")[0] == 2
    assert command("dataset", "add", made, "a", "--choose", 3, "--state", "accepted")[0] == 0
    assert "CONFLICT" not in command("dataset", "show", made, "a")[1]


def test_check_ends_well_on_warnings_and_with_2_on_errors(command, made, tmp_path):
    code, _, errors = command("dataset", "check", made, "--output", tmp_path / "out", "--run", tmp_path / "run")
    assert code == 0, errors
    assert (tmp_path / "out" / "findings.csv").read_text(encoding="utf-8").startswith("case,check,severity,text")
    assert "</html>" in (tmp_path / "out" / "findings.html").read_text(encoding="utf-8")
    assert (tmp_path / "run" / "events.jsonl").is_file()
    (made / "cases" / "b" / "images" / "t1.nii.gz").unlink()
    code, output, _ = command("dataset", "check", made)
    assert (code, "b     files" in output) == (2, True)
    assert command("dataset", "check", made, "--case", "zzz")[0] == 2


def test_splits_are_made_added_to_and_moved(command, made):
    code, output, _ = command("dataset", "split", made, "--fractions", "train=0.6", "val=0.4", "--seed", 3)
    assert code == 0
    assert "train  3" in output
    assert command("dataset", "split", made, "--fractions", "train=0.5", "val=0.5")[0] == 2
    assert command("dataset", "split", made, "--seed", 4)[0] == 2
    assert command("dataset", "split", made, "--move", "a=val")[0] == 0
    assert json.loads(command("dataset", "split", made, "--json")[1])["patients"]["a"] == "val"
    assert command("dataset", "split", made, "--add")[0] == 0
    assert command("dataset", "split", made, "--move", "a")[0] == 2
    assert "splits (patients)" in command("dataset", "show", made)[1]


def test_an_image_in_two_splits_is_told_at_once(command, made):
    again = f"t1={made / 'cases' / 'a' / 'images' / 't1.nii.gz'}"
    assert command("dataset", "add", made, "again", "--input", again, "--patient", "other")[0] == 0
    command("dataset", "split", made, "--fractions", "train=0.5", "val=0.5")
    assert "LEAK: " not in command("dataset", "split", made, "--move", "a=train", "other=train")[1]
    assert "LEAK: a and again" in command("dataset", "split", made, "--move", "other=val")[1]


def test_bad_fractions_are_refused(command, made):
    assert command("dataset", "split", made, "--fractions", "train=0.6", "val=0.3")[0] == 2
    assert command("dataset", "split", made, "--fractions", "train=much")[0] == 2
    code, _, errors = command("dataset", "split", made, "--fractions", "train=0.6", "vall=0.4")
    assert (code, "the split 'vall'" in errors) == (2, True)
    assert not (made / "splits.json").exists()


def test_a_split_that_there_is_not_is_told(command, made):
    command("dataset", "split", made, "--fractions", "train=0.6", "val=0.4")
    path = made / "splits.json"
    path.write_text(path.read_text(encoding="utf-8").replace('"a": "train"', '"a": "vall"').replace(
        '"a": "val"', '"a": "vall"'), encoding="utf-8")  # fmt: skip
    code, _, errors = command("dataset", "split", made)
    assert (code, "a in 'vall'" in errors, "train, val, test" in errors) == (2, True, True)
    code, output, _ = command("dataset", "check", made)
    assert (code, "a in 'vall'" in output) == (2, True)


def test_a_snapshot_is_taken_and_exported(command, made, tmp_path):
    taken = json.loads(command("dataset", "snapshot", made, "--comment", "first", "--json")[1])
    assert len(taken["cases"]) == 5
    assert "flipped or resampled copies" in command("dataset", "snapshot", made)[1]
    assert "no snapshot 'nope'" in command("dataset", "export", made, "--format", "msd", "--output", tmp_path / "x",
                                           "--snapshot", "nope")[2]  # fmt: skip
    assert taken["id"] in command("dataset", "snapshot", made, "--list")[1]
    code, output, errors = command(
        "dataset",
        "export",
        made,
        "--format",
        "nnunet",
        "--output",
        tmp_path / "Dataset001_Set",
        "--snapshot",
        taken["id"],
    )
    assert code == 0, errors
    assert "5 cases written" in output
    assert command("dataset", "export", made, "--format", "none", "--output", tmp_path / "x")[0] == 2


def test_two_data_sets_are_merged(command, made, data, tmp_path):
    command("dataset", "create", tmp_path / "two", "--task", "tumor-slices")
    code, output, _ = command("dataset", "merge", tmp_path / "two", made)
    assert (code, "5 cases added" in output) == (0, True)
    assert "5 had all" in command("dataset", "merge", tmp_path / "two", made)[1]


def test_nothing_is_pruned_without_yes(command, made, label):
    command("dataset", "add", made, "a", "--label", label)
    assert "nothing was moved" in command("dataset", "prune", made, "--keep", 1)[1]
    code, output, _ = command("dataset", "prune", made, "--keep", 1, "--yes")
    assert (code, "1 file (" in output) == (0, True)
    assert len(list((made / "trash").rglob("*.nii.gz"))) == 1
    assert "pruned" in command("dataset", "show", made, "a")[1]


def test_raters_are_compared_and_agree_on_a_consensus(command, made, label, tmp_path):
    command("dataset", "add", made, "a", "--label", label, "--author", "Bob May")
    code, output, errors = command("dataset", "raters", made, "a", "--output", tmp_path / "out", "--consensus")
    assert code == 0, errors
    assert "1 (Ann Lee)" in output
    assert "The consensus is version 3" in output
    assert (tmp_path / "out" / "difference-1-2.nii.gz").is_file()
    assert command("dataset", "raters", made, "b")[0] == 2


def test_an_import_without_names_and_one_that_only_refers(command, data, case, tmp_path):
    command("dataset", "create", tmp_path / "set", "--task", "tumor-slices")
    code, _, errors = command("dataset", "import", tmp_path / "set", data, "--author", "Ann", "--pseudonymize")
    assert code == 0, errors
    assert all(
        row["patient"].startswith("P") and len(row["patient"]) == 11 for row in listed(command, tmp_path / "set")
    )
    assert command("dataset", "import", tmp_path / "set", data, "--pseudonymize", "--reference")[0] == 2
    assert command("dataset", "import", tmp_path / "set", data, "--reference")[0] == 0  # all of them are known


def test_a_folder_that_is_no_data_set_is_told(command, tmp_path):
    code, _, errors = command("dataset", "list", tmp_path)
    assert (code, "is no data set" in errors) == (2, True)


def test_what_is_odd_about_a_new_case_is_noted(command, made, case):
    inputs = [part for name in ("t1", "flair") for part in ("--input", f"{name}={case}/p1_{name}.nii.gz")]
    code, output, _ = command("dataset", "add", made, "../evil", *inputs)
    assert (code, "Note: its id became evil" in output, "same images" in output) == (0, True, False)
    assert "Note: same images as evil" in command("dataset", "add", made, "twin", *inputs, "--patient", "P1")[1]
    code, _, errors = command("dataset", "add", made, "other", *inputs, "--patient", "../P1")
    assert (code, "call the patient P1, say" in errors) == (2, True)
    assert "other" not in [row["id"] for row in listed(command, made)]


def test_a_single_case_is_added_without_names(command, made, case):
    code, output, errors = command(
        "dataset", "add", made, "Smith", "--input", f"t1={case}/p1_t1.nii.gz", "--patient", "Smith, John",
        "--pseudonymize",
    )  # fmt: skip
    assert code == 0, errors
    assert "smith" not in output.lower()
    for path in made.rglob("*"):
        if path.is_file():
            assert b"smith" not in path.read_bytes().lower()


def test_ml_is_told_only_where_the_size_of_the_voxels_is_known(command, made, case, tmp_path):
    assert {tuple(row["volumes_ml"].items()) for row in listed(command, made)} == {(("tumor", None),)}
    record = json.loads(command("dataset", "show", made, "a", "--json")[1])["record"]
    assert record["labels"][0]["volumes_ml"] == {"tumor": None}
    assert "tumor 192 voxels" in command("dataset", "show", made, "a")[1]  # 8 x 12 pixels of 2 slices
    assert "–" in command("dataset", "split", made, "--fractions", "train=0.6", "val=0.4")[1]
    mask = np.zeros((48, 40, 3), np.uint8)
    mask[10:20, 10:20] = 1
    image.write(tmp_path / "l.nii.gz", Image(mask, image.read(case / "p1_t1.nii.gz").affine))
    output = command(
        "dataset", "add", made, "b1", "--input", f"t1={case}/p1_t1.nii.gz", "--label", tmp_path / "l.nii.gz"
    )
    assert "tumor 1.50 mL" in output[1]


def test_a_case_without_a_label_was_not_saved_by_anybody(command, made, case):
    command("dataset", "add", made, "bare", "--input", f"t1={case}/p1_t1.nii.gz")
    lines = command("dataset", "list", made, "--state", "new")[1].splitlines()
    assert lines[2].split() == ["bare", "bare", "new", "0"]
    assert lines[-1] == "1 case: 1 new"


def test_an_author_who_cannot_be_kept_is_a_warning(command, made, label, monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("MEDSEGEFFNET_DATA", str(tmp_path / "file" / "data"))
    code, output, errors = command("dataset", "add", made, "a", "--label", label, "--author", "Zed")
    assert (code, "Zed" in output, "Warning: your name is not kept" in errors) == (0, True, True)


def test_one_case_in_place_of_a_folder_of_cases_is_told(command, made, data):
    code, _, errors = command("dataset", "import", made, data / "train" / "a")
    assert (code, "give the folder that holds the case folders" in errors) == (2, True)
