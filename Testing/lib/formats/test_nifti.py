"""NIfTI: orientation, scaling, dimensions, damage."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from MedSegEffNetLib import image
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.image import Image

# Offsets of header fields in bytes, from nifti1.h.
_DIM, _TYPE, _PIXDIM, _SLOPE, _UNITS, _QFORM, _SFORM, _SROW = 40, 70, 76, 112, 123, 252, 254, 280
_AFFINE = np.array([[0.0, -2, 0, 10], [1, 0, 0, -5], [0, 0, 3, 7], [0, 0, 0, 1]])
_ARRAY = np.arange(120, dtype=np.int16).reshape(4, 5, 6)


def changed(path: Path, *changes: tuple[int, str, object], array: np.ndarray = _ARRAY) -> Path:
    """A small file whose header has other numbers at the given offsets."""
    image.write(path, Image(array, _AFFINE))
    content = bytearray(path.read_bytes())
    for offset, kind, value in changes:
        new = np.asarray(value, dtype=kind).tobytes()
        content[offset : offset + len(new)] = new
    path.write_bytes(bytes(content))
    return path


def test_the_qform_places_the_voxels_where_there_is_no_sform(tmp_path: Path):
    read = image.read(changed(tmp_path / "a.nii", (_SFORM, "<i2", 0)))
    assert np.allclose(read.affine, _AFFINE, atol=1e-5)
    mirrored = _AFFINE.copy()
    mirrored[:3, 2] *= -1
    image.write(tmp_path / "b.nii", Image(_ARRAY, mirrored))
    content = bytearray((tmp_path / "b.nii").read_bytes())
    content[_SFORM : _SFORM + 2] = b"\0\0"
    (tmp_path / "b.nii").write_bytes(bytes(content))
    assert np.allclose(image.read(tmp_path / "b.nii").affine, mirrored, atol=1e-5)


def test_an_unusable_sform_is_left_out_with_a_word(tmp_path: Path):
    read = image.read(changed(tmp_path / "a.nii", (_SROW, "<f4", np.zeros(12))))
    assert np.allclose(read.affine, _AFFINE, atol=1e-5)
    assert "unusable" in read.notes[0]


def test_a_file_without_orientation_and_voxel_size_says_so(tmp_path: Path):
    nothing = ((_SFORM, "<i2", 0), (_QFORM, "<i2", 0))
    read = image.read(changed(tmp_path / "a.nii", *nothing))
    assert np.allclose(read.affine, np.diag([1, 2, 3, 1]))
    assert read.spacing_known
    assert "orientation" in read.notes[0]
    read = image.read(changed(tmp_path / "a.nii", *nothing, (_PIXDIM, "<f4", np.zeros(8))))
    assert read.spacing == (1, 1, 1)
    assert not read.spacing_known


def test_a_sheared_grid_is_kept(tmp_path: Path):
    affine = _AFFINE @ [[1, 0.2, 0, 0], [0, 1, 0.3, 0], [0, 0, 1, 0], [0, 0, 0, 1]]
    image.write(tmp_path / "a.nii.gz", Image(_ARRAY, affine))
    assert np.allclose(image.read(tmp_path / "a.nii.gz").affine, affine, atol=1e-5)


def test_meters_become_millimeters(tmp_path: Path):
    assert np.allclose(image.read(changed(tmp_path / "a.nii", (_UNITS, "u1", 1))).spacing, (1000, 2000, 3000))


def test_slope_and_intercept_are_applied_and_a_slope_of_zero_is_none(tmp_path: Path):
    read = image.read(changed(tmp_path / "a.nii", (_SLOPE, "<f4", (0.5, -10))))
    assert read.array.dtype == np.float32
    assert np.allclose(read.array, _ARRAY * 0.5 - 10)
    assert image.read(changed(tmp_path / "a.nii", (_SLOPE, "<f4", (0, 3)))).array.dtype == np.int16


def test_a_series_of_volumes_has_one_channel_a_volume(tmp_path: Path):
    read = image.read(changed(tmp_path / "a.nii", (_DIM, "<i2", (5, 4, 5, 2, 1, 3))))
    assert read.array.shape == (4, 5, 2, 3)
    read = image.read(changed(tmp_path / "b.nii", (_DIM, "<i2", (4, 4, 5, 6, 1))))
    assert read.array.shape == (4, 5, 6)
    read = image.read(changed(tmp_path / "c.nii", (_DIM, "<i2", (2, 4, 30))))
    assert read.array.shape == (4, 30, 1)


def test_colors_are_channels(tmp_path: Path):
    colors = np.arange(240, dtype=np.uint8).reshape(4, 5, 12)
    read = image.read(changed(tmp_path / "a.nii", (_TYPE, "<i2", 128), (_DIM, "<i2", (3, 4, 5, 4)), array=colors))
    assert read.array.shape == (4, 5, 4, 3)
    assert read.array[1, 0, 0].tolist() == colors.ravel(order="F")[3:6].tolist()


def test_big_endian_files_are_read(tmp_path: Path):
    nibabel = pytest.importorskip("nibabel")
    header = nibabel.Nifti1Header(endianness=">")
    header.set_data_dtype(">i2")
    nibabel.save(nibabel.Nifti1Image(_ARRAY, _AFFINE, header), tmp_path / "a.nii")
    read = image.read(tmp_path / "a.nii")
    assert np.array_equal(read.array, _ARRAY)
    assert read.array.dtype.isnative
    assert np.allclose(read.affine, _AFFINE)


def test_version_2_is_read_and_written_for_long_axes(tmp_path: Path):
    long = np.arange(40_000, dtype=np.int32).reshape(40_000, 1, 1)
    image.write(tmp_path / "a.nii.gz", Image(long, _AFFINE))
    read = image.read(tmp_path / "a.nii.gz")
    assert np.array_equal(read.array, long)
    assert np.allclose(read.affine, _AFFINE)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ((_TYPE, "<i2", 32), "complex"),
        ((_TYPE, "<i2", 7), "unknown type"),
        ((_DIM, "<i2", (3, 30_000, 30_000, 30_000)), "cannot hold"),
        ((_DIM, "<i2", (3, 4, 0, 6)), "4 x 0 x 6"),
        ((_DIM, "<i2", 4444), "dimensions"),
        ((_SROW, "<f4", np.eye(4)[:3] * 1e30), "no usable position"),
        ((108, "<f4", 1e9), "voxels begin"),
        ((344, "S4", b"ni1"), "two files"),
    ],
)
def test_a_wrong_header_is_refused_before_anything_is_allocated(tmp_path: Path, change, expected: str):
    with pytest.raises(InputError, match=expected):
        image.read(changed(tmp_path / "a.nii", change))


@pytest.mark.parametrize("kept", [0.02, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_a_file_that_is_cut_short_is_refused(tmp_path: Path, kept: float, suffix: str):
    noise = np.random.default_rng(0).integers(0, 9999, (12, 13, 14)).astype(np.int16)
    image.write(tmp_path / f"a{suffix}", Image(noise, _AFFINE))
    content = (tmp_path / f"a{suffix}").read_bytes()
    (tmp_path / f"a{suffix}").write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(InputError, match=r"cut short|end early|begin as"):
        image.read(tmp_path / f"a{suffix}")


def test_a_wrong_check_sum_is_noticed(tmp_path: Path):
    path = changed(tmp_path / "a.nii")
    content = bytearray(gzip.compress(path.read_bytes()))
    content[-7] ^= 1
    (tmp_path / "a.nii.gz").write_bytes(bytes(content))
    with pytest.raises(InputError, match="CRC"):
        image.read(tmp_path / "a.nii.gz")


def test_a_compressed_file_with_the_wrong_suffix_is_still_read(tmp_path: Path):
    path = changed(tmp_path / "a.nii")
    path.write_bytes(gzip.compress(path.read_bytes()))
    assert np.array_equal(image.read(path).array, _ARRAY)


def test_the_same_image_gives_the_same_bytes(tmp_path: Path):
    for name in ("a.nii.gz", "b.nii.gz"):
        image.write(tmp_path / name, Image(_ARRAY, _AFFINE))
    assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "b.nii.gz").read_bytes()
