import json

import pytest

from MedSegEffNetLib import diagnosis
from MedSegEffNetLib.job import read_events


def test_what_is_installed_is_told_and_really_tried(command, tmp_path):
    code, text, errors = command("doctor", "--json", tmp_path / "d.json", "--run", tmp_path / "run")
    assert code == 0, errors
    found = json.loads((tmp_path / "d.json").read_text(encoding="utf-8"))
    assert set(found["packages"]) == set(diagnosis.PACKAGES.values())
    assert found["packages"]["numpy"]["version"] in text
    assert found["temporary_folder"]["free_mb"] > 0
    for row in found["computations"]:
        assert row["works"], row["error"]
        assert row["seconds"] > 0
    assert {row["engine"] for row in found["computations"]} == {
        name for name in diagnosis.ENGINES if found["packages"][name]
    }
    assert found["gpu"]["name"] or found["gpu"]["reason"]
    assert read_events(tmp_path / "run")[0][-1]["diagnosis"] == found


@pytest.mark.parametrize(
    ("content", "told"),
    [("raise ImportError('DLL load failed')", "DLL load failed"), ("import os; os._exit(5)", "ended with code 5")],
)
def test_an_engine_that_is_broken_is_a_finding_and_no_failure(command, tmp_path, monkeypatch, content, told):
    for name in diagnosis.ENGINES:
        (tmp_path / f"{name}.py").write_text(content, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    code, text, _ = command("doctor")
    assert code == 0
    assert text.count("fails: ") == 2
    assert told in text
    assert "torch does not work" in text


def test_where_nothing_is_installed_the_smallest_engine_is_named(command, monkeypatch):
    monkeypatch.setattr(diagnosis.importlib.util, "find_spec", lambda module: None)
    code, text, _ = command("doctor")
    assert code == 0
    assert "torch, which computes on GPUs, is not installed" in text
    assert "install openvino" in text
