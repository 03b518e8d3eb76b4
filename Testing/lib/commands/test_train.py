import sys
from types import SimpleNamespace

import pytest


@pytest.fixture
def calls(monkeypatch):
    """What the command hands to the training, which does not run."""
    made = []

    def train(task, data, run, **others):
        made.append((task, data, run, others))
        return run / "model"

    monkeypatch.setitem(sys.modules, "MedSegEffNetLib.training.run", SimpleNamespace(train=train))
    return made


def test_task_data_run_and_settings_are_handed_on(command, calls, tmp_path):
    words = ["train", "tumor-slices", "--data", tmp_path, "--run", tmp_path / "run", "--from", "other@1.0.0"]
    words += ["--network", "unet_2d", "--set", "epochs=5", "augmentation.zoom=0.1", "--set", "loss=a=b"]
    code, text, _ = command(*words)
    assert code == 0
    assert text == f"Model: {tmp_path / 'run' / 'model'}\n"
    task, data, run, others = calls[0]
    assert (task, data, run) == ("tumor-slices", tmp_path, tmp_path / "run")
    assert (others["network"], others["parent"]) == ("unet_2d", "other@1.0.0")
    assert others["settings"] == {"epochs": "5", "augmentation.zoom": "0.1", "loss": "a=b"}


def test_training_without_torch_says_what_to_install(command, tmp_path, monkeypatch):
    for name in [name for name in sys.modules if name.startswith("MedSegEffNetLib.training")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)
    code, _, errors = command("train", "tumor-slices", "--data", tmp_path, "--run", tmp_path / "run")
    assert code == 2
    assert errors.startswith("Error: training needs torch, which is not installed\nWhat to do: install torch")
    assert "size Training" in errors
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("setting", ["epochs", "=5"])
def test_a_setting_without_key_or_value_is_refused(command, calls, tmp_path, setting):
    code, _, errors = command("train", "tumor-slices", "--data", tmp_path, "--run", tmp_path / "run", "--set", setting)
    assert code == 2
    assert "KEY=VALUE" in errors
    assert not calls
