"""The path of docs/skin-layers.md: images and label maps, training, a start from a model, thickness in every output."""

import csv
import shutil

import pytest

pytest.importorskip("torch")
pytestmark = pytest.mark.slow
TINY = ("epochs=1", "size=96", "patch_size=64", "precision=float32")


def test_from_label_maps_to_the_thickness_of_layers(command, tmp_path):
    def done(*words):
        code, text, errors = command(*words)
        assert code == 0, errors
        return text

    data, run, further = tmp_path / "mine", tmp_path / "run", tmp_path / "further"
    done("sample", "skin-layers", "--output", data, "--cases", 4, "--seed", 5000)
    train = ("train", "skin-layers", "--data", data, "--run")
    done(*train, run, "--network", "unet_2d", "--set", *TINY, "network.channels=[4,8]")
    done(*train, further, "--from", run / "model", "--set", "epochs=1", "patch_size=64", "precision=float32")
    image, page = data / "images" / "heel-05000.nii.gz", tmp_path / "heel.html"
    text = done(
        "segment", further / "model", "--input", f"t2={image}", "--output", tmp_path / "heel.seg.nrrd", "--report", page
    )
    for layer in ("stratum corneum", "epidermis", "dermis"):
        assert f"{layer}, thickness: " in text
        assert f"{layer}, SD of the thickness" in page.read_text(encoding="utf-8")
    (tmp_path / "cases" / "first").mkdir(parents=True)
    shutil.copy(image, tmp_path / "cases" / "first")
    done("segment", further / "model", "--batch", tmp_path / "cases", "--output", tmp_path / "results")
    with (tmp_path / "results" / "results.csv").open(encoding="utf-8", newline="") as file:
        assert "dermis, thickness (mm)" in next(csv.reader(file))
    done("evaluate", further / "model", "--data", data, "--split", "all", "--output", tmp_path / "evaluation")
    with (tmp_path / "evaluation" / "per_case.csv").open(encoding="utf-8", newline="") as file:
        row = next(csv.DictReader(file))
    assert 0.4 < float(row["true: stratum corneum, thickness (mm)"]) < 2
    done("report", further, "--output", tmp_path / "training.html")
