import sys
from types import SimpleNamespace

import pytest
from PIL import Image as Pillow


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


def test_a_synthesis_task_has_a_training_of_its_own(command, calls, monkeypatch, tmp_path):
    asked = []
    module = SimpleNamespace(train=lambda *what, **how: asked.append(what) or tmp_path / "model")
    monkeypatch.setattr("MedSegEffNetLib.training.gan_run", module, raising=False)
    monkeypatch.setitem(sys.modules, "MedSegEffNetLib.training.gan_run", module)
    code, text, _ = command("train", "mri-synthesis", "--data", tmp_path, "--run", tmp_path / "run")
    assert (code, text) == (0, f"Model: {tmp_path / 'model'}\n")
    assert asked == [("mri-synthesis", tmp_path, tmp_path / "run")]
    assert not calls


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


TINY = ["network.channels=[4,8]", "size=32", "batch_size=4", "epochs=1", "precision=float32"]


def test_threads_and_finish_are_handed_on(command, calls, tmp_path):
    words = ["train", "tumor-slices", "--data", tmp_path, "--run", tmp_path / "run", "--threads", "2", "--finish"]
    assert command(*words)[0] == 0
    assert (calls[0][3]["threads"], calls[0][3]["finish"]) == (2, True)


def test_a_check_is_printed_as_a_table_with_its_warnings(command, data, tmp_path):
    pytest.importorskip("torch")
    words = ["train", "tumor-slices", "--network", "unet_2d", "--data", data, "--run", tmp_path / "run", "--check"]
    code, text, errors = command(*words, "--set", *TINY)
    assert code == 0, errors
    assert "train  2      2         2" in text
    assert "Disk: " in text
    assert "Warning: There are no test cases" in text


def test_a_check_that_finds_errors_says_so_with_its_exit_code(command, data, tmp_path):
    pytest.importorskip("torch")
    for path in (data / "train").rglob("*_mask.png"):
        with Pillow.open(path) as mask:
            Pillow.new("L", mask.size).save(path)
    words = ["train", "tumor-slices", "--network", "unet_2d", "--data", data, "--run", tmp_path / "run", "--check"]
    code, _, errors = command(*words, "--set", *TINY)
    assert code == 2
    assert "No training case has the label tumor" in errors


def test_the_probe_says_whether_one_case_is_learnt(command, data, tmp_path):
    pytest.importorskip("torch")
    words = ["train", "tumor-slices", "--network", "unet_2d", "--data", data, "--run", tmp_path / "run", "--overfit"]
    code, text, errors = command(*words, "--threads", "1", "--set", *TINY)
    assert code == 0, errors
    assert text.startswith("The loss of case ")


@pytest.mark.parametrize("words", [["--check", "--finish"], ["--threads", "0"]])
def test_what_does_not_fit_together_is_refused(command, data, tmp_path, words):
    pytest.importorskip("torch")
    code, _, _ = command("train", "tumor-slices", "--data", data, "--run", tmp_path / "run", *words)
    assert code == 2
    assert not (tmp_path / "run").exists()
