"""Images of unusual shape, color and scale: they work, or are refused before anything is written."""

import gzip

import numpy as np
import pytest
from PIL import Image as Pillow

from MedSegEffNetLib import image
from MedSegEffNetLib.image import Image
from MedSegEffNetLib.task import Step, get_task

AFFINE = np.diag([-0.7, -0.7, 5.0, 1.0])


@pytest.fixture(scope="session")
def ct_model(tmp_path_factory):
    """The folder of a model of covid-ct with few, random weights."""
    torch = pytest.importorskip("torch")
    from MedSegEffNetLib import networks
    from MedSegEffNetLib.models.build import FinishedTraining, build_bundle

    arguments = {"channels": [2, 4], "in_channels": 1, "out_channels": 2}
    torch.manual_seed(0)
    steps = (Step("reorient", {"axes": "LPS"}), Step("window", {}), Step("resize", {"size": [32, 32]}))
    training = FinishedTraining(
        task=get_task("covid-ct"),
        network="unet_2d",
        arguments=arguments,
        weights={"network": networks.build("unet_2d", arguments).state_dict()},
        context=0,
        preprocessing=(*steps, Step("standardize", {"mean": 100.0, "std": 60.0})),
        provenance={"data": {"folder": "nowhere", "cases": {}}},
    )
    return build_bundle(tmp_path_factory.mktemp("models") / "ct", training)


@pytest.fixture
def segment(command, ct_model):
    return lambda *words: command("segment", ct_model, *words)


@pytest.fixture
def plane():
    return np.random.default_rng(0).integers(0, 255, (48, 40)).astype(np.uint8)


def axes_stored(path):
    """The lengths of the axes that a NIfTI file's header gives."""
    stored = np.frombuffer(gzip.decompress(path.read_bytes())[40:56], "<i2")
    return tuple(stored[1 : stored[0] + 1].tolist())


@pytest.mark.parametrize("flat", [True, False], ids=["a file of two axes", "a volume of one slice"])
def test_a_slice_comes_back_in_the_shape_in_which_it_was_given(segment, plane, tmp_path, flat):
    given = tmp_path / "ct.nii.gz"
    image.write(given, Image(plane[..., None], AFFINE, flat=flat))
    assert axes_stored(given) == ((48, 40) if flat else (48, 40, 1))
    code, _, errors = segment("--input", f"ct={given}", "--output", tmp_path / "out.nii.gz")
    assert code == 0, errors
    assert axes_stored(tmp_path / "out.nii.gz") == axes_stored(given)
    assert image.same_grid(image.read(tmp_path / "out.nii.gz"), image.read(given))


@pytest.mark.parametrize("name", ["ct=slice.png", "slice.png"])
def test_a_grey_picture_saved_in_color_is_as_good_as_a_grey_one(segment, plane, tmp_path, name):
    Pillow.fromarray(plane).save(tmp_path / "grey.png")
    Pillow.fromarray(np.stack([plane] * 3, axis=-1)).save(tmp_path / "slice.png")
    given = name.replace("slice.png", str(tmp_path / "slice.png"))
    for source, output in ((f"ct={tmp_path / 'grey.png'}", "a.png"), (given, "b.png")):
        code, _, errors = segment("--input", source, "--output", tmp_path / output)
        assert code == 0, errors
    masks = [np.asarray(Pillow.open(tmp_path / output)) for output in ("a.png", "b.png")]
    assert masks[0].shape == plane.shape
    assert np.array_equal(*masks)


@pytest.mark.parametrize(("name", "text"), [("ct=slice.png", "3 components"), ("slice.png", "3 component(s)")])
def test_a_color_picture_where_grey_is_expected_is_refused(segment, plane, tmp_path, name, text):
    Pillow.fromarray(np.stack([plane, plane // 2, plane], axis=-1)).save(tmp_path / "slice.png")
    before = sorted(tmp_path.rglob("*"))
    given = name.replace("slice.png", str(tmp_path / "slice.png"))
    code, _, errors = segment("--input", given, "--output", tmp_path / "out.png", "--run", tmp_path / "run")
    assert code == 2
    assert text in errors
    assert sorted(tmp_path.rglob("*")) == before


def test_ct_without_its_intercept_is_refused_before_anything_is_written(segment, tmp_path):
    values = np.random.default_rng(0).integers(0, 3000, (48, 40, 4)).astype(np.uint16)
    image.write(tmp_path / "ct.nii.gz", Image(values, AFFINE))
    before = sorted(tmp_path.rglob("*"))
    words = ("--output", tmp_path / "out.nii.gz", "--run", tmp_path / "run")
    code, _, errors = segment("--input", f"ct={tmp_path / 'ct.nii.gz'}", *words)
    assert code == 2
    assert "no Hounsfield units" in errors
    assert "subtract 1024" in errors
    assert sorted(tmp_path.rglob("*")) == before


def test_what_is_no_chest_is_told_and_makes_the_result_doubtful(segment, tmp_path):
    values = np.full((64, 64, 6), -1000, dtype=np.int16)
    values[8:56, 12:52] = 40
    image.write(tmp_path / "ct.nii.gz", Image(values, AFFINE))
    code, text, errors = segment(
        "--input", f"ct={tmp_path / 'ct.nii.gz'}", "--output", tmp_path / "o.nii.gz", "--report", tmp_path / "r.html"
    )
    assert code == 0, errors
    assert "Quality: doubtful" in text
    assert "Doubtful: This does not look like a chest CT" in text
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert page.index("Doubtful result") < page.index("This does not look like a chest CT") < page.index("Volumes")
    assert page.count("This does not look like a chest CT") == 1
