import math

import numpy as np
import pytest

from MedSegEffNetLib import metrics
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.task import Region


def blob(shape, box):
    mask = np.zeros(shape, dtype=bool)
    mask[box] = True
    return mask


def brute_force_hd95(first, second, spacing):
    """The definition, written out: surfaces by asking every neighbor, distances of every pair."""

    def surface(mask):
        points = []
        for point in zip(*np.nonzero(mask), strict=True):
            for axis in range(3):
                for step in (-1, 1):
                    beside = list(point)
                    beside[axis] += step
                    outside = not 0 <= beside[axis] < mask.shape[axis]
                    if mask.shape[axis] > 1 and (outside or not mask[tuple(beside)]):
                        points.append(point)
        return np.unique(np.array(points), axis=0) * np.array(spacing)

    a, b = surface(first), surface(second)
    distances = np.linalg.norm(a[:, None] - b[None], axis=2)
    return max(np.percentile(distances.min(axis=1), 95), np.percentile(distances.min(axis=0), 95))


def test_metrics_are_those_of_a_case_counted_by_hand():
    true = np.array([1, 1, 1, 0, 0, 0, 0, 0], dtype=bool).reshape(8, 1, 1)
    predicted = np.array([1, 1, 0, 1, 1, 0, 0, 0], dtype=bool).reshape(8, 1, 1)
    found = metrics.case_metrics(
        predicted, true, (1, 1, 1), [name for name in metrics.METRICS if name not in metrics.DISTANCES]
    )
    assert metrics.count(predicted, true) == metrics.Counts(tp=2, fp=2, fn=1, tn=3)
    assert found == pytest.approx(
        {
            "dice": 4 / 7,
            "iou": 2 / 5,
            "accuracy": 5 / 8,
            "sensitivity": 2 / 3,
            "specificity": 3 / 5,
            "precision": 1 / 2,
            "f1": 4 / 7,
        }
    )


@pytest.mark.parametrize(
    ("predicted", "true", "expected"),
    [
        (
            False,
            False,
            {"dice": 1, "iou": 1, "f1": 1, "sensitivity": None, "precision": None, "hd95": None, "assd": None},
        ),
        (False, True, {"dice": 0, "iou": 0, "f1": 0, "sensitivity": 0, "precision": None, "hd95": None, "assd": None}),
        (True, False, {"dice": 0, "iou": 0, "f1": 0, "sensitivity": None, "precision": 0, "hd95": None, "assd": None}),
    ],
)
def test_empty_masks_follow_the_stated_conventions(predicted, true, expected):
    box = np.s_[1:3, 1:3, 1:3]
    masks = [blob((4, 4, 4), box if filled else np.s_[:0]) for filled in (predicted, true)]
    found = metrics.case_metrics(*masks, (1, 1, 1))
    for name, value in expected.items():
        assert math.isnan(found[name]) if value is None else found[name] == value, name


def test_specificity_is_undefined_where_there_is_no_background():
    full = np.ones((2, 2, 2), dtype=bool)
    assert math.isnan(metrics.case_metrics(full, full, (1, 1, 1))["specificity"])


@pytest.mark.parametrize("shape", [(12, 9, 7), (14, 11, 1)])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_hd95_equals_the_definition_written_out(shape, seed):
    random = np.random.default_rng(seed)
    spacing = (0.7, 1.3, 5.0)
    first = random.random(shape) > 0.8
    second = blob(shape, np.s_[2:9, 3:, :])
    assert metrics.hd95(first, second, spacing) == pytest.approx(brute_force_hd95(first, second, spacing), abs=1e-4)


def test_hd95_equals_that_of_monai():
    compute = pytest.importorskip("monai.metrics").compute_hausdorff_distance
    torch = pytest.importorskip("torch")
    spacing = (1.0, 0.5, 3.0)
    first = blob((20, 20, 12), np.s_[4:12, 3:15, 2:7])
    second = blob((20, 20, 12), np.s_[6:15, 3:13, 0:9])
    as_batch = [torch.from_numpy(mask[np.newaxis, np.newaxis]) for mask in (first, second)]
    theirs = float(compute(*as_batch, include_background=True, percentile=95, spacing=spacing))
    assert metrics.hd95(first, second, spacing) == pytest.approx(theirs, abs=1e-4)


