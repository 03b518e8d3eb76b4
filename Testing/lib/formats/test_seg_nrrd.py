"""Slicer's segmentation files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from MedSegEffNetLib import image
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.formats import itk
from MedSegEffNetLib.image import Image
from MedSegEffNetLib.task import Code, Label, Terminology

_BRAIN = Code("SCT", "12738006", "Brain")
_ALTERED = Code("SCT", "49755003", "Morphologically Altered Structure")
_LABELS = (
    Label(1, "Tumor core", (255, 0, 0), Terminology(_ALTERED, Code("SCT", "86049000", "Neoplasm, Primary"), _BRAIN)),
    Label(4, "Ödem", (0, 51, 255), Terminology(_ALTERED, Code("SCT", "79654002", "Edema"))),
)


def test_every_label_is_a_segment_with_name_color_and_terminology(tmp_path: Path):
    array = np.zeros((4, 5, 6), np.uint8)
    array[1, 2, 3] = 1  # no voxel has the value 4
    affine = np.array([[0, -2.0, 0, 10], [1, 0, 0, -5], [0, 0, 3, 7], [0, 0, 0, 1]])
    image.write_label_map(tmp_path / "a.seg.nrrd", Image(array, affine), _LABELS)
    read, fields = itk.read_with_fields(tmp_path / "a.seg.nrrd")
    assert np.array_equal(read.affine, affine)
    assert fields["Segment0_Color"] == "1 0 0"
    assert fields["Segment1_Color"] == "0 0.2 1"
    assert fields["Segment0_Name"] == "Tumor core"
    assert fields["Segment1_Name"] == "Ödem"
    assert [fields[f"Segment{k}_LabelValue"] for k in (0, 1)] == ["1", "4"]
    assert [fields[f"Segment{k}_Layer"] for k in (0, 1)] == ["0", "0"]
    assert fields["Segment0_Extent"] == "0 3 0 4 0 5"
    assert fields["Segment0_Tags"].endswith(
        "TerminologyEntry:Segmentation category and type - 3D Slicer General Anatomy list"
        "~SCT^49755003^Morphologically Altered Structure~SCT^86049000^Neoplasm, Primary~^^"
        "~Anatomic codes - DICOM master list~SCT^12738006^Brain~^^|"
    )
    assert fields["Segmentation_MasterRepresentation"] == "Binary labelmap"
    assert "Segment2_ID" not in fields


def layers(path: Path, values: tuple[int, int]) -> Path:
    """Two overlapping segments, one a layer, as Slicer saves them."""
    array = np.zeros((4, 5, 6, 2), np.uint8)
    array[:3, ..., 0] = values[0]
    array[2:, ..., 1] = values[1]
    fields = {}
    for k, value in enumerate(values):
        fields |= {f"Segment{k}_ID": f"s{k}", f"Segment{k}_Name": f"part {k}", f"Segment{k}_Layer": str(k)}
        fields[f"Segment{k}_LabelValue"] = str(value)
    itk.write_nrrd(path, Image(array, np.eye(4)), fields)
    return path


def test_layers_are_drawn_over_one_another(tmp_path: Path):
    read = image.read_label_map(layers(tmp_path / "a.seg.nrrd", (1, 4)))
    assert read.array[:, 0, 0].tolist() == [1, 1, 4, 4]


def test_segments_with_the_labels_names_get_the_labels_values(tmp_path: Path):
    names = [Label(value, f"Part {k}", (9, 9, 9), _LABELS[0].terminology) for k, value in enumerate((2, 7))]
    read = image.read_label_map(layers(tmp_path / "a.seg.nrrd", (1, 1)), names)
    assert read.array[:, 0, 0].tolist() == [2, 2, 7, 7]
    image.write_label_map(tmp_path / "b.seg.nrrd", Image(np.full((2, 2, 2), 4), np.eye(4)), _LABELS)
    renumbered = [Label(9 - label.value, label.name, label.color, label.terminology) for label in _LABELS]
    assert (image.read_label_map(tmp_path / "b.seg.nrrd", renumbered).array == 5).all()
    assert (image.read_label_map(tmp_path / "b.seg.nrrd", names).array == 4).all()


def test_segments_that_share_a_value_are_refused_by_name(tmp_path: Path):
    with pytest.raises(InputError, match="part 0") as caught:
        image.read_label_map(layers(tmp_path / "a.seg.nrrd", (1, 1)), _LABELS)
    assert "Slicer" in caught.value.hint
