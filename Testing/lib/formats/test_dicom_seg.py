"""DICOM SEG and the series that it refers to; needs the extra ``dicom``."""

import functools
import shutil

import numpy as np
import pytest

from MedSegEffNetLib.dataset.case import Case
from MedSegEffNetLib.dataset.exporters import export_cases
from MedSegEffNetLib.dataset.readers import list_readers, read_folder
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.formats import dicom_seg
from MedSegEffNetLib.image import GRID_TOLERANCE, Image, read, same_grid
from MedSegEffNetLib.task import get_segmentation_task

needs_highdicom = pytest.mark.skipif(
    not dicom_seg.find_spec("highdicom"), reason="highdicom is not installed (pip install medsegeffnet[dicom])"
)
BRAIN, COVID = (get_segmentation_task(name) for name in ("brain-tumor", "covid-ct"))
OBLIQUE = np.array([[0.8, -0.6, 0, 10], [0.6, 0.8, 0, -20], [0, 0, 2.5, 30], [0, 0, 0, 1.0]])
STUDY = dicom_seg.Study("P1", "case1")


def label_map(task, affine=OBLIQUE):
    array = np.random.default_rng(0).choice([0, *(label.value for label in task.labels)], (9, 8, 6)).astype(np.uint8)
    array[:, :, [0, 3, 5]] = 0  # slices that a SEG leaves out
    return Image(array, affine)


def load(task):
    draw = np.random.default_rng(1)
    names = [channel.name for channel in task.channels]
    return {name: Image(draw.integers(-900, 900, (9, 8, 6), np.int16), OBLIQUE) for name in names}, label_map(task)


@needs_highdicom
@pytest.mark.parametrize("affine", [OBLIQUE, OBLIQUE @ np.diag([-1, 1, 1, 1]), np.diag([-0.5, -0.7, 3, 1])])
def test_a_label_map_comes_back_on_the_whole_grid(affine, tmp_path):
    image = Image(np.arange(432, dtype=np.int16).reshape(9, 8, 6), affine)
    dicom_seg.write_series(tmp_path / "series", image, STUDY, 1, "T1")
    again = read(tmp_path / "series")
    assert np.allclose(np.sort(np.linalg.norm(again.affine[:3, :3], axis=0)), np.sort(image.spacing), atol=1e-4)
    labels = again.with_array(label_map(BRAIN).array)
    dicom_seg.write(tmp_path / "seg.dcm", labels, BRAIN.labels, tmp_path / "series")
    assert dicom_seg.is_seg(tmp_path / "seg.dcm")
    assert not dicom_seg.is_seg(next((tmp_path / "series").iterdir()))
    numbers, names = dicom_seg.read(tmp_path / "seg.dcm")
    assert names == {1: "necrotic and non-enhancing core", 2: "edema", 3: "enhancing tumor"}
    whole = dicom_seg.placed(numbers, again, tmp_path)
    assert (whole.array == np.array([0, 1, 2, 0, 3])[labels.array]).all()


@needs_highdicom
def test_an_export_is_read_back_and_names_nobody(tmp_path):
    import pydicom

    for task in (BRAIN, COVID):
        cases = [Case("A", "patient-1", "train", functools.partial(load, task))]
        export_cases(cases, task, tmp_path / task.id, "dicom-seg")
        assert [name for name, one in list_readers().items() if one.detect(tmp_path / task.id, task)] == ["dicom"]
        (case,) = read_folder(tmp_path / task.id, task)
        assert case.split == "train"
        images, label = case.load()
        for name, image in load(task)[0].items():
            assert same_grid(image, images[name], GRID_TOLERANCE)
            values = images[name].array if name == "ct" else images[name].array.astype(float)
            assert np.corrcoef(values.ravel(), image.array.ravel())[0, 1] > 0.999
        assert (label.array == label_map(task).array).all()
        written = pydicom.dcmread(next((tmp_path / task.id).rglob("0001.dcm")))
        assert (written.PatientID, str(written.PatientName)) == ("patient-1", "patient-1^")
        assert case.patient != "patient-1"


@needs_highdicom
def test_a_series_is_copied_and_the_segmentation_refers_to_it(tmp_path):
    import pydicom

    image = load(COVID)[0]["ct"]
    dicom_seg.write_series(tmp_path / "in" / "A" / "CT", image, STUDY, 1, "Chest", ct=True)
    found = read_folder(tmp_path / "in", COVID, labelled=False)[0]
    case = Case("A", "A", "", lambda: (found.load()[0], label_map(COVID)), images=found.images)
    notes = export_cases([case], COVID, tmp_path / "out", "dicom-seg")
    assert "1 DICOM series were copied" in notes[0]
    referred = pydicom.dcmread(tmp_path / "out" / "A" / "A_seg.dcm").ReferencedSeriesSequence[0].SeriesInstanceUID
    assert referred == STUDY.uid(1)


@needs_highdicom
def test_what_does_not_fit_is_refused(tmp_path):
    image, labels = load(COVID)[0]["ct"], label_map(COVID)
    series = tmp_path / "CT"
    dicom_seg.write_series(series, image, STUDY, 1, "CT", ct=True)
    moved = OBLIQUE.copy()
    moved[0, 3] += 0.5
    with pytest.raises(InputError, match="another grid"):
        dicom_seg.write(tmp_path / "x.dcm", Image(labels.array, moved), COVID.labels, series)
    with pytest.raises(InputError, match="is empty"):
        dicom_seg.write(tmp_path / "x.dcm", labels.with_array(np.zeros_like(labels.array)), COVID.labels, series)
    dicom_seg.write(tmp_path / "seg.dcm", labels, COVID.labels, series)
    numbers, _ = dicom_seg.read(tmp_path / "seg.dcm")
    with pytest.raises(InputError, match="another grid than the image"):
        dicom_seg.placed(numbers, Image(image.array, moved), tmp_path / "seg.dcm")
    with pytest.raises(InputError, match="no DICOM SEG"):
        dicom_seg.read(next(series.iterdir()))
    sheared = OBLIQUE.copy()
    sheared[:3, 2] += OBLIQUE[:3, 0]
    with pytest.raises(InputError, match="sheared grid"):
        dicom_seg.write_series(tmp_path / "y", Image(image.array, sheared), STUDY, 1, "CT")
    shutil.copytree(series, tmp_path / "set" / "A" / "CT")
    shutil.copy(tmp_path / "seg.dcm", tmp_path / "set" / "A" / "1.dcm")
    shutil.copy(tmp_path / "seg.dcm", tmp_path / "set" / "A" / "2.dcm")
    with pytest.raises(InputError, match="2 files that may be its label map"):
        read_folder(tmp_path / "set", COVID)


def test_without_highdicom_it_is_said_how_to_install_it(monkeypatch, tmp_path):
    monkeypatch.setattr(dicom_seg, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="highdicom"):
        dicom_seg.read(tmp_path / "x.dcm")
    cases = [Case("A", "A", "", functools.partial(load, COVID))]
    with pytest.raises(InputError, match="highdicom"):
        export_cases(cases, COVID, tmp_path / "out", "dicom-seg")
