"""Layers of known thickness, flat, tilted and curved, and label maps that are no layers."""

import math

import numpy as np
import pytest

from MedSegEffNetLib.image import Image
from MedSegEffNetLib.measures.thickness import doubts, maps, measure
from MedSegEffNetLib.task import get_segmentation_task

LABELS = get_segmentation_task("skin-layers").labels
LAYERS = [label.name for label in LABELS]
THICK = (0.63, 0.28, 1.12)  # mm: whole pixels, as a label map of level layers can tell nothing else
SIZE = 200


def stack(depth_of, spacing=(0.07, 0.07), thick=THICK, size=SIZE, **kwargs):
    """Layers at depths below a surface; ``depth_of(x, y)`` in mm of positions in mm."""
    x, y = np.meshgrid(np.arange(size) * spacing[0], np.arange(size) * spacing[1], indexing="ij")
    depth = depth_of(x, y)
    array = np.zeros((size, size, 1), dtype=np.uint8)
    for value, border in enumerate((0, *np.cumsum(thick)), start=1):
        array[depth >= border] = value
    return Image(array, np.diag([*spacing, 1.0, 1.0]), **kwargs)


def tilted(degrees):
    angle = math.radians(degrees)
    return lambda x, y: (x - 7) * math.sin(angle) + (y - 7) * math.cos(angle) + 2


def curved(radius):
    return lambda x, y: radius - np.hypot(x - 7, y - radius - 2)


def means(label_map):
    return [row.value for row in measure(label_map, LABELS, layers=LAYERS)[::2]]


def spreads(label_map):
    return [row.value for row in measure(label_map, LABELS, layers=LAYERS)[1::2]]


@pytest.mark.parametrize("degrees", [0, 3, 17, 30, 44, 71, 90, 133, 200, 290])
def test_tilted_layers_are_as_thick_as_they_were_made(degrees):
    assert means(stack(tilted(degrees))) == pytest.approx(THICK, rel=0.02)
    assert max(spreads(stack(tilted(degrees)))) < 0.35 * 0.07  # a third of a pixel


@pytest.mark.parametrize("radius", [6.0, 15.0, 40.0])
def test_curved_layers_are_as_thick_as_they_were_made(radius):
    assert means(stack(curved(radius))) == pytest.approx(THICK, rel=0.02)


def test_pixels_need_not_be_square():
    assert means(stack(tilted(30), spacing=(0.05, 0.09))) == pytest.approx(THICK, rel=0.02)


def test_a_layer_of_three_pixels_is_measured_as_well():
    thin = (0.5, 0.21, 0.9)
    assert means(stack(curved(20.0), thick=thin)) == pytest.approx(thin, rel=0.02)


def test_an_undulating_layer_has_its_mean_thickness_and_a_spread():
    def depth(x, y):
        return y - 4

    flat = stack(depth, thick=(3.0, 1.0, 1.0))
    x, y = np.meshgrid(np.arange(SIZE) * 0.07, np.arange(SIZE) * 0.07, indexing="ij")
    waves = 3.0 + 0.2 * np.sin(2 * np.pi * x / 3.5)
    array = flat.array.copy()
    array[(depth(x, y) >= 0) & (depth(x, y) < waves)] = 1
    array[(depth(x, y) >= waves) & (depth(x, y) < 4.0)] = 2
    rows = measure(flat.with_array(array), LABELS, layers=LAYERS)
    assert rows[0].value == pytest.approx(3.0, rel=0.02)
    assert rows[1].value == pytest.approx(0.2 / math.sqrt(2), rel=0.1)


def test_without_a_spacing_thickness_is_told_in_pixels():
    rows = measure(stack(tilted(20), spacing_known=False), LABELS, layers=LAYERS)
    assert {row.unit for row in rows} == {"pixels"}
    assert [row.value for row in rows[::2]] == pytest.approx([length / 0.07 for length in THICK], rel=0.02)
    assert [row.name for row in rows[:2]] == ["stratum corneum, thickness", "stratum corneum, SD of the thickness"]


