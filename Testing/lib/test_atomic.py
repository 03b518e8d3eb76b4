"""Files appear whole or not at all."""

from __future__ import annotations

import errno
import json
import os
import shutil
from pathlib import Path

import pytest

from MedSegEffNetLib import atomic
from MedSegEffNetLib.errors import InputError, MedSegEffNetError


def test_a_file_is_replaced_and_nothing_else_is_left(tmp_path: Path):
    target = tmp_path / "new" / "scan.seg.nrrd"
    for text in ("one", "two"):
        with atomic.replacing(target) as temporary:
            assert temporary.parent == target.parent
            assert temporary.name.endswith(".seg.nrrd")
            temporary.write_text(text, encoding="utf-8")
    assert target.read_text(encoding="utf-8") == "two"
    assert os.listdir(target.parent) == ["scan.seg.nrrd"]


def write_and_fail(target: Path, error: Exception, folder: bool = False) -> None:
    with atomic.replacing(target) as temporary:
        if folder:
            temporary.mkdir()
        (temporary / "file" if folder else temporary).write_text("half", encoding="utf-8")
        raise error


def test_a_failed_write_leaves_the_old_file(tmp_path: Path):
    target = tmp_path / "a.json"
    atomic.write_json(target, {"old": "é"})
    with pytest.raises(KeyError):
        write_and_fail(target, KeyError("stop"))
    assert json.loads(target.read_text(encoding="utf-8")) == {"old": "é"}
    assert os.listdir(tmp_path) == ["a.json"]


def test_a_folder_is_made_at_once_and_removed_after_a_failure(tmp_path: Path):
    with atomic.replacing(tmp_path / "bundle") as temporary:
        temporary.mkdir()
        (temporary / "file").touch()
    assert (tmp_path / "bundle" / "file").exists()
    with pytest.raises(KeyError):
        write_and_fail(tmp_path / "other", KeyError("stop"), folder=True)
    assert os.listdir(tmp_path) == ["bundle"]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO])
def test_a_full_or_broken_disk_is_explained(tmp_path: Path, code: int):
    with pytest.raises(MedSegEffNetError) as caught:
        write_and_fail(tmp_path / "out.nii.gz", OSError(code, os.strerror(code)))
    assert caught.value.exit_code == 1
    assert "out.nii.gz" in caught.value.found
    assert caught.value.hint
    assert not os.listdir(tmp_path)


def test_json_refuses_what_json_cannot_say(tmp_path: Path):
    with pytest.raises(ValueError, match="JSON"):
        atomic.write_json(tmp_path / "a.json", float("nan"))
    assert not os.listdir(tmp_path)


def test_an_output_that_cannot_be_written_is_found_before_the_work(tmp_path: Path):
    atomic.check_writable(tmp_path / "made" / "later" / "a.nii.gz")
    assert not os.listdir(tmp_path)
    (tmp_path / "file").touch()
    for target in (tmp_path, tmp_path / "file" / "a.nii.gz"):
        with pytest.raises(InputError) as caught:
            atomic.check_writable(target)
        assert caught.value.hint


@pytest.mark.parametrize(("free", "told"), [(0, os.strerror(errno.ENOSPC)), (1 << 30, "unexpected pos 704")])
def test_a_full_disk_of_which_a_library_says_nothing_is_told(tmp_path: Path, monkeypatch, free: int, told: str):
    usage = shutil.disk_usage(tmp_path)._replace(free=free)
    monkeypatch.setattr(atomic.shutil, "disk_usage", lambda folder: usage)
    with (
        pytest.raises(MedSegEffNetError, match=told),
        atomic.replacing(tmp_path / "last.pt") as temporary,
        atomic.foreign_writer(temporary),
    ):
        raise RuntimeError("unexpected pos 704 vs 598\nframe #0")
    assert not os.listdir(tmp_path)
