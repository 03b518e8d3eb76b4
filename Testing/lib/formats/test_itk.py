"""NRRD and MetaImage as other programs write them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from MedSegEffNetLib import image
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.image import Image

sitk = pytest.importorskip("SimpleITK")

_VALUES = np.arange(120, dtype="<i2")


def nrrd(path: Path, *lines: str, data: bytes = _VALUES.tobytes()) -> Path:
    header = ["NRRD0004", "type: short", "endian: little", "encoding: raw", *lines]
    path.write_bytes(("\n".join(header) + "\n\n").encode() + data)
    return path


def test_components_and_volumes_of_a_series_are_channels(tmp_path: Path):
    space = ("dimension: 4", "space: left-posterior-superior", "space origin: (1,2,3)")
    last = image.read(
        nrrd(tmp_path / "a.nrrd", *space, "sizes: 3 4 5 2", "space directions: (1,0,0) (0,1,0) (0,0,2) none",
             "kinds: domain domain domain list")
    )  # fmt: skip
    assert np.array_equal(last.array, _VALUES.reshape(3, 4, 5, 2, order="F"))
    assert np.array_equal(last.affine, [[-1, 0, 0, -1], [0, -1, 0, -2], [0, 0, 2, 3], [0, 0, 0, 1]])
    first = image.read(
        nrrd(tmp_path / "b.nrrd", *space, "sizes: 2 3 4 5", "space directions: none (1,0,0) (0,1,0) (0,0,2)",
             "kinds: vector domain domain domain")
    )  # fmt: skip
    assert np.array_equal(first.array, np.moveaxis(_VALUES.reshape(2, 3, 4, 5, order="F"), 0, 3))


def test_a_series_in_a_metaimage_has_one_channel_a_volume(tmp_path: Path):
    series = sitk.JoinSeries([sitk.GetImageFromArray(np.full((5, 4, 3), k, np.int16)) for k in range(2)])
    sitk.WriteImage(series, str(tmp_path / "a.mha"))
    read = image.read(tmp_path / "a.mha")
    assert read.array.shape == (3, 4, 5, 2)
    assert read.array[0, 0, 0].tolist() == [0, 1]


def test_a_slice_has_a_third_axis_of_one_voxel(tmp_path: Path):
    slice_ = sitk.GetImageFromArray(np.arange(12, dtype=np.uint8).reshape(3, 4))
    slice_.SetSpacing((0.5, 2))
    for suffix in (".mha", ".nrrd"):
        sitk.WriteImage(slice_, str(tmp_path / f"a{suffix}"))
        read = image.read(tmp_path / f"a{suffix}")
        assert read.array.shape == (4, 3, 1)
        assert read.spacing == (0.5, 2, 1)


def test_a_missing_voxel_size_is_said(tmp_path: Path):
    read = image.read(nrrd(tmp_path / "a.nrrd", "dimension: 3", "sizes: 4 5 6"))
    assert not read.spacing_known
    assert "1 mm" in read.notes[0]
    read = image.read(nrrd(tmp_path / "a.nrrd", "dimension: 3", "sizes: 4 5 6", "spacings: 1 2 3"))
    assert read.spacing_known
    assert read.spacing == (1, 2, 3)


def test_a_size_that_the_file_cannot_hold_is_refused_before_anything_is_allocated(tmp_path: Path):
    with pytest.raises(InputError, match="cannot hold"):
        image.read(nrrd(tmp_path / "a.nrrd", "dimension: 3", "sizes: 10000 10000 10000"))
    image.write(tmp_path / "a.mha", Image(_VALUES.reshape(4, 5, 6), np.eye(4)))
    content = (tmp_path / "a.mha").read_bytes().replace(b"DimSize = 4 5 6", b"DimSize = 40000 50000 6")
    (tmp_path / "a.mha").write_bytes(content)
    with pytest.raises(InputError, match="cannot hold"):
        image.read(tmp_path / "a.mha")


def test_a_header_without_its_data_file_is_refused(tmp_path: Path):
    image.write(tmp_path / "a.mhd", Image(_VALUES.reshape(4, 5, 6), np.eye(4)))
    (tmp_path / "a.zraw").unlink()
    with pytest.raises(InputError, match=r"a\.zraw"):
        image.read(tmp_path / "a.mhd")


def test_complex_numbers_are_refused(tmp_path: Path):
    values = sitk.GetImageFromArray(np.zeros((3, 4, 5), np.complex64))
    sitk.WriteImage(values, str(tmp_path / "a.nrrd"))
    with pytest.raises(InputError, match="complex"):
        image.read(tmp_path / "a.nrrd")
