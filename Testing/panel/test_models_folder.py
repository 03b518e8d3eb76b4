"""The user's models lie where an update of the extension or of Slicer does not reach, for the panel and its jobs alike."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from MedSegEffNetLib.models import registry

LIBRARY = Path(registry.__file__).resolve().parents[2]
CODE = "from MedSegEffNetLib.models.registry import user_folder; print(user_folder())"
NAMES = ("MEDSEGEFFNET_MODELS", "MEDSEGEFFNET_DATA")


@pytest.mark.parametrize("named", [*NAMES, ""])
def test_panel_and_jobs_know_one_folder_whoever_names_it(slicer_app, monkeypatch, tmp_path, named):
    import slicer

    from MedSegEffNetPanel.environment import clean_variables

    for name in ("HOME", "LOCALAPPDATA", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    for name in NAMES:
        monkeypatch.delenv(name)
    if named:
        monkeypatch.setenv(named, str(tmp_path / "named"))
    started_with = dict(os.environ)
    monkeypatch.setattr(slicer.util, "startupEnvironment", lambda: started_with)
    command = [sys.executable, "-S", "-c", CODE]
    done = subprocess.run(command, env=clean_variables(LIBRARY), capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()) == registry.user_folder()
    assert tmp_path in registry.user_folder().parents


def test_the_folder_is_in_no_program(slicer_app, monkeypatch):
    import MedSegEffNetPanel

    for name in NAMES:
        monkeypatch.delenv(name)
    folder = registry.user_folder().resolve()
    for program in (Path(MedSegEffNetPanel.__file__).resolve().parent, LIBRARY, Path(sys.prefix).resolve()):
        assert program not in folder.parents
        assert folder not in program.parents
