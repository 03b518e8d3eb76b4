"""Each step does what the spec says and brings maps back to the grid they came from."""

from dataclasses import replace

import numpy as np
import pytest

from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.image import Image
from MedSegEffNetLib.intensities import percentiles
from MedSegEffNetLib.preprocessing import STEPS, Pipeline, Volume, Window, foreground, stack
from MedSegEffNetLib.task import Channel, Step

OBLIQUE = np.array([[0.1, -0.9, 0.2, 5.0], [1.4, 0.1, 0.1, -20.0], [0.2, 0.1, 4.8, 30.0], [0, 0, 0, 1]])


def a_head(shape=(40, 48, 12), channels=2, seed=0):
    """An ellipsoid of tissue in air, with a blob as its label."""
    draw = np.random.default_rng(seed)
    axes = np.meshgrid(*[np.linspace(-1, 1, length) for length in shape], indexing="ij")
    inside = sum(axis**2 for axis in axes) < 0.7
    array = np.stack([inside * (100 + 20 * draw.standard_normal(shape)) for _ in range(channels)]).astype(np.float32)
    label = (sum((axis - 0.1) ** 2 for axis in axes) < 0.1).astype(np.uint8)
    return Volume(array, OBLIQUE, label)


def only(name, **arguments):
    return Pipeline.from_steps([Step(name, arguments)])


@pytest.mark.parametrize("axes", ["LPS", "RAS", "SLP"])
def test_reorienting_puts_the_axes_along_the_named_directions_and_back_exactly(axes):
    volume = a_head()
    turned, undo = only("reorient", axes=axes).apply(volume)
    directions = {"R": (0, 1), "L": (0, -1), "A": (1, 1), "P": (1, -1), "S": (2, 1)}
    for column, letter in enumerate(axes):
        row, sign = directions[letter]
        cosines = turned.affine[:3, column]
        assert np.abs(cosines).argmax() == row
        assert np.sign(cosines[row]) == sign
    np.testing.assert_array_equal(undo(turned.array), volume.array)
    np.testing.assert_array_equal(undo(turned.label[None])[0], volume.label)


def test_reorienting_keeps_every_voxel_at_its_place_in_space():
    volume = a_head(shape=(3, 4, 5))
    turned, _ = only("reorient", axes="LPS").apply(volume)
    values = {}
    for index in np.ndindex(3, 4, 5):
        values[tuple(np.round(volume.affine @ [*index, 1], 6))] = volume.array[(0, *index)]
    for index in np.ndindex(*turned.array.shape[1:]):
        assert values[tuple(np.round(turned.affine @ [*index, 1], 6))] == turned.array[(0, *index)]


@pytest.mark.parametrize(
    "step",
    [Step("crop_to_content", {"margin_mm": 3}), Step("center_crop", {"size": [20, 20, 8]}), Step("resize", {"size": [64, 64]}),
     Step("resample", {"spacing": [1.0, 1.0, 2.0]})],
    ids=lambda step: step.name,
)  # fmt: skip
def test_a_geometric_step_brings_a_blob_back_to_where_it_was(step):
    volume = a_head()
    prepared, undo = Pipeline.from_steps([step]).apply(volume)
    assert prepared.array.shape[1:] == prepared.label.shape
    back = undo(prepared.label[None].astype(np.float32))[0] > 0.5
    assert back.shape == volume.label.shape
    both = 2 * (back & (volume.label > 0)).sum() / (back.sum() + volume.label.sum())
    assert both > 0.9


def test_resizing_keeps_the_proportions_and_the_physical_center():
    volume = Volume(np.ones((1, 100, 50, 3), dtype=np.float32), np.diag([2.0, 2.0, 5.0, 1.0]))
    prepared, _ = only("resize", size=[50, 50]).apply(volume)
    assert prepared.array.shape == (1, 50, 50, 3)
    np.testing.assert_allclose(prepared.spacing, [4, 4, 5])
    old = volume.affine @ [49.5, 24.5, 1, 1]
    np.testing.assert_allclose(prepared.affine @ [24.5, 24.5, 1, 1], old)


def test_a_whole_pipeline_returns_maps_on_the_oblique_grid():
    volume = a_head()
    steps = [Step("reorient"), Step("crop_to_content"), Step("resize", {"size": [96, 96]}), Step("zscore")]
    prepared, undo = Pipeline.from_steps(steps).apply(volume)
    assert prepared.array.shape[1:3] == (96, 96)
    back = undo(prepared.label[None].astype(np.float32))[0] > 0.5
    assert 2 * (back & (volume.label > 0)).sum() / (back.sum() + volume.label.sum()) > 0.9


def test_zscore_has_mean_0_and_variance_1_over_the_foreground_of_each_channel():
    volume = a_head()
    prepared, _ = only("zscore").apply(volume)
    for before, after in zip(volume.array, prepared.array, strict=True):
        inside = foreground(before)
        assert abs(after[inside].mean()) < 1e-3
        assert abs(after[inside].std() - 1) < 1e-3


