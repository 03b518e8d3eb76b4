"""One case, from images to a label map on their grid."""

import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from MedSegEffNetLib.errors import InputError, OutOfMemory, Stopped
from MedSegEffNetLib.image import Image, same_grid
from MedSegEffNetLib.inference import engine, predict
from MedSegEffNetLib.inference.checks import check_images
from MedSegEffNetLib.inference.options import Options
from MedSegEffNetLib.inference.predict import segment_case
from MedSegEffNetLib.job import Job, read_events
from MedSegEffNetLib.models.bundle import Bundle
from MedSegEffNetLib.task import get_task


def a_job(folder=None):
    return Job.open(folder, {})


class Threshold:
    """Stands for a network: says tumor wherever the middle slice's FLAIR is above its mean."""

    def __init__(self, *_):
        pass

    def __call__(self, batch):
        return np.where(batch[:, 4:5] > 0, 8.0, -8.0).astype(np.float32)


def test_the_label_map_lies_exactly_on_an_oblique_left_handed_grid(bundle, oblique_case, monkeypatch):
    monkeypatch.setattr(engine, "open_engine", Threshold)
    flair = oblique_case["flair"]
    result = segment_case(oblique_case, bundle, Options(engine="openvino"), a_job())
    assert same_grid(result.label_map, flair)
    inside = flair.array > flair.array[flair.array > 0].mean()
    overlap = 2 * (inside & (result.label_map.array > 0)).sum() / (inside.sum() + result.label_map.array.sum())
    assert overlap > 0.6  # noise of single voxels does not survive resizing; a wrong axis would give 0.3
    smooth = {name: image.with_array((flair.array > 0).astype(np.int16) * 100) for name, image in oblique_case.items()}
    result = segment_case(smooth, bundle, Options(engine="openvino"), a_job())
    both = 2 * ((flair.array > 0) & (result.label_map.array > 0)).sum()
    assert both / ((flair.array > 0).sum() + result.label_map.array.sum()) > 0.97


@pytest.mark.parametrize("name", ["openvino", "torch"])
def test_both_engines_segment_alike(name, bundle, oblique_case):
    result = segment_case(oblique_case, bundle, Options(engine=name, device="cpu"), a_job())
    reference = segment_case(oblique_case, bundle, Options(engine="openvino"), a_job())
    assert np.abs(result.probabilities - reference.probabilities).max() < 0.03
    assert result.probabilities.shape == (1, 44, 40, 7)
    assert name in result.measured["setup"]


def test_flips_average_with_the_mirrored_image(bundle, oblique_case):
    plain = segment_case(oblique_case, bundle, Options(engine="openvino"), a_job()).probabilities
    flipped = segment_case(oblique_case, bundle, Options(engine="openvino", flips=True), a_job()).probabilities
    assert not np.allclose(plain, flipped)


def test_an_optional_channel_may_be_missing_and_its_substitute_is_named(bundle, oblique_case):
    del oblique_case["t1ce"]
    result = segment_case(oblique_case, bundle, Options(engine="openvino"), a_job())
    assert any("T1 post-contrast is missing: FLAIR stands in" in warning for warning in result.warnings)


def test_volumes_are_voxels_times_spacing(bundle, oblique_case, monkeypatch):
    monkeypatch.setattr(engine, "open_engine", Threshold)
    result = segment_case(oblique_case, bundle, Options(engine="openvino"), a_job())
    voxel = np.prod(oblique_case["flair"].spacing) / 1000
    assert result.volumes_ml["tumor"] == pytest.approx(result.label_map.array.sum() * voxel)


def test_memory_that_runs_out_is_met_by_smaller_batches_and_said(bundle, oblique_case, monkeypatch):
    class Hungry(Threshold):
        def __init__(self, bundle, network, setup, *_):
            self.batch_size = setup.batch_size

        def __call__(self, batch):
            if self.batch_size > 1:
                raise RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")
            return super().__call__(batch)

    monkeypatch.setattr(engine, "open_engine", Hungry)
    job, events = a_job(), []
    job.listeners.append(events.append)
    result = segment_case(oblique_case, bundle, Options(engine="openvino"), job)
    notices = [event["text"] for event in events if event["event"] == "notice"]
    assert len(notices) == 2
    assert "at a time" not in result.measured["setup"]


def test_memory_that_runs_out_for_good_is_an_error_of_its_own(bundle, oblique_case, monkeypatch):
    def hungry(*_):
        raise MemoryError

    monkeypatch.setattr(engine, "open_engine", hungry)
    with pytest.raises(OutOfMemory, match="even with one slice"):
        segment_case(oblique_case, bundle, Options(engine="openvino"), a_job())


