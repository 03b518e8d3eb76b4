"""The mark of an image that a network made, in every format, and what other programs leave of it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from MedSegEffNetLib import image
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.formats import marks
from MedSegEffNetLib.image import Image
from MedSegEffNetLib.task import get_task

MODEL = "mri-synthesis-stargan@1.0.0"
VOLUMES = ("nii", "nii.gz", "nrrd", "mha", "mhd")


@pytest.fixture
def volume():
    """A marked volume."""
    array = np.arange(8 * 7 * 5, dtype=np.float32).reshape(8, 7, 5)
    return Image(array, np.diag([1.0, 2.0, 3.0, 1.0]), synthesised=MODEL)


@pytest.fixture
def picture():
    """A marked slice of bytes."""
    return Image(np.arange(80, dtype=np.uint8).reshape(10, 8, 1), np.eye(4), synthesised=MODEL)


@pytest.mark.parametrize("suffix", VOLUMES)
def test_a_marked_volume_is_read_back_with_its_mark_and_its_voxels(volume, tmp_path, suffix):
    path = tmp_path / f"x.{suffix}"
    image.write(path, volume)
    assert image.read(path).synthesised == MODEL
    assert image.made_by(path) == MODEL
    np.testing.assert_array_equal(image.read(path).array, volume.array)
    image.write(path, replace(volume, synthesised=""))
    assert image.read(path).synthesised == image.made_by(path) == ""


@pytest.mark.parametrize("suffix", ["png", "tif", "webp"])
def test_a_marked_slice_is_read_back_with_its_mark(picture, tmp_path, suffix):
    path = tmp_path / f"x.{suffix}"
    image.write(path, picture)
    assert image.read(path).synthesised == image.made_by(path) == MODEL
    assert image.read(tmp_path).synthesised == image.made_by(tmp_path) == MODEL


@pytest.mark.parametrize("after", ["nii.gz", "nrrd", "mha"])
@pytest.mark.parametrize("before", ["nii.gz", "nrrd", "mha"])
def test_the_mark_outlives_a_copy_that_itk_makes_in_another_format(volume, tmp_path, before, after):
    image.write(tmp_path / f"x.{before}", volume)
    sitk.WriteImage(sitk.ReadImage(str(tmp_path / f"x.{before}")), str(tmp_path / f"y.{after}"))
    assert image.read(tmp_path / f"y.{after}").synthesised == MODEL


def test_nibabel_reads_the_description_and_the_comment(volume, tmp_path):
    nibabel = pytest.importorskip("nibabel")
    image.write(tmp_path / "x.nii.gz", volume)
    loaded = nibabel.load(tmp_path / "x.nii.gz")
    assert bytes(loaded.header["descrip"]).rstrip(b"\0").decode() == marks.sentence(MODEL)
    assert [(part.get_code(), part.get_content()) for part in loaded.header.extensions] == [
        (6, marks.sentence(MODEL).encode())
    ]
    np.testing.assert_array_equal(loaded.get_fdata(), volume.array)


def test_a_long_name_is_whole_in_the_comment(volume, tmp_path):
    name = "a-very-long-name-of-a-model-that-somebody-has-trained-and-promoted-under-it@10.20.30"
    image.write(tmp_path / "x.nii", replace(volume, synthesised=name))
    assert image.read(tmp_path / "x.nii").synthesised == name


@pytest.mark.parametrize("suffix", ["seg.nrrd", "nii.gz", "png"])
def test_a_label_map_carries_the_mark_of_its_images(picture, tmp_path, suffix):
    task = get_task("tumor-slices")
    label_map = picture.with_array((picture.array > 40).astype(np.uint8))
    image.write_label_map(tmp_path / f"x.{suffix}", label_map, task.labels)
    assert image.read_label_map(tmp_path / f"x.{suffix}", task.labels).synthesised == MODEL


@pytest.mark.parametrize("suffix", ["npy", "am"])
def test_a_format_without_a_place_for_the_mark_is_refused(picture, tmp_path, suffix):
    with pytest.raises(InputError, match="cannot hold the mark"):
        image.write(tmp_path / f"x.{suffix}", picture)
    with pytest.raises(InputError, match="cannot hold the mark"):
        image.write_label_map(tmp_path / f"x.{suffix}", picture.with_array(picture.array // 255), ())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("word", ["synthesised", "Synthesized"])
def test_a_files_name_counts_where_its_header_says_nothing(volume, tmp_path, word):
    path = tmp_path / f"t1ce_{word}.nii.gz"
    image.write(path, replace(volume, synthesised=""))
    assert image.read(path).synthesised == image.made_by(path) == marks.UNKNOWN


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("t1ce.nii.gz", "t1ce_synthesised.nii.gz"),
        ("a/t1ce.nrrd", "a/t1ce_synthesised.nrrd"),
        ("series", "series_synthesised"),
        ("T1ce Synthesized.mha", "T1ce Synthesized.mha"),
    ],
)
def test_the_word_is_put_into_the_name_before_its_suffix(given, kept):
    assert marks.named_output(Path(given)) == Path(kept)


def test_what_becomes_of_a_marked_image_is_marked(volume):
    other = replace(volume, affine=volume.affine @ np.diag([1.1, 1, 1, 1]), synthesised="")
    assert image.resample(volume, other).synthesised == MODEL
    assert image.resample(other, volume).synthesised == ""
    assert [part.synthesised for part in volume.channels()] == [MODEL]
    assert image.joined_marks([volume, other, replace(volume, synthesised="b@2"), volume]) == f"{MODEL}, b@2"


def test_a_file_that_cannot_be_read_says_nothing(tmp_path):
    (tmp_path / "x.nii.gz").write_bytes(b"\x1f\x8bno")
    (tmp_path / "x.nrrd").write_bytes(b"no")
    assert [image.made_by(tmp_path / name) for name in ("x.nii.gz", "x.nrrd", "missing.nii", "")] == [""] * 4


def test_damaged_extensions_are_passed_over(volume, tmp_path):
    path = tmp_path / "x.nii"
    image.write(path, volume)
    content = bytearray(path.read_bytes())
    content[352:356] = (3).to_bytes(4, "little")  # a size that no extension has
    path.write_bytes(content)
    assert image.read(path).synthesised == MODEL  # by the description


def write_slices(folder, derivation, more=()):
    """A DICOM series of three slices."""
    folder.mkdir()
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    for index in range(3):
        part = sitk.GetImageFromArray((np.arange(64 * 64) % 99).reshape(64, 64).astype(np.int16))
        tags = {
            "0008|0060": "MR", "0020|000e": "2.25.7", "0020|000d": "2.25.8", "0008|0018": f"2.25.9{index}",
            "0020|0032": f"0\\0\\{index}", "0020|0037": "1\\0\\0\\0\\1\\0", "0008|2111": derivation,
            **dict(more),
        }  # fmt: skip
        for tag, value in tags.items():
            part.SetMetaData(tag, value)
        writer.SetFileName(str(folder / f"{index}.dcm"))
        writer.Execute(part)


def test_a_dicom_series_is_marked_by_its_derivation(tmp_path):
    write_slices(tmp_path / "made", marks.sentence(MODEL))
    write_slices(tmp_path / "real", "resampled")
    assert image.read(tmp_path / "made").synthesised == image.made_by(tmp_path / "made") == MODEL
    assert image.read(tmp_path / "made" / "0.dcm").synthesised == MODEL
    assert image.read(tmp_path / "real").synthesised == image.made_by(tmp_path / "real") == ""


@pytest.mark.parametrize(
    "left", [{"0008|0008": "DERIVED\\SECONDARY\\OTHER\\SYNTHESISED"}, {"0008|103e": "T1 post-contrast Synthesized"}]
)
def test_a_dicom_series_that_lost_its_derivation_is_marked_by_its_image_type_or_description(left, tmp_path):
    write_slices(tmp_path / "made", "", left)
    assert image.read(tmp_path / "made").synthesised == image.made_by(tmp_path / "made") == marks.UNKNOWN
    write_slices(tmp_path / "named", marks.sentence(MODEL), left)
    assert image.made_by(tmp_path / "named") == MODEL


def test_a_written_dicom_series_says_that_it_is_derived(volume, tmp_path):
    pydicom = pytest.importorskip("pydicom")
    pytest.importorskip("highdicom")
    from MedSegEffNetLib.formats import dicom_seg

    dicom_seg.write_series(tmp_path / "series", volume, dicom_seg.Study("p", "s"), 1, "T1 post-contrast")
    first = pydicom.dcmread(tmp_path / "series" / "0001.dcm")
    assert list(first.ImageType) == ["DERIVED", "SECONDARY", "OTHER", "SYNTHESISED"]
    assert first.DerivationDescription == marks.sentence(MODEL)
    assert "SYNTHESISED" in first.SeriesDescription
    assert image.read(tmp_path / "series").synthesised == MODEL
