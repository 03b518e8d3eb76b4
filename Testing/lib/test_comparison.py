import itertools
import math

import numpy as np
import pytest

from MedSegEffNetLib import comparison
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.image import Image
from MedSegEffNetLib.task import get_segmentation_task

AFFINE = np.diag([1.0, 1.0, 2.0, 1.0])


def label_map(**boxes):
    array = np.zeros((10, 8, 4), np.uint8)
    for name, box in boxes.items():
        array[box] = int(name[-1])
    return Image(array, AFFINE)


A = label_map(l1=np.s_[0:4, 0:4, 0:2], l2=np.s_[6:8, 0:4, 0:2])
B = label_map(l1=np.s_[2:6, 0:4, 1:3], l2=np.s_[7:9, 0:4, 0:2])


def row(case, dice, hd95=math.nan, region="WT", **more):
    return {"case": case, "region": region, "dice": dice, "hd95": hd95, **more}


def test_two_label_maps_are_compared_label_by_label():
    found = comparison.compare_label_maps(A, B, comparison.parts_of(A, B))
    first, second = found.rows
    assert (first["part"], first["values"]) == ("label 1", "1")
    assert first["dice"] == pytest.approx(2 * 8 / 64)
    assert second["dice"] == pytest.approx(0.5)
    assert (second["voxels_a"], second["voxels_b"]) == (16, 16)
    assert first["ml_a"] == pytest.approx(0.064)
    assert second["hd95"] == 1
    assert 0 < second["assd"] <= 1


def test_the_difference_maps_say_what_is_in_which_map_alone():
    found = comparison.compare_label_maps(A, B, comparison.parts_of(A, B))
    whole, of_first = found.difference.array, found.differences["label 1"].array
    assert of_first[0, 0, 0] == comparison.ONLY_A
    assert of_first[5, 0, 2] == comparison.ONLY_B
    assert of_first[2, 0, 1] == of_first[9, 7, 3] == 0
    assert np.count_nonzero(found.differences["label 2"].array == comparison.ONLY_B) == 8
    assert set(np.unique(whole)) == {0, 1, 2}
    other = comparison.compare_label_maps(
        A, A.with_array(np.where(A.array == 1, 2, A.array)), comparison.parts_of(A, A)
    )
    assert set(np.unique(other.difference.array)) == {0, comparison.OTHER}
    assert np.allclose(found.difference.affine, AFFINE)


def test_slices_are_numbered_from_one_and_left_out_where_nothing_is():
    found = comparison.compare_label_maps(A, B, comparison.parts_of(A, B))
    told = [(one["slice"], one["dice"]) for one in found.slices if one["part"] == "label 1"]
    assert told == [(1, 0.0), (2, pytest.approx(0.5)), (3, 0.0)]


def test_a_task_names_labels_and_regions():
    task = get_segmentation_task("brain-tumor")
    found = comparison.compare_label_maps(A, B, comparison.parts_of(A, B, task))
    assert [one["part"] for one in found.rows] == [*(label.name for label in task.labels), "WT", "TC"]
    empty = found.rows[2]
    assert empty["dice"] == 1
    assert math.isnan(empty["hd95"])


def test_other_grids_and_empty_maps_are_refused_with_what_was_found():
    shifted = Image(B.array, np.array([[1, 0, 0, 5.0], [0, 1, 0, 0], [0, 0, 2, 0], [0, 0, 0, 1]]))
    with pytest.raises(InputError, match="different grids: A 10 × 8 × 4 voxels of 1 × 1 × 2 mm"):
        comparison.compare_label_maps(A, shifted, ())
    nothing = label_map()
    with pytest.raises(InputError, match="neither label map has a label"):
        comparison.parts_of(nothing, nothing)


def test_two_evaluations_are_compared_pair_by_pair():
    a = [row("p", 0.8, 4.0), row("q", 0.6, 5.0), row("r", 0.5), row("s", 0.9, 1.0)]
    b = [row("s", 0.95, 1.0), row("p", 0.7, 6.0), row("q", 0.7, 4.0), row("r", 0.9, 2.0)]
    dice, hd95 = comparison.compare_evaluations(a, b)
    assert (dice.region, dice.metric, dice.n) == ("WT", "dice", 4)
    assert dice.difference == pytest.approx(0.1125)
    assert dice.low < dice.difference < dice.high
    assert [case for case, _, _ in dice.worst] == ["p"]
    assert hd95.n == 3
    assert [case for case, _, _ in hd95.worst] == ["p"], "of distances, more is a loss"
    assert len(dice.values) == 4


def test_evaluations_of_other_cases_are_refused_by_name():
    with pytest.raises(InputError, match="only in A: q; only in B: x"):
        comparison.compare_evaluations([row("p", 1.0), row("q", 1.0)], [row("p", 1.0), row("x", 1.0)])
    with pytest.raises(InputError, match="share no region"):
        comparison.compare_evaluations([row("p", 1.0)], [row("p", 1.0, region="lung")])


def test_a_region_without_a_value_in_both_has_no_figures():
    dice, _ = comparison.compare_evaluations([row("p", math.nan)], [row("p", 1.0)])
    assert dice.n == 0
    assert math.isnan(dice.p)


def test_cases_whose_truth_changed_are_named():
    a = [row("p", 1.0, true_voxels=10.0), row("q", 1.0, true_voxels=5.0), row("r", 1.0)]
    b = [row("p", 1.0, true_voxels=10.0), row("q", 1.0, true_voxels=6.0), row("r", 1.0)]
    assert comparison.cases_with_other_truth(a, b) == ["q"]


def counted_by_hand(differences):
    """The share of all changes of sign with a rank sum at least as far from the middle."""
    kept = differences[differences != 0]
    sizes = np.abs(kept)
    ranks = np.array([(sizes < s).sum() + ((sizes == s).sum() + 1) / 2 for s in sizes])
    seen, middle = ranks[kept > 0].sum(), ranks.sum() / 2
    sums = [ranks[np.array(signs)].sum() for signs in itertools.product([True, False], repeat=len(ranks))]
    return np.mean([abs(one - middle) >= abs(seen - middle) - 1e-9 for one in sums])


@pytest.mark.parametrize(
    "differences",
    [[1.0, 2, 3, 4, 5], [1.0, -2, 3, 0, 5, -1], [0.5, 0.5, -0.5, 0.5, 1, 1, -2], [-1.0, 2, 3, 4, -5, 6, 7, 8]],
)
def test_the_signed_rank_test_counts_every_change_of_sign(differences):
    found = comparison.wilcoxon(np.array(differences))
    assert found == pytest.approx(counted_by_hand(np.array(differences)))


def test_the_signed_rank_test_agrees_with_scipy():
    stats = pytest.importorskip("scipy.stats")
    differences = np.random.default_rng(0).normal(0.3, 1, 30)
    assert comparison.wilcoxon(differences) == pytest.approx(stats.wilcoxon(differences, method="exact").pvalue)
    assert math.isnan(comparison.wilcoxon(np.zeros(4)))


def test_the_interval_is_that_of_the_mean_and_the_same_each_time():
    differences = np.random.default_rng(1).normal(0.1, 1, 200)
    low, high = comparison.bootstrap_interval(differences)
    error = differences.std(ddof=1) / math.sqrt(200)
    assert low == pytest.approx(differences.mean() - 1.96 * error, abs=0.02)
    assert high == pytest.approx(differences.mean() + 1.96 * error, abs=0.02)
    assert comparison.bootstrap_interval(differences) == (low, high)
    assert math.isnan(comparison.bootstrap_interval(differences[:1])[0])
