"""The flag of an image that a network made, followed with real files through every path to a model."""

import json
import shutil
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from MedSegEffNetLib import image
from MedSegEffNetLib.dataset.exporters import export_cases, list_exporters
from MedSegEffNetLib.dataset.readers import read_folder
from MedSegEffNetLib.dataset.records import read_record
from MedSegEffNetLib.dataset.store import Dataset
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.job import read_events
from MedSegEffNetLib.models.bundle import Bundle
from MedSegEffNetLib.task import get_segmentation_task

MADE = "mri-synthesis-stargan@0.1.0"
TASK = "tumor-slices"


@pytest.fixture
def ran(command):
    """Runs a command that must succeed; returns what it printed."""

    def run(*words):
        code, text, errors = command(*words)
        assert code == 0, errors
        return text

    return run


@pytest.fixture
def patient(ran, maker, head, tmp_path):
    """A case's folder whose T1 post-contrast was made by the command, and whose other images are real."""
    folder = tmp_path / "patients" / "p1"
    for name in ("t1", "flair"):
        image.write(folder / f"p1_{name}.nii.gz", head[name])
    given = [f"{name}={folder / f'p1_{name}.nii.gz'}" for name in ("t1", "flair")]
    ran("synthesize", maker, "--input", *given, "--target", "t1ce", "--output", folder / "p1_t1ce.nii.gz")
    assert (folder / "p1_t1ce_synthesised.nii.gz").is_file()
    return folder


def write_real_patient(folder, seed):
    """A labelled case of real images beside the other one."""
    draw = np.random.default_rng(seed)
    array = draw.integers(20, 200, (36, 32, 4)).astype(np.uint8)
    for name in ("t1", "flair", "t1ce"):
        image.write(folder / f"{folder.name}_{name}.nii.gz", image.Image(array + len(name), np.diag([1.0, 1, 3, 1])))
    mask = image.Image((array > 150).astype(np.uint8), np.diag([1.0, 1, 3, 1]))
    image.write(folder / f"{folder.name}_seg.nii.gz", mask)


def segmented(ran, tiny_model, patient, tmp_path):
    """The patient segmented with everything that can be written; returns the label map's file."""
    out = tmp_path / "out"
    ran(
        "segment", tiny_model, "--case", patient, "--output", out / "label.nii.gz", "--report", out / "page.html",
        "--uncertainty", out / "unsure.nii.gz", "--probabilities", out / "maps", "--run", tmp_path / "run",
    )  # fmt: skip
    return out / "label.nii.gz"


def test_a_segmentation_and_all_that_is_written_with_it(ran, tiny_model, patient, tmp_path):
    label = segmented(ran, tiny_model, patient, tmp_path)
    assert image.read_label_map(label).synthesised == MADE
    assert image.read(label.with_name("unsure.nii.gz")).synthesised == MADE
    assert image.read(label.parent / "maps" / "tumor.nii.gz").synthesised == MADE
    page = label.with_name("page.html").read_text(encoding="utf-8")
    assert f"T1 post-contrast was synthesised by {MADE}" in page
    finished = read_events(tmp_path / "run")[0][-1]
    assert finished["synthesised"] == MADE
    assert finished["quality"]["flag"] == "doubtful"


def test_a_case_its_labels_and_what_is_exported(ran, tiny_model, patient, tmp_path):
    data, label = tmp_path / "data", segmented(ran, tiny_model, patient, tmp_path)
    ran("dataset", "create", data, "--task", TASK)
    given = [f"{name}={patient / f'p1_{name}.nii.gz'}" for name in ("t1", "flair")]
    made = f"t1ce={patient / 'p1_t1ce_synthesised.nii.gz'}"
    words = ("--author", "Ann")
    ran("dataset", "add", data, "images", *[word for one in (*given, made) for word in ("--input", one)], *words)
    record = Dataset.open(data).read("images")
    assert {name: one.synthesised for name, one in record.images.items()} == {"t1": False, "flair": False, "t1ce": True}
    assert record.synthesised
    assert "synthesised image" in ran("dataset", "list", data)
    # A label that was made from such images, on real ones alone.
    ran(
        "dataset", "add", data, "label", *[word for one in given for word in ("--input", one)], "--label", label, *words
    )
    record = Dataset.open(data).read("label")
    assert not any(one.synthesised for one in record.images.values())
    assert record.label.synthesised
    assert record.synthesised
    # What somebody corrects from it inherits the flag; what is drawn anew does not.
    for origin, flagged in (("corrected", True), ("manual", False)):
        from MedSegEffNetLib.dataset.labels import save_label

        dataset = Dataset.open(data)
        plain = replace(dataset.load("label")[1], synthesised="")
        saved = save_label(dataset, "label", plain, author="Ann", origin=origin, base=dataset.read("label").current)
        assert saved.label.synthesised is flagged
    ran("dataset", "add", data, "images", "--label", label, *words)
    ran("dataset", "add", data, "images", "--state", "accepted", *words)
    with pytest.raises(InputError, match="no accepted case"):
        read_folder(data, get_segmentation_task(TASK))