def test_the_data_sets_maximum_is_learnt_and_travels_as_data():
    volumes = [a_head(seed=seed) for seed in range(3)]
    pipeline = only("divide_by_maximum").learn(volumes)
    largest = max(volume.array.max() for volume in volumes)
    assert pipeline.steps()[0].arguments["maximum"] == pytest.approx(largest)
    again = Pipeline.from_steps(pipeline.steps())
    assert max(again.apply(volume)[0].array.max() for volume in volumes) == pytest.approx(1)


def test_standardization_learns_after_the_steps_before_it():
    volumes = [a_head(seed=seed) for seed in range(2)]
    pipeline = Pipeline.from_steps([Step("window", {"center": 100, "width": 100}), Step("standardize")]).learn(volumes)
    values = np.concatenate([pipeline.apply(volume)[0].array.ravel() for volume in volumes])
    assert abs(values.mean()) < 1e-3
    assert abs(values.std() - 1) < 1e-3


def test_statistics_that_were_not_learnt_are_an_error_that_says_so():
    with pytest.raises(InputError, match="no statistics yet"):
        only("standardize").apply(a_head())


def test_percentiles_are_clipped_over_the_foreground():
    volume = a_head()
    prepared, _ = only("clip_percentiles", low=1, high=99).apply(volume)
    inside = volume.array[0][foreground(volume.array[0])]
    low, high = np.percentile(inside, [1, 99])
    assert prepared.array[0].max() == pytest.approx(high, rel=1e-3)
    assert prepared.array[0].min() == pytest.approx(low, rel=1e-3)


def test_the_background_gets_its_marker():
    prepared, _ = only("mark_background", value=-9).apply(a_head())
    assert (prepared.array[:, 0, 0, 0] == -9).all()
    assert (prepared.array[:, 20, 24, 6] > 0).all()


@pytest.mark.parametrize("fill", [False, True])
def test_what_a_slice_of_the_head_encloses_is_background_only_where_holes_are_left(fill):
    array = np.zeros((1, 12, 10, 4), dtype=np.float32)
    array[:, :8, 2:9] = 100  # it touches the edge
    array[:, 3:5, 4:6] = 0
    prepared, _ = only("mark_background", value=-9, fill=fill).apply(Volume(array, np.eye(4)))
    assert (prepared.array[0, 3:5, 4:6] == (0 if fill else -9)).all()
    assert (prepared.array[0, 9:] == -9).all()


def test_a_window_maps_hounsfield_units_and_leaves_8_bit_images_alone():
    hounsfield = Volume(np.array([-3000, -1350, -600, 150, 3000], dtype=np.float32).reshape(1, 5, 1, 1), np.eye(4))
    prepared, _ = only("window", center=-600, width=1500).apply(hounsfield)
    np.testing.assert_allclose(prepared.array.ravel(), [0, 0, 127.5, 255, 255])
    grey = Volume(np.array([0, 100, 255], dtype=np.float32).reshape(1, 3, 1, 1), np.eye(4))
    assert only("window", center=-600, width=1500).apply(grey)[0] is grey
    assert only("window", center=-600, width=1500, clip_limit=3.0).apply(grey)[0] is grey


def test_a_window_with_a_clip_limit_spreads_what_lies_close_together():
    hounsfield = np.random.default_rng(0).normal(-850, 30, size=(1, 64, 64, 2)).astype(np.float32)
    flat, enhanced = (
        only("window", clip_limit=limit).apply(Volume(hounsfield, np.eye(4)))[0].array for limit in (0.0, 3.0)
    )
    assert enhanced.std() > 1.5 * flat.std()
    assert enhanced.dtype == np.float32
    assert 0 <= enhanced.min() <= enhanced.max() <= 255


@pytest.mark.parametrize("arguments", [{"width": 0}, {"clip_limit": 0.5}, {"tiles": 0}])
def test_a_window_that_makes_no_sense_is_refused(arguments):
    with pytest.raises(InputError, match="window takes"):
        only("window", **arguments)


def test_n4_leaves_a_z_score_as_it_is_but_not_an_image_with_a_little_ringing(tmp_path, monkeypatch):
    monkeypatch.setattr("MedSegEffNetLib.preprocessing.cache_folder", lambda: tmp_path)
    array = np.random.default_rng(0).standard_normal((1, 16, 16, 16)).astype(np.float32)
    corrected, _ = only("n4").apply(Volume(array, np.eye(4), None))
    np.testing.assert_array_equal(corrected.array, array)
    ringing = np.where(array < -2, array, np.abs(array) + 10)
    assert 0 < np.count_nonzero(ringing < 0) < 0.05 * ringing.size
    corrected, _ = only("n4").apply(Volume(ringing, np.eye(4), None))
    assert not np.array_equal(corrected.array, ringing)


