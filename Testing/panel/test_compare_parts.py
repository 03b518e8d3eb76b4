"""Masks of other grids, differences in their order, agreement: on arrays."""

import numpy as np
import pytest

from test_bridge_segments import oblique

pytestmark = pytest.mark.usefixtures("slicer_app")


@pytest.fixture
def masks(slicer_app):
    """``masks(affine, first=(k, j, i), **arrays)`` are masks whose layers begin at ``first``."""
    from MedSegEffNetPanel.bridge.named_masks import Masks, Piece

    def masks(affine, first=(0, 0, 0), **arrays):
        return Masks("made", affine, {name: (Piece(array, 1, first),) for name, array in arrays.items()})

    return masks


def ball(shape, middle, radius):
    place = np.indices(shape)
    return (sum((axis - at) ** 2 for axis, at in zip(place, middle, strict=True)) <= radius**2).astype(np.uint8)


def test_masks_whose_layers_begin_elsewhere_are_moved_not_resampled(masks):
    from MedSegEffNetPanel.bridge.named_masks import common_box, on_grid_of

    full = ball((8, 10, 12), (4, 5, 6), 2)
    affine = oblique()
    cropped_affine = affine @ np.array([[1, 0, 0, 3], [0, 1, 0, 2], [0, 0, 1, 1], [0, 0, 0, 1.0]])
    moved, resampled = on_grid_of(masks(cropped_affine, tumor=full[1:, 2:, 3:]), affine)
    assert not resampled
    whole = masks(affine, tumor=full)
    box = common_box(moved, whole)
    np.testing.assert_array_equal(moved.mask(["tumor"], box), whole.mask(["tumor"], box))


def test_a_turned_grid_takes_the_label_of_the_nearest_voxel(masks):
    from MedSegEffNetPanel.bridge.named_masks import label_map_on
    from MedSegEffNetPanel.grid import Grid

    there = ball((30, 30, 30), (15, 15, 15), 8)
    place = np.eye(4)
    place[:3, 3] = -15  # its middle is the world's
    target = oblique((0.5, 0.5, 0.5), (0, 0, 0))
    target[:3, 3] = -(target[:3, :3] @ [30, 30, 30])
    labels, resampled = label_map_on(masks(place, tumor=there), Grid((61, 61, 61), target), {"tumor": 7})
    assert resampled
    assert set(np.unique(labels)) == {0, 7}
    expected = 4 / 3 * np.pi * 8**3
    assert abs((labels > 0).sum() * 0.125 - expected) < 0.05 * expected
    assert np.argwhere(labels).mean(axis=0) == pytest.approx([30, 30, 30], abs=0.3)


def test_masks_without_voxels_lie_on_every_grid(masks):
    from MedSegEffNetPanel.bridge.named_masks import Masks, common_box, on_grid_of

    empty = Masks("empty", None, {"tumor": ()})
    placed, resampled = on_grid_of(empty, oblique())
    assert not resampled
    assert not placed.mask(["tumor"], common_box(placed)).any()


def test_names_that_differ_in_case_and_blanks_are_one_label(slicer_app):
    from MedSegEffNetPanel.bridge.named_masks import Masks
    from MedSegEffNetPanel.comparing.evaluation import parts_of

    parts = parts_of(Masks("a", None, {"Tumor ": ()}), Masks("b", None, {"tumor": (), "Cyst": ()}))
    assert [(part.title, part.labels) for part in parts] == [
        ("tumor", ("tumor",)),
        ("Cyst", ("cyst",)),
        ("all labels", ("tumor", "cyst")),
    ]


def test_the_evaluation_is_that_of_the_library(masks):
    from MedSegEffNetLib.comparison import compare_label_maps
    from MedSegEffNetLib.image import Image
    from MedSegEffNetLib.task import Region
    from MedSegEffNetPanel.comparing.evaluation import evaluate

    affine = oblique()
    a, b = ball((12, 20, 22), (5, 9, 10), 4), ball((12, 20, 22), (6, 9, 12), 4)
    found = evaluate(masks(affine, tumor=a), masks(affine, tumor=b))
    whole = compare_label_maps(Image(a.T, affine), Image(b.T, affine), [Region("tumor", "tumor", (1,), 1)])
    for name in ("dice", "hd95", "assd", "voxels_a", "ml_b"):
        assert found.rows[0].figures[name] == pytest.approx(whole.rows[0][name])
    assert [row["slice"] for row in found.slices] == [row["slice"] for row in whole.slices]
    assert [row["dice"] for row in found.slices] == [row["dice"] for row in whole.slices]


def test_overlapping_segments_are_measured_one_by_one(masks):
    from MedSegEffNetPanel.comparing.evaluation import evaluate

    inner, outer = ball((9, 9, 9), (4, 4, 4), 2), ball((9, 9, 9), (4, 4, 4), 4)
    found = evaluate(masks(np.eye(4), core=inner, whole=outer), masks(np.eye(4), core=inner, whole=outer))
    assert [row.figures["dice"] for row in found.rows] == [1.0, 1.0, 1.0]
    assert found.rows[1].figures["voxels_a"] == outer.sum()


def test_nothing_to_compare_is_told(slicer_app):
    from MedSegEffNetLib.errors import InputError
    from MedSegEffNetPanel.bridge.named_masks import Masks
    from MedSegEffNetPanel.comparing.evaluation import evaluate

    with pytest.raises(InputError, match="neither a nor b has a segment"):
        evaluate(Masks("a", None, {}), Masks("b", None, {}))


def test_differences_come_largest_first_with_a_voxel_inside(slicer_app):
    from MedSegEffNetPanel.comparing.differences import differences_of

    here = np.zeros((6, 8, 9), dtype=np.uint8)
    there = here.copy()
    here[1, 1:3, 1:3] = 1  # 4 voxels
    there[4, 4:7, 4:7] = 2  # 9
    here[5, 0, 0] = there[5, 0, 0] = 3
    here[0, 7, 8] = 1  # 1
    found = differences_of(here, there)
    assert [found.size(number) for number in range(len(found.keys))] == [9, 4, 1]
    assert [int(found.marked[found.voxel(number)]) for number in range(3)] == [2, 1, 1]
    first = found.keys[0]
    assert found.after(None, 1) == 0
    assert found.after(first, 1) == 1
    assert found.after(first, -1) == 2
    assert found.after((-7, 0), 1) == 1  # one that is gone: the next smaller one


def test_label_maps_that_agree_have_no_difference(slicer_app):
    from MedSegEffNetPanel.comparing.differences import differences_of

    labels = np.ones((3, 4, 5), dtype=np.uint8)
    found = differences_of(labels, labels)
    assert found.keys == ()
    assert not found.marked.any()


def test_agreement_is_the_dice_of_labels_and_regions(slicer_app):
    from MedSegEffNetLib.metrics import count, dice
    from MedSegEffNetLib.task import get_segmentation_task
    from MedSegEffNetPanel.comparing.agreement import agreement

    task = get_segmentation_task("brain-tumor")
    draw = np.random.default_rng(3)
    here, there = (draw.choice(np.array([0, 1, 2, 4], dtype=np.uint8), (5, 6, 7)) for _ in range(2))
    rows = {row.title: row for row in agreement(here, there, task)}
    assert rows["edema"].dice == pytest.approx(dice(count(here == 2, there == 2)))
    core = [np.isin(labels, (1, 4)) for labels in (here, there)]
    assert rows["TC"].dice == pytest.approx(dice(count(*core)))
    assert (rows["TC"].here, rows["TC"].there) == (int(core[0].sum()), int(core[1].sum()))
    assert rows["TC"].value == 0
