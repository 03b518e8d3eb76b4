import shutil

from MedSegEffNetLib.task import list_tasks


def test_every_task_is_listed(command):
    code, text, _ = command("tasks")
    assert code == 0
    for task in list_tasks():
        assert task in text


def test_models_of_the_users_folder_are_listed(command, tiny_model, tmp_path, monkeypatch):
    monkeypatch.setenv("MEDSEGEFFNET_MODELS", str(tmp_path))
    shutil.copytree(tiny_model, tmp_path / "mine")
    code, text, _ = command("models", "list")
    assert code == 0
    assert str(tmp_path / "mine") in text


def test_a_models_card_is_shown(command, tiny_model):
    code, text, _ = command("models", "show", tiny_model)
    assert code == 0
    assert text.startswith("# tumor-slices-unet")
    assert "Not for clinical use" in text


def test_a_whole_model_is_verified(command, tiny_model):
    code, text, _ = command("models", "verify", tiny_model)
    assert code == 0
    assert "files as they were made" in text


def test_a_changed_model_is_refused(command, tiny_model, tmp_path):
    changed = shutil.copytree(tiny_model, tmp_path / "changed")
    weights = changed / "models" / "model.pt"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    code, _, errors = command("models", "verify", changed)
    assert code == 2
    assert "model.pt has changed" in errors


def test_a_model_that_is_not_there_is_bad_input(command):
    code, _, errors = command("models", "show", "nothing")
    assert code == 2
    assert "there is no model 'nothing'" in errors


def test_a_broken_model_does_not_hide_the_others(command, tiny_model, tmp_path, monkeypatch):
    monkeypatch.setenv("MEDSEGEFFNET_MODELS", str(tmp_path))
    shutil.copytree(tiny_model, tmp_path / "mine")
    shutil.copytree(tiny_model, tmp_path / "broken")
    (tmp_path / "broken" / "configs" / "metadata.json").write_text("{", encoding="utf-8")
    code, text, errors = command("models", "list")
    assert code == 0
    assert str(tmp_path / "mine") in text
    assert "Broken: " in text
    code, text, errors = command("models", "verify")
    assert code == 2
    assert "tumor-slices-unet@0.1.0" in text
    assert "cannot be read" in errors
