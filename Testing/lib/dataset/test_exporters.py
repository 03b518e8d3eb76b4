"""What is exported is read back by the readers, and passes the checks of the programs that it is for."""

import functools
import json
import re

import numpy as np
import pytest

from MedSegEffNetLib.dataset.case import Case
from MedSegEffNetLib.dataset.exporters import export_cases, list_exporters
from MedSegEffNetLib.dataset.readers import read_folder
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.image import GRID_TOLERANCE, Image, read, same_grid
from MedSegEffNetLib.task import get_segmentation_task

BRAIN, COVID = (get_segmentation_task(name) for name in ("brain-tumor", "covid-ct"))
OBLIQUE = np.array([[0.8, -0.6, 0, 10], [0.6, 0.8, 0, -20], [0, 0, 2.5, 30], [0, 0, 0, 1.0]]) @ np.diag(
    [-1, -1, 1, 1.0]
)
FORMATS = [name for name in list_exporters() if name != "dicom-seg"]


def content(task, number, labelled, affine):
    draw = np.random.default_rng(number)
    images = {
        channel.name: Image(draw.integers(0, 900, (8, 7, 5)).astype(np.int16), affine) for channel in task.channels
    }
    label = draw.choice([0, *(label.value for label in task.labels)], (8, 7, 5)).astype(np.uint8)
    return images, Image(label, affine) if labelled else None


def a_case(task, number, split, labelled=True, affine=OBLIQUE, **more):
    load = functools.partial(content, task, number, labelled, affine)
    return Case(f"case{number}", f"P{max(1, number)}", split, load, labelled=labelled, **more)


def some_cases(task):
    return [a_case(task, number, split) for number, split in enumerate(("train", "train", "val", "test"))]


def check_same(case, other):
    """The images' values and all voxels' places and labels."""
    images, label = case.load()
    again, other_label = other.load()
    assert images.keys() == again.keys()
    for name, image in images.items():
        assert (again[name].array == image.array).all()
        assert same_grid(image, again[name], GRID_TOLERANCE)
    assert (other_label.array == label.array).all()


@pytest.mark.parametrize("task", [BRAIN, COVID], ids=lambda task: task.id)
@pytest.mark.parametrize("form", FORMATS)
def test_what_is_exported_is_read_back(form, task, tmp_path):
    cases = some_cases(task)
    export_cases(cases, task, tmp_path / "out", form)
    found = read_folder(tmp_path / "out", task)
    names = {case.id: case for case in found}
    if form == "bids":
        sessions = {"sub-P1_ses-01": "case0", "sub-P1_ses-02": "case1", "sub-P2": "case2", "sub-P3": "case3"}
        names = {sessions[case.id]: case for case in found}
    assert set(names) == {case.id for case in cases}
    for case in cases:
        check_same(case, names[case.id])
    wanted = {"nnunet": {"", "test"}}.get(form, {"train", "val", "test"})
    assert {case.split for case in found} == wanted


def test_every_format_keeps_the_contract():
    assert {"nnunet", "msd", "bids", "dicom-seg", "amira", "case-folders"} <= set(list_exporters())
    for exporter in list_exporters().values():
        assert exporter.FORMAT
        assert callable(exporter.write)


def test_nnunet_gets_labels_without_gaps_and_the_way_back(tmp_path):
    notes = export_cases(some_cases(BRAIN), BRAIN, tmp_path / "Dataset137_Brain", "nnunet")
    about = json.loads((tmp_path / "Dataset137_Brain" / "dataset.json").read_text(encoding="utf-8"))
    assert list(about["labels"].values()) == [0, 1, 2, 3]
    assert about["medsegeffnet"]["values"] == {"1": 1, "2": 2, "3": 4}
    assert about["numTraining"] == 3
    assert set(np.unique(read(tmp_path / "Dataset137_Brain" / "labelsTr" / "case0.nii.gz").array)) == {0, 1, 2, 3}
    (split,) = json.loads((tmp_path / "Dataset137_Brain" / "splits_final.json").read_text(encoding="utf-8"))
    assert split == {"train": ["case0", "case1"], "val": ["case2"]}
    assert any("splits_final.json" in note for note in notes)


def test_nnunets_own_check_passes(tmp_path):
    check = pytest.importorskip(
        "nnunetv2.experiment_planning.verify_dataset_integrity", reason="nnunetv2 is not installed"
    )
    for task in (BRAIN, COVID):
        export_cases(some_cases(task), task, tmp_path / task.id, "nnunet")
        (root,) = (tmp_path / task.id).iterdir()
        check.verify_dataset_integrity(str(root), 1)


