"""A new model is compared with the one before it, promoted and rolled back by commands, which are jobs too."""

import csv
import json
import shutil

import numpy as np
import pytest
from PIL import Image as Pillow

from MedSegEffNetLib import evaluation
from MedSegEffNetLib.job import STOP, read_events
from MedSegEffNetLib.models import registry
from MedSegEffNetLib.models.build import Publication, publish, seal
from MedSegEffNetLib.models.bundle import METADATA, Bundle

NAME = "tumor-slices-unet"
TEST = ["e", "f", "g"]


def change(folder, **info):
    """Rewrite some of our keys in a model's metadata."""
    metadata = json.loads((folder / METADATA).read_text(encoding="utf-8"))
    metadata["medsegeffnet"] |= info
    (folder / METADATA).write_text(json.dumps(metadata), encoding="utf-8")
    seal(folder)


@pytest.fixture
def slices(tmp_path):
    """Labelled slices of patients to train on, to validate on and to test on."""
    draw = np.random.default_rng(1)
    for patient, split in (("a", "train"), ("b", "train"), ("c", "val"), *((name, "test") for name in TEST)):
        folder = tmp_path / "data" / split / patient
        folder.mkdir(parents=True)
        rows = draw.integers(0, 255, (32, 32, 3)).astype(np.uint8)
        mask = np.zeros((32, 32), np.uint8)
        mask[8:16, 8:20] = 255
        Pillow.fromarray(rows).save(folder / "001.png")
        Pillow.fromarray(mask).save(folder / "001_mask.png")
    return tmp_path / "data"


@pytest.fixture
def shipped(tiny_model, tmp_path, monkeypatch):
    """The user's folder, empty, and a shipped version 1.0.0 that finds nothing."""
    monkeypatch.setenv(registry.FOLDER_VARIABLE, str(tmp_path / "Models"))
    monkeypatch.setattr(registry, "resources_folder", lambda: tmp_path / "shipped")
    folder = publish(tiny_model, Publication("1.0.0", {}, {}, "", ""), tmp_path / "shipped" / "Models" / NAME)
    change(folder, thresholds=[0.999])
    return folder


@pytest.fixture
def run(tiny_model, slices, shipped, tmp_path):
    """The folder of a training that started from it and made a model that finds something."""
    run = tmp_path / "run"
    shutil.copytree(tiny_model, run / "model")
    cases = {"train": ["a", "b"], "val": ["c"], "test": TEST}
    data = {"folder": "data", "snapshot": "", "cases": cases}
    change(run / "model", thresholds=[0.3], provenance={"parent": f"{NAME}@1.0.0", "data": data, "recipe": {}})
    request = {
        "command": "train",
        "task": "tumor-slices",
        "data": str(slices),
        "snapshot": "",
        "parent": f"{NAME}@1.0.0",
    }
    (run / "job.json").write_text(json.dumps({"schema": 1, "request": request}), encoding="utf-8")
    return run


def content_of(run):
    return json.loads((run / "comparison" / "comparison.json").read_text(encoding="utf-8"))


def test_a_run_is_compared_with_the_model_it_started_from_on_the_test_cases(command, run, tmp_path):
    code, text, errors = command("models", "compare", run, "--run", tmp_path / "job")
    assert code == 0, errors
    content = content_of(run)
    assert (content["old"], content["split"], content["cases"]) == (f"{NAME}@1.0.0", "test", TEST)
    assert content["new"]["folder"] == str(run / "model")
    tumor = content["regions"]["tumor"]
    assert tumor["n"] == 3
    assert tumor["difference"] == pytest.approx(tumor["new"]["mean"] - tumor["old"]["mean"])
    assert content["verdict"] == tumor["verdict"] == "no worse", "three cases cannot tell more"
    assert tumor["low"] > 0
    rows = list(csv.DictReader((run / "comparison" / "paired.csv").open(encoding="utf-8")))
    assert {(row["case"], row["region"]) for row in rows if row["metric"] == "dice"} == {(c, "tumor") for c in TEST}
    page = (run / "comparison" / "comparison.html").read_text(encoding="utf-8")
    assert content["sentences"][0] in page
    assert "The new model is no worse" in page
    assert "<svg" in page
    assert "No case lost Dice" in page
    assert content["sentences"][0] in text
    assert all((run / "comparison" / side / "report.html").is_file() for side in ("old", "new"))
    assert not list((run / "comparison").rglob("*.jsonl"))
    event = read_events(tmp_path / "job")[0][-1]
    assert (event["event"], event["verdict"]) == ("finished", "no worse")
    assert event["regions"]["tumor"]["n"] == 3


