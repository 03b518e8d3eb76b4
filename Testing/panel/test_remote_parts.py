"""Another machine that trains: its command, its paths, what is copied to it, and how the user names it."""

from __future__ import annotations

import json
import os
import sys
from functools import partial

import pytest

pytest.importorskip("slicer")
pytest.importorskip("PySide6")
import loopback
from loopback import needs_ssh

server, worker = loopback.server, loopback.worker


def test_the_words_of_a_command_are_told_apart():
    from MedSegEffNetPanel.remote import Place

    place = Place.from_texts(
        "ssh -p 2222 -i ~/.ssh/gpu -Av me@gpu-box ~/venv/bin/python", "/data/me=/mnt/me; /d=/e\n", "work/"
    )
    assert place.host == "me@gpu-box"
    assert place.python == ["~/venv/bin/python"]
    assert place.ssh[-5:] == ["-p", "2222", "-i", "~/.ssh/gpu", "-Av"]
    assert "BatchMode=yes" in place.ssh
    assert place.paths == (("/data/me", "/mnt/me"), ("/d", "/e"))
    assert place.folder == "work"
    assert Place.from_mapping(json.loads(json.dumps(place.as_mapping()))) == place


def test_paths_are_translated_both_ways():
    from pathlib import Path

    from MedSegEffNetPanel.remote import Place

    place = Place("ssh box python", (("/data/me", "/mnt/me"),), "copies")
    assert place.there(Path("/data/me/a/b")) == "/mnt/me/a/b"
    assert place.there(Path("/data/meadow")) is None
    assert Place("ssh box python").there(Path("/x")) == "/x"
    assert place.here("/mnt/me/a") == str(Path("/data/me/a"))
    assert place.here("tumor-slices") == "tumor-slices"


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        (("", "", ""), "no command"),
        (("ssh gpu-box", "", ""), "names no program"),
        (("ssh -p 22", "", ""), "names no machine"),
        (("docker run image python", "", "copies"), "cannot be copied"),
        (("ssh box python", "/data/me", ""), "cannot be read"),
        (("ssh box 'python", "", ""), "cannot be read"),
        (("ssh box python", "", "my copies"), "folder for copies"),
    ],
)
def test_a_place_that_cannot_be_used_is_refused(texts, told):
    from MedSegEffNetLib.errors import InputError
    from MedSegEffNetPanel.remote import Place

    with pytest.raises(InputError, match=told):
        Place.from_texts(*texts)


@pytest.fixture
def make_curated(tmp_path):
    """A function that makes a curated data set of three cases, two of them accepted; ``reference``: its images lie elsewhere."""
    import numpy as np

    from MedSegEffNetLib.dataset.case import Case
    from MedSegEffNetLib.dataset.importing import import_cases
    from MedSegEffNetLib.dataset.store import Dataset
    from MedSegEffNetLib.image import Image, write

    def make(*, reference):
        draw, cases = np.random.default_rng(0), []
        (tmp_path / "raw").mkdir()
        for number in range(3):
            values = draw.integers(0, 900, (16, 15, 4)).astype(np.int16)
            image, mask = Image(values, np.eye(4)), Image((values > 600).astype(np.uint8), np.eye(4))
            path = tmp_path / "raw" / f"P{number}.nii.gz"
            write(path, image)
            load = partial(lambda *both: ({"flair": both[0]}, both[1]), image, mask)
            cases.append(Case(f"c{number}", f"P{number}", "", load, images={"flair": path}))
        dataset = Dataset.create(tmp_path / "set", "tumor-slices")
        import_cases(dataset, cases, "Ann", lambda *told: None, reference=reference)
        dataset.set_state("c1", "in review", "Ann")
        return dataset

    return make


@needs_ssh
def test_of_a_data_set_what_the_snapshot_names_goes_there_and_can_be_loaded(make_curated, server, tmp_path):
    from MedSegEffNetLib.dataset.snapshots import cases_of_snapshot, take_snapshot
    from MedSegEffNetLib.dataset.store import Dataset
    from MedSegEffNetPanel.far_side import Ssh
    from MedSegEffNetPanel.follower import needed_files
    from MedSegEffNetPanel.remote import Place, quoted

    dataset = make_curated(reference=False)
    snapshot = take_snapshot(dataset, "Ann").id
    far = Ssh(Place(quoted([*server.ssh, "python"]), (), str(tmp_path / "far")), "", lambda: None)
    there = far.make_folder(str(tmp_path / "far" / "set"))
    far.send(dataset.folder, there, needed_files(dataset.folder, ["train", "--snapshot", snapshot]))
    copy = Dataset.open(tmp_path / "far" / "set")
    assert sorted(path.name for path in (copy.folder / "cases").iterdir()) == ["c0", "c2"]
    for case in cases_of_snapshot(copy, snapshot):
        images, label = case.load()
        assert label.array.any()
        assert list(images) == ["flair"]
    everything = needed_files(dataset.folder, ["train"])
    assert [name for name in everything if name.startswith("cases/")] == ["cases/c0", "cases/c1", "cases/c2"]


