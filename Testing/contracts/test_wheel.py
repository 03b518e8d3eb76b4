"""The wheel that ``pip wheel`` really builds."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODEL_FILES = ("Models/a-model/LICENSE", "Models/a-model/configs/metadata.json", "Models/a-model/models/network.bin")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The unpacked wheel of a copy of the checkout, which has a model in its resources."""
    source, built, unpacked = (tmp_path_factory.mktemp(name) for name in ("source", "built", "unpacked"))
    for name in ("pyproject.toml", "README.md", "LICENSE.txt"):
        shutil.copy(ROOT / name, source)
    for name in ("MedSegEffNetLib", "Resources"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__", "Models"))
    for name in MODEL_FILES:
        path = source / "Resources" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"content")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(built), str(source)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (path,) = built.glob("medsegeffnet-*.whl")
    zipfile.ZipFile(path).extractall(unpacked)
    return unpacked


@pytest.mark.slow
def test_the_wheel_has_all_of_the_library_and_nothing_else(wheel):
    code = {path.relative_to(ROOT) for path in (ROOT / "MedSegEffNetLib").rglob("*.py")}
    assert {path.relative_to(wheel) for path in wheel.rglob("*.py")} == code


@pytest.mark.slow
def test_the_wheel_ships_the_resources_where_the_library_looks_for_them(wheel):
    code = "from MedSegEffNetLib.resources import resources_folder; print(resources_folder())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=wheel, check=True)
    resources = Path(done.stdout.strip())
    assert resources == wheel.resolve() / "MedSegEffNetLib" / "_resources"
    assert [name for name in MODEL_FILES if not (resources / name).is_file()] == []


@pytest.mark.slow
def test_the_wheel_brings_license_and_console_script(wheel):
    (information,) = wheel.glob("medsegeffnet-*.dist-info")
    assert "Apache License" in (information / "licenses" / "LICENSE.txt").read_text(encoding="utf-8")
    assert "medsegeffnet = MedSegEffNetLib.__main__:main" in (information / "entry_points.txt").read_text(
        encoding="utf-8"
    )
