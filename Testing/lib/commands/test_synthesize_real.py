"""An image that is made although the real one is there, to be compared with it."""

import sys
from dataclasses import replace

import numpy as np
import pytest

from MedSegEffNetLib import image
from MedSegEffNetLib.job import read_events, read_request
from MedSegEffNetLib.synthesis.predict import Synthesizer

MADE = "mri-synthesis-stargan@0.1.0"


@pytest.fixture
def words(tmp_path):
    """Where the image goes."""
    return ("--output", tmp_path / "out" / "made_synthesised.nii.gz")


def test_the_difference_is_made_less_real_inside_of_the_head_and_carries_the_mark(
    synthesize, files, words, tmp_path, monkeypatch
):
    results = []

    def make(synthesizer, *given, original=Synthesizer.make):
        results.append((synthesizer, original(synthesizer, *given)))
        return results[-1][1]

    monkeypatch.setattr(Synthesizer, "make", make)
    path = tmp_path / "out" / "difference.nrrd"
    code, text, errors = synthesize(files, *words, "--real", files["t1ce"], "--difference", path)
    assert code == 0, errors
    path = path.with_name("difference_synthesised.nrrd")
    assert str(path) in text
    difference = image.read(path)
    assert difference.synthesised == MADE
    assert difference.array.dtype == np.float32
    assert image.same_grid(difference, image.read(files["t1"]))
    synthesizer, result = results[0]
    real, inside = synthesizer.normalized(image.read(files["t1ce"]), "t1ce")
    head = inside & result.inside
    assert not difference.array[~head].any()
    np.testing.assert_allclose(difference.array[head], (result.normalized - real)[head], atol=1e-5)


def test_the_network_does_not_see_the_real_image(synthesize, files, words):
    synthesize(files, *words)
    alone = image.read(words[1]).array
    synthesize(files, *words, "--real", files["t1ce"])
    np.testing.assert_array_equal(image.read(words[1]).array, alone)


def test_figures_and_page_tell_how_close_it_comes(synthesize, files, words, tmp_path):
    pytest.importorskip("skimage")
    run, page, path = tmp_path / "run", tmp_path / "out" / "page.html", tmp_path / "out" / "d_synthesised.nii.gz"
    given = ("--real", files["t1ce"], "--difference", path, "--report", page, "--run", run)
    code, text, errors = synthesize(files, *words, *given)
    assert code == 0, errors
    finished = read_events(run)[0][-1]
    assert finished["real"] == str(files["t1ce"].resolve())
    assert finished["difference"] == str(path.resolve())
    figures = finished["compared"]["head"]
    assert set(figures) == {"nmae", "psnr", "ssim"}
    assert 0 < figures["nmae"] < 1
    assert figures["psnr"] > 0
    assert -1 <= figures["ssim"] <= 1
    assert f"NMAE {figures['nmae']:.3f}, PSNR {figures['psnr']:.2f} dB, SSIM {figures['ssim']:.3f}" in text
    assert read_request(run)["request"]["real"] == str(files["t1ce"].resolve())
    html = page.read_text(encoding="utf-8")
    assert html.count("<figure>") % 5 == 0
    for name in ("T1 post-contrast, real", "T1 post-contrast (synthesised)", "Difference"):
        assert f"<figcaption>{name}</figcaption>" in html
    assert "full from a quarter of the way from black to white" in html
    assert f"<td>{figures['nmae']:.3f}</td>" in html


def test_without_scikit_image_the_other_figures_are_told(synthesize, files, words, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "skimage.metrics", None)
    run = tmp_path / "run"
    code, text, errors = synthesize(files, *words, "--real", files["t1ce"], "--run", run)
    assert code == 0, errors
    finished = read_events(run)[0][-1]
    assert finished["compared"]["head"]["ssim"] is None
    assert finished["compared"]["head"]["psnr"] > 0
    assert any("SSIM is left out" in warning and "scikit-image" in warning for warning in finished["warnings"])
    assert "SSIM 0" not in text


def test_a_real_image_on_another_grid_is_refused_unless_it_is_to_be_resampled(synthesize, files, words, tmp_path, head):
    moved = head["t1ce"].affine.copy()
    moved[2, 3] += 1
    other = tmp_path / "t1ce_moved.nii.gz"
    image.write(other, replace(head["t1ce"], affine=moved))
    code, _, errors = synthesize(files, *words, "--real", other)
    assert code == 2
    assert "different grids" in errors
    assert "--resample to bring t1ce onto the grid of t1" in errors
    assert not words[1].exists()
    code, text, errors = synthesize(files, *words, "--real", other, "--resample")
    assert code == 0, errors
    assert "T1 post-contrast was resampled onto the grid of T1." in text
    assert image.same_grid(image.read(words[1]), head["t1"])


def test_a_made_image_is_not_taken_for_the_real_one(synthesize, files, words, tmp_path):
    assert synthesize(files, *words)[0] == 0
    code, _, errors = synthesize(files, "--output", tmp_path / "again.nii.gz", "--real", words[1])
    assert code == 2
    assert f"the real t1ce is no image of a scanner: {MADE} made it" in errors
    assert not (tmp_path / "again_synthesised.nii.gz").exists()


def test_a_real_image_that_is_one_of_the_inputs_is_told(synthesize, files, words):
    text = synthesize(files, *words, "--real", files["t1"])[1]
    assert "looks like T1, given as T1 post-contrast" in text
    assert "Channels T1 and T1 post-contrast are the same image." in text


def test_a_real_image_of_another_place_is_refused(synthesize, files, words, tmp_path, head):
    image_of_corner = np.zeros(head["t1ce"].shape, np.float32)
    image_of_corner[:2, :2] = np.arange(10) + 1
    other = tmp_path / "t1ce_corner.nii.gz"
    image.write(other, head["t1ce"].with_array(image_of_corner))
    code, _, errors = synthesize(files, *words, "--real", other)
    assert code == 2
    assert "shows nothing where the other images show the head" in errors
    assert not words[1].exists()


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (("--difference", "d.nrrd"), "--difference without --real"),
        (("--real", "REAL", "--difference", "d.png"), "output d_synthesised.png"),
        (("--real", "REAL", "--difference", "made_synthesised.nii.gz"), "in each other's way"),
        (("--real", "nothing.nii.gz"), "there is no file or folder"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_written(synthesize, files, tmp_path, given, text):
    before = sorted(tmp_path.rglob("*"))
    given = [files["t1ce"] if one == "REAL" else tmp_path / one if "." in one else one for one in given]
    code, _, errors = synthesize(files, "--output", tmp_path / "made_synthesised.nii.gz", *given)
    assert code == 2
    assert text in errors
    assert sorted(tmp_path.rglob("*")) == before