def test_other_errors_are_not_taken_for_a_lack_of_memory(bundle, oblique_case, monkeypatch):
    def broken(*_):
        raise RuntimeError("shape mismatch")

    monkeypatch.setattr(engine, "open_engine", broken)
    with pytest.raises(RuntimeError, match="shape mismatch"):
        segment_case(oblique_case, bundle, Options(engine="openvino"), a_job())


def test_a_case_that_needs_more_memory_than_is_free_is_refused(bundle, oblique_case, monkeypatch):
    monkeypatch.setattr(predict.plan, "free_megabytes", lambda: 50)
    with pytest.raises(InputError, match="50 MB are free"):
        segment_case(oblique_case, bundle, Options(engine="openvino"), a_job())


def test_a_file_called_stop_ends_the_prediction(bundle, oblique_case, tmp_path):
    with pytest.raises(Stopped), a_job(tmp_path / "run") as job:
        (tmp_path / "run" / "STOP").touch()
        segment_case(oblique_case, bundle, Options(engine="openvino"), job)
    events, _ = read_events(tmp_path / "run")
    assert events[-1]["event"] == "stopped"
    assert any(event["event"] == "plan" and event["megabytes"] > 0 for event in events)


def test_empty_slices_are_not_given_to_the_network(bundle, oblique_case):
    for name, image in oblique_case.items():
        array = image.array.copy()
        array[..., :3] = 0
        oblique_case[name] = replace(image, array=array)
    result = segment_case(oblique_case, bundle, Options(engine="openvino"), a_job())
    assert result.measured["slices"] == 3  # the last one lies outside of the head
    assert not result.label_map.array[..., :3].any()


def test_an_engine_or_device_that_is_not_there_is_refused(bundle, oblique_case):
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(InputError, match="cuda cannot be used"):
        segment_case(oblique_case, bundle, Options(device="cuda"), a_job())
    with pytest.raises(InputError, match="tpu"):
        Options(device="tpu")
    with pytest.raises(InputError, match="OpenVINO runs on the CPU"):
        Options(device="cuda", engine="openvino")


