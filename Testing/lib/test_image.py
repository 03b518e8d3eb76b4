"""Images: geometry, label maps, resampling, refusals."""

from __future__ import annotations

import errno
from pathlib import Path

import numpy as np
import pytest

from MedSegEffNetLib import image
from MedSegEffNetLib.errors import InputError, MedSegEffNetError
from MedSegEffNetLib.image import Image
from MedSegEffNetLib.task import Code, Label, Terminology

_TISSUE = Terminology(Code("SCT", "85756007", "Tissue"), Code("SCT", "85756007", "Tissue"))
_LABELS = (Label(1, "core", (255, 0, 0), _TISSUE), Label(4, "rim", (0, 0, 255), _TISSUE))


def oblique(spacing: tuple[float, float, float] = (0.7, 1.1, 3.0), seed: int = 0) -> np.ndarray:
    """An affine whose axes point in no special direction; right- or left-handed as the seed has it."""
    rng = np.random.default_rng(seed)
    affine = np.eye(4)
    affine[:3, :3] = np.linalg.qr(rng.normal(size=(3, 3)))[0] * spacing
    affine[:3, 3] = rng.normal(size=3) * 50
    return affine


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nrrd", ".mha", ".mhd"])
@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("dtype", ["u1", "i2", "i8", "f4", "f8"])
def test_an_oblique_volume_comes_back_on_its_own_grid(tmp_path: Path, suffix: str, seed: int, dtype: str):
    array = (np.random.default_rng(seed).random((5, 6, 7)) * 200).astype(dtype)
    original = Image(array, oblique(seed=seed))
    image.write(tmp_path / f"a{suffix}", original)
    again = image.read(tmp_path / f"a{suffix}")
    assert again.array.dtype == array.dtype
    assert np.array_equal(again.array, array)
    assert image.same_grid(original, again)
    assert again.spacing_known
    assert not again.notes


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nrrd", ".mha", ".mhd", ".npy"])
def test_channels_come_back_in_their_order(tmp_path: Path, suffix: str):
    array = np.random.default_rng(0).random((5, 6, 7, 3)).astype(np.float32)
    image.write(tmp_path / f"a{suffix}", Image(array, np.eye(4)))
    again = image.read(tmp_path / f"a{suffix}")
    assert again.n_channels == 3
    assert [np.array_equal(c.array, array[..., k]) for k, c in enumerate(again.channels())] == [True] * 3


@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd", ".mha"])
def test_another_library_reads_the_same_voxels_in_the_same_places(tmp_path: Path, suffix: str):
    sitk = pytest.importorskip("SimpleITK")
    original = Image(np.arange(210, dtype=np.int16).reshape(5, 6, 7), oblique())
    image.write(tmp_path / f"a{suffix}", original)
    other = sitk.ReadImage(str(tmp_path / f"a{suffix}"))
    assert np.array_equal(sitk.GetArrayFromImage(other).T, original.array)
    for index in ((0, 0, 0), (4, 0, 6), (1, 5, 2)):
        left, posterior, superior = other.TransformIndexToPhysicalPoint(index)
        assert np.allclose((-left, -posterior, superior), (original.affine @ [*index, 1])[:3], atol=1e-4)


def test_a_label_map_keeps_its_values_in_every_format(tmp_path: Path):
    array = np.random.default_rng(0).choice([0, 1, 4], (5, 6, 7)).astype(np.int64)
    for suffix in (".seg.nrrd", ".nii.gz", ".nrrd", ".mha", ".npy"):
        image.write_label_map(tmp_path / f"a{suffix}", Image(array, oblique()), _LABELS)
        again = image.read_label_map(tmp_path / f"a{suffix}")
        assert again.array.dtype == np.uint8
        assert np.array_equal(again.array, array)


def test_a_label_map_with_an_unknown_value_is_not_written(tmp_path: Path):
    with pytest.raises(ValueError, match=r"\[2\]"):
        image.write_label_map(tmp_path / "a.seg.nrrd", Image(np.full((2, 2, 2), 2), np.eye(4)), _LABELS)
    assert not list(tmp_path.iterdir())


def test_whole_numbers_stored_as_reals_are_a_label_map_and_others_are_not(tmp_path: Path):
    array = np.zeros((3, 3, 3), dtype=np.float32)
    array[1, 1, 1] = 4
    image.write(tmp_path / "a.nii.gz", Image(array, np.eye(4)))
    assert image.read_label_map(tmp_path / "a.nii.gz").array.dtype == np.uint8
    for wrong in (0.5, np.nan, np.inf, 1e12):
        array[0, 0, 0] = wrong
        image.write(tmp_path / "a.nii.gz", Image(array, np.eye(4)))
        with pytest.raises(InputError, match="whole numbers"):
            image.read_label_map(tmp_path / "a.nii.gz")


def test_values_that_are_no_numbers_are_counted():
    array = np.zeros((2, 2, 2))
    array[0, 0, 0], array[1, 1, 1] = np.nan, -np.inf
    assert Image(array, np.eye(4)).non_finite() == 2
    assert Image(np.zeros((2, 2, 2), np.int16), np.eye(4)).non_finite() == 0


