"""DICOM folders: geometry, order, refusals. The files are made here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from MedSegEffNetLib import image
from MedSegEffNetLib.errors import InputError

sitk = pytest.importorskip("SimpleITK")

_STEP = np.array([0.0, 0.6, 2.4])
_ARRAY = np.arange(4 * 5 * 6, dtype=np.int16).reshape(4, 5, 6)


def series(folder: Path, uid: str = "1.2.3", places: tuple[float, ...] = (0, 1, 2, 3, 4, 5), name: str = "T1") -> None:
    """One slice a file, at multiples of ``_STEP``; the file names do not follow the order in space."""
    folder.mkdir(exist_ok=True)
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    for k, place in enumerate(places):
        slice_ = sitk.GetImageFromArray(_ARRAY[:, :, k : k + 1].T)
        slice_.SetSpacing((0.5, 0.75, 1.0))
        position = np.array([-10.0, -20, -30]) + place * _STEP
        tags = {
            "0008|0060": "MR", "0008|103e": name, "0020|000e": uid, "0020|000d": "1.2", "0008|0018": f"{uid}.{k}",
            "0020|0013": str(k), "0020|0032": "\\".join(f"{p:.6f}" for p in position), "0020|0037": "1\\0\\0\\0\\1\\0",
        }  # fmt: skip
        for key, value in tags.items():
            slice_.SetMetaData(key, value)
        writer.SetFileName(str(folder / f"{uid}.{(k * 5) % 7}.dcm"))
        writer.Execute(slice_)


def test_a_series_is_ordered_in_space_and_a_tilted_gantry_shears_the_grid(tmp_path: Path):
    series(tmp_path / "a")
    read = image.read(tmp_path / "a")
    assert np.array_equal(read.array, _ARRAY)
    expected = np.array([[-0.5, 0, 0, 10], [0, -0.75, -0.6, 20], [0, 0, 2.4, -30], [0, 0, 0, 1]])
    assert np.allclose(read.affine, expected)
    assert not read.notes


def test_a_missing_slice_is_noted(tmp_path: Path):
    series(tmp_path / "a", places=(0, 1, 2, 4, 5, 6))
    assert "slice missing" in image.read(tmp_path / "a").notes[0]


def test_several_series_are_listed_and_refused(tmp_path: Path):
    series(tmp_path / "a")
    series(tmp_path / "a", uid="1.2.4", name="FLAIR")
    with pytest.raises(InputError, match=r"'T1'.*'FLAIR'|'FLAIR'.*'T1'") as caught:
        image.read(tmp_path / "a")
    assert "folder of its own" in caught.value.hint


def test_a_time_series_is_refused(tmp_path: Path):
    series(tmp_path / "a", places=(0, 0, 1, 1, 2, 2))
    with pytest.raises(InputError, match="same position"):
        image.read(tmp_path / "a")


def test_one_file_without_a_suffix_is_recognised(tmp_path: Path):
    series(tmp_path / "a", places=(0,))
    (tmp_path / "IM0001").write_bytes(next((tmp_path / "a").iterdir()).read_bytes())
    assert np.array_equal(image.read(tmp_path / "IM0001").array, _ARRAY[:, :, :1])
