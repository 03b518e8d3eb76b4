"""Models are moved, checked and removed by commands, which are jobs too."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from MedSegEffNetLib.job import STOP, read_events
from MedSegEffNetLib.models import registry
from MedSegEffNetLib.models.bundle import METADATA

ROOT = Path(__file__).resolve().parents[3]
MODEL = "tumor-slices-unet@0.1.0"


@pytest.fixture(autouse=True)
def models(tmp_path, monkeypatch):
    """The folder of the user's models, empty; nothing is shipped."""
    monkeypatch.setenv(registry.FOLDER_VARIABLE, str(tmp_path / "Models"))
    monkeypatch.setattr(registry, "resources_folder", lambda: tmp_path / "shipped")
    return tmp_path / "Models"


def last_event(folder):
    events, _ = read_events(folder)
    return events[-1]


def test_a_model_is_exported_imported_verified_and_removed(command, tiny_model, tmp_path, models):
    packed = tmp_path / "model.zip"
    assert command("models", "export", tiny_model, "--output", packed)[0] == 0
    code, text, _ = command("models", "import", packed, "--run", tmp_path / "r1")
    assert code == 0
    assert f"{MODEL} is installed in {models}" in text
    event = last_event(tmp_path / "r1")
    assert (event["event"], event["model"]) == ("finished", MODEL)
    assert Path(event["folder"]) == models / "tumor-slices-unet-0.1.0"
    assert command("models", "verify", MODEL, "--run", tmp_path / "r2")[0] == 0
    assert last_event(tmp_path / "r2")["models"] == [MODEL]
    assert command("models", "remove", MODEL, "--run", tmp_path / "r3")[0] == 0
    assert last_event(tmp_path / "r3")["event"] == "finished"
    assert list(models.iterdir()) == []


def test_a_job_tells_why_a_model_was_refused(command, tmp_path, models):
    (tmp_path / "notes.zip").write_text("no zip", encoding="utf-8")
    code, _, errors = command("models", "import", tmp_path / "notes.zip", "--run", tmp_path / "run")
    assert code == 2
    assert "cannot be opened as a zip" in errors
    event = last_event(tmp_path / "run")
    assert (event["event"], event["type"]) == ("failed", "InputError")
    assert event["hint"]
    assert not models.exists()


def test_a_job_that_is_stopped_leaves_nothing(command, tiny_model, tmp_path, models, monkeypatch):
    from MedSegEffNetLib.models import transfer

    run, copy = tmp_path / "run", transfer._copy

    def copy_and_be_stopped(*arguments):
        (run / STOP).touch()
        copy(*arguments)

    monkeypatch.setattr(transfer, "_copy", copy_and_be_stopped)
    command("models", "import", tiny_model, "--run", run)
    assert last_event(run)["event"] == "stopped"
    assert list(models.iterdir()) == []


def test_shipped_models_are_not_removed(command, tiny_model, tmp_path):
    shipped = shutil.copytree(tiny_model, tmp_path / "shipped" / "Models" / "tiny")
    code, _, errors = command("models", "remove", MODEL)
    assert code == 2
    assert "none of your own models" in errors
    assert (shipped / METADATA).is_file()


def test_broken_models_are_listed_refused_and_removed_by_their_folder(command, tiny_model, models):
    broken = shutil.copytree(tiny_model, models / "broken")
    (broken / METADATA).write_text("{", encoding="utf-8")
    code, text, _ = command("models", "list")
    assert code == 0
    assert f"Broken: {broken}" in text
    code, _, errors = command("models", "verify")
    assert code == 2
    assert str(broken) in errors
    assert command("models", "remove", broken)[0] == 0
    assert not broken.exists()


def test_models_are_imported_where_only_python_is_installed(tiny_model, tmp_path):
    """``-S`` hides every installed package; PYTHONPATH names the library alone."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), registry.FOLDER_VARIABLE: str(tmp_path / "Models")}
    words = [sys.executable, "-S", "-m", "MedSegEffNetLib", "models"]
    for action in (["import", str(tiny_model)], ["verify", MODEL], ["list"], ["remove", MODEL]):
        done = subprocess.run([*words, *action], env=environment, capture_output=True, text=True, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    assert not any((tmp_path / "Models").iterdir())
