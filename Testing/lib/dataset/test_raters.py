"""Labels of two people compared, and their consensus."""

import numpy as np
import pytest

from MedSegEffNetLib.dataset.importing import NewCase, add_case
from MedSegEffNetLib.dataset.labels import save_label
from MedSegEffNetLib.dataset.raters import compare_raters, consensus, difference_map, latest_by_author, staple
from MedSegEffNetLib.dataset.store import Dataset
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.image import Image
from MedSegEffNetLib.task import get_segmentation_task

from .conftest import AFFINE, ANN, BOB, brain, label


def rated(dataset, *sizes):
    for number, size in enumerate(sizes):
        author = (ANN, BOB, "Cy Orr")[number % 3]
        save_label(dataset, "case-0", label(size), author=author, base=dataset.read("case-0").current)
    return dataset.read("case-0")


def test_the_newest_labels_of_two_authors_are_compared(filled):
    record = rated(filled, 4, 6)
    save_label(filled, "case-0", label(8), author=ANN, base=2)
    assert [version.number for version in latest_by_author(record)] == [1, 2]
    rows = compare_raters(filled, "case-0")
    assert [(row.first, row.second, row.region) for row in rows] == [(2, 3, "tumor")]
    assert rows[0].dice == pytest.approx(2 * 6 / (6 + 8))
    assert rows[0].hd95 > 0
    assert compare_raters(filled, "case-0", [1, 3])[0].dice == pytest.approx(2 * 4 / (4 + 8))


def test_one_label_cannot_be_compared(filled):
    rated(filled, 4)
    with pytest.raises(InputError, match="1 label"):
        compare_raters(filled, "case-0")


def test_the_difference_map_shows_who_marked_what():
    one, other = label(6), label(4)
    other.array[0, 0, 0] = 1
    shown = difference_map(one, other).array
    assert (shown == 1).sum() == 2 * 6 * 2
    assert shown[0, 0, 0] == 101
    assert (shown > 0).sum() == 2 * 6 * 2 + 1


def test_the_consensus_of_three_is_a_new_version_that_becomes_the_label(filled):
    rated(filled, 6, 6, 9)
    record = consensus(filled, "case-0", ANN)
    assert (record.current, record.label.origin, record.label.comment) == (4, "consensus", "STAPLE of versions 1, 2, 3")
    np.testing.assert_array_equal(filled.load_label(record).array, label(6).array)


def test_models_are_compared_and_have_no_voice_in_a_consensus(filled):
    save_label(filled, "case-0", label(9), author=ANN, origin="model", model="net@1.0.0")
    save_label(filled, "case-0", label(6), author=ANN, origin="corrected", model="net@1.0.0", base=1)
    assert [(row.first, row.second) for row in compare_raters(filled, "case-0")] == [(1, 2)]
    with pytest.raises(InputError, match="1 label"):
        consensus(filled, "case-0", ANN)


def test_a_consensus_settles_the_conflict_of_its_raters(filled):
    save_label(filled, "case-0", label(6), author=ANN)
    save_label(filled, "case-0", label(7), author=BOB)
    assert len(filled.read("case-0").conflicts) == 1
    record = consensus(filled, "case-0", ANN)
    assert (record.conflicts, record.current) == ((), 3)


def test_the_consensus_of_nested_regions_is_nested(tmp_path):
    task = get_segmentation_task("covid-ct")
    maps = []
    for lung, infection in ((8, 3), (8, 4), (9, 3)):
        array = np.zeros((24, 20, 6), np.uint8)
        array[2 : 2 + lung, 2:12, 1:5] = 1
        array[3 : 3 + infection, 3:6, 2:4] = 2
        maps.append(Image(array, AFFINE))
    merged = staple(maps, task).array
    assert set(np.unique(merged)) == {0, 1, 2}
    assert (merged > 0).sum() == 8 * 10 * 4
    assert (merged == 2).sum() == 3 * 3 * 2
    dataset = Dataset.create(tmp_path / "ct", "covid-ct")
    add_case(dataset, NewCase("case-0", "A", {"ct": Image(brain(1), AFFINE)}, {}), ANN)
    for image, author in zip(maps, (ANN, BOB, "Cy"), strict=True):
        save_label(dataset, "case-0", image, author=author, base=dataset.read("case-0").current)
    assert {row.region for row in compare_raters(dataset, "case-0")} == {"lung", "infection"}


def test_the_consensus_is_that_of_the_program_which_visits_every_voxel():
    sitk = pytest.importorskip("SimpleITK")
    draw = np.random.default_rng(0)
    base = label(9).array > 0
    for raters in (2, 3, 5):
        masks = [
            np.roll(base, tuple(draw.integers(-2, 3, 2)), (0, 1)) ^ (draw.random(base.shape) < 0.01)
            for _ in range(raters)
        ]
        images = [sitk.GetImageFromArray(mask.astype(np.uint8)) for mask in masks]
        theirs = sitk.GetArrayFromImage(sitk.STAPLE(images, 1.0, 1.0, 100)) > 0.5
        ours = staple([Image(mask.astype(np.uint8), AFFINE) for mask in masks], get_segmentation_task("tumor-slices"))
        np.testing.assert_array_equal(ours.array > 0, theirs)


def test_raters_who_share_no_voxel_have_no_consensus(filled):
    save_label(filled, "case-0", label(4), author=ANN)
    elsewhere = np.zeros_like(label().array)
    elsewhere[0:4, 0:4, 0:2] = 1
    save_label(filled, "case-0", Image(elsewhere, AFFINE), author=BOB, base=1)
    with pytest.raises(InputError, match="no two of the 2 labels have a voxel"):
        consensus(filled, "case-0", ANN)
    assert len(filled.read("case-0").labels) == 2


def test_a_region_that_one_of_three_sees_is_not_in_the_consensus(filled):
    empty = Image(np.zeros_like(label().array), AFFINE)
    maps = [empty, label(4), empty]
    assert not staple(maps, filled.task).array.any()
    assert not staple([empty, empty], filled.task).array.any()