def test_stray_pixels_and_holes_do_not_count():
    clean = stack(curved(20.0))
    array = clean.array.copy()
    array[20:24, 5:9] = 2
    array[150:153, 10:13] = 4
    array[90:94, 150:153] = 0
    assert means(clean.with_array(array)) == pytest.approx(means(clean), rel=1e-6)


def test_all_slices_of_a_volume_are_measured_together():
    one, other = stack(tilted(10)), stack(tilted(10), thick=(0.77, 0.28, 1.12))
    both = Image(np.concatenate([one.array, np.zeros_like(one.array), other.array], axis=2), one.affine)
    assert means(both) == pytest.approx([0.7, 0.28, 1.12], rel=0.02)


def test_a_layer_that_is_not_there_has_no_thickness():
    array = stack(tilted(0)).array.copy()
    array[array == 2] = 3
    assert [math.isnan(value) for value in means(Image(array, np.eye(4)))] == [False, True, False]
    assert all(math.isnan(value) for value in means(Image(np.zeros((30, 30, 1), dtype=np.uint8), np.eye(4))))
    assert all(math.isnan(value) for value in means(Image(np.ones((4, 40, 1), dtype=np.uint8), np.eye(4))))


def test_a_place_where_a_layer_is_missing_does_not_make_it_thinner():
    clean = stack(tilted(0))
    array = clean.array.copy()
    array[80:120][array[80:120] == 2] = 3
    assert means(clean.with_array(array))[1] == pytest.approx(THICK[1], rel=0.03)


def test_the_map_holds_the_thickness_in_each_layer_and_nothing_elsewhere():
    label_map = stack(curved(20.0))
    (one,) = maps(label_map, LABELS, layers=LAYERS)
    assert (one.unit, one.values.shape) == ("mm", label_map.shape)
    middle = slice(20, -20)
    for value, thickness in enumerate(THICK, start=1):
        inside = one.values[middle][label_map.array[middle] == value]
        assert np.isfinite(inside).all()
        np.testing.assert_allclose(inside, thickness, atol=0.05)
    assert np.isnan(one.values[np.isin(label_map.array, (0, 4))]).all()


def test_layers_in_their_order_give_no_doubt():
    assert doubts(stack(curved(20.0)), LABELS, layers=LAYERS) == []
    assert doubts(stack(tilted(160)), LABELS, layers=LAYERS) == []


def test_air_below_the_last_layer_is_no_doubt():
    label_map = stack(tilted(0))
    label_map.array[:, 150:] = 0
    assert doubts(label_map, LABELS, layers=LAYERS) == []


def test_layers_in_another_order_are_told():
    swapped = stack(tilted(0)).array
    array = np.array([0, 1, 3, 2, 4], dtype=np.uint8)[swapped]
    found = doubts(Image(array, np.eye(4)), LABELS, layers=LAYERS)
    assert any(
        "dermis touches the stratum corneum" in text and "epidermis should lie between" in text for text in found
    )


def test_a_surface_that_is_not_the_first_layer_is_told():
    upside_down = stack(tilted(0)).array
    array = np.where(upside_down > 0, 5 - upside_down.astype(int), 0).astype(np.uint8)
    (found,) = doubts(Image(array, np.eye(4)), LABELS, layers=LAYERS)
    assert "subcutaneous tissue touches the background" in found


def test_a_missing_layer_is_told_once():
    array = stack(tilted(0)).array.copy()
    array[array == 2] = 3
    assert doubts(Image(array, np.eye(4)), LABELS, layers=LAYERS) == ["No epidermis was found."]


@pytest.mark.parametrize("layers", [["dermis"], ["nail", "dermis"]])
def test_layers_that_make_no_sense_are_refused(layers):
    with pytest.raises(ValueError, match=r"nail|2 are needed"):
        measure(stack(tilted(0)), LABELS, layers=layers)
