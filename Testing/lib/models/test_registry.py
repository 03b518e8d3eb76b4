"""Models are found by name, version, folder and task."""

import shutil
from dataclasses import replace

import pytest

from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.models import registry
from MedSegEffNetLib.models.build import Publication, publish
from MedSegEffNetLib.resources import resources_folder
from MedSegEffNetLib.task import list_tasks

SHIPPED = sorted(path.name for path in (resources_folder() / "Models").iterdir() if path.is_dir())
DEFAULTS = {task.id: task.default_model for task in list_tasks().values() if task.default_model}


@pytest.fixture
def installed(bundle, tmp_path, monkeypatch):
    """Two versions in the user's folder, and nothing shipped."""
    monkeypatch.setenv(registry.FOLDER_VARIABLE, str(tmp_path / "Models"))
    monkeypatch.setattr(registry, "resources_folder", lambda: tmp_path / "none")
    for version in ("0.9.0", "0.10.0"):
        publish(bundle.folder, Publication(version, {}, {}, "", ""), tmp_path / "Models" / f"tiny-{version}")
    return tmp_path / "Models"


@pytest.fixture
def without_models(installed, monkeypatch):
    """No task has a default model, whichever have one in truth."""
    unshipped = {task.id: replace(task, default_model="") for task in list_tasks().values()}
    monkeypatch.setattr(registry, "list_tasks", lambda: unshipped)


def test_the_newest_version_is_meant_unless_one_is_named(installed):
    assert registry.find("tumor-slices-unet").version == "0.10.0"
    assert registry.find("tumor-slices-unet@0.9.0").version == "0.9.0"
    assert [bundle.version for bundle in registry.list_models()] == ["0.10.0", "0.9.0"]


def test_a_folder_is_a_model_too(installed, bundle, tmp_path):
    elsewhere = shutil.copytree(bundle.folder, tmp_path / "elsewhere")
    assert registry.find(str(elsewhere)).folder == elsewhere


def test_what_is_not_there_is_refused_with_what_is(installed):
    with pytest.raises(InputError, match="liver") as caught:
        registry.find("liver")
    assert "tumor-slices-unet@0.10.0" in caught.value.expected
    with pytest.raises(InputError, match=r"0\.8\.0"):
        registry.find("tumor-slices-unet@0.8.0")


@pytest.mark.parametrize("name", ["covid-ct", "brain-tumor", "mri-synthesis"])
def test_a_task_without_a_model_says_how_to_get_one(without_models, name):
    with pytest.raises(InputError, match="is shipped yet") as caught:
        registry.find(name)
    assert f"medsegeffnet train {name}" in caught.value.hint


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_model_is_whole_and_says_that_it_is_for_research(name):
    bundle = registry.find(name)
    assert bundle.folder.name == name
    bundle.verify()
    assert "Not for clinical use" in bundle.card


@pytest.mark.parametrize(("task", "model"), sorted(DEFAULTS.items()))
def test_a_tasks_id_means_its_default_model_which_is_shipped(task, model):
    assert model in SHIPPED
    assert registry.find(task).name == model


def test_a_broken_model_is_passed_over_and_its_reason_is_told(installed):
    (installed / "broken" / "configs").mkdir(parents=True)
    (installed / "broken" / "configs" / "metadata.json").write_text("{", encoding="utf-8")
    assert registry.find("tumor-slices-unet").version == "0.10.0"
    ((folder, error),) = registry.broken_models().items()
    assert folder == installed / "broken"
    assert "cannot be read" in error.found
    with pytest.raises(InputError, match="not: broken"):
        registry.find("broken")


def test_the_data_folder_does_not_move_with_the_models(monkeypatch, tmp_path):
    monkeypatch.setenv("MEDSEGEFFNET_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("MEDSEGEFFNET_DATA", str(tmp_path / "data"))
    assert registry.user_folder() == tmp_path / "models"
    assert registry.data_folder() == tmp_path / "data"
    monkeypatch.delenv("MEDSEGEFFNET_MODELS")
    assert registry.user_folder() == tmp_path / "data" / "Models"
    monkeypatch.delenv("MEDSEGEFFNET_DATA")
    assert registry.data_folder().name == "MedSegEffNet"
