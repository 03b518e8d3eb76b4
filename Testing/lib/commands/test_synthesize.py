"""The command that makes a missing image, and the one that segments with it."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from MedSegEffNetLib import image
from MedSegEffNetLib.job import read_events, read_request
from MedSegEffNetLib.models import registry
from MedSegEffNetLib.models.bundle import Bundle

MADE = "mri-synthesis-stargan@0.1.0"


@pytest.fixture
def nothing_shipped(monkeypatch):
    """Models are looked for by name among the user's alone."""
    monkeypatch.setattr(registry, "search_path", lambda: [registry.user_folder()])


@pytest.fixture
def installed(maker, nothing_shipped):
    """The only model that makes images, among the user's."""
    shutil.copytree(maker, registry.user_folder() / "maker")


def test_the_image_is_written_under_a_name_that_says_what_it_is(synthesize, files, tmp_path):
    run, page = tmp_path / "run", tmp_path / "out" / "page.html"
    code, text, errors = synthesize(files, "--output", tmp_path / "out" / "t1ce.nii.gz", "--run", run, "--report", page)
    assert code == 0, errors
    output = tmp_path / "out" / "t1ce_synthesised.nii.gz"
    made = image.read(output)
    assert made.synthesised == MADE
    assert image.same_grid(made, image.read(files["t1"]))
    assert "so that its name says what it is" in text
    finished = read_events(run)[0][-1]
    assert finished["event"] == "finished"
    assert finished["output"] == str(output.resolve())
    assert finished["report"] == str(page.resolve())
    assert (finished["target"], finished["inputs"], finished["synthesised"]) == ("t1ce", ["t1", "flair"], MADE)
    assert finished["measured"]["slices"] > 0
    assert any("It is no measurement" in warning for warning in finished["warnings"])
    assert read_request(run)["request"]["target"] == "t1ce"
    html = page.read_text(encoding="utf-8")
    assert "a network made this image" in html
    assert html.count("<figure>") % 3 == 0  # a row a slice
    assert "Difference" not in html
    assert (finished["real"], finished["difference"], finished["compared"]) == (None, None, None)


@pytest.mark.parametrize("suffix", ["nii", "nrrd", "mha"])
def test_every_volume_format_takes_the_mark(synthesize, files, tmp_path, suffix):
    code, _, errors = synthesize(files, "--output", tmp_path / f"a_synthesised.{suffix}", target="t2")
    assert code == 0, errors
    assert image.read(tmp_path / f"a_synthesised.{suffix}").synthesised == MADE


def test_a_name_without_a_suffix_is_a_folder_for_a_dicom_series(synthesize, files, tmp_path):
    pytest.importorskip("highdicom")
    code, _, errors = synthesize(files, "--output", tmp_path / "series")
    assert code == 0, errors
    assert image.read(tmp_path / "series_synthesised").synthesised == MADE
    code, _, errors = synthesize(files, "--output", tmp_path / "series")
    assert code == 2
    assert "is there already" in errors


