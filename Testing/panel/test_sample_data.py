"""The synthetic patient for the panel: loaded in the background, its files deleted, problems told."""

from __future__ import annotations

from cases import PATIENCE


def load(panel, wait_until):
    from MedSegEffNetPanel import sample_data

    answers = []
    sample_data.load(panel, lambda problem, nodes: answers.append((problem, nodes)))
    assert wait_until(lambda: answers, PATIENCE)
    [answer] = answers
    return answer


def test_the_loaded_volumes_are_handed_over_and_their_files_deleted(panel, wait_until):
    from MedSegEffNetPanel.run_folders import runs_folder

    problem, nodes = load(panel, wait_until)
    assert problem == ""
    assert sorted(node.GetName() for node in nodes) == ["synthetic_flair", "synthetic_t1", "synthetic_t1ce"]
    assert [run.name for run in runs_folder().iterdir()] == ["0001-sample"]
    assert not (runs_folder() / "0001-sample" / "images").exists()


def test_a_folder_that_cannot_be_made_is_told(panel, wait_until, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv("MEDSEGEFFNET_DATA", str(tmp_path / "file"))
    problem, nodes = load(panel, wait_until)
    assert "could not be written" in problem
    assert nodes == []


def test_images_that_cannot_be_loaded_are_told(panel, wait_until, monkeypatch):
    from MedSegEffNetLib.errors import InputError
    from MedSegEffNetPanel import bridge

    def broken(path):
        raise InputError(f"{path.name} is damaged", hint="make it again")
        yield

    monkeypatch.setattr(bridge, "load_volume", broken)
    problem, nodes = load(panel, wait_until)
    assert problem.endswith("is damaged. Make it again.")
    assert nodes == []
