import json

from MedSegEffNetLib.image import read, same_grid
from MedSegEffNetLib.job import read_events


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