def test_a_mark_outlives_import_pseudonyms_and_merge(ran, patient, tmp_path):
    label = image.read(patient / "p1_t1.nii.gz")
    image.write(patient / "p1_seg.nii.gz", label.with_array((label.array > 70).astype(np.uint8)))
    for name, words in (("copied", ()), ("anonymous", ("--pseudonymize",))):
        data = tmp_path / name
        ran("dataset", "create", data, "--task", TASK)
        ran("dataset", "import", data, patient.parent, "--author", "Ann", *words)
        (case,) = Dataset.open(data).list()
        record = Dataset.open(data).read(case.id)
        assert [key for key, one in record.images.items() if one.synthesised] == ["t1ce"]
        assert Dataset.open(data).load_images(record)["t1ce"].synthesised == MADE
    ran("dataset", "create", tmp_path / "target", "--task", TASK)
    ran("dataset", "merge", tmp_path / "target", tmp_path / "copied", "--author", "Ann")
    (case,) = Dataset.open(tmp_path / "target").list()
    assert case.synthesised


def test_a_prediction_for_a_data_set(ran, tiny_model, patient, tmp_path):
    data = tmp_path / "data"
    ran("dataset", "create", data, "--task", TASK)
    ran("dataset", "import", data, patient.parent, "--author", "Ann")
    ran("dataset", "predict", data, "--model", tiny_model, "--author", "Ann")
    (case,) = Dataset.open(data).list()
    record = read_record(data / "cases" / case.id / "case.json")
    assert record.label.origin == "model"
    assert record.label.synthesised


@pytest.mark.parametrize("form", sorted(set(list_exporters()) - {"amira"}))
def test_what_is_exported_is_still_known(patient, tmp_path, form):
    if form == "dicom-seg":
        pytest.importorskip("highdicom")
    task = get_segmentation_task(TASK)
    label = image.read(patient / "p1_t1.nii.gz")
    image.write(patient / "p1_seg.nii.gz", label.with_array((label.array > 70).astype(np.uint8)))
    export_cases(read_folder(patient.parent, task), task, tmp_path / "out", form)
    (case,) = read_folder(tmp_path / "out", task)
    assert case.synthesised()
    assert case.load()[0]["t1ce"].synthesised == MADE
    if form == "case-folders":
        assert case.images["t1ce"].name == "p1_t1ce_synthesised.nii.gz"
        assert case.images["t1"].name == "p1_t1.nii.gz"


def test_what_has_no_place_for_the_mark_is_not_exported(patient, tmp_path):
    task = get_segmentation_task(TASK)
    with pytest.raises(InputError, match="cannot hold the mark"):
        export_cases(read_folder(patient.parent, task, labelled=False), task, tmp_path / "out", "amira")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("marked", ["", "002.png", "002_mask.png"])
@pytest.mark.parametrize(("task", "name"), [(TASK, "p1"), ("brain-tumor", "TCGA_p1")])
def test_one_slice_of_many_is_enough(data, tmp_path, marked, task, name):
    (data / "train" / "a").rename(tmp_path / name)
    shutil.rmtree(data)
    if marked:
        path = tmp_path / name / marked
        read = image.read_label_map if "mask" in marked else image.read
        image.write(path, replace(read(path), synthesised=MADE))
    (case,) = read_folder(tmp_path, get_segmentation_task(task))
    images, label = case.load()
    assert MADE * bool(marked) in {label.synthesised, *(one.synthesised for one in images.values())}
    assert case.synthesised() is bool(marked)


def test_a_series_that_only_its_folders_name_tells_of_is_exported_as_one_that_says_so(head, tmp_path):
    pytest.importorskip("highdicom")
    from MedSegEffNetLib.formats import dicom_seg

    task = get_segmentation_task(TASK)
    for number, name in enumerate(("t1", "flair", "t1ce_synthesised"), start=1):
        study = dicom_seg.Study("p1", "s")
        dicom_seg.write_series(tmp_path / "in" / "p1" / name, head[name.split("_")[0]], study, number, name[:5])
    export_cases(read_folder(tmp_path / "in", task, labelled=False), task, tmp_path / "out", "dicom-seg")
    found = {name: bool(image.made_by(tmp_path / "out" / "p1" / name)) for name in ("t1", "flair", "t1ce")}
    assert found == {"t1": False, "flair": False, "t1ce": True}