def test_that_no_test_case_has_a_region_is_told(command, run, slices):
    assert command("models", "compare", run)[0] == 0
    assert not any(text.startswith("No case has") for text in content_of(run)["warnings"])
    for name in TEST:
        Pillow.fromarray(np.zeros((32, 32), np.uint8)).save(slices / "test" / name / "001_mask.png")
    assert command("models", "compare", run)[0] == 0
    assert any(text.startswith("No case has tumor: ") for text in content_of(run)["warnings"])


def test_the_worst_losses_are_pictures(command, run, shipped):
    words = ("models", "compare", shipped, "--against", run / "model", "--data", run.parent / "data")
    assert command(*words, "--output", run / "comparison")[0] == 0
    content = content_of(run)
    assert content["verdict"] == "worse"
    assert {loss["case"] for loss in content["worst"]} == set(TEST)
    for picture in (picture for loss in content["worst"] for picture in loss["pictures"]):
        assert Pillow.open(run / "comparison" / picture["file"]).width > 100
    page = (run / "comparison" / "comparison.html").read_text(encoding="utf-8")
    assert page.count("<figure>") == 9
    assert "Truth · " in page


def test_cases_that_the_new_model_learnt_from_are_refused(command, run):
    for split in ("train", "val", "all"):
        code, _, errors = command("models", "compare", run, "--split", split)
        assert code == 2
        assert "trained or chosen on" in errors
    assert not (run / "comparison").exists()


def test_it_is_told_that_the_old_model_learnt_from_the_cases(command, run, shipped):
    change(shipped, provenance={"data": {"cases": {"train": ["e"], "val": ["x"]}}})
    assert command("models", "compare", run)[0] == 0
    (warning, *_) = content_of(run)["warnings"]
    assert f"{NAME}@1.0.0 was trained or chosen on 1 of the 3 cases (e)" in warning
    assert warning in (run / "comparison" / "comparison.html").read_text(encoding="utf-8")


def test_data_without_a_test_split_say_what_to_do(command, run, slices):
    shutil.rmtree(slices / "test")
    code, _, errors = command("models", "compare", run)
    assert code == 2
    assert "has no cases of the split 'test'" in errors
    assert "train (2 cases), val (1 cases)" in errors
    assert "--data FOLDER --split all" in errors
    assert not (run / "comparison").exists()


def test_what_a_training_set_aside_is_compared_on_where_the_data_have_no_splits(command, run, slices):
    for folder in list(slices.iterdir()):
        for patient in list(folder.iterdir()):
            patient.rename(slices / patient.name)
        folder.rmdir()
    assert command("models", "compare", run)[0] == 0
    assert content_of(run)["cases"] == TEST


@pytest.mark.parametrize("torn", [False, True])
def test_a_comparison_that_was_stopped_goes_on_where_it_was(command, run, tmp_path, monkeypatch, torn):
    segment, seen = evaluation._segment, []

    def counted(case, bundle, options):
        seen.append((bundle.version, case.id))
        if len(seen) == 2:
            (tmp_path / "job" / STOP).touch()
        return segment(case, bundle, options)

    monkeypatch.setattr(evaluation, "_segment", counted)
    words = ("models", "compare", run, "--run", tmp_path / "job")
    command(*words)
    assert read_events(tmp_path / "job")[0][-1]["event"] == "stopped"
    assert not (run / "comparison" / "comparison.json").exists()
    if torn:  # as a kill in the midst of a line leaves it
        path = run / "comparison" / "old" / "measured.jsonl"
        path.write_bytes(path.read_bytes()[:-5])
    seen[2:] = []
    assert command(*words)[0] == 0
    measured = [case for version, case in seen[2:] if version == "1.0.0"][: 2 if torn else 1]
    assert measured == (["f", "g"] if torn else ["g"])
    resumed = content_of(run)
    assert command(*words)[0] == 0
    assert content_of(run) == resumed


