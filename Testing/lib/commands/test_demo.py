import shutil

import numpy as np
import pytest

from MedSegEffNetLib import image
from MedSegEffNetLib.models import registry
from MedSegEffNetLib.models.bundle import Bundle


@pytest.fixture
def demo(command, tiny_model, monkeypatch, tmp_path):
    """The demo with a tiny model in the place of the shipped one, in an empty folder."""
    monkeypatch.setattr(registry, "find", lambda model: Bundle.open(tiny_model))
    monkeypatch.chdir(tmp_path)
    return lambda *words: command("demo", *words)


def test_the_demo_needs_nothing_but_a_model(demo, tmp_path):
    code, text, errors = demo()
    assert code == 0, errors
    folder = tmp_path / "demo-output"
    names = {path.name for path in folder.iterdir() if path.is_file()}
    assert names == {"tumor.seg.nrrd", "report.html", *(f"synthetic_{c}.nii.gz" for c in ("t1", "flair", "t1ce"))}
    assert image.read_label_map(folder / "tumor.seg.nrrd").shape == (256, 256, 24)
    assert image.read(folder / "synthetic_flair.nii.gz").array.dtype == np.uint8
    assert "synthetic" in text
    assert "Dice against the true label map" in text
    assert "report.html" in text


def test_the_demo_takes_the_first_validation_case_and_copies_none_of_it(demo, data, tmp_path):
    code, text, errors = demo("--data", data, "--output", tmp_path / "out")
    assert code == 0, errors
    assert "Patient: c (data, not seen in training)" in text
    assert {path.name for path in (tmp_path / "out").iterdir() if path.is_file()} == {"tumor.seg.nrrd", "report.html"}


def test_data_without_validation_cases_are_refused(demo, data, tmp_path):
    shutil.rmtree(data / "val")
    code, _, errors = demo("--data", data)
    assert code == 2
    assert "no validation cases" in errors
    assert not (tmp_path / "demo-output").exists()


def test_data_that_are_not_there_are_refused(demo, tmp_path):
    code, _, errors = demo("--data", tmp_path / "nothing")
    assert code == 2
    assert "there is no folder" in errors