WITHOUT_TORCH = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"torch", "monai", "nibabel", "scipy", "efficientnet_pytorch"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Blocked())
from MedSegEffNetLib.__main__ import main
"""


def test_segment_needs_neither_torch_nor_monai(bundle, oblique_case, tmp_path):
    from MedSegEffNetLib.image import write

    for name, image in oblique_case.items():
        write(tmp_path / f"{name}.nii.gz", image)
    arguments = [
        "segment",
        str(bundle.folder),
        "--case",
        str(tmp_path),
        "--output",
        str(tmp_path / "out" / "o.seg.nrrd"),
    ]
    arguments += ["--report", str(tmp_path / "out" / "r.html")]
    done = subprocess.run(
        [sys.executable, "-c", f"{WITHOUT_TORCH}\nsys.exit(main({arguments!r}))"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "o.seg.nrrd").is_file()
    assert (tmp_path / "out" / "r.html").is_file()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda case: case.pop("flair"), "missing channel: flair"),
        (lambda case: case.update(adc=case["t1"]), "unknown channel adc"),
        (lambda case: case.update(t1=Image(np.full((44, 40, 7), np.nan), case["t1"].affine)), "NaN or infinite"),
        (lambda case: case.update(t1=Image(np.zeros((44, 40, 7)), case["t1"].affine)), "is empty"),
        (lambda case: case.update(t1=Image(np.ones((44, 40, 7, 2)), case["t1"].affine)), "2 components"),
        (lambda case: case.update(t1=Image(case["t1"].array[:, :, :6], case["t1"].affine)), "different grids"),
        (lambda case: [case.update({k: Image(v.array[:8], v.affine)}) for k, v in list(case.items())], "8 × 40 pixels"),
    ],
    ids=["missing", "unknown", "NaN", "empty", "components", "grids", "tiny"],
)  # fmt: skip
def test_images_that_cannot_be_used_are_refused_with_a_reason(change, message, bundle, oblique_case):
    change(oblique_case)
    with pytest.raises(InputError, match=message):
        segment_case(oblique_case, bundle, Options(engine="openvino"), a_job())


def test_another_grid_is_resampled_when_asked_for(bundle, oblique_case):
    moved = oblique_case["t1"].affine.copy()
    moved[:3, 3] += 3
    oblique_case["t1"] = Image(oblique_case["t1"].array, moved)
    with pytest.raises(InputError, match="different grids") as caught:
        segment_case(oblique_case, bundle, Options(engine="openvino"), a_job())
    assert "--resample" in caught.value.hint
    result = segment_case(oblique_case, bundle, Options(engine="openvino", resample=True), a_job())
    assert "Channel T1 was resampled onto the grid of FLAIR." in result.warnings


def test_affines_that_differ_by_rounding_are_one_grid_and_twins_are_suspicious(bundle, oblique_case):
    rounded = np.round(oblique_case["t1"].affine, 3)
    oblique_case["t1"] = Image(oblique_case["flair"].array, rounded.astype(np.float32) * (1 + 1e-4))
    result = segment_case(oblique_case, bundle, Options(engine="openvino"), a_job())
    assert "Channels T1 and FLAIR are the same image." in result.warnings


def test_a_label_map_in_the_place_of_an_image_is_doubted(bundle, oblique_case, monkeypatch):
    monkeypatch.setattr(engine, "open_engine", Threshold)
    flair = oblique_case["flair"]
    oblique_case["t1"] = flair.with_array((flair.array > 0).astype(np.uint8) * 4)
    result = segment_case(oblique_case, bundle, Options(engine="openvino"), a_job())
    assert result.warnings == ("Channel T1 has only 2 different values, as a label map has: is it the right image?",)
    assert result.quality.reasons == result.warnings


def test_ct_in_the_place_of_mr_is_doubted_and_the_other_way_round(bundle, oblique_case, monkeypatch):
    monkeypatch.setattr(engine, "open_engine", Threshold)
    flair = oblique_case["flair"]
    oblique_case["flair"] = flair.with_array(flair.array * 10 - 1000)
    (warning,) = segment_case(oblique_case, bundle, Options(engine="openvino"), a_job()).warnings
    assert "FLAIR has values down to -1000, as CT" in warning
    channel = get_task("covid-ct").channels[0]
    for array in (flair.array * 10 - 1000, flair.array):
        assert check_images({"ct": flair.with_array(array)}, [channel], resampled=False)[1] == ()


def test_values_beyond_the_networks_numbers_are_refused_by_channel(bundle, oblique_case):
    flair = oblique_case["flair"]
    oblique_case["flair"] = flair.with_array(flair.array * 1e38)
    with pytest.raises(InputError, match="channel flair holds values from 0 to"):
        segment_case(oblique_case, bundle, Options(engine="openvino"), a_job())


def test_images_without_any_contrast_left_are_refused(bundle, oblique_case):
    flat = {name: image.with_array((image.array > 0) * 1e-50) for name, image in oblique_case.items()}
    with pytest.raises(InputError, match="nothing is left"):
        segment_case(flat, bundle, Options(engine="openvino"), a_job())


def test_the_plan_comes_before_any_work(bundle, oblique_case, monkeypatch):
    monkeypatch.setattr(predict.plan, "free_megabytes", lambda: 50)
    monkeypatch.setattr(predict.Pipeline, "apply", None)
    job, events = a_job(), []
    job.listeners.append(events.append)
    with pytest.raises(InputError, match="50 MB are free"):
        segment_case(oblique_case, bundle, Options(engine="openvino"), job)
    assert [event["event"] for event in events] == ["plan"]


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("Failed to allocate memory for image.")])
def test_memory_that_runs_out_before_the_network_is_explained(bundle, oblique_case, monkeypatch, error):
    def hungry(*_):
        raise error

    monkeypatch.setattr(predict.Pipeline, "apply", hungry)
    with pytest.raises(OutOfMemory, match="were prepared") as caught:
        segment_case(oblique_case, bundle, Options(engine="openvino"), a_job())
    assert "crop or resample" in caught.value.hint


def test_what_was_measured_says_what_ran_and_what_it_took(bundle, oblique_case):
    measured = segment_case(oblique_case, bundle, Options(engine="openvino"), a_job()).measured
    assert (measured["engine"], measured["device"]) == ("openvino", "cpu")
    assert measured["seconds"] >= measured["network"]
    assert measured["peak_mb"] > 50


def test_the_last_network_is_let_go_of_before_its_maps_are_brought_back(bundle, oblique_case, monkeypatch):
    done = []
    monkeypatch.setattr(predict.Voter, "close", lambda self: done.append("network closed"))
    add = predict.Regions.add
    monkeypatch.setattr(predict.Regions, "add", lambda *arguments: (done.append("maps added"), add(*arguments)))
    segment_case(oblique_case, bundle, Options(device="cpu"), a_job())
    assert done == ["network closed", "maps added"]


def test_weights_that_changed_are_refused_by_torch_too(bundle, oblique_case, tmp_path):
    copy = shutil.copytree(bundle.folder, tmp_path / "model")
    weights = copy / "models" / "model.pt"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    with pytest.raises(InputError, match=r"model\.pt has changed"):
        segment_case(oblique_case, Bundle.open(copy), Options(engine="torch", device="cpu"), a_job())
