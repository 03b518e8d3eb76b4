import json

import numpy as np
import pytest

from MedSegEffNetLib.dataset.readers import read_folder
from MedSegEffNetLib.image import read, same_grid
from MedSegEffNetLib.job import read_events
from MedSegEffNetLib.task import get_segmentation_task


def test_the_synthetic_patient_is_written_a_file_a_channel_on_one_grid(command, tmp_path):
    code, text, _ = command("sample", "--output", tmp_path / "images", "--run", tmp_path / "run")
    assert code == 0
    finished = read_events(tmp_path / "run")[0][-1]
    assert finished["event"] == "finished"
    images = {channel: read(path) for channel, path in finished["images"].items()}
    assert set(images) == {"t1", "flair", "t1ce"}
    assert all(same_grid(images["flair"], image) for image in images.values())
    assert all(path in text for path in finished["images"].values())


def test_a_file_in_the_place_of_the_folder_is_refused(command, tmp_path):
    (tmp_path / "images").write_text(json.dumps("a file"), encoding="utf-8")
    code, _, errors = command("sample", "--output", tmp_path / "images")
    assert code == 2
    assert "images" in errors


def test_skin_is_written_as_images_and_label_maps_that_training_reads(command, tmp_path):
    code, text, _ = command(
        "sample", "skin-layers", "--output", tmp_path / "data", "--size", 64, "--cases", 2, "--seed", 7
    )
    assert code == 0
    assert "2 images" in text
    task = get_segmentation_task("skin-layers")
    cases = read_folder(tmp_path / "data", task)
    assert [case.id for case in cases] == ["heel-00007", "heel-00008"]
    assert len({case.patient for case in cases}) == 2
    images, label_map = cases[0].load()
    assert list(images) == ["t2"]
    assert set(np.unique(label_map.array)) == {0, 1, 2, 3, 4}
    assert images["t2"].spacing_known
    assert images["t2"].shape == (64, 64, 1)


@pytest.mark.parametrize(
    "wrong",
    [
        ("--cases", 2),
        ("--size", 128),
        ("skin-layers", "--cases", 0),
        ("skin-layers", "--size", 8),
        ("skin-layers", "--seed", -1),
        ("covid-ct",),
    ],
)
def test_what_cannot_be_made_is_refused_before_anything_is_written(command, tmp_path, wrong):
    code, _, errors = command("sample", *wrong, "--output", tmp_path / "data")
    assert code == 2
    assert errors
    assert not (tmp_path / "data").exists()
