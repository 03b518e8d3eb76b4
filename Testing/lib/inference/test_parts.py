"""A volume that is segmented a few slices at a time, and one without probabilities: the same label map as ever."""

import numpy as np
import pytest

from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.image import Image
from MedSegEffNetLib.inference import plan
from MedSegEffNetLib.inference.options import Options
from MedSegEffNetLib.inference.predict import segment_case
from MedSegEffNetLib.job import Job
from MedSegEffNetLib.models.bundle import Bundle
from MedSegEffNetLib.task import Step, get_segmentation_task


def a_ct_model(folder, postprocessing=()):
    torch = pytest.importorskip("torch")
    from MedSegEffNetLib import networks
    from MedSegEffNetLib.models.build import FinishedTraining, build_bundle

    arguments = {"channels": [4, 8], "in_channels": 1, "out_channels": 2}
    torch.manual_seed(1)
    training = FinishedTraining(
        task=get_segmentation_task("covid-ct"),
        network="unet_2d",
        arguments=arguments,
        weights={"network": networks.build("unet_2d", arguments).state_dict()},
        context=0,
        preprocessing=(
            Step("reorient", {"axes": "LPS"}),
            Step("window"),
            Step("resize", {"size": [32, 32]}),
            Step("standardize", {"mean": 110.0, "std": 80.0}),
        ),
        provenance={"data": {"folder": "nowhere", "cases": {}}},
        postprocessing=postprocessing,
        thresholds=(0.45, 0.5),
    )
    return Bundle.open(build_bundle(folder, training))


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A model without and one with a clean-up of whole regions."""
    folder = tmp_path_factory.mktemp("bundles")
    return a_ct_model(folder / "plain"), a_ct_model(folder / "cleaning", (Step("keep_largest"),))


@pytest.fixture
def ct():
    """A CT whose slices lie along its first axis, two of them empty."""
    affine = np.array([[0.0, -1.5, 0.1, 3.0], [0.1, 0.0, -1.5, 8.0], [4.0, 0.1, 0.0, -9.0], [0, 0, 0, 1]])
    array = np.random.default_rng(0).integers(-1000, 400, (19, 40, 44)).astype(np.int16)
    array[8:12] = 0
    return {"ct": Image(array, affine)}


def segment(images, bundle, **options):
    return segment_case(images, bundle, Options(device="cpu", **options), Job.open(None, {}))


@pytest.mark.parametrize("number", [0, 1], ids=["plain", "clean-up"])
def test_a_few_slices_at_a_time_give_the_label_map_of_the_whole(models, ct, number, monkeypatch):
    whole = segment(ct, models[number])
    monkeypatch.setattr(plan, "VOXELS_AT_ONCE", 4 * 40 * 44)
    parts = segment(ct, models[number], probabilities=False)
    assert 0 < np.count_nonzero(whole.label_map.array) < whole.label_map.array.size
    np.testing.assert_array_equal(parts.label_map.array, whole.label_map.array)
    assert parts.measured["slices"] == whole.measured["slices"] == 15
    assert parts.probabilities.shape == (0, 19, 40, 44)
    assert parts.quality.measures["confidence"] == pytest.approx(whole.quality.measures["confidence"], rel=1e-4)


def test_parts_that_are_all_empty_are_refused_as_the_whole_is(models, ct, monkeypatch):
    monkeypatch.setattr(plan, "VOXELS_AT_ONCE", 4 * 40 * 44)
    array = np.repeat(np.linspace(-1000, 400, 19), 40 * 44).reshape(19, 40, 44)
    with pytest.raises(InputError, match="nothing is left"):
        segment({"ct": ct["ct"].with_array(array)}, models[0], probabilities=False)


def test_without_probabilities_the_label_map_is_the_same(bundle, oblique_case):
    kept, left = (segment(oblique_case, bundle, probabilities=choice) for choice in (True, False))
    np.testing.assert_array_equal(left.label_map.array, kept.label_map.array)
