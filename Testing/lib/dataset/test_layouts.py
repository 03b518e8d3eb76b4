"""Layouts of other programs and public sets: made small here, as those make them."""

import json

import numpy as np
import pytest
from PIL import Image as Pillow

from MedSegEffNetLib.dataset.readers import list_readers, read_folder
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.image import Image, read, write, write_label_map
from MedSegEffNetLib.task import get_segmentation_task

SLICES, BRAIN, COVID, SKIN = (
    get_segmentation_task(name) for name in ("tumor-slices", "brain-tumor", "covid-ct", "skin-layers")
)
AFFINE = np.diag([-1.0, -1.0, 2.0, 1.0])


def volume(path, values, affine=AFFINE, shape=(6, 5, 4)):
    path.parent.mkdir(parents=True, exist_ok=True)
    write(path, Image(np.resize(np.asarray(values), shape), affine))


def picture(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    Pillow.fromarray(array).save(path)


def table(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")


CT, LABEL = np.arange(-600, -480, dtype=np.int16), np.array([0, 1, 2], dtype=np.uint8)


def brats(folder):
    for name in ("flair", "t1", "t1ce", "t2", "seg"):
        values = [0, 1, 2, 4] if name == "seg" else [7, 8]
        volume(folder / "BraTS20_Training_001" / f"BraTS20_Training_001_{name}.nii", np.array(values, np.uint8))
    (folder / "name_mapping.csv").write_text("x", encoding="utf-8")


def brats2013(folder):
    for name, values in (("Flair_x", [7]), ("T1c_x", [7]), ("OTMultiClass", [0, 1, 2, 3, 4])):
        volume(folder / "brats_2013_pat0002_1" / f"{name}.nii.gz", np.array(values, np.uint8))


def zenodo(folder):
    for name in ("coronacases_001", "radiopaedia_10_85902_1"):
        scan = name.replace("coronacases", "coronacases_org").replace(
            "radiopaedia_10_85902_1", "radiopaedia_org_covid-19-pneumonia-10_85902_0"
        )
        volume(folder / "ct_scans" / f"{scan}.nii.gz", CT)
        volume(folder / "lung_and_infection_mask" / f"{name}.nii.gz", np.array([0, 1, 2, 3], np.uint8))
        volume(folder / "lung_mask" / f"{name}.nii.gz", np.array([0, 1, 2, 0], np.uint8))
        volume(folder / "infection_mask" / f"{name}.nii.gz", np.array([0, 0, 0, 1], np.uint8))


def pairs(folder):
    for name in ("case_001", "case_002"):
        volume(folder / "images" / f"{name}.nrrd", CT)
        volume(folder / "labels" / f"{name}.nii.gz", LABEL)


def side_by_side(folder):
    volume(folder / "a.nii.gz", CT)
    volume(folder / "a_label.nii.gz", LABEL)


def picture_pairs(folder):
    for name in ("p1_001", "p1_002", "p2_001"):
        picture(folder / "images" / f"{name}.png", np.full((5, 6), 9, np.uint8))
        picture(folder / "masks" / f"{name}.png", np.full((5, 6), 1, np.uint8))


def slice_folders(folder):
    for name in ("V1", "V2"):
        picture(folder / "train" / name / "0001.webp", np.full((5, 6), 9, np.uint8))
        picture(folder / "train" / name / "0001_label.png", np.full((5, 6), 2, np.uint8))


def numpy_slices(folder):
    for name in ("p1_001", "p2_001"):
        np.save(folder / f"{name}.npy", np.full((20, 16), 9, np.uint8))
        np.save(folder / f"{name}_mask.npy", np.ones((20, 16), np.uint8))


def case_folders(folder):
    for name in ("A", "B"):
        volume(folder / name / f"{name}_ct.nii.gz", CT)
        volume(folder / name / f"{name}_seg.nii.gz", LABEL)


def lgg(folder):
    for index in (1, 2):
        picture(folder / "train" / "TCGA_CS_1" / f"00{index}.png", np.arange(90, dtype=np.uint8).reshape(6, 5, 3))
        picture(folder / "train" / "TCGA_CS_1" / f"00{index}_mask.png", np.eye(6, 5, dtype=np.uint8) * 255)


def nnunet(folder):
    root = folder / "Dataset027_Lung"
    for part, name in (("Tr", "a"), ("Tr", "b"), ("Ts", "c")):
        volume(root / f"images{part}" / f"{name}_0000.nii.gz", CT)
        if part == "Tr":
            volume(root / "labelsTr" / f"{name}.nii.gz", LABEL)
    labels = {"background": 0, "COVID-19 infection": 1, "lung": 2}
    table(
        root / "dataset.json",
        {"channel_names": {"0": "CT"}, "labels": labels, "numTraining": 2, "file_ending": ".nii.gz"},
    )


def decathlon(folder):
    volume(folder / "imagesTr" / "BRATS_001.nii.gz", np.arange(480, dtype=np.float32), shape=(6, 5, 4, 4))
    volume(folder / "labelsTr" / "BRATS_001.nii.gz", np.array([0, 1, 2, 3], np.uint8))
    volume(folder / "imagesTs" / "BRATS_485.nii.gz", np.arange(480, dtype=np.float32), shape=(6, 5, 4, 4))
    about = {
        "modality": {"0": "FLAIR", "1": "T1w", "2": "t1gd", "3": "T2w"},
        "labels": {"0": "background", "1": "edema", "2": "non-enhancing tumor", "3": "enhancing tumour"},
        "training": [{"image": "./imagesTr/BRATS_001.nii.gz", "label": "./labelsTr/BRATS_001.nii.gz"}],
        "test": ["./imagesTs/BRATS_485.nii.gz"],
    }
    table(folder / "dataset.json", about)


def bids(folder):
    for session in ("ses-1", "ses-2"):
        for name in ("T1w", "ce-gadolinium_T1w", "T2w", "FLAIR"):
            volume(folder / "sub-01" / session / "anat" / f"sub-01_{session}_{name}.nii.gz", CT)
        derived = folder / "derivatives" / "manual" / "sub-01" / session / "anat"
        volume(derived / f"sub-01_{session}_desc-manual_dseg.nii.gz", np.array([0, 1, 2, 3], np.uint8))
    names = "index\tname\n1\tedema\n2\tnecrosis\n3\tenhancing tumor\n"
    (folder / "derivatives" / "manual" / "dseg.tsv").write_text(names, encoding="utf-8")


def amira_pairs(folder):
    for name in ("a", "b"):
        volume(folder / f"{name}.nii.gz", CT, AFFINE @ np.diag([1, -1, 1, 1]))
        write_label_map(folder / f"{name}.labels.am", Image(np.resize(LABEL, (6, 5, 4)), AFFINE), COVID.labels)


LAYOUTS = [
    (brats, BRAIN, "brats", {"BraTS20_Training_001"}),
    (brats2013, BRAIN, "brats2013", {"brats_2013_pat0002_1"}),
    (zenodo, COVID, "zenodo_covid", {"coronacases_001", "radiopaedia_10_85902_1"}),
    (pairs, COVID, "image_pairs", {"case_001", "case_002"}),
    (side_by_side, COVID, "image_pairs", {"a"}),
    (picture_pairs, SKIN, "image_pairs", {"p1_001", "p1_002", "p2_001"}),
    (slice_folders, COVID, "slice_images", {"V1", "V2"}),
    (numpy_slices, COVID, "npy_pairs", {"p1", "p2"}),
    (case_folders, COVID, "case_folders", {"A", "B"}),
    (lgg, BRAIN, "lgg", {"TCGA_CS_1"}),
    (lgg, SLICES, "slice_images", {"TCGA_CS_1"}),
    (nnunet, COVID, "nnunet", {"a", "b"}),
    (decathlon, BRAIN, "msd", {"BRATS_001"}),
    (bids, BRAIN, "bids", {"sub-01_ses-1", "sub-01_ses-2"}),
    (amira_pairs, COVID, "image_pairs", {"a", "b"}),
]


@pytest.mark.parametrize(("make", "task", "name", "ids"), LAYOUTS, ids=lambda value: getattr(value, "__name__", ""))
def test_every_layout_is_claimed_by_its_own_reader_alone(make, task, name, ids, tmp_path):
    make(tmp_path)
    assert [key for key, reader in list_readers().items() if reader.detect(tmp_path, task)] == [name]
    cases = read_folder(tmp_path, task)
    assert {case.id for case in cases} == ids
    for case in cases:
        images, label = case.load()
        assert images
        assert all(image.shape == label.shape for image in images.values())
        assert set(np.unique(label.array)) <= {0, *(known.value for known in task.labels)}
        assert all(read(path).shape == label.shape for path in case.images.values())


def test_whole_files_are_told_and_stacked_slices_are_not(tmp_path):
    case_folders(tmp_path / "volumes")
    slice_folders(tmp_path / "slices")
    case = read_folder(tmp_path / "volumes", COVID)[0]
    assert {name: path.name for name, path in case.images.items()} == {"ct": "A_ct.nii.gz"}
    assert case.label == tmp_path / "volumes" / "A" / "A_seg.nii.gz"
    case = read_folder(tmp_path / "slices", COVID)[0]
    assert (case.images, case.label, case.labelled) == ({}, None, True)


@pytest.mark.parametrize("make", [brats, pairs, slice_folders, case_folders, nnunet], ids=lambda make: make.__name__)
def test_cases_without_a_label_map_are_read_for_annotation_but_not_for_training(make, tmp_path):
    make(tmp_path)
    task = BRAIN if make is brats else COVID
    whole = len(read_folder(tmp_path, task, labelled=False))
    labels = [
        path
        for path in tmp_path.rglob("*.*")
        if "_seg" in path.name or "label" in path.relative_to(tmp_path).as_posix()
    ]
    for path in labels:
        path.unlink()
    cases = read_folder(tmp_path, task, labelled=False)
    assert len(cases) == whole
    assert not any(case.labelled or case.load()[1] for case in cases)
    with pytest.raises(InputError, match="none with a label map"):
        read_folder(tmp_path, task)


def test_the_masks_of_the_covid_set_are_joined_where_that_of_both_is_missing(tmp_path):
    zenodo(tmp_path)
    both = {case.id: case.load()[1].array for case in read_folder(tmp_path, COVID)}
    for path in (tmp_path / "lung_and_infection_mask").iterdir():
        path.unlink()
    (tmp_path / "lung_and_infection_mask").rmdir()
    for case in read_folder(tmp_path, COVID):
        assert (case.load()[1].array == both[case.id]).all()


def test_only_the_whole_tumor_is_known_of_the_lgg_set(tmp_path):
    lgg(tmp_path)
    (case,) = read_folder(tmp_path, BRAIN)
    images, label = case.load()
    assert case.regions == ("WT",)
    assert case.split == "train"
    assert images["flair"].spacing == (1.0, 1.0, 5.0)
    assert images["flair"].array[1, 0, 0] == 4
    assert set(np.unique(label.array)) == {0, 2}
    assert any("5 mm" in note for note in images["t1"].notes)


def test_label_names_of_other_sets_become_the_tasks_values(tmp_path):
    decathlon(tmp_path / "msd")
    _, label = read_folder(tmp_path / "msd", BRAIN)[0].load()
    assert label.array[:1, 0, :4].ravel().tolist() == [0, 2, 1, 4]  # edema, non-enhancing tumor, enhancing tumor
    nnunet(tmp_path / "nn")
    _, label = read_folder(tmp_path / "nn", COVID)[0].load()
    assert label.array[0, 0, :3].tolist() == [0, 2, 1]
    assert {case.id: case.split for case in read_folder(tmp_path / "nn", COVID, labelled=False)}["c"] == "test"
    bids(tmp_path / "bids")
    case = read_folder(tmp_path / "bids", BRAIN)[0]
    assert case.load()[1].array[0, 0].tolist() == [0, 2, 1, 4]
    assert case.patient == "sub-01"


def test_components_are_the_channels_that_the_modalities_name(tmp_path):
    decathlon(tmp_path)
    images, _ = read_folder(tmp_path, BRAIN)[0].load()
    assert images["flair"].array[0, 0, 0] == 0
    assert images["t1ce"].array[0, 0, 0] == 2


def test_nnunet_regions_are_told_apart_by_where_their_values_lie(tmp_path):
    root = tmp_path / "Dataset001_X"
    for index, name in enumerate(("T1", "T1ce", "T2", "FLAIR")):
        volume(root / "imagesTr" / f"a_{index:04d}.nii.gz", CT)
        assert name
    volume(root / "labelsTr" / "a.nii.gz", np.array([0, 1, 2, 3], np.uint8))
    about = {
        "channel_names": {"0": "T1", "1": "T1ce", "2": "T2", "3": "FLAIR"},
        "labels": {"background": 0, "whole tumor": [1, 2, 3], "tumor core": [2, 3], "enhancing tumor": 3},
        "file_ending": ".nii.gz",
    }
    table(root / "dataset.json", about)
    _, label = read_folder(tmp_path, BRAIN)[0].load()
    assert label.array[0, 0].tolist() == [0, 2, 1, 4]


def test_a_data_list_of_monai_has_splits_and_a_file_a_channel(tmp_path):
    for name in ("x", "y"):
        for channel in ("t1", "flair", "t1ce"):
            volume(tmp_path / name / f"{channel}.nii.gz", CT)
        volume(tmp_path / name / "seg.nii.gz", np.array([0, 1], np.uint8))

    def entry(name):
        images = [f"{name}/{channel}.nii.gz" for channel in ("t1", "flair", "t1ce")]
        return {"image": images, "label": f"{name}/seg.nii.gz", "id": name, "patient": "P" + name}

    table(tmp_path / "datalist.json", {"training": [entry("x")], "validation": [entry("y")]})
    (case, other) = read_folder(tmp_path, SLICES, layout="msd")
    assert (case.split, other.split, other.patient) == ("train", "val", "Py")
    assert set(case.images) == {"t1", "flair", "t1ce"}


def test_case_355_of_brats_2020_has_a_label_map(tmp_path):
    brats(tmp_path)
    folder = tmp_path / "BraTS20_Training_001"
    (folder / "BraTS20_Training_001_seg.nii").rename(folder / "W39_1998.09.19_Segm.nii")
    (case,) = read_folder(tmp_path, BRAIN)
    assert case.label.name == "W39_1998.09.19_Segm.nii"
    assert set(case.images) == {"t1", "t1ce", "t2", "flair"}


def test_a_resection_cavity_is_not_taken_for_enhancing_tumor(tmp_path):
    folder = tmp_path / "BraTS-GLI-02062-100"
    for name in ("t1n", "t1c", "t2w", "t2f", "seg"):
        volume(folder / f"{folder.name}-{name}.nii.gz", np.array([0, 1, 2, 3, 4] if name == "seg" else [7], np.uint8))
    (case,) = read_folder(tmp_path, BRAIN)
    with pytest.raises(InputError, match=r"label values \[4\]"):
        case.load()


def test_an_amira_field_without_orientation_is_taken_voxel_by_voxel(tmp_path):
    amira_pairs(tmp_path)
    images, label = read_folder(tmp_path, COVID)[0].load()
    assert (label.affine == images["ct"].affine).all()
    assert (label.array == np.resize(LABEL, (6, 5, 4))).all()
    assert "in their order" in label.notes[-1]


def lose_an_image(folder):
    pairs(folder)
    (folder / "images" / "case_001.nrrd").unlink()


def name_a_strange_label(folder):
    nnunet(folder)
    path = folder / "Dataset027_Lung" / "dataset.json"
    path.write_text(path.read_text(encoding="utf-8").replace('"lung"', '"heart"'), encoding="utf-8")


def lose_a_listed_file(folder):
    decathlon(folder)
    (folder / "imagesTr" / "BRATS_001.nii.gz").unlink()


def have_two_labels(folder):
    case_folders(folder)
    volume(folder / "A" / "A_mask.nii.gz", LABEL)


def have_a_case_twice(folder):
    for split in ("train", "val"):
        volume(folder / split / "A" / "ct.nii.gz", CT)
        volume(folder / split / "A" / "seg.nii.gz", LABEL)


@pytest.mark.parametrize(
    ("make", "task", "message"),
    [
        (lose_an_image, COVID, "without an image of the same name: case_001"),
        (name_a_strange_label, COVID, "does not know: 2 heart"),
        (lose_a_listed_file, BRAIN, "which is not there"),
        (have_two_labels, COVID, "2 files that may be its label map"),
        (have_a_case_twice, COVID, "more than one case called A"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_does_not_fit_is_named(make, task, message, tmp_path):
    make(tmp_path)
    with pytest.raises(InputError, match=message):
        read_folder(tmp_path, task)


def test_a_layout_can_be_named_and_must_be_known(tmp_path):
    pairs(tmp_path)
    assert len(read_folder(tmp_path, COVID, layout="image_pairs")) == 2
    with pytest.raises(InputError, match="no layout 'zip'"):
        read_folder(tmp_path, COVID, layout="zip")


def test_the_real_lgg_set_is_read_as_volumes(shared_data):
    cases = read_folder(shared_data / "lgg", BRAIN)
    assert (len(cases), {case.regions for case in cases}) == (72, {("WT",)})
    images, label = cases[0].load()
    assert set(images) == {"t1", "flair", "t1ce"}
    assert all(image.shape == label.shape for image in images.values())
