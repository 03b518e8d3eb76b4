import numpy as np
import pytest

from MedSegEffNetLib.labelops import Selection, add, counts, remove, replace


@pytest.fixture
def labels():
    array = np.zeros((6, 5, 4), dtype=np.uint8)
    array[1:3, 1:4, 1] = 1
    array[3:5, 1:4, 1] = 2
    return array


def selected(shape, *box):
    mask = np.zeros(shape, dtype=bool)
    mask[box] = True
    return Selection.of(mask)


def test_a_selection_is_added_to_a_label_and_undone(labels):
    before = labels.copy()
    change = add(labels, selected(labels.shape, slice(2, 6), slice(2, 3), slice(0, 2)), 3)

    change.apply(labels)
    assert (labels[2:6, 2, 0:2] == 3).all()
    assert counts(labels) == {1: 5, 2: 4, 3: 8}

    change.revert(labels)
    assert (labels == before).all()


def test_a_change_is_kept_within_the_smallest_box(labels):
    change = add(labels, selected(labels.shape, slice(1, 4), slice(1, 4), slice(1, 2)), 1)
    assert change.box == (slice(3, 4), slice(1, 4), slice(1, 2))
    assert change.before.tolist() == [[[2], [2], [2]]]


def test_a_locked_label_gives_nothing_and_takes_nothing(labels):
    everything = selected(labels.shape, slice(None), slice(None), slice(None))
    change = add(labels, everything, 1, locked={2})
    change.apply(labels)
    assert counts(labels) == {1: labels.size - 6, 2: 6}
    for operation in (add, remove, replace):
        assert operation(labels, everything, 2, locked={2}).empty


def test_a_selection_is_removed_from_its_label_only(labels):
    remove(labels, selected(labels.shape, slice(2, 4), slice(None), slice(None)), 1).apply(labels)
    assert counts(labels) == {1: 3, 2: 6}


def test_a_label_is_replaced_by_the_selection(labels):
    replace(labels, selected(labels.shape, slice(4, 6), slice(0, 2), slice(1, 2)), 1, locked={2}).apply(labels)
    assert counts(labels) == {1: 3, 2: 6}
    assert labels[4, 0, 1] == labels[5, 0, 1] == labels[5, 1, 1] == 1


def test_a_label_is_replaced_by_nothing_where_nothing_is_selected(labels):
    replace(labels, Selection.of(np.zeros(labels.shape, dtype=bool)), 1).apply(labels)
    assert counts(labels) == {2: 6}


def test_nothing_changes_where_the_label_is_there_already(labels):
    assert add(labels, Selection.of_label(labels, 2), 2).empty
    assert add(labels, Selection.of(np.zeros(labels.shape, dtype=bool)), 2).empty
