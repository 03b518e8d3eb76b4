"""Folder layouts: made small here, and real ones where they are."""

import numpy as np
import pytest
from PIL import Image as Pillow

from MedSegEffNetLib.dataset.readers import list_readers, read_folder
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.image import Image, write
from MedSegEffNetLib.task import get_segmentation_task

SLICES, BRAIN, COVID = (get_segmentation_task(name) for name in ("tumor-slices", "brain-tumor", "covid-ct"))


def picture(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    Pillow.fromarray(array).save(path)


def a_volume(path, values):
    path.parent.mkdir(parents=True, exist_ok=True)
    write(path, Image(np.resize(np.asarray(values, dtype=np.uint8), (4, 4, 4)), np.eye(4)))


def test_every_layout_keeps_the_contract():
    readers = list_readers()
    assert len(readers) >= 4
    for reader in readers.values():
        assert reader.LAYOUT
        assert callable(reader.detect)
        assert callable(reader.read)


def test_slice_pictures_become_a_volume_a_patient(tmp_path):
    draw = np.random.default_rng(0)
    for index in (1, 2, 10):
        picture(tmp_path / "val" / "P1" / f"{index}.png", np.full((6, 5, 3), index, dtype=np.uint8))
        picture(tmp_path / "val" / "P1" / f"{index}_mask.png", draw.integers(0, 2, (6, 5), dtype=np.uint8) * 255)
    (case,) = read_folder(tmp_path, SLICES)
    images, label = case.load()
    assert (case.id, case.patient, case.split) == ("P1", "P1", "val")
    assert images["flair"].array.shape == (5, 6, 3)
    assert images["flair"].array[0, 0].tolist() == [1, 2, 10]
    assert set(np.unique(label.array)) == {0, 1}


def test_a_split_file_has_the_last_word(tmp_path):
    for name in ("P1", "P2"):
        picture(tmp_path / "train" / name / "1.png", np.zeros((6, 5, 3), dtype=np.uint8))
        picture(tmp_path / "train" / name / "1_mask.png", np.zeros((6, 5), dtype=np.uint8))
    (tmp_path / "split.csv").write_text("patient,split\nP2,test\n", encoding="utf-8")
    assert {case.id: case.split for case in read_folder(tmp_path, SLICES)} == {"P1": "train", "P2": "test"}


def test_label_values_that_the_task_does_not_know_are_named(tmp_path):
    picture(tmp_path / "V1" / "1.png", np.zeros((6, 5), dtype=np.uint8))
    picture(tmp_path / "V1" / "1_label.png", np.full((6, 5), 7, dtype=np.uint8))
    (case,) = read_folder(tmp_path, COVID)
    with pytest.raises(InputError, match=r"V1 has label values \[7\]"):
        case.load()


@pytest.mark.parametrize("task", [SLICES, BRAIN], ids=["slices", "volumes"])
def test_masks_of_several_labels_are_not_taken_for_one_label(task, tmp_path):
    mask = np.zeros((6, 5), dtype=np.uint8)
    mask[1:3], mask[3:5] = 1, 2
    picture(tmp_path / "TCGA_1" / "1.png", np.zeros((6, 5, 3), dtype=np.uint8))
    picture(tmp_path / "TCGA_1" / "1_mask.png", mask)
    (case,) = read_folder(tmp_path, task)
    with pytest.raises(InputError, match="have the values 1, 2, and"):
        case.load()


def test_lungs_are_not_taken_for_tumors(shared_data):
    with pytest.raises(InputError, match="have the values 1, 2, and tumor-slices has one label"):
        read_folder(shared_data / "covid_ct", SLICES)[0].load()


@pytest.mark.parametrize(
    ("folder", "names", "enhancing"),
    [
        ("HGG/Brats18_TCIA01_1", ["_t1", "_t1ce", "_t2", "_flair", "_seg"], 4),
        ("BraTS20_Training_001", ["_t1", "_t1ce", "_t2", "_flair", "_seg"], 4),
        ("BraTS2021_00000", ["_t1", "_t1ce", "_t2", "_flair", "_seg"], 4),
        ("BraTS-GLI-00005-001", ["-t1n", "-t1c", "-t2w", "-t2f", "-seg"], 3),
    ],
)
def test_every_brats_year_is_read_with_its_labels(folder, names, enhancing, tmp_path):
    case_folder = tmp_path / folder
    for name in names:
        a_volume(
            case_folder / f"{case_folder.name}{name}.nii.gz", [0, 1, 2, enhancing] if name.endswith("seg") else [7]
        )
    (case,) = read_folder(tmp_path, BRAIN)
    images, label = case.load()
    assert set(images) == {"t1", "t1ce", "t2", "flair"}
    assert set(np.unique(label.array)) == {0, 1, 2, 4}
    assert case.patient == ("BraTS-GLI-00005" if enhancing == 3 else case_folder.name)


@pytest.mark.parametrize("layout", ["two folders", "side by side"])
def test_numpy_slices_are_grouped_by_the_patient_in_their_names(layout, tmp_path):
    for name in ("p1_002", "p1_010", "p2_001"):
        image, mask = np.full((20, 16, 3), int(name[-3:]), dtype=np.uint8), np.ones((20, 16), dtype=np.uint8)
        if layout == "two folders":
            paths = tmp_path / "images" / f"{name}.npy", tmp_path / "masks" / f"{name}.npy"
        else:
            paths = tmp_path / f"{name}.npy", tmp_path / f"{name}_mask.npy"
        for path, array in zip(paths, (image, mask), strict=True):
            path.parent.mkdir(exist_ok=True)
            np.save(path, array)
    cases = {case.id: case for case in read_folder(tmp_path, SLICES)}
    assert set(cases) == {"p1", "p2"}
    images, label = cases["p1"].load()
    assert images["t1"].array.shape == label.array.shape == (16, 20, 2)
    assert images["t1"].array[0, 0].tolist() == [2, 10]


def test_an_unknown_layout_is_refused_with_those_that_are_known(tmp_path):
    (tmp_path / "notes.txt").write_text("nothing", encoding="utf-8")
    with pytest.raises(InputError, match="holds no cases") as caught:
        read_folder(tmp_path, SLICES)
    assert "OTMultiClass" in caught.value.expected
    with pytest.raises(InputError, match="no folder"):
        read_folder(tmp_path / "nothing", SLICES)


@pytest.mark.parametrize(
    ("task", "folder", "cases", "values"),
    [(SLICES, "lgg", 72, {0, 1}), (COVID, "covid_ct", 18, {0, 1, 2}), (BRAIN, "brats2013", 4, {0, 1, 2, 4})],
    ids=["lgg", "covid_ct", "brats2013"],
)
def test_real_sets_are_read(task, folder, cases, values, shared_data):
    found = read_folder(shared_data / folder, task)
    assert len(found) == cases
    images, label = found[0].load()
    assert set(np.unique(label.array)) == values
    assert all(image.shape == label.shape for image in images.values())


def test_the_real_split_has_no_patient_twice(shared_data):
    cases = read_folder(shared_data / "lgg", SLICES)
    parts = {split: {case.patient for case in cases if case.split == split} for split in ("train", "val")}
    assert (len(parts["train"]), len(parts["val"])) == (60, 12)
    assert not parts["train"] & parts["val"]


def test_pictures_and_masks_that_do_not_belong_to_each_other_are_named(tmp_path):
    for index in (10, 11, 13, 14):
        picture(tmp_path / "P1" / f"0{index}.png", np.full((6, 5, 3), index, dtype=np.uint8))
    for index in (10, 11, 12, 13):
        picture(tmp_path / "P1" / f"0{index}_mask.png", np.zeros((6, 5), dtype=np.uint8))
    with pytest.raises(InputError, match=r"014\.png, 012_mask\.png"):
        read_folder(tmp_path, SLICES)


def test_pictures_and_masks_are_in_the_same_order_whatever_their_names(tmp_path):
    for index, name in enumerate(("1", "1-b", "1a", "10", "2")):
        picture(tmp_path / "P1" / f"{name}.png", np.full((6, 5), 100 + index, dtype=np.uint8))
        picture(tmp_path / "P1" / f"{name}_label.png", np.full((6, 5), index % 3, dtype=np.uint8))
    images, label = read_folder(tmp_path, COVID)[0].load()
    assert ((images["ct"].array - 100) % 3 == label.array).all()


@pytest.mark.parametrize(
    "archive", ["MICCAI_BraTS2020_TrainingData", "MICCAI_BraTS_2018_Data_Training/HGG", "BraTS2021_TrainingData"]
)
def test_the_folder_that_a_brats_archive_unpacks_to_is_found(archive, tmp_path):
    case = tmp_path / archive / "BraTS20_Training_001"
    write(case / f"{case.name}_flair.nii.gz", Image(np.ones((4, 4, 4), np.float32), np.eye(4)))
    assert [found.id for found in read_folder(tmp_path, BRAIN, labelled=False)] == [case.name]


@pytest.mark.parametrize("name", ["BraTS20_Training_001", "BraTS-GLI-00005-001"])
def test_a_task_of_one_label_takes_every_brats_label_for_it(name, tmp_path):
    for channel in ("flair", "t1", "t1ce", "seg"):
        a_volume(tmp_path / name / f"{name}_{channel}.nii.gz", [0, 1, 2, 3, 4] if channel == "seg" else [7])
    _, label = read_folder(tmp_path, SLICES)[0].load()
    assert set(np.unique(label.array)) == {0, 1}


def test_numpy_slices_with_one_common_word_are_patients_of_their_own(tmp_path):
    for index in range(6):
        np.save(tmp_path / f"img_{index}.npy", np.full((20, 16, 3), index, dtype=np.uint8))
        np.save(tmp_path / f"img_{index}_mask.npy", np.ones((20, 16), dtype=np.uint8))
    assert [case.patient for case in read_folder(tmp_path, SLICES)] == [f"img_{index}" for index in range(6)]


def test_grids_differ_by_a_tenth_of_a_voxel_at_most_and_the_refusal_says_what_to_do(tmp_path):
    folder = tmp_path / "BraTS20_Training_001"
    for channel in ("flair", "t1", "t1ce", "t2", "seg"):
        a_volume(folder / f"x_{channel}.nii.gz", [1, 0])
    for shift, fits in ((0.05, True), (0.2, False)):
        affine = np.eye(4)
        affine[0, 3] = shift
        write(folder / "x_seg.nii.gz", Image(np.ones((4, 4, 4), np.uint8), affine))
        (case,) = read_folder(tmp_path, BRAIN)
        if fits:
            case.load()
        else:
            with pytest.raises(InputError, match=r"x_seg\.nii\.gz lies on another grid") as caught:
                case.load()
            assert "resample it" in caught.value.hint
