"""``python run.py offline-kit``: the real pip fills a folder, which is a kit then or nothing."""

import subprocess
import sys
import zipfile

import pytest

from fake_packages import ROOT, make_wheel, make_wheels, offline
from MedSegEffNetLib.errors import InputError
from MedSegEffNetPanel.installing import offline_kit
from MedSegEffNetPanel.installing.kit import Kit
from MedSegEffNetPanel.installing.offline_kit import Order


def make(*words, **variables):
    command = [sys.executable, "-m", "MedSegEffNetPanel.installing.offline_kit", *map(str, words)]
    return subprocess.run(command, env=offline() | variables, capture_output=True, encoding="utf-8", cwd=ROOT)


@pytest.fixture
def wheels(tmp_path):
    """Variables under which pip downloads from a folder."""
    return {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(make_wheels(tmp_path / "wheels"))}


def test_a_kit_has_the_packages_of_its_size_with_their_sums(tmp_path, wheels):
    done = make("--platform", "win_amd64", "--output", tmp_path / "kit", "--zip", **wheels)
    assert done.returncode == 0, done.stderr
    kit = Kit.open(tmp_path / "kit")
    kit.verify()
    assert (kit.size, kit.platform, kit.python) == ("light", "win_amd64", "3.12")
    assert {name.split("-")[0] for name in kit.wheels} == {"openvino", "pillow"}
    assert "section Environment" in (tmp_path / "kit" / "README.txt").read_text(encoding="utf-8")
    with zipfile.ZipFile(tmp_path / "kit.zip") as archive:
        assert set(kit.wheels) < set(archive.namelist())


def test_wheels_of_another_platform_are_not_taken(tmp_path):
    folder = tmp_path / "wheels"
    make_wheel(folder, "pillow", "11.0.0")
    wheel = make_wheel(folder, "openvino", "2026.4.0")
    wheel.rename(folder / "openvino-2026.4.0-cp312-cp312-win_amd64.whl")
    found = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(folder)}
    assert make("--platform", "macosx_arm64", "--output", tmp_path / "mac", **found).returncode == 1
    assert make("--platform", "win_amd64", "--python", "3.11", "--output", tmp_path / "old", **found).returncode == 1
    done = make("--platform", "win_amd64", "--output", tmp_path / "kit", **found)
    assert done.returncode == 0, done.stderr


def test_without_a_network_it_says_what_to_do_and_leaves_nothing(tmp_path):
    done = make("--platform", "linux_x86_64", "--output", tmp_path / "kit", PIP_RETRIES="0")
    assert done.returncode == 1
    assert "Check the network" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_there_is_not_touched(tmp_path, wheels):
    (tmp_path / "kit").mkdir()
    (tmp_path / "kit" / "mine.txt").write_text("", encoding="utf-8")
    done = make("--platform", "win_amd64", "--output", tmp_path / "kit", **wheels)
    assert done.returncode == 2
    assert "there already" in done.stderr
    assert [path.name for path in (tmp_path / "kit").iterdir()] == ["mine.txt"]


def test_pytorch_is_packed_on_a_computer_like_slicer_s(monkeypatch):
    monkeypatch.setattr(offline_kit.sys, "platform", "linux")
    Order("light", "win_amd64", "3.12")
    Order("training", "linux_x86_64", "3.12")
    with pytest.raises(InputError, match="cannot be made on this computer"):
        Order("gpu", "win_amd64", "3.12")
    with pytest.raises(InputError, match="--python three"):
        Order("light", "win_amd64", "three")


def test_each_build_of_pytorch_comes_from_its_own_index(monkeypatch, tmp_path):
    monkeypatch.setattr(offline_kit.sys, "platform", "linux")
    download, built = offline_kit.commands(Order("training", "linux_x86_64", "3.12", "cu126"), tmp_path)
    assert download[download.index("--extra-index-url") + 1].endswith("/whl/cu126")
    assert any(word.startswith("torch>=") for word in download)
    assert not any(word.startswith("numpy") for word in download)
    assert built[-1].startswith("efficientnet-pytorch")


def test_run_py_knows_the_command():
    done = subprocess.run([sys.executable, "run.py", "--help"], cwd=ROOT, capture_output=True, encoding="utf-8")
    assert "offline-kit" in done.stdout
