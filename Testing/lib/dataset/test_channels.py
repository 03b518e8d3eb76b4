"""Channels are found by file names, as whole words."""

from pathlib import Path

import numpy as np
import pytest

from MedSegEffNetLib.dataset.channels import load_case_images, match_channels, split_components
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.image import Image, write
from MedSegEffNetLib.task import get_task

BRAIN = get_task("brain-tumor").channels


def names(*files):
    return {channel: path.name for channel, path in match_channels([Path(file) for file in files], BRAIN).items()}


@pytest.mark.parametrize(
    "files",
    [
        ["BraTS20_Training_001_t1.nii.gz", "BraTS20_Training_001_t1ce.nii.gz", "BraTS20_Training_001_t2.nii.gz",
         "BraTS20_Training_001_flair.nii.gz"],
        ["BraTS-GLI-00005-000-t1n.nii.gz", "BraTS-GLI-00005-000-t1c.nii.gz", "BraTS-GLI-00005-000-t2w.nii.gz",
         "BraTS-GLI-00005-000-t2f.nii.gz"],
        ["T1_N4_noneck_regtoFLAIR_brain.nii.gz", "T1POST_N4_noneck_regtoFLAIR_brain.nii.gz", "T2_N4_noneck_regtoFLAIR.nii.gz",
         "FLAIR_N4_noneck_regtoMNI.nii.gz"],
    ],
    ids=["BraTS 2020", "BraTS 2023", "registered to FLAIR"],
)  # fmt: skip
def test_names_of_several_sets_are_understood(files):
    labels = ["x_seg.nii.gz", "brainmask.nii.gz", "GOLD_STANDARD.nii.gz", "OTMultiClass.nii.gz"]
    assert names(*files, *labels) == dict(zip(("t1", "t1ce", "t2", "flair"), files, strict=True))


@pytest.mark.parametrize(
    "contrast", ["T1 post-contrast", "T1_post_contrast", "t1 gd", "T1_contrast", "T1 KM", "AX T1 GAD"]
)
def test_the_image_with_contrast_agent_is_never_taken_for_the_native_one(contrast):
    contrast += ".nii.gz"
    assert names("FLAIR.nii.gz", contrast) == {"flair": "FLAIR.nii.gz", "t1ce": contrast}
    assert names("t1.nii.gz", contrast) == {"t1": "t1.nii.gz", "t1ce": contrast}


def test_a_folder_of_two_patients_by_its_names_is_doubted(tmp_path):
    picture = np.random.default_rng(0).integers(0, 255, (20, 20, 2)).astype(np.uint8)
    for name in ("anna_t1", "berta_flair"):
        write(tmp_path / f"{name}.nii.gz", Image(picture, np.eye(4)))
    images = load_case_images(tmp_path, get_task("brain-tumor"))
    assert any("two patients" in note for image in images.values() for note in image.notes)


def test_two_files_for_a_channel_are_refused_by_name():
    with pytest.raises(InputError, match=r"a_t1ce\.nii.*b_t1ce\.nii"):
        names("a_t1ce.nii", "b_t1ce.nii")


def test_a_missing_required_channel_is_refused_with_what_was_found():
    with pytest.raises(InputError, match=r"flair among: case_t1\.nii\.gz") as caught:
        match_channels([Path("case_t1.nii.gz")], get_task("tumor-slices").channels)
    assert "t2flair" in caught.value.expected


def test_any_one_channel_will_do_where_each_has_its_own_network_but_not_none():
    assert names("case_flair.nii.gz") == {"flair": "case_flair.nii.gz"}
    with pytest.raises(InputError, match=r"t1, t1ce, t2, flair among: adc\.nii"):
        names("adc.nii")


def test_components_are_the_channels_in_the_tasks_order():
    color = Image(np.arange(3 * 4 * 4).reshape(4, 4, 1, 3), np.eye(4))
    images = split_components(color, get_task("tumor-slices").channels, "x")
    assert list(images) == ["t1", "flair", "t1ce"]
    assert (images["flair"].array == color.array[..., 1]).all()
    with pytest.raises(InputError, match="3 component"):
        split_components(color, BRAIN, "x")


def test_grey_pictures_saved_as_color_serve_a_task_of_one_channel():
    channels = get_task("covid-ct").channels
    grey = np.arange(16).reshape(4, 4, 1)
    assert list(split_components(Image(np.stack([grey] * 3, axis=-1), np.eye(4)), channels, "x")) == ["ct"]
    with pytest.raises(InputError, match="3 component"):
        split_components(Image(np.arange(48).reshape(4, 4, 1, 3), np.eye(4)), channels, "x")


def test_real_case_folders_are_loaded(shared_data):
    images = load_case_images(next((shared_data / "ms_mni").glob("patient*")), get_task("brain-tumor"))
    assert list(images) == ["t1", "t1ce", "t2", "flair"]
    slices = load_case_images(next((shared_data / "lgg" / "val").iterdir()), get_task("tumor-slices"))
    assert {image.shape[:2] for image in slices.values()} == {(256, 256)}


def test_stacked_slices_of_tcga_lgg_are_a_case_in_3d_with_the_channels_they_have(shared_data):
    folder = min((shared_data / "lgg" / "val").iterdir())
    images = load_case_images(folder, get_task("brain-tumor"))
    assert list(images) == ["t1", "flair", "t1ce"]
    assert images["t1"].spacing == pytest.approx((1, 1, 5))
    assert "5 mm from slice to slice are assumed" in " ".join(images["t1"].notes)


def test_the_only_image_serves_the_only_channel_whatever_its_name(tmp_path):
    image = Image(np.arange(400, dtype=np.float32).reshape(20, 20, 1), np.eye(4))
    write(tmp_path / "left heel 3.nii.gz", image)
    write(tmp_path / "left heel 3_seg.nii.gz", image.with_array(np.ones((20, 20, 1), dtype=np.uint8)))
    assert list(load_case_images(tmp_path, get_task("skin-layers"))) == ["t2"]
    write(tmp_path / "right heel 3.nii.gz", image)
    with pytest.raises(InputError, match="no file for channel t2"):
        load_case_images(tmp_path, get_task("skin-layers"))
