"""One case: which image is made, on which grid, in which range, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest

from MedSegEffNetLib.errors import InputError, Stopped
from MedSegEffNetLib.image import same_grid
from MedSegEffNetLib.inference.options import Options
from MedSegEffNetLib.job import Job
from MedSegEffNetLib.models.bundle import Bundle
from MedSegEffNetLib.synthesis import predict
from MedSegEffNetLib.synthesis.predict import Synthesizer, targets_of

QUIET = Job.open(None, {})
OPTIONS = Options(device="cpu", threads=1)


def made(model, images, target):
    return Synthesizer(model, OPTIONS).make(images, target, QUIET)


def test_the_image_lies_on_the_inputs_grid_in_the_targets_range_and_is_marked(model, head):
    result = made(model, {"t1": head["t1"], "flair": head["flair"]}, "t1ce")
    assert same_grid(result.image, head["t1"])
    assert result.image.array.dtype == np.float32
    inside = result.image.array[result.inside]
    assert inside.min() >= 40
    assert inside.max() <= 200
    assert inside.std() > 0
    assert not result.image.array[~result.inside].any()
    assert result.image.synthesised == f"{model.name}@{model.version}"
    assert result.inputs == ("t1", "flair")
    assert result.target == "t1ce"


def test_the_model_makes_another_image_of_other_inputs_and_for_another_target(model, head):
    first = made(model, {"t1": head["t1"]}, "t1ce").image.array
    assert not np.array_equal(first, made(model, {"t1": head["t1"]}, "t2").image.array)
    assert not np.array_equal(first, made(model, {"flair": head["flair"]}, "t1ce").image.array)


def test_both_engines_make_the_same_image(model, head):
    pytest.importorskip("openvino")
    images = {name: head[name] for name in ("t1", "t2")}
    pictures = [
        Synthesizer(model, replace(OPTIONS, engine=engine)).make(images, "flair", QUIET).image.array
        for engine in ("openvino", "torch")
    ]
    assert np.abs(pictures[0] - pictures[1]).max() < 8  # of 160, in bfloat16


def test_a_turned_file_gives_the_same_image_turned(model, head):
    image = head["t1"]
    flip = np.diag([-1.0, 1, 1, 1])
    flip[0, 3] = image.shape[0] - 1
    turned = replace(image, array=image.array[::-1], affine=image.affine @ flip)
    straight = made(model, {"t1": image}, "flair").image.array
    np.testing.assert_allclose(made(model, {"t1": turned}, "flair").image.array[::-1], straight, atol=1e-3)


def test_what_the_model_does_not_see_stays_empty_and_is_told(build_maker, tmp_path, head):
    from MedSegEffNetLib.task import Step

    small = (Step("zscore"), Step("mark_background", {"value": -9.0}), Step("center_crop", {"size": [16, 16, 12]}))
    bundle = Bundle.open(build_maker(tmp_path / "small", preprocessing=small))
    result = made(bundle, {"t1": head["t1"]}, "flair")
    assert any("beyond the part that the model sees" in warning for warning in result.warnings)
    assert not result.image.array[:8].any()


def test_dark_voxels_that_pass_for_air_are_not_called_unseen(build_maker, tmp_path, head):
    from MedSegEffNetLib.task import Step

    whole = (
        Step("clip_percentiles"),
        Step("zscore"),
        Step("mark_background", {"value": -9.0}),
        Step("crop_to_content"),
    )
    bundle = Bundle.open(build_maker(tmp_path / "whole", preprocessing=whole))
    speckled = head["t1"].array + 6 * (np.random.default_rng(0).random(head["t1"].shape) < 0.1)
    result = made(bundle, {"t1": head["t1"].with_array(speckled.astype(np.float32))}, "flair")
    assert (result.inside != (speckled > 0)).any()
    assert not any("beyond the part that the model sees" in warning for warning in result.warnings)


def test_a_target_that_few_patients_taught_is_told_of(model, head):
    for count, said in ((1, "from one patient alone"), (3, "from 3 patients alone"), (30, "")):
        model.info["patients"] = {"t1ce": count}
        warnings = made(model, {"t1": head["t1"]}, "t1ce").warnings
        told = [text for text in warnings if "the model knows" in text]
        assert (said in told[0]) if said else not told


def test_what_a_model_was_found_to_do_wrong_is_told_of_that_target(model, head):
    model.info["cautions"] = {"flair": "Edema is missing."}
    assert "Edema is missing." in made(model, {"t1": head["t1"]}, "flair").warnings
    assert "Edema is missing." not in made(model, {"t1": head["t1"]}, "t2").warnings


def test_contrast_enhancement_is_called_a_guess(model, head):
    told = made(model, {"t1": head["t1"]}, "t1ce").warnings
    assert any("Contrast enhancement cannot be known" in text for text in told)
    assert not any("Contrast" in text for text in made(model, {"t1": head["t1"]}, "t2").warnings)


def test_a_target_that_is_given_is_refused(model, head):
    with pytest.raises(InputError, match="t1 is given and wanted"):
        made(model, head, "t1")


def test_a_target_that_the_model_cannot_make_is_refused(build_maker, tmp_path, head):
    bundle = Bundle.open(build_maker(tmp_path / "one", targets=("t1ce",)))
    with pytest.raises(InputError, match="cannot make t2"):
        made(bundle, {"t1": head["t1"]}, "t2")


def test_an_image_that_a_network_made_is_no_input(model, head):
    with pytest.raises(InputError, match="no image of a scanner"):
        made(model, {"t1": replace(head["t1"], synthesised="m@1")}, "t2")


def test_other_grids_are_refused_unless_they_are_to_be_resampled(model, head):
    moved = head["flair"].affine.copy()
    moved[0, 3] += 5
    images = {"t1": head["t1"], "flair": replace(head["flair"], affine=moved)}
    with pytest.raises(InputError, match="different grids"):
        made(model, images, "t2")
    result = Synthesizer(model, replace(OPTIONS, resample=True)).make(images, "t2", QUIET)
    assert same_grid(result.image, head["t1"])


def test_a_model_of_another_kind_makes_no_images(bundle):
    with pytest.raises(InputError, match="makes no images"):
        targets_of(bundle)


def test_a_smaller_batch_is_tried_when_memory_runs_out(model, head, monkeypatch):
    opened = predict.engine.open_engine

    def full(bundle, network, setup, shape, threads):
        if setup.batch_size > 2:
            raise MemoryError
        return opened(bundle, network, setup, shape, threads)

    monkeypatch.setattr(predict.engine, "open_engine", full)
    assert "2 slices" in made(model, {"t1": head["t1"]}, "t2").measured["setup"]


def test_a_stop_is_heeded_between_batches(model, head, tmp_path):
    job = Job.open(tmp_path / "run", {"command": "synthesize"})
    job.listeners.append(lambda event: (tmp_path / "run" / "STOP").touch())
    with pytest.raises(Stopped):
        Synthesizer(model, OPTIONS).make({"t1": head["t1"]}, "t2", job)


def test_a_real_image_in_normalized_units_is_compared_voxel_by_voxel(model, head):
    values, inside = Synthesizer(model, OPTIONS).normalized(head["t1"], "t1")
    assert values.shape == head["t1"].shape
    assert inside.any()
    assert not inside[head["t1"].array == 0].any()
    assert values[inside].mean() == pytest.approx(0, abs=0.1)
