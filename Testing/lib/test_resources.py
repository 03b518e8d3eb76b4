import importlib.util
import shutil
import sys
from pathlib import Path

import pytest

from MedSegEffNetLib import resources


def loaded_from(package: Path):
    """The module ``resources`` as it is when the library lies in the folder ``package``."""
    package.mkdir(parents=True, exist_ok=True)
    copy = Path(shutil.copy(resources.__file__, package))
    specification = importlib.util.spec_from_file_location("resources_elsewhere", copy)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_a_source_checkout_has_its_resources_beside_the_library(tmp_path):
    package = tmp_path / "checkout" / "MedSegEffNetLib"
    assert loaded_from(package).resources_folder() == tmp_path.resolve() / "checkout" / "Resources"


@pytest.mark.parametrize("place", ["site-packages", "Slicer/MedSegEffNet/lib"])
def test_a_wheel_and_a_packaged_extension_have_them_inside_the_library(tmp_path, place):
    package = tmp_path / place / "MedSegEffNetLib"
    (package / "_resources").mkdir(parents=True)
    assert loaded_from(package).resources_folder() == package.resolve() / "_resources"


def test_the_resources_are_there():
    assert any(path.is_file() for path in resources.resources_folder().rglob("*"))


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="other systems have other folders")
def test_an_empty_variable_is_none(monkeypatch):
    monkeypatch.delenv(resources.DATA_VARIABLE)
    monkeypatch.setenv("XDG_DATA_HOME", "")
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    assert resources.data_folder() == Path.home() / ".local" / "share" / "MedSegEffNet"
    assert resources.cache_folder() == Path.home() / ".cache" / "MedSegEffNet"