def test_the_same_model_another_task_and_unknown_models_are_refused(command, run, slices, tmp_path):
    words = ("--data", slices, "--output", tmp_path / "out")
    assert "is the same model" in command("models", "compare", run, "--against", run / "model", *words)[2]
    assert "there is no model 'nothing'" in command("models", "compare", run, "--against", "nothing", *words)[2]
    change(run / "model", provenance={"parent": "gone@1.0.0", "data": {}})
    code, _, errors = command("models", "compare", run)
    assert code == 2
    assert "gone@1.0.0" in errors
    assert "--against MODEL" in errors
    code, _, errors = command("models", "compare", NAME)
    assert code == 2
    assert not (tmp_path / "out").exists()


def test_a_model_is_promoted_listed_and_rolled_back(command, run, tmp_path):
    code, _, errors = command("models", "promote", run)
    assert code == 2
    assert "has not been compared" in errors
    assert command("models", "compare", run)[0] == 0
    code, text, _ = command("models", "promote", run, "--run", tmp_path / "job")
    assert (code, text.strip()) == (0, f"{NAME}@1.1.0")
    event = read_events(tmp_path / "job")[0][-1]
    assert (event["event"], event["model"]) == ("finished", f"{NAME}@1.1.0")
    assert event["folder"] == str(tmp_path / "Models" / f"{NAME}-1.1.0")
    assert command("models", "verify")[0] == 0
    marked = [line.split() for line in command("models", "list")[1].splitlines()[2:]]
    assert [line[1:3] for line in marked] == [["1.1.0", "current"], ["1.0.0", "tumor-slices"]]
    code, text, _ = command("models", "rollback", NAME)
    assert (code, text.strip()) == (0, f"{NAME}@1.0.0")
    assert registry.find(NAME).version == "1.0.0"
    code, text, _ = command("models", "rollback", NAME, "--to", "1.1.0")
    assert (code, text.strip()) == (0, f"{NAME}@1.1.0")
    assert command("models", "rollback", NAME, "--to", "3")[0] == 2


def test_an_override_needs_a_reason(command, run, tmp_path):
    code, _, errors = command("models", "promote", run, "--override", " ")
    assert code == 2
    assert "without a reason" in errors
    assert not (tmp_path / "Models").exists()
    assert command("models", "promote", run, "--override", "no other data")[0] == 0
    assert "no other data" in Bundle.open(tmp_path / "Models" / f"{NAME}-1.1.0").card


def test_an_import_that_is_not_the_current_version_says_so(command, run, tiny_model, tmp_path):
    assert command("models", "promote", run, "--override", "to have one")[0] == 0
    older = publish(tiny_model, Publication("0.5.0", {}, {}, "", ""), tmp_path / "older")
    text = command("models", "import", older)[1]
    assert f"{NAME}@1.1.0 stays in use" in text


def test_a_training_is_compared_promoted_and_used(command, slices, shipped, tmp_path):
    clean_up = [{"name": "remove_small_islands", "arguments": {"min_voxels": 2}}]
    change(shipped, thresholds=[0.4], postprocessing=clean_up)
    settings = ("epochs=1", "precision=float32", "patch_size=32", "batch_size=2")
    words = ("train", "tumor-slices", "--data", slices, "--from", NAME, "--run", tmp_path / "real", "--set", *settings)
    code, _, errors = command(*words)
    assert code == 0, errors
    info = Bundle.open(tmp_path / "real" / "model").info
    assert (info["thresholds"], info["postprocessing"]) == ([0.4], clean_up), "as in the model that it started from"
    code, _, errors = command("models", "compare", tmp_path / "real", "--margin", "0.9")
    assert code == 0, errors
    assert content_of(tmp_path / "real")["cases"] == TEST
    code, text, errors = command("models", "promote", tmp_path / "real")
    assert code == 0, errors
    assert registry.find(text.strip()).info["provenance"]["parent"] == f"{NAME}@1.0.0"
    assert registry.find(NAME).version == "1.1.0"
