"""A selection on disk."""

import numpy as np

from MedSegEffNetLib.dataset.selections import load_selection, save_selection
from MedSegEffNetLib.labelops import Selection

SHAPE = (7, 9, 11)


def selection():
    mask = np.zeros(SHAPE, dtype=bool)
    mask[2:5, 3:4, 1:9] = np.random.default_rng(0).random((3, 1, 8)) > 0.3
    return Selection.of(mask)


def test_a_selection_comes_back_as_it_was(tmp_path):
    save_selection(tmp_path / "selection", selection())
    again = load_selection(tmp_path / "selection", SHAPE)
    assert np.array_equal(again.whole(), selection().whole())
    assert again.box == selection().box


def test_an_empty_selection_leaves_no_file(tmp_path):
    save_selection(tmp_path / "selection", selection())
    save_selection(tmp_path / "selection", Selection.nothing(SHAPE))
    assert list(tmp_path.iterdir()) == []
    assert load_selection(tmp_path / "selection", SHAPE) is None


def test_a_selection_of_other_images_or_a_damaged_one_is_none(tmp_path):
    path = tmp_path / "selection"
    save_selection(path, selection())
    assert load_selection(path, (7, 9, 12)) is None
    path.write_bytes(path.read_bytes()[:-5])
    assert load_selection(path, SHAPE) is None
    path.write_bytes(b"no selection")
    assert load_selection(path, SHAPE) is None
