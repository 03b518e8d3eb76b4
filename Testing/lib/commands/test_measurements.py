"""What a task measures beyond volumes, wherever results are told."""

import csv
import math
import shutil

import numpy as np
import pytest
from PIL import Image as Pillow

from MedSegEffNetLib import image
from MedSegEffNetLib.image import Image
from MedSegEffNetLib.job import read_events
from MedSegEffNetLib.task import Step, get_task

SHARE = "infection, share of lung with infection"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """The folder of a model of covid-ct with few, random weights."""
    torch = pytest.importorskip("torch")
    from MedSegEffNetLib import networks
    from MedSegEffNetLib.models.build import FinishedTraining, build_bundle

    arguments = {"channels": [2, 4], "in_channels": 1, "out_channels": 2}
    torch.manual_seed(0)
    training = FinishedTraining(
        task=get_task("covid-ct"),
        network="unet_2d",
        arguments=arguments,
        weights={"network": networks.build("unet_2d", arguments).state_dict()},
        context=0,
        preprocessing=(Step("resize", {"size": [32, 32]}), Step("window", {"clip_limit": 3.0}), Step("zscore")),
        provenance={"data": {"folder": "nowhere", "cases": {}}},
        thresholds=(0.0, 0.5),
    )
    return build_bundle(tmp_path_factory.mktemp("models") / "tiny", training)


@pytest.fixture
def cases(tmp_path):
    """A folder with a CT in Hounsfield units."""
    array = np.random.default_rng(0).integers(-1000, 400, (32, 24, 3)).astype(np.int16)
    image.write(tmp_path / "cases" / "a" / "p1_ct.nii.gz", Image(array, np.diag([2.0, 2.0, 5.0, 1.0])))
    return tmp_path / "cases"


def test_a_segmentation_prints_tells_and_shows_them(command, model, cases, tmp_path):
    words = ("--output", tmp_path / "a.nii.gz", "--report", tmp_path / "a.html", "--run", tmp_path / "run")
    code, text, errors = command("segment", model, "--case", cases / "a", *words)
    assert code == 0, errors
    labels = image.read_label_map(tmp_path / "a.nii.gz").array
    share = 100 * np.count_nonzero(labels == 2) / np.count_nonzero(labels)
    told = read_events(tmp_path / "run")[0][-1]["measurements"]
    assert told[0] == {"name": SHARE, "value": pytest.approx(share), "unit": "%"}
    assert [row["unit"] for row in told] == ["%", "mL", "mL"]
    assert f"{SHARE}: {share:.4g} %" in text
    page = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert "<h2>Measurements</h2>" in page
    assert f"{share:.4g} %" in page


def test_a_batch_has_them_in_its_table_and_empty_cells_where_a_case_failed(command, model, cases, tmp_path):
    shutil.copytree(cases / "a", cases / "b")
    (cases / "b" / "p1_ct.nii.gz").write_bytes(b"damaged")
    command("segment", model, "--batch", cases, "--output", tmp_path / "out")
    with (tmp_path / "out" / "results.csv").open(encoding="utf-8", newline="") as file:
        first, second = csv.DictReader(file)
    assert 0 <= float(first[f"{SHARE} (%)"]) <= 100
    assert second["state"] == "failed"
    assert second[f"{SHARE} (%)"] == ""


def test_an_evaluation_has_them_of_true_and_predicted_label_maps_once_a_case(command, model, tmp_path):
    folder = tmp_path / "data" / "val" / "c"
    folder.mkdir(parents=True)
    mask = np.zeros((32, 32), np.uint8)
    mask[8:24, 8:24] = 1
    mask[8:12, 8:24] = 2
    Pillow.fromarray(np.random.default_rng(1).integers(0, 255, (32, 32)).astype(np.uint8)).save(folder / "001.png")
    Pillow.fromarray(mask).save(folder / "001_label.png")
    words = ("--data", tmp_path / "data", "--split", "val", "--output", tmp_path / "out")
    code, _, errors = command("evaluate", model, *words)
    assert code == 0, errors
    with (tmp_path / "out" / "per_case.csv").open(encoding="utf-8", newline="") as file:
        lung, infection = csv.DictReader(file)
    assert float(lung[f"true: {SHARE} (%)"]) == 25
    assert math.isfinite(float(lung[f"predicted: {SHARE} (%)"]))
    assert infection[f"true: {SHARE} (%)"] == ""
    assert f"True: {SHARE} (%)" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