def test_n4_flattens_a_bias_field_and_is_computed_once(tmp_path, monkeypatch):
    monkeypatch.setattr("MedSegEffNetLib.preprocessing.cache_folder", lambda: tmp_path / "of this user")
    shape = (32, 32, 16)
    axes = np.meshgrid(*[np.linspace(-1, 1, length) for length in shape], indexing="ij")
    inside = sum(axis**2 for axis in axes) < 0.8
    image = (inside * 100 * np.exp(0.4 * axes[0])).astype(np.float32)
    pipeline = only("n4")
    corrected, _ = pipeline.apply(Volume(image[None], np.eye(4)))
    variation = [part[inside].std() / part[inside].mean() for part in (image, corrected.array[0])]
    assert variation[1] < 0.5 * variation[0]
    monkeypatch.setattr("MedSegEffNetLib.geometry.n4", None)
    assert list((tmp_path / "of this user").rglob("*.npy"))
    np.testing.assert_array_equal(pipeline.apply(Volume(image[None], np.eye(4)))[0].array, corrected.array)


def test_stacking_follows_the_tasks_order_and_substitutes_a_missing_channel():
    channels = (
        Channel("t1", "T1", required=False, substitute="flair"),
        Channel("flair", "FLAIR"),
        Channel("t2", "T2", required=False),
    )
    flair = Image(np.arange(24, dtype=np.int16).reshape(2, 3, 4), np.eye(4))
    volume = stack({"flair": flair}, channels)
    assert volume.array.dtype == np.float32
    np.testing.assert_array_equal(volume.array[0], flair.array)
    np.testing.assert_array_equal(volume.array[1], flair.array)
    assert not volume.array[2].any()


def test_unknown_steps_and_arguments_are_refused():
    with pytest.raises(InputError, match="sharpen") as caught:
        only("sharpen")
    assert "zscore" in caught.value.expected
    with pytest.raises(InputError, match="clip_percentiles"):
        only("clip_percentiles", low=99, high=1)


def test_every_step_can_be_written_as_data_and_read_again():
    pipeline = Pipeline.from_steps([Step(name) for name in STEPS])
    assert Pipeline.from_steps(pipeline.steps()) == pipeline


@pytest.mark.parametrize(
    "steps",
    [
        [Step("reorient", {"axes": "LPS"}), Step("resize", {"size": [48, 40]})],
        [Step("reorient", {"axes": "SAL"}), Step("resample", {"spacing": [2.0, 1.5, 1.0]})],
        [Step("resample", {"spacing": [1.0, 1.0, 1.0]}), Step("center_crop", {"size": [30, 8, 12]}), Step("zscore")],
    ],
)
def test_the_prepared_shape_is_known_before_the_work(steps):
    affine = np.array([[0.2, -1.1, 0.3, 12.0], [1.2, 0.2, -0.4, -40.0], [-0.1, 0.2, -5.0, 60.0], [0, 0, 0, 1]])
    array = np.random.default_rng(0).random((1, 44, 40, 7)).astype(np.float32)
    pipeline = Pipeline.from_steps(steps)
    prepared, _ = pipeline.apply(Volume(array, affine))
    assert pipeline.prepared_shape((44, 40, 7), affine) == prepared.array.shape[1:]


def test_percentiles_are_those_of_numpy():
    values = np.random.default_rng(0).normal(size=12345).astype(np.float32)
    np.testing.assert_allclose(percentiles(values, 0, 0.5, 99.8, 100), np.percentile(values, (0, 0.5, 99.8, 100)))


def test_steps_that_change_the_grid_come_apart_from_those_that_change_values():
    names = ("reorient", "resample", "crop_to_content", "clip_percentiles", "zscore")
    placing, scaling = Pipeline.from_steps([Step(name) for name in names]).split()
    assert [part.name for part in placing.parts] == list(names[:3])
    assert [part.name for part in scaling.parts] == list(names[3:])


def test_only_steps_that_look_at_no_other_slice_allow_a_volume_in_parts():
    turned = np.diag([1.0, 1, 1, 1])[[2, 0, 1, 3]]  # the axes run forwards, upwards and to the right
    steps = [Step("reorient", {"axes": "LPS"}), Step("window"), Step("resize", {"size": [8, 8]})]
    assert Pipeline.from_steps(steps).slice_axis(turned) == 1
    assert Pipeline.from_steps(steps[1:]).slice_axis(turned) == 2
    assert Pipeline.from_steps([*steps, Step("zscore")]).slice_axis(turned) is None


def test_a_part_of_a_ct_without_air_is_windowed_as_the_whole_is():
    part = Volume(np.full((1, 4, 4, 2), 50, np.float32), np.eye(4), extremes=(-1000.0, 900.0))
    assert Window().apply(part)[0].array.max() > 200
    assert Window().apply(replace(part, extremes=(0.0, 255.0)))[0].array.max() == 50