def test_a_data_set_whose_images_lie_elsewhere_is_not_copied(make_curated):
    from MedSegEffNetLib.errors import InputError
    from MedSegEffNetPanel.follower import needed_files

    with pytest.raises(InputError, match="images of 3 cases lie outside"):
        needed_files(make_curated(reference=True).folder, ["train"])


def test_a_model_of_the_user_goes_along_and_a_shipped_one_does_not(tmp_path, monkeypatch):
    from types import SimpleNamespace

    from MedSegEffNetLib.resources import resources_folder
    from MedSegEffNetPanel import remote

    folders = {"mine": tmp_path / "mine", "shipped": resources_folder() / "models" / "shipped"}
    monkeypatch.setattr(remote, "find", lambda name: SimpleNamespace(folder=folders[name]))
    assert remote.with_own_models(["train", "--from", "mine", "x"])[2] == str(tmp_path / "mine")
    assert remote.with_own_models(["train", "--from", "shipped"])[2] == "shipped"
    assert remote.with_own_models(["train"]) == ["train"]


def test_a_run_goes_on_where_it_was_begun(tmp_path):
    from MedSegEffNetPanel.remote import Errand, Place, where

    new, old = Place("ssh new python3", (), "runs"), Place("ssh old python3", (), "runs")
    assert where(tmp_path, new) == new
    Errand(old, "1", ("train",)).write(tmp_path)
    assert where(tmp_path, new) == new, "it has not begun there"
    (tmp_path / "job.json").write_text("{}", encoding="utf-8")
    assert where(tmp_path, new) == old
    assert where(tmp_path, None) is None, "what came back can go on here"
    (tmp_path / "remote.json").unlink()
    assert where(tmp_path, new) is None


def test_a_stop_goes_there_again_if_the_process_only_began(tmp_path):
    from MedSegEffNetPanel.far_side import RUNNING, Look, Ssh
    from MedSegEffNetPanel.follower import Follower
    from MedSegEffNetPanel.remote import Errand, Place

    class Far(Ssh):
        stops = 0

        def stop(self):
            self.stops += 1

        def look(self, launch, offset):
            return Look(RUNNING)

    place = Place("ssh box python3", (), "runs")
    follower = Follower(tmp_path, Errand(place, "1", ("train",)))
    follower.far = Far(place, "runs/1", lambda: None)
    follower._round()
    assert follower.far.stops == 0
    (tmp_path / "STOP").touch()
    assert (follower._round(), follower._round()) == (RUNNING, RUNNING)
    assert follower.far.stops == 2


@pytest.fixture
def section(panel):
    """The section Environment, opened."""
    panel.show("environment")
    return panel.section("environment")


@pytest.mark.skipif(os.name == "nt", reason="the command is POSIX's env")
def test_the_user_names_another_machine_and_takes_it_back(section, worker, wait_until):
    from MedSegEffNetPanel.remote import quoted

    ui, environment = section.ui, section.environment
    assert ui.remoteBox.collapsed
    ui.remoteBox.collapsed = False
    assert "run here" in ui.remoteLabel.text
    ui.remoteCommand.text = "ssh box"
    ui.useRemoteButton.click()
    assert "names no program" in ui.remoteLabel.text
    ui.remoteCommand.text = f"{sys.executable} -c pass"
    ui.useRemoteButton.click()
    assert wait_until(lambda: "cannot run MedSegEffNet" in ui.remoteLabel.text, 60)
    assert environment.place(["train"]) is None
    ui.remoteCommand.text = quoted(worker)
    ui.remotePaths.text = "/data=/mnt/data; /runs=/mnt/runs"
    ui.useRemoteButton.click()
    assert wait_until(lambda: "Trainings run with" in ui.remoteLabel.text, 60)
    place = environment.place(["train", "tumor-slices", "--check"])
    assert place.paths == (("/data", "/mnt/data"), ("/runs", "/mnt/runs"))
    assert environment.place(["segment"]) is None
    ui.trainHereButton.click()
    assert environment.place(["train"]) is None
    assert "run here" in ui.remoteLabel.text