def test_text_is_burnt_in_on_request(synthesize, files, tmp_path):
    for name, words in (("plain", ()), ("marked", ("--mark",))):
        text = synthesize(files, "--output", tmp_path / f"{name}_synthesised.nii.gz", *words)[1]
        assert ("make the image without --mark to segment it" in text) is bool(words)
    plain, marked = (image.read(tmp_path / f"{name}_synthesised.nii.gz").array for name in ("plain", "marked"))
    differs = (plain != marked).any(axis=2)
    assert differs.any()
    assert not differs[:, differs.shape[1] // 2 :].any()  # the lower half, as it is seen, alone


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("--target", "t1", "--output", "x.nii.gz"), "t1 is given and wanted"),
        (("--target", "pd", "--output", "x.nii.gz"), "no channel called 'pd'"),
        (("--target", "t1ce", "--output", "x.npy"), "output x_synthesised.npy"),
        (("--target", "t1ce", "--output", "x.nii.gz", "--report", "x.txt"), "output x.txt"),
        (("--target", "t1ce", "--output", "x.nii.gz", "--threads", "0"), "0 threads"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_written(command, maker, files, tmp_path, words, text):
    before = sorted(tmp_path.rglob("*"))
    words = [tmp_path / word if "." in word else word for word in words]
    code, _, errors = command("synthesize", maker, "--input", f"t1={files['t1']}", *words)
    assert code == 2
    assert text in errors
    assert sorted(tmp_path.rglob("*")) == before


def test_inputs_and_unmarked_files_are_not_replaced(synthesize, files, tmp_path):
    precious = tmp_path / "t1ce_synthesised.nii.gz"
    shutil.copy(files["t1ce"], precious)
    code, _, errors = synthesize(files, "--output", tmp_path / "t1ce.nii.gz")
    assert code == 2
    assert "not marked as made by a network" in errors
    named = tmp_path / "case" / "t1_synthesised.nii.gz"
    shutil.copy(files["t1"], named)
    code, _, errors = synthesize({**files, "t1": named}, "--output", named)
    assert code == 2
    assert "is also an input" in errors


def test_an_image_that_a_network_made_is_no_input(synthesize, files, tmp_path):
    synthesize(files, "--output", tmp_path / "t1ce.nii.gz")
    made = {**files, "t1ce": tmp_path / "t1ce_synthesised.nii.gz"}
    code, _, errors = synthesize(made, "--output", tmp_path / "t2.nii.gz", inputs=("t1", "t1ce"), target="t2")
    assert code == 2
    assert "no image of a scanner" in errors


def test_a_model_that_segments_makes_no_images(command, tiny_model, files, tmp_path):
    words = ("--input", f"t1={files['t1']}", "--target", "t1ce", "--output", tmp_path / "x.nii.gz")
    code, _, errors = command("synthesize", tiny_model, *words)
    assert code == 2
    assert "makes no images" in errors


def test_segmenting_can_have_missing_images_made(command, tiny_model, installed, files, tmp_path):
    run, output = tmp_path / "run", tmp_path / "out" / "tumor.seg.nrrd"
    given = ("--input", f"flair={files['flair']}", "--output", output)
    code, text, errors = command("segment", tiny_model, *given, "--complete", "--run", run)
    assert code == 0, errors
    assert "T1 post-contrast was made by a network from FLAIR" in text
    assert "is missing" not in text
    finished = read_events(run)[0][-1]
    assert finished["synthesised"] == MADE
    assert finished["quality"]["flag"] == "doubtful"
    assert image.read_label_map(output).synthesised == MADE
    command("segment", tiny_model, *given)
    assert image.read_label_map(output).synthesised == ""


def test_nothing_is_made_of_a_case_that_misses_nothing(command, tiny_model, installed, case, tmp_path):
    code, text, errors = command("segment", tiny_model, "--case", case, "--output", tmp_path / "x.nii.gz", "--complete")
    assert code == 0, errors
    assert "made by a network" not in text
    assert image.read(tmp_path / "x.nii.gz").synthesised == ""


def test_without_a_model_completing_says_what_to_do(command, tiny_model, nothing_shipped, files, tmp_path):
    words = ("--input", f"flair={files['flair']}", "--output", tmp_path / "x.nii.gz", "--complete")
    code, _, errors = command("segment", tiny_model, *words)
    assert code == 2
    assert "none is installed" in errors
    assert "leave --complete out" in errors
    assert not (tmp_path / "x.nii.gz").exists()


def test_a_label_map_that_cannot_hold_the_mark_is_refused_before_the_work(
    command, tiny_model, installed, files, tmp_path
):
    words = ("--input", f"flair={files['flair']}", "--output", tmp_path / "x.npy", "--complete")
    code, _, errors = command("segment", tiny_model, *words)
    assert code == 2
    assert "cannot hold the mark" in errors


def test_a_batch_is_completed_case_by_case(command, tiny_model, installed, files, tmp_path):
    batch, output = tmp_path / "batch", tmp_path / "out"
    (batch / "a").mkdir(parents=True)
    shutil.copy(files["flair"], batch / "a")
    assert command("segment", tiny_model, "--batch", batch, "--output", output)[0] == 0
    assert image.read_label_map(output / "a" / "a.seg.nrrd").synthesised == ""
    code, text, errors = command("segment", tiny_model, "--batch", batch, "--output", output, "--complete")
    assert code == 0, errors
    assert "1 segmented" in text  # with other images: what was there does not count
    assert image.read_label_map(output / "a" / "a.seg.nrrd").synthesised == MADE
    stored = json.loads((output / "a" / "result.json").read_text(encoding="utf-8"))
    assert stored["result"]["synthesised"] == MADE


def test_an_evaluation_compares_with_the_real_images(command, maker, tiny_model, head, tmp_path):
    pytest.importorskip("skimage")
    pytest.importorskip("torchmetrics")
    data, output = tmp_path / "data", tmp_path / "out"
    for number in range(2):
        for name in ("t1", "t1ce", "flair"):
            noisy = head[name].array + np.random.default_rng(number).random(head[name].shape) * (head[name].array > 0)
            image.write(
                data / f"p{number}" / f"p{number}_{name}.nii.gz", head[name].with_array(noisy.astype(np.float32))
            )
        mask = head["t1"].with_array((head["t1"].array > 75).astype(np.uint8))
        image.write(data / f"p{number}" / f"p{number}_seg.nii.gz", mask)
    words = ("--data", data, "--split", "all", "--output", output, "--segmentation", tiny_model)
    code, text, errors = command("evaluate", maker, *words)
    assert code == 0, errors
    assert "t1+flair → t1ce" in text
    rows = (output / "synthesis.csv").read_text(encoding="utf-8").splitlines()
    assert len(rows) == 1 + 2 * (9 * 3 + 7)  # cases, choices of inputs and targets, regions; segmented with FLAIR
    summary = json.loads((output / "summary.json").read_text(encoding="utf-8"))
    assert summary["t1+flair → t1ce"]["head"]["ssim"]["n"] == 2
    for task, known in (("t1+flair → t1ce", 2), ("t1 → flair", 0)):  # without FLAIR the model cannot work
        segmented = summary[task]["segmented tumor"]
        assert [segmented[name]["n"] for name in ("dice_real", "dice_missing", "dice_synthesised")] == [2, known, 2]
        assert all(0 <= segmented[name]["mean"] <= 1 for name in ("dice_real", "dice_synthesised"))
    assert "segmented tumor" not in summary["t1 → t1ce"]
    html = (output / "report.html").read_text(encoding="utf-8")
    assert "Beside the published figures" in html
    assert "Difference" in html
    assert list((output / "pictures").glob("*.png"))


def test_the_default_model_is_found_by_its_task(maker, installed):
    from MedSegEffNetLib.synthesis.completing import find_model

    assert find_model().name == Bundle.open(Path(maker)).name


def test_a_marked_input_makes_a_segmentation_doubtful(command, tiny_model, files, tmp_path):
    marked = tmp_path / "t1ce_made.nii.gz"
    image.write(marked, replace(image.read(files["t1ce"]), synthesised="m@1"))
    given = [f"{name}={files[name]}" for name in ("t1", "flair")]
    page = tmp_path / "page.html"
    code, text, errors = command(
        "segment", tiny_model, "--input", *given, f"t1ce={marked}", "--output", tmp_path / "x.nii.gz", "--report", page
    )
    assert code == 0, errors
    assert (
        "Doubtful: T1 post-contrast is no image of a scanner: m@1 synthesised it from the others. No scanner saw"
        in text
    )
    assert "what is segmented from it rests on a guess" in text
    assert image.read(tmp_path / "x.nii.gz").synthesised == "m@1"
    html = page.read_text(encoding="utf-8")
    assert "Synthesised: not everything on this page was taken by a scanner" in html
    assert "T1 post-contrast (synthesised)" in html


def test_a_model_that_makes_images_is_refused_where_one_is_to_segment(command, maker, files, tmp_path):
    words = ("--input", f"t1={files['t1']}", "--output", tmp_path / "x.nii.gz")
    code, _, errors = command("segment", maker, *words)
    assert code == 2
    assert "medsegeffnet synthesize" in errors
    assert not (tmp_path / "x.nii.gz").exists()