def test_grids_are_the_same_up_to_rounding():
    a = Image(np.zeros((200, 200, 100), np.uint8), oblique())
    rounded = Image(a.array, a.affine.astype(np.float32))
    shifted = a.affine.copy()
    shifted[0, 3] += 0.01
    assert image.same_grid(a, rounded)
    assert not image.same_grid(a, Image(a.array, shifted))
    assert not image.same_grid(a, Image(a.array[:-1], a.affine))


def test_resampling_onto_its_own_grid_changes_nothing():
    array = np.random.default_rng(0).random((5, 6, 7, 2)).astype(np.float32)
    original = Image(array, oblique())
    assert np.allclose(image.resample(original, original).array, array, atol=1e-6)


def test_resampling_gives_a_linear_ramp_at_every_place_of_a_sheared_mirrored_grid():
    grid = np.stack(np.meshgrid(*(np.arange(n) for n in (20, 21, 22)), indexing="ij"), axis=-1)
    source = Image(np.empty((20, 21, 22)), oblique((1, 1, 2)))
    world = grid @ source.affine[:3, :3].T + source.affine[:3, 3]
    source = source.with_array(world @ [1.0, -2.0, 0.5])
    affine = source.affine @ [[-0.5, 0.1, 0, 12], [0, 0.4, 0, 5], [0, 0, 0.3, 6], [0, 0, 0, 1]]
    like = Image(np.empty((9, 8, 7), np.uint8), affine)
    target = np.stack(np.meshgrid(*(np.arange(n) for n in like.shape), indexing="ij"), axis=-1)
    expected = (target @ affine[:3, :3].T + affine[:3, 3]) @ [1.0, -2.0, 0.5]
    done = image.resample(source, like)
    assert np.allclose(done.array, expected, atol=1e-6)
    assert np.array_equal(done.affine, affine)


def test_outside_of_the_image_lies_air_or_background():
    far = np.eye(4)
    far[:3, 3] = 1000
    ct = Image(np.full((3, 3, 3), -1000, np.int16), np.eye(4))
    like = Image(np.zeros((2, 2, 2)), far)
    assert (image.resample(ct, like).array == -1000).all()
    nearest = image.resample(Image(np.ones((3, 3, 3), bool), np.eye(4)), like, nearest=True)
    assert nearest.array.dtype == bool
    assert not nearest.array.any()


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("empty.nii.gz", b"", "empty"),
        ("text.nii", b"hello world", "NIfTI"),
        ("text.nii.gz", b"hello world", "NIfTI"),
        ("text.nrrd", b"hello world", "NRRD"),
        ("text.mha", b"hello world", "voxels"),
        ("text.png", b"hello world", "no picture"),
        ("text.npy", b"hello world", "cannot be read"),
        ("text.dcm", b"hello world", "DICM"),
        ("notes.txt", b"hello world", "no image of a known kind"),
        ("arrays.npz", b"PK", "no image of a known kind"),
    ],
)
def test_what_is_no_image_is_refused_with_its_name(tmp_path: Path, capfd, name: str, content: bytes, expected: str):
    (tmp_path / name).write_bytes(content)
    for reader in (image.read, image.read_label_map):
        with pytest.raises(InputError) as caught:
            reader(tmp_path / name)
        assert name in caught.value.found
        assert expected in str(caught.value)
        assert caught.value.expected
    assert capfd.readouterr() == ("", "")


def test_a_missing_file_and_an_empty_folder_are_refused(tmp_path: Path):
    with pytest.raises(InputError, match="no file or folder"):
        image.read(tmp_path / "none.nii")
    with pytest.raises(InputError, match="neither slices"):
        image.read(tmp_path)
    image.write(tmp_path / "a.nii.gz", Image(np.zeros((2, 2, 2)), np.eye(4)))
    with pytest.raises(InputError, match=r"a\.nii\.gz"):
        image.read(tmp_path)


def test_what_cannot_be_written_is_refused(tmp_path: Path):
    volume = Image(np.zeros((2, 2, 2)), np.eye(4))
    for name in ("a.txt", "a.png", "a"):
        with pytest.raises(InputError):
            image.write(tmp_path / name, volume)
    with pytest.raises(InputError, match="complex"):
        image.write(tmp_path / "a.nii", volume.with_array(np.zeros((2, 2, 2), np.complex64)))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nrrd", ".seg.nrrd", ".mha", ".mhd", ".npy"])
def test_a_full_disk_is_told_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str):
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(MedSegEffNetError, match="No space left") as caught:
        image.write_label_map(tmp_path / f"a{suffix}", Image(np.ones((3, 3, 3), int), np.eye(4)), _LABELS)
    assert "space" in caught.value.hint
    assert not list(tmp_path.iterdir())


def test_an_array_of_another_shape_does_not_fit_on_the_grid():
    with pytest.raises(ValueError, match="grid"):
        Image(np.zeros((2, 2, 2)), np.eye(4)).with_array(np.zeros((3, 2, 2)))


@pytest.mark.parametrize("dtype", [np.uint8, np.int16])
def test_values_of_a_label_map_are_counted(dtype):
    array = np.array([[[0, 4], [4, 2]]], dtype=dtype)
    assert image.count_values(array) == {0: 1, 2: 1, 4: 2}
