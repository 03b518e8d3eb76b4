"""Models are found by name, version, folder and task."""

import shutil

import pytest

from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.models import registry
from MedSegEffNetLib.models.build import Publication, publish


@pytest.fixture
def installed(bundle, tmp_path, monkeypatch):
    """Two versions in the user's folder, and nothing shipped."""
    monkeypatch.setenv(registry.FOLDER_VARIABLE, str(tmp_path / "Models"))
    monkeypatch.setattr(registry, "resources_folder", lambda: tmp_path / "none")
    for version in ("0.9.0", "0.10.0"):
        publish(bundle.folder, Publication(version, {}, {}, "", ""), tmp_path / "Models" / f"tiny-{version}")
    return tmp_path / "Models"


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
    with pytest.raises(InputError, match="is shipped yet") as caught:
        registry.find("covid-ct")
    assert "medsegeffnet train covid-ct" in caught.value.hint
    with pytest.raises(InputError, match="is shipped yet") as caught:
        registry.find("brain-tumor")
    assert "cannot train" in caught.value.hint


def test_the_shipped_models_are_whole():
    shipped = [bundle for bundle in registry.list_models() if "tumor-slices" in bundle.name]
    assert shipped
    for bundle in shipped:
        bundle.verify()
        assert "Not for clinical use" in bundle.card


def test_a_tasks_id_means_its_default_model():
    assert registry.find("tumor-slices").name == "tumor-slices-efficientnet"


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
