import numpy as np
import pytest
from PIL import Image as Pillow

from MedSegEffNetLib import image
from MedSegEffNetLib.image import Image
from MedSegEffNetLib.job import Job, read_events, read_request


@pytest.fixture
def segment(command, tiny_model):
    return lambda *words: command("segment", tiny_model, *words)


def refused(result, text, tmp_path, before):
    """The command ended with code 2 and these words, and left no file behind."""
    code, _, errors = result
    assert code == 2, errors
    assert text in errors
    assert sorted(tmp_path.rglob("*")) == before


def test_a_case_folder_becomes_a_label_map_on_its_grid(segment, case, tmp_path):
    output, report = tmp_path / "out" / "tumor.seg.nrrd", tmp_path / "out" / "report.html"
    code, text, errors = segment("--case", case, "--output", output, "--report", report)
    assert code == 0, errors
    label_map, given = image.read_label_map(output), image.read(case / "p1_flair.nii.gz")
    assert image.same_grid(label_map, given)
    assert set(np.unique(label_map.array)) <= {0, 1}
    assert "tumor" in text
    assert str(output) in text
    assert report.read_text(encoding="utf-8").lower().startswith("<!doctype html>")


def test_named_channels_give_the_same_as_their_folder(segment, case, tmp_path):
    segment("--case", case, "--output", tmp_path / "a.nii.gz")
    named = [f"{name}={case / f'p1_{channel}.nii.gz'}" for name, channel in
             (("T1", "t1"), ("t2-flair", "flair"), ("t1c", "t1ce"))]  # fmt: skip
    code, _, errors = segment("--input", *named, "--output", tmp_path / "b.nii.gz")
    assert code == 0, errors
    assert np.array_equal(image.read(tmp_path / "a.nii.gz").array, image.read(tmp_path / "b.nii.gz").array)


def test_a_color_picture_holds_the_channels_in_their_order(segment, tmp_path):
    rows = np.random.default_rng(0).integers(0, 255, (40, 48, 3)).astype(np.uint8)
    Pillow.fromarray(rows).save(tmp_path / "slice.png")
    code, text, errors = segment("--input", tmp_path / "slice.png", "--output", tmp_path / "mask.png")
    assert code == 0, errors
    assert Pillow.open(tmp_path / "mask.png").size == (48, 40)
    assert "unknown" in text  # no volume in mL without a voxel size


def test_the_components_of_a_picture_can_be_named(segment, tmp_path):
    rows = np.random.default_rng(0).integers(0, 255, (40, 48, 3)).astype(np.uint8)
    Pillow.fromarray(rows).save(tmp_path / "slice.png")
    Pillow.fromarray(rows[..., ::-1]).save(tmp_path / "turned.png")
    given = ("slice.png", f"t1ce,flair,t1={tmp_path / 'turned.png'}")
    for source, output in zip((tmp_path / given[0], given[1]), ("a.png", "b.png"), strict=True):
        code, _, errors = segment("--input", source, "--output", tmp_path / output)
        assert code == 0, errors
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_an_optional_channel_may_be_missing_and_that_is_said(segment, case, tmp_path):
    given = f"flair={case / 'p1_flair.nii.gz'}"
    code, text, _ = segment("--input", given, "--output", tmp_path / "a.nii.gz")
    assert code == 0
    assert "Warning: Channel T1 is missing: FLAIR stands in for it" in text


def test_probabilities_are_kept_when_asked_for(segment, case, tmp_path):
    code, _, _ = segment("--case", case, "--output", tmp_path / "a.nii.gz", "--probabilities", tmp_path / "p")
    assert code == 0
    probability = image.read(tmp_path / "p" / "tumor.nii.gz")
    assert image.same_grid(probability, image.read(case / "p1_flair.nii.gz"))
    assert 0 <= probability.array.min() <= probability.array.max() <= 1
    assert [path.name for path in (tmp_path / "p").iterdir()] == ["tumor.nii.gz"]


def test_a_run_folder_holds_request_and_events(segment, case, tmp_path):
    code, _, _ = segment("--case", case, "--output", tmp_path / "a.nii.gz", "--run", tmp_path / "run")
    assert code == 0
    request = read_request(tmp_path / "run")["request"]
    assert request["model"] == "tumor-slices-unet@0.1.0"
    assert request["inputs"] == {"all": str(case)}
    events = read_events(tmp_path / "run")[0]
    assert (events[0]["event"], events[-1]["event"]) == ("started", "finished")
    assert {event["stage"] for event in events if event["event"] == "progress"} >= {"Segmenting"}
    told = events[-1]
    assert told["label_map"] == str(tmp_path / "a.nii.gz")
    assert (told["report"], told["uncertainty"], told["probabilities"]) == (None, None, {})
    assert told["quality"]["flag"] == "doubtful"  # weights drawn by chance are sure of nothing
    assert told["warnings"] == told["quality"]["reasons"]
    assert told["quality"]["measures"]["confidence"]["tumor"] < 0.7
    assert told["volumes_ml"]["tumor"] >= 0
    assert {"seconds", "peak_mb", "device", "engine", "precision"} <= set(told["measured"])


