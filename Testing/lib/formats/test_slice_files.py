"""Pictures and NumPy arrays: axes, order of slices, refusals."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from MedSegEffNetLib import image
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.image import Image

_ROWS = np.arange(12, dtype=np.uint8).reshape(3, 4)  # 3 rows, 4 columns


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.npy"])
@pytest.mark.parametrize("dtype", ["u1", "u2"])
def test_rows_run_from_anterior_and_columns_from_the_patients_right(tmp_path: Path, name: str, dtype: str):
    rows = _ROWS.astype(dtype) * (1 if dtype == "u1" else 5000)
    np.save(tmp_path / name, rows) if name == "a.npy" else Pillow.fromarray(rows).save(tmp_path / name)
    read = image.read(tmp_path / name)
    assert read.array.dtype == rows.dtype
    assert np.array_equal(read.array[:, :, 0], rows.T)
    assert np.array_equal(np.diag(read.affine), [-1, -1, 1, 1])
    assert not read.spacing_known
    assert "1 mm" in read.notes[0]
    image.write(tmp_path / f"again{name}", read)
    assert np.array_equal(image.read(tmp_path / f"again{name}").array, read.array)


@pytest.mark.parametrize("suffix", [".png", ".webp", ".tif"])
def test_colors_are_three_channels_also_when_grey(tmp_path: Path, suffix: str):
    array = np.random.default_rng(0).integers(0, 255, (8, 7, 1, 3)).astype(np.uint8)
    image.write(tmp_path / f"a{suffix}", Image(array, np.eye(4)))
    assert np.array_equal(image.read(tmp_path / f"a{suffix}").array, array)
    Pillow.fromarray(np.repeat(_ROWS[..., None], 3, axis=2)).save(tmp_path / "grey.png")
    assert image.read(tmp_path / "grey.png").n_channels == 3
    assert np.array_equal(image.read_label_map(tmp_path / "grey.png").array[:, :, 0], _ROWS.T)


def test_a_folder_is_a_volume_in_natural_order_without_its_masks(tmp_path: Path):
    for number in (1, 2, 10):
        Pillow.fromarray(np.full((3, 4, 3), number, np.uint8)).save(tmp_path / f"s_{number}.webp", lossless=True)
        Pillow.fromarray(np.full((3, 4), number % 2, np.uint8)).save(tmp_path / f"s_{number}_mask.png")
    read = image.read(tmp_path)
    assert read.array.shape == (4, 3, 3, 3)
    assert read.array[0, 0, :, 0].tolist() == [1, 2, 10]
    assert image.read_label_map(tmp_path).array[0, 0].tolist() == [1, 0, 0]


def test_slices_of_different_sizes_are_refused(tmp_path: Path):
    Pillow.fromarray(_ROWS).save(tmp_path / "1.png")
    Pillow.fromarray(_ROWS.T.copy()).save(tmp_path / "2.png")
    with pytest.raises(InputError, match=r"2\.png is 3 x 4 pixels.*4 x 3"):
        image.read(tmp_path)


def test_the_pages_of_a_tiff_are_a_volume(tmp_path: Path):
    pages = [Pillow.fromarray(_ROWS + k) for k in range(3)]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    assert image.read(tmp_path / "a.tif").array[0, 0].tolist() == [0, 1, 2]


def test_a_palettes_indices_are_labels_and_its_colors_are_an_image(tmp_path: Path):
    picture = Pillow.fromarray(_ROWS % 3)
    picture.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0])
    picture.save(tmp_path / "a.png")
    assert np.array_equal(image.read_label_map(tmp_path / "a.png").array[:, :, 0], (_ROWS % 3).T)
    assert image.read(tmp_path / "a.png").array[1, 0, 0].tolist() == [255, 0, 0]


def test_transparency_is_left_out_with_a_word(tmp_path: Path):
    Pillow.fromarray(np.full((3, 4, 4), 9, np.uint8), "RGBA").save(tmp_path / "a.png")
    read = image.read(tmp_path / "a.png")
    assert read.n_channels == 3
    assert "transparency" in read.notes[1]


@pytest.mark.parametrize("shape", [(7, 6), (7, 6, 3), (7, 6, 5), (7, 6, 5, 2), (7, 6, 1), (7, 3, 2)])
def test_an_array_comes_back_as_it_was_written(tmp_path: Path, shape: tuple[int, ...]):
    np.save(tmp_path / "a.npy", np.random.default_rng(0).random(shape))
    read = image.read(tmp_path / "a.npy")
    assert read.shape[2] == (1 if len(shape) == 2 or shape[2] in (1, 3) else shape[2])
    image.write(tmp_path / "b.npy", read)
    assert np.array_equal(image.read(tmp_path / "b.npy").array, read.array)


def test_a_thin_volume_stays_a_volume(tmp_path: Path):
    image.write(tmp_path / "a.npy", Image(np.zeros((9, 8, 3)), np.eye(4)))
    assert image.read(tmp_path / "a.npy").array.shape == (9, 8, 3)


class _Code:
    def __reduce__(self):
        return os.mkdir, ("opened",)


def test_pickled_objects_and_other_types_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    for array in (np.array([_Code()]), np.array(["text"]), np.zeros((3, 3), complex), np.zeros(3), np.zeros((0, 3))):
        np.save(tmp_path / "a.npy", array, allow_pickle=True)
        with pytest.raises(InputError):
            image.read(tmp_path / "a.npy")
    assert not (tmp_path / "opened").exists()