def test_a_snapshot_a_training_and_its_model(ran, command, patient, tmp_path):
    pytest.importorskip("torch")
    from MedSegEffNetLib.training.cases import split_cases
    from MedSegEffNetLib.training.config import Recipe
    from MedSegEffNetLib.training.run import train

    folder, task = patient.parent, get_segmentation_task(TASK)
    for seed, name in enumerate(("p2", "p3")):
        write_real_patient(folder / name, seed)
    label = image.read(patient / "p1_t1.nii.gz")
    image.write(patient / "p1_seg.nii.gz", label.with_array((label.array > 70).astype(np.uint8)))
    recipe = Recipe.from_mapping({**task.recipe, "validation_fraction": 0.34})

    def trained(data, **changes):
        parts = split_cases(data, "", task, replace(recipe, **changes))
        return {case.id for part in parts.values() for case in part}

    data = tmp_path / "data"
    ran("dataset", "create", data, "--task", TASK)
    ran("dataset", "import", data, folder, "--author", "Ann")
    for source in (folder, data):
        assert trained(source) == {"p2", "p3"}
        assert trained(source, with_synthesised=True) == {"p1", "p2", "p3"}
    ran("dataset", "snapshot", data, "--author", "Ann")
    ran("dataset", "snapshot", data, "--author", "Ann", "--synthesised")
    snapshots = [json.loads(path.read_text(encoding="utf-8"))["cases"] for path in (data / "snapshots").glob("*.json")]
    flags = sorted([{case["case"]: case["synthesised"] for case in cases} for cases in snapshots], key=len)
    assert flags == [{"p2": False, "p3": False}, {"p1": True, "p2": False, "p3": False}]
    tiny = {"network.channels": "[2,4]", "size": "32", "epochs": "1", "precision": "float32", "seed": "0",
            "validation_fraction": "0.34"}  # fmt: skip
    for name, made in (("real", "false"), ("made", "true")):
        model = train(TASK, folder, tmp_path / name, network="unet_2d", settings={**tiny, "with_synthesised": made})
        provenance = Bundle.open(model).info["provenance"]
        assert ("p1" in provenance["data"]["cases"]["train"]) is (name == "made")
        assert provenance["synthesised"] is (name == "made")


def test_a_model_inherits_the_flag_of_the_one_it_started_from():
    from MedSegEffNetLib.training.finishing import is_synthesised

    real = SimpleNamespace(synthesised=lambda: False)
    parent = SimpleNamespace(info={"provenance": {"synthesised": True}})
    assert not is_synthesised(None, [real])
    assert is_synthesised(None, [real, SimpleNamespace(synthesised=lambda: True)])
    assert is_synthesised(parent, [real])


def test_an_evaluation_gives_such_cases_a_table_of_their_own(ran, tiny_model, patient, tmp_path):
    label = image.read(patient / "p1_t1.nii.gz")
    image.write(patient / "p1_seg.nii.gz", label.with_array((label.array > 70).astype(np.uint8)))
    write_real_patient(patient.parent / "p2", 0)
    ran("evaluate", tiny_model, "--data", patient.parent, "--split", "all", "--output", tmp_path / "evaluation")
    rows = (tmp_path / "evaluation" / "per_case.csv").read_text(encoding="utf-8").splitlines()
    assert {row.split(",")[0]: row.split(",")[2] for row in rows[1:]} == {"p1": "synthetic", "p2": "real"}


@pytest.mark.parametrize("suffix", ["nii.gz", "nrrd", "mha"])
def test_a_renamed_copy_is_still_known_and_so_is_one_that_lost_its_header(command, maker, patient, tmp_path, suffix):
    made = image.read(patient / "p1_t1ce_synthesised.nii.gz")
    innocent = tmp_path / f"t1ce.{suffix}"
    image.write(innocent, made)
    words = ("--input", f"t1ce={innocent}", "--target", "t2", "--output", tmp_path / "x.nii.gz")
    assert "no image of a scanner" in command("synthesize", maker, *words)[2]
    bare = tmp_path / f"t1ce_synthesised.{suffix}"
    image.write(bare, replace(made, synthesised=""))
    words = ("--input", f"t1ce={bare}", "--target", "t2", "--output", tmp_path / "x.nii.gz")
    assert "no image of a scanner" in command("synthesize", maker, *words)[2]
    shutil.copy(bare, innocent)
    assert image.read(innocent).synthesised == ""  # neither name nor header: nothing can tell any more
