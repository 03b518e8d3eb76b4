"""Folders of runs: numbered, short, deleted when they are old."""

from __future__ import annotations

import os
import time

import pytest


def test_run_folders_are_numbered_and_never_used_twice(slicer_app, tmp_path):
    from MedSegEffNetPanel.run_folders import new_folder

    names = [new_folder(tmp_path / "runs", "segment").name for number in range(3)]
    assert names == ["0001-segment", "0002-segment", "0003-segment"]


def test_a_base_folder_that_cannot_be_made_is_told(slicer_app, tmp_path):
    from MedSegEffNetLib.errors import MedSegEffNetError
    from MedSegEffNetPanel.run_folders import new_folder

    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(MedSegEffNetError, match="could not be written"):
        new_folder(tmp_path / "file" / "runs", "segment")


@pytest.fixture
def runs(slicer_app, tmp_path):
    """A function that makes a run of a number of days ago with a copied image."""
    from MedSegEffNetPanel.run_folders import new_folder

    def make(name, days):
        folder = new_folder(tmp_path / "runs", name)
        (folder / "in").mkdir()
        (folder / "in" / "flair.nrrd").write_bytes(b"image")
        (folder / "report.html").write_text("report", encoding="utf-8")
        moment = time.time() - days * 24 * 3600
        os.utime(folder, (moment, moment))
        return folder

    return make


def tidied(folder):
    from MedSegEffNetPanel import steps
    from MedSegEffNetPanel.run_folders import tidy

    steps.finish(tidy(folder))


def test_copied_images_do_not_stay(runs):
    old, new = runs("segment", 2), runs("segment", 0)
    tidied(old.parent)
    assert not (old / "in").exists()
    assert (old / "report.html").is_file()
    assert (new / "in" / "flair.nrrd").is_file()


def test_only_the_last_runs_are_kept(runs):
    made = [runs("segment", days) for days in range(2, 25)]
    tidied(made[0].parent)
    assert [folder.exists() for folder in made] == [True] * 20 + [False] * 3


@pytest.mark.parametrize("inside", ["probabilities", "out/0003/probabilities"])
def test_probability_maps_are_never_deleted_but_the_copied_images_beside_them_are(runs, inside):
    made = [runs("segment", days) for days in range(2, 25)]
    (made[-1] / inside).mkdir(parents=True)
    moment = time.time() - 30 * 24 * 3600
    os.utime(made[-1], (moment, moment))
    tidied(made[0].parent)
    assert (made[-1] / inside).is_dir()
    assert not (made[-1] / "in").exists()
    assert not made[-2].exists()


def test_runs_lie_in_the_data_folder_wherever_the_models_lie(slicer_app, monkeypatch, tmp_path):
    from MedSegEffNetPanel.installing.folders import packages_folder
    from MedSegEffNetPanel.run_folders import runs_folder

    monkeypatch.setenv("MEDSEGEFFNET_MODELS", str(tmp_path / "elsewhere" / "models"))
    monkeypatch.setenv("MEDSEGEFFNET_DATA", str(tmp_path / "data"))
    assert runs_folder() == tmp_path / "data" / "runs"
    assert packages_folder().parent == tmp_path / "data"


@pytest.mark.parametrize("name", ["batch", "train"])
def test_runs_that_can_be_gone_on_with_are_never_deleted(runs, name):
    made = [runs(name, 100 + number) for number in range(25)]
    tidied(made[0].parent)
    assert all((folder / "in" / "flair.nrrd").is_file() for folder in made)


def test_a_run_that_still_works_keeps_its_images(runs, monkeypatch):
    from MedSegEffNetPanel import run_folders

    folder = runs("segment", 2)
    monkeypatch.setattr(run_folders, "running_process", lambda path: 1)
    tidied(folder.parent)
    assert (folder / "in" / "flair.nrrd").is_file()


def test_nothing_to_tidy_is_no_error(slicer_app, tmp_path):
    tidied(tmp_path / "none")
