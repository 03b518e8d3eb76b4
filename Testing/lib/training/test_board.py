"""TensorBoard's files."""

import sys

import pytest
from PIL import Image as Pillow

from MedSegEffNetLib.job import Job
from MedSegEffNetLib.training.board import FOLDER, Board

EPOCH = {"train_loss": 0.5, "val_dice_WT": 0.25, "val_loss": float("nan"), "seconds": 1.0, "best_epoch": 1}


def test_curves_and_previews_are_written_as_event_files(tmp_path):
    pytest.importorskip("tensorboardX")
    from tensorboardX.proto.event_pb2 import Event

    Pillow.new("RGB", (4, 4)).save(tmp_path / "1.png")
    job = Job.open(None, {})
    board = Board.open(tmp_path, job)
    job.emit("epoch", epoch=1.0, **EPOCH)
    job.emit("epoch", epoch=1.0, network="t1ce", **EPOCH)
    job.emit("preview", epoch=1, case="P1", path="1.png")
    board.close()
    (path,) = (tmp_path / FOLDER).iterdir()
    content, tags = path.read_bytes(), {}
    while content:  # length (8), its checksum (4), the event, its checksum (4)
        length = int.from_bytes(content[:8], "little")
        event = Event.FromString(content[12 : 12 + length])
        tags |= {value.tag: value.simple_value for value in event.summary.value}
        content = content[16 + length :]
    assert tags["loss/training"] == 0.5
    assert tags["dice_WT/validation"] == 0.25
    assert tags["t1ce/loss/training"] == 0.5
    assert "previews/P1" in tags
    assert not {"loss/validation", "best_epoch", "epoch"} & set(tags)


def test_a_training_goes_on_without_tensorboardx_and_says_so(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    said = []
    job = Job.open(None, {})
    job.listeners.append(said.append)
    assert Board.open(tmp_path, job) is None
    assert len(said) == 1
    assert "tensorboardX" in said[0]["text"]
