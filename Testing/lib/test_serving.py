"""An exported model segments within MONAI as it does here, run as MONAI Label's bundle app runs it."""

import zipfile

import numpy as np
import pytest

from MedSegEffNetLib import image
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.image import Image
from MedSegEffNetLib.inference import engine
from MedSegEffNetLib.inference.options import Options, Setup
from MedSegEffNetLib.inference.predict import segment_case
from MedSegEffNetLib.job import Job
from MedSegEffNetLib.models.build import build_bundle
from MedSegEffNetLib.models.bundle import CONFIG, METADATA, Bundle
from MedSegEffNetLib.models.transfer import export_model
from MedSegEffNetLib.serving import Prepare
from MedSegEffNetLib.task import Step

AFFINE = np.array([[0.2, -1.1, 0.3, 12.0], [1.2, 0.2, -0.4, -40.0], [-0.1, 0.2, -5.0, 60.0], [0, 0, 0, 1]])


def app_infers(folder, path):
    """What the app does with a bundle's folder and an image: each part of the configuration by the ids it looks for."""
    torch = pytest.importorskip("torch")
    monai = pytest.importorskip("monai.bundle")
    parser = monai.ConfigParser()
    parser.read_config(str(folder / CONFIG))
    parser.config.update({"bundle_root": str(folder), "device": "cpu"})
    network = parser.get_parsed_content("network_def", instantiate=True)
    weights = torch.load(folder / "models" / "model.pt", map_location="cpu", weights_only=True)
    network.load_state_dict(weights, strict=True)
    network.eval()
    data = {"image": str(path), "device": "cpu"}
    for transform in parser.get_parsed_content("preprocessing", instantiate=True).transforms:
        data = transform(data)
    inferer = parser.get_parsed_content("inferer", instantiate=True)
    with torch.no_grad():
        data["pred"] = inferer(data["image"][None], network)[0]
    for transform in parser.get_parsed_content("postprocessing", instantiate=True).transforms:
        data = transform(data)
    return data


def exported(bundle, tmp_path):
    """The folder in which somebody unpacked the exported model."""
    with zipfile.ZipFile(export_model(bundle, tmp_path / "model.zip")) as archive:
        archive.extractall(tmp_path / "app")
    return tmp_path / "app" / f"{bundle.name}-{bundle.version}"


def ours(images, bundle, monkeypatch):
    """The library's label map, computed with all digits as the app does."""
    monkeypatch.setattr(engine, "choose", lambda options, batch_size: Setup("torch", "cpu", "float32", batch_size))
    return segment_case(images, bundle, Options(engine="torch"), Job.open(None, {})).label_map.array


def of_blobs(shape, seed):
    draw = np.random.default_rng(seed)
    axes = np.meshgrid(*[np.linspace(-1, 1, n) for n in shape], indexing="ij")
    inside = sum(axis**2 for axis in axes) < 0.8
    return (inside * (80 + 60 * draw.random(shape))).astype(np.float32)


def test_channels_in_one_file_give_the_label_map_that_the_library_gives(tiny_training, tmp_path, monkeypatch):
    bundle = Bundle.open(build_bundle(tmp_path / "model", tiny_training(thresholds=(0.5,))))
    images = {name: Image(of_blobs((44, 40, 7), n), AFFINE) for n, name in enumerate(("t1", "flair", "t1ce"))}
    together = np.stack([one.array for one in images.values()], axis=-1)
    image.write(tmp_path / "case.nii.gz", Image(together, AFFINE))
    data = app_infers(exported(bundle, tmp_path), tmp_path / "case.nii.gz")
    found = np.asarray(data["pred"])
    assert (found.shape, found.dtype) == ((1, 44, 40, 7), np.uint8)
    wanted = ours(images, bundle, monkeypatch)
    assert 0 < wanted.mean() < 1
    assert np.mean(found[0] != wanted) < 1e-4
    # Where the app takes the shape and the place of the result from.
    assert tuple(data["image"].meta["spatial_shape"]) == (44, 40, 7)
    np.testing.assert_allclose(data["image"].meta["original_affine"], AFFINE, atol=1e-4)


def test_one_channel_is_that_which_the_model_cannot_do_without(tiny_training, tmp_path, monkeypatch):
    bundle = Bundle.open(build_bundle(tmp_path / "model", tiny_training()))
    flair = Image(of_blobs((44, 40, 7), 1), AFFINE)
    image.write(tmp_path / "flair.nii.gz", flair)
    found = np.asarray(app_infers(exported(bundle, tmp_path), tmp_path / "flair.nii.gz")["pred"])[0]
    assert np.mean(found != ours({"flair": flair}, bundle, monkeypatch)) < 1e-4


def test_a_picture_gives_a_picture(tiny_training, tmp_path):
    from PIL import Image as Pillow

    steps = (Step("resize", {"size": [48, 48]}), Step("zscore"))
    bundle = Bundle.open(build_bundle(tmp_path / "model", tiny_training(preprocessing=steps)))
    Pillow.fromarray(of_blobs((30, 26, 3), 1)[..., 1].astype(np.uint8)).save(tmp_path / "slice.png")
    found = np.asarray(app_infers(exported(bundle, tmp_path), tmp_path / "slice.png")["pred"])
    assert found.shape == (1, 26, 30), "MONAI reads pictures as (width, height)"


def test_another_number_of_channels_is_refused_with_those_wanted(bundle):
    with pytest.raises(InputError, match="2 channels") as caught:
        Prepare(str(bundle.folder))({"image": np.zeros((2, 20, 20, 3), np.float32)})
    assert "T1, FLAIR, T1 post-contrast" in caught.value.expected


def test_the_metadata_tell_what_the_app_reads(bundle):
    import json

    metadata = json.loads((bundle.folder / METADATA).read_text(encoding="utf-8"))
    formats = metadata["network_data_format"]
    assert next(iter(formats["inputs"])) == "image"
    assert next(iter(formats["outputs"])) == "pred"
    named = {int(value): name for value, name in formats["outputs"]["pred"]["channel_def"].items()}
    assert [named[value] for value in sorted(named)] == [region.title for region in bundle.regions]
    assert all(isinstance(metadata[name], str) for name in ("version", "description"))