def test_channels_of_other_grids_are_refused_or_resampled(segment, case, tmp_path):
    flair = image.read(case / "p1_flair.nii.gz")
    shifted = Image(flair.array[:, :, :2], flair.affine @ np.diag([1, 1, 1.5, 1]))
    image.write(case / "p1_t1.nii.gz", shifted)
    words = ("--case", case, "--output", tmp_path / "a.nii.gz")
    refused(segment(*words), "add --resample", tmp_path, sorted(tmp_path.rglob("*")))
    code, text, errors = segment(*words, "--resample")
    assert code == 0, errors
    assert "Warning: Channel T1 was resampled onto the grid of FLAIR." in text
    assert image.same_grid(image.read(tmp_path / "a.nii.gz"), flair)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--input", "t1={case}/p1_t1.nii.gz", "T1={case}/p1_flair.nii.gz"], "channel t1 is given twice"),
        (["--input", "t1,t1={case}/p1_t1.nii.gz"], "channel t1 is given twice"),
        (["--input", "t1,flair={case}/p1_t1.nii.gz"], "1 component"),
        (["--input", "pet={case}/p1_t1.nii.gz"], "has no channel called 'pet'"),
        (["--input", "t1={case}/p1_t1.nii.gz"], "missing channel: flair"),
        (["--input", "flair={case}/nothing.nii.gz"], "there is no file or folder"),
        (["--input", "flair=", "t1=x"], "CHANNEL=FILE"),
        (["--input", "{case}/p1_t1.nii.gz", "{case}/p1_flair.nii.gz"], "CHANNEL=FILE"),
        (["--input", "{case}/p1_t1.nii.gz"], "1 component"),
        (["--case", "{case}/nothing"], "there is no folder"),
        (["--case", "{case}", "--output", "{case}/a.jpg"], "a name that ends in"),
        (["--case", "{case}", "--output", "{case}/a.png"], "3 slices"),
        (["--case", "{case}", "--output", "{case}/p1_flair.nii.gz"], "is also an input"),
        (["--case", "{case}", "--output", "{case}/p1_t1.nii.gz/a.nii.gz"], "could not be written"),
        (["--case", "{case}", "--report", "{case}/a.pdf"], ".html"),
        (["--case", "{case}", "--device", "abacus"], "there is no device 'abacus'"),
        (["--case", "{case}", "--engine", "steam"], "there is no engine 'steam'"),
        (["--case", "{case}", "--threads", "0"], "0 threads"),
    ],
)
def test_bad_input_is_told_and_costs_nothing(segment, case, tmp_path, words, text):
    words = [word.replace("{case}", str(case)) for word in words]
    if "--output" not in words:
        words += ["--output", tmp_path / "a.nii.gz"]
    before = sorted(tmp_path.rglob("*"))
    refused(segment(*words, "--run", tmp_path / "run"), text, tmp_path, before)


def test_an_output_that_is_an_input_under_another_name_is_refused(segment, case, tmp_path):
    flair = case / "p1_flair.nii.gz"
    try:
        (tmp_path / "link.nii.gz").symlink_to(flair)
    except OSError:
        pytest.skip("this system makes no symbolic links")
    content, before = flair.read_bytes(), sorted(tmp_path.rglob("*"))
    result = segment("--input", f"flair={flair}", "--output", tmp_path / "link.nii.gz")
    refused(result, "is also an input", tmp_path, before)
    assert flair.read_bytes() == content


def test_the_result_of_before_may_be_replaced_within_the_case_folder(segment, case):
    for _ in range(2):
        code, _, errors = segment("--case", case, "--output", case / "tumor.nii.gz")
        assert code == 0, errors


def test_a_folder_of_slices_with_a_result_in_it_is_segmented_again(segment, data):
    for _ in range(2):
        code, _, errors = segment("--case", data / "val" / "c", "--output", data / "val" / "c" / "tumor.nii.gz")
        assert code == 0, errors


@pytest.mark.parametrize("name", ["OTMultiClass.nii.gz", "p1_seg.nii.gz"])
def test_a_label_map_of_the_case_is_never_replaced(segment, case, tmp_path, name):
    expert = case / name
    expert.write_bytes(b"weeks of work")
    before = sorted(tmp_path.rglob("*"))
    refused(segment("--case", case, "--output", expert), "a label map of the case", tmp_path, before)
    assert expert.read_bytes() == b"weeks of work"


