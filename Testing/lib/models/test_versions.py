"""One version of a name is current, and there is a way back."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.models import registry, versions
from MedSegEffNetLib.models.build import Publication, publish
from MedSegEffNetLib.models.promotion import promote
from MedSegEffNetLib.models.transfer import remove_model
from MedSegEffNetLib.resources import resources_folder
from MedSegEffNetLib.task import list_tasks

from .conftest import NAME, compared_with

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def promoted(training):
    """Versions 1.1.0 and 1.2.0 after the shipped 1.0.0."""
    one, second = training("one"), training("second")
    first = promote(str(one))
    compared_with(second, "1.1.0")
    return [first, promote(str(second))]


def ship(bundle, shipped, version):
    """The program is updated and brings another version."""
    publish(bundle.folder, Publication(version, {}, {}, "", ""), shipped.folder.with_name(f"tiny-{version}"))


def test_what_was_promoted_last_is_current(promoted):
    assert versions.versions_of(NAME) == ["1.2.0", "1.1.0", "1.0.0"]
    assert versions.current(NAME) == "1.2.0"
    assert versions.current_versions() == {NAME: "1.2.0"}
    assert [version.current for version in versions.history(NAME)] == [True, False, False]
    assert [version.own for version in versions.history(NAME)] == [True, True, False]
    assert versions.current("nothing") is None
    assert versions.versions_of("nothing") == []


def test_a_roll_back_goes_step_by_step_and_removes_nothing(promoted):
    assert versions.previous(NAME) == "1.1.0"
    assert versions.rollback(NAME) == "1.1.0"
    assert registry.find(NAME).version == "1.1.0"
    assert versions.rollback(NAME) == "1.0.0"
    assert versions.current(NAME) == "1.0.0"
    assert versions.previous(NAME) == ""
    with pytest.raises(InputError, match=r"no version before 1\.0\.0"):
        versions.rollback(NAME)
    assert versions.versions_of(NAME) == ["1.2.0", "1.1.0", "1.0.0"]


def test_a_roll_back_may_name_a_version_also_a_later_one(promoted):
    versions.rollback(NAME, "1.0.0")
    assert versions.rollback(NAME, "1.2.0") == "1.2.0"
    assert versions.current(NAME) == "1.2.0"
    with pytest.raises(InputError, match=r"no version 7") as caught:
        versions.rollback(NAME, "7")
    assert "1.1.0" in caught.value.expected
    with pytest.raises(InputError, match="there is no model 'nothing'"):
        versions.rollback("nothing")


def test_a_roll_back_passes_over_a_version_that_was_given_up_before(training):
    promote(str(training("one")))
    versions.rollback(NAME)
    assert promote(str(training("second"))).version == "1.2.0"
    assert versions.current(NAME) == "1.2.0", "a promotion after a roll back counts"
    assert versions.rollback(NAME) == "1.0.0", "1.1.0 was given up"


def test_an_update_that_ships_a_newer_version_does_not_displace_a_promoted_one(promoted, bundle, shipped):
    ship(bundle, shipped, "2.0.0")
    assert versions.current(NAME) == "1.2.0"
    assert versions.rollback(NAME) == "1.1.0"
    ship(bundle, shipped, "3.0.0")
    assert versions.current(NAME) == "1.1.0"
    assert versions.rollback(NAME, "3.0.0") == "3.0.0"
    assert registry.find(NAME).version == "3.0.0"


def test_an_update_that_ships_a_promoted_version_s_number_does_not_take_its_place(promoted, bundle, shipped):
    ship(bundle, shipped, "1.2.0")
    assert registry.find(NAME).folder == registry.find(f"{NAME}@1.2.0").folder == promoted[1].folder


def test_where_nothing_was_promoted_the_newest_is_current(bundle, shipped):
    ship(bundle, shipped, "0.9.0")
    assert versions.current(NAME) == "1.0.0"
    ship(bundle, shipped, "1.10.0")
    assert versions.current(NAME) == "1.10.0"


def test_a_version_that_is_removed_gives_its_place_to_the_one_before(promoted):
    versions.rollback(NAME)
    remove_model(promoted[0].folder)
    assert versions.current(NAME) == "1.0.0", "not the one that was rolled back from"
    remove_model(promoted[1].folder)
    assert versions.current(NAME) == "1.0.0"


def test_a_damaged_file_of_a_roll_back_counts_as_none(promoted):
    versions.rollback(NAME)
    registry.current_file(NAME).write_text("{", encoding="utf-8")
    assert versions.current(NAME) == "1.2.0"


def test_a_tasks_id_follows_the_current_version_of_its_default_model(promoted, monkeypatch):
    from dataclasses import replace

    tasks = {**list_tasks(), "tumor-slices": replace(list_tasks()["tumor-slices"], default_model=NAME)}
    for module in (registry, versions):
        monkeypatch.setattr(module, "list_tasks", lambda: tasks)
    assert registry.find("tumor-slices").version == "1.2.0"
    assert versions.rollback("tumor-slices") == "1.1.0"
    assert registry.find("tumor-slices").version == "1.1.0"


def test_models_and_roll_backs_survive_an_update_of_the_program(promoted, tmp_path):
    """An update replaces the program's folder; what is the user's lies elsewhere."""
    versions.rollback(NAME)
    shutil.rmtree(tmp_path / "shipped")
    assert versions.versions_of(NAME) == ["1.2.0", "1.1.0"]
    assert versions.current(NAME) == "1.1.0"


def test_the_users_folder_lies_outside_of_the_program(monkeypatch):
    for variable in ("MEDSEGEFFNET_MODELS", "MEDSEGEFFNET_DATA"):
        monkeypatch.delenv(variable)
    program = Path(registry.__file__).resolve().parents[2]
    for folder in (registry.user_folder(), registry.data_folder()):
        assert program not in folder.resolve().parents
        assert resources_folder() not in folder.resolve().parents
        assert "Slicer" not in folder.as_posix(), "nor in the folder of a version of Slicer"


def test_versions_are_told_without_heavy_packages():
    code = "import sys; from MedSegEffNetLib.models import versions as v; v.current_versions(); v.history('x')"
    code += "; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-S", "-c", code], cwd=ROOT, capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    assert not {"torch", "openvino", "numpy"} & set(done.stdout.split())