def test_the_rules_of_nnunets_own_check_hold(tmp_path):
    # Written out here for machines without nnunetv2.
    export_cases(some_cases(BRAIN), BRAIN, tmp_path / "raw", "nnunet")
    (root,) = (tmp_path / "raw").glob("Dataset[0-9][0-9][0-9]_*")
    about = json.loads((root / "dataset.json").read_text(encoding="utf-8"))
    assert {"labels", "channel_names", "numTraining", "file_ending"} <= about.keys()
    names = {re.sub(r"_\d{4}\.nii\.gz$", "", path.name) for path in (root / "imagesTr").iterdir()}
    assert len(names) == about["numTraining"]
    assert names == {path.name.removesuffix(".nii.gz") for path in (root / "labelsTr").iterdir()}
    for name in names:
        images = sorted((root / "imagesTr").glob(f"{name}_*.nii.gz"))
        label = read(root / "labelsTr" / f"{name}.nii.gz")
        assert [path.name[-11:-7] for path in images] == [
            f"{index:04d}" for index in range(len(about["channel_names"]))
        ]
        assert all(same_grid(read(path), label) for path in images)
        assert set(np.unique(label.array)) <= set(about["labels"].values())


def test_monai_reads_the_data_list(tmp_path):
    monai = pytest.importorskip("monai.data", reason="monai is not installed")
    export_cases(some_cases(BRAIN), BRAIN, tmp_path / "out", "msd")
    for key, count in (("training", 2), ("validation", 1), ("test", 1)):
        entries = monai.load_decathlon_datalist(tmp_path / "out" / "dataset.json", True, key)
        assert len(entries) == count
        for entry in entries:
            assert read(entry["image"]).n_channels == 4
            assert read(entry["label"]).shape == (8, 7, 5)


def test_cases_without_a_label_map_go_where_a_format_has_a_place_for_them(tmp_path):
    cases = [a_case(COVID, 0, "train"), a_case(COVID, 2, "test", labelled=False)]
    for form in ("nnunet", "msd", "case-folders"):
        export_cases(cases, COVID, tmp_path / form, form)
        found = {case.id: case.labelled for case in read_folder(tmp_path / form, COVID, labelled=False)}
        assert found == {"case0": True, "case2": False}
    for form in ("nnunet", "msd"):
        with pytest.raises(InputError, match="no label map: case3"):
            export_cases([*cases, a_case(COVID, 3, "train", labelled=False)], COVID, tmp_path / "x", form)
        assert not (tmp_path / "x").exists()


def test_channels_that_not_every_case_has_are_left_out_and_said(tmp_path):
    def load():
        images, label = content(BRAIN, 5, True, OBLIQUE)
        return {"flair": images["flair"], "t1ce": images["t1ce"]}, label

    cases = [a_case(BRAIN, 0, "train"), Case("lone", "lone", "train", load)]
    notes = export_cases(cases, BRAIN, tmp_path / "out", "msd")
    assert notes == ["Not exported, since not every case has it: t1, t2."]
    assert export_cases([Case("lone", "lone", "train", load)], BRAIN, tmp_path / "one", "msd") == []
    assert all(set(case.load()[0]) == {"t1ce", "flair"} for case in read_folder(tmp_path / "out", BRAIN))


def not_a_number(case):
    images, label = case.load()
    images["ct"] = images["ct"].with_array(np.full((8, 7, 5), np.nan, np.float32))
    return images, label


@pytest.mark.parametrize(
    ("cases", "message"),
    [
        ([], "no cases to export"),
        ([a_case(COVID, 0, "", regions=("lung",))], "tell only lung"),
        ([Case("a/b", "p", "", lambda: ({}, None))], "is no file name"),
        ([a_case(COVID, 0, ""), a_case(COVID, 0, "")], "two cases are called"),
        ([a_case(COVID, 0, "train"), a_case(COVID, 1, "val")], "P1 is in the splits 'train' and 'val'"),
        ([Case("n", "n", "", lambda: not_a_number(a_case(COVID, 0, "")))], "280 voxels that are no numbers"),
    ],
    ids=["none", "partly known", "no file name", "twice", "in two splits", "not a number"],
)
def test_cases_that_cannot_be_exported_are_named_and_nothing_is_written(cases, message, tmp_path):
    with pytest.raises(InputError, match=message):
        export_cases(cases, COVID, tmp_path / "out", "case-folders")
    assert not any(tmp_path.iterdir())


def test_a_folder_with_files_and_an_unknown_format_are_refused(tmp_path):
    (tmp_path / "mine.txt").write_text("x", encoding="utf-8")
    with pytest.raises(InputError, match="is there already"):
        export_cases(some_cases(COVID), COVID, tmp_path, "msd")
    with pytest.raises(InputError, match="no format 'zip'"):
        export_cases(some_cases(COVID), COVID, tmp_path / "out", "zip")


def test_patients_whose_names_bids_cannot_tell_apart_are_refused(tmp_path):
    cases = [Case(name, name, "", a_case(COVID, 0, "").load) for name in ("p-1", "p_1")]
    with pytest.raises(InputError, match="both sub-p1 in BIDS"):
        export_cases(cases, COVID, tmp_path / "out", "bids")