@pytest.mark.parametrize(
    "words",
    [
        ["--output", "z/tumor.nii.gz", "--probabilities", "z"],
        ["--output", "x.seg.nrrd", "--probabilities", "x.seg.nrrd"],
        ["--output", "x.nii.gz", "--uncertainty", "x.nii.gz"],
        ["--output", "z/Tumor.nii.gz", "--probabilities", "z"],
        ["--output", "run", "--output", "run/job.json/x.nii.gz", "--run", "run"],
    ],
)
def test_outputs_in_each_others_way_are_refused(segment, case, tmp_path, words):
    words = [word if word.startswith("--") else tmp_path / word for word in words]
    before = sorted(tmp_path.rglob("*"))
    refused(segment("--case", case, *words), "in each other's way", tmp_path, before)


def test_uncertainty_is_a_volume_from_0_to_1_on_the_inputs_grid(segment, case, tmp_path):
    words = ("--uncertainty", tmp_path / "u.nii.gz", "--report", tmp_path / "r.html", "--probabilities", tmp_path / "p")
    code, text, errors = segment("--case", case, "--output", tmp_path / "a.nii.gz", *words, "--run", tmp_path / "run")
    assert code == 0, errors
    unsure = image.read(tmp_path / "u.nii.gz")
    assert image.same_grid(unsure, image.read(case / "p1_flair.nii.gz"))
    assert unsure.array.dtype == np.float32
    assert 0 <= unsure.array.min() < unsure.array.max() <= 1
    told = read_events(tmp_path / "run")[0][-1]
    assert told["uncertainty"] == str(tmp_path / "u.nii.gz")
    assert told["report"] == str(tmp_path / "r.html")
    assert told["probabilities"] == {"tumor": str(tmp_path / "p" / "tumor.nii.gz")}
    assert str(tmp_path / "u.nii.gz") in text


def test_a_folder_of_patients_is_no_case_and_the_batch_is_named(segment, case, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    refused(segment("--case", tmp_path, "--output", tmp_path / "a.nii.gz"), "--batch", tmp_path, before)


def test_nan_in_a_channel_is_refused(segment, case, tmp_path):
    flair = image.read(case / "p1_flair.nii.gz")
    array = flair.array.astype(np.float32)
    array[0, 0, 0] = np.nan
    image.write(case / "p1_flair.nii.gz", flair.with_array(array))
    before = sorted(tmp_path.rglob("*"))
    refused(segment("--case", case, "--output", tmp_path / "a.nii.gz"), "1 values that are NaN", tmp_path, before)


def test_a_file_called_like_a_label_map_is_doubted(segment, case, tmp_path):
    (case / "p1_flair.nii.gz").rename(tmp_path / "p1_flair_seg.nii.gz")
    code, text, _ = segment("--input", f"flair={tmp_path / 'p1_flair_seg.nii.gz'}", "--output", tmp_path / "a.nii.gz")
    assert code == 0
    assert "Warning: p1_flair_seg.nii.gz is called like a label map" in text


def test_a_file_called_like_another_channel_is_doubted(segment, case, tmp_path):
    given = f"flair={case / 'p1_t1.nii.gz'}"
    code, text, _ = segment("--input", given, "--output", tmp_path / "a.nii.gz")
    assert code == 0
    assert "Warning: The file p1_t1.nii.gz looks like T1, given as FLAIR" in text


def test_the_report_has_the_cases_name_and_the_channels_titles(segment, case, tmp_path):
    words = ("--output", tmp_path / "label_map.nii", "--report", tmp_path / "r.html", "--name", "Head 7")
    code, _, errors = segment("--input", f"flair={case / 'p1_flair.nii.gz'}", *words)
    assert code == 0, errors
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "<title>Head 7" in page
    assert "label_map" not in page
    assert "FLAIR · 48 × 40 × 3 voxels" in page
    assert "Channel T1 post-contrast is missing: FLAIR stands in for it" in page


def test_a_name_for_a_whole_batch_is_refused(segment, case, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    words = ("--batch", tmp_path, "--output", tmp_path / "out", "--name", "Head 7")
    refused(segment(*words), "--name Head 7 with --batch", tmp_path, before)


def test_the_run_of_a_training_is_not_taken_over(segment, case, tmp_path):
    with Job.open(tmp_path / "run", {"command": "train"}):
        pass
    content, before = (tmp_path / "run" / "job.json").read_bytes(), sorted(tmp_path.rglob("*"))
    words = ("--case", case, "--output", tmp_path / "a.nii.gz", "--run", tmp_path / "run")
    refused(segment(*words), "a job of the command 'train'", tmp_path, before)
    assert (tmp_path / "run" / "job.json").read_bytes() == content