def test_hd95_of_equal_masks_is_zero_and_of_shifted_ones_the_shift_in_mm():
    mask = blob((30, 30, 10), np.s_[5:15, 5:15, 3:6])
    assert metrics.hd95(mask, mask, (1, 1, 4)) == 0
    assert metrics.hd95(blob((9, 9, 9), np.s_[2, 2, 2]), blob((9, 9, 9), np.s_[2, 2, 5]), (1, 1, 4)) == pytest.approx(
        12
    )


def test_masks_of_another_type_or_shape_are_refused():
    mask = np.ones((2, 2, 2), dtype=bool)
    with pytest.raises(ValueError, match="boolean"):
        metrics.case_metrics(mask.astype(np.uint8), mask, (1, 1, 1))
    with pytest.raises(ValueError, match="one shape"):
        metrics.case_metrics(mask[:1], mask, (1, 1, 1))


def test_an_unknown_metric_is_an_input_error_that_lists_those_there_are():
    with pytest.raises(InputError, match="kappa") as caught:
        metrics.check_names(["dice", "kappa"])
    assert "hd95" in caught.value.expected


def test_regions_are_unions_of_labels():
    label_map = np.array([0, 1, 2, 4]).reshape(4, 1, 1)
    masks = metrics.region_masks(
        label_map, [Region("WT", "whole tumor", (1, 2, 4), 2), Region("ET", "enhancing", (4,), 4)]
    )
    assert masks["WT"].ravel().tolist() == [False, True, True, True]
    assert masks["ET"].ravel().tolist() == [False, False, False, True]


def test_a_summary_leaves_undefined_values_out_and_says_how_many_there_were():
    rows = [
        {"case": "a", "region": "WT", "dice": 0.5, "hd95": 2.0, "seconds": 3},
        {"case": "b", "region": "WT", "dice": 0.8, "hd95": math.nan},
        {"case": "c", "region": "WT", "dice": 0.9, "hd95": math.nan},
    ]
    summary = metrics.summarize(rows)["WT"]
    values = np.array([0.5, 0.8, 0.9])
    assert summary["dice"] == pytest.approx({"mean": values.mean(), "std": values.std(ddof=1), "median": 0.8, "n": 3})
    assert summary["hd95"]["n"] == 1
    assert summary["hd95"]["mean"] == 2.0
    assert math.isnan(summary["hd95"]["std"])
    assert "seconds" not in summary


def test_a_confusion_matrix_has_true_labels_in_rows():
    true, predicted = np.array([0, 0, 1, 1, 4]), np.array([0, 1, 1, 4, 4])
    assert metrics.confusion_matrix(predicted, true, [1, 4]).tolist() == [[1, 1, 0], [0, 1, 1], [0, 0, 1]]
    with pytest.raises(ValueError, match=r"\[7\]"):
        metrics.confusion_matrix(np.array([7]), np.array([0]), [1])


def test_the_mean_surface_distance_is_that_of_both_surfaces():
    first, second = blob((9, 1, 1), np.s_[1:3]), blob((9, 1, 1), np.s_[1:6])
    # Surfaces at 1, 2 and at 1, 5: distances 0, 1 (to 1; the other end is 3 away) and 0, 3, times 2 mm.
    assert metrics.assd(first, second, (2, 1, 1)) == pytest.approx(2 * (0 + 1 + 0 + 3) / 4)
    assert metrics.assd(first, first, (2, 1, 1)) == 0


def test_missed_cases_are_those_with_a_tumor_and_dice_0():
    rows = [
        {"dice": 0.0, "true_voxels": 5},
        {"dice": 0.0, "true_voxels": 0},
        {"dice": 0.5, "true_voxels": 5},
        {"dice": math.nan, "true_voxels": math.nan},
        {"dice": 0.0},
    ]
    assert metrics.count_missed(rows) == 2
