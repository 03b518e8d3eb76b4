"""AmiraMesh: every encoding, geometry, materials and names, and files that are damaged."""

import struct
import zlib

import numpy as np
import pytest

from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.formats import amira
from MedSegEffNetLib.image import Image, read, read_label_map, same_grid, write, write_label_map
from MedSegEffNetLib.task import get_segmentation_task

BRAIN, COVID = (get_segmentation_task(name) for name in ("brain-tumor", "covid-ct"))
SHAPE = (4, 3, 2)
VALUES = np.arange(24, dtype=np.uint8).reshape(SHAPE, order="F") % 3
OBLIQUE = np.array([[0.8, -0.6, 0, 10], [0.6, 0.8, 0, -20], [0, 0, 2.5, 30], [0, 0, 0, 1.0]])


def header(form="BINARY-LITTLE-ENDIAN 2.1", lattice="Lattice { byte Labels } @1", parameters="", box="0 3 0 4 10 15"):
    return (
        f"# AmiraMesh {form}\n\n\ndefine Lattice 4 3 2\n\nParameters {{\n{parameters}\n    BoundingBox {box},\n"
        f'    CoordType "uniform"\n}}\n\n{lattice}\n\n# Data section follows\n@1\n'
    ).encode()


def a_file(folder, data=None, **parts):
    path = folder / "field.am"
    path.write_bytes(header(**parts) + (VALUES.ravel(order="F").tobytes() if data is None else data) + b"\n")
    return path


def materials(*names):
    return "Materials {" + " ".join(f"{name} {{ Id {index}, Color 1 0 0 }}" for index, name in enumerate(names)) + "}"


FLAT = VALUES.ravel(order="F")
RUNS = b"".join(bytes([1, value]) for value in FLAT[:20]) + b"\x84" + FLAT[20:].tobytes()


@pytest.mark.parametrize(
    ("parts", "data"),
    [
        ({}, FLAT.tobytes()),
        ({"form": "3D ASCII 2.0"}, " ".join(map(str, FLAT)).encode()),
        ({"form": "3D BINARY 2.0", "lattice": "Lattice { ushort Labels } = @1"}, FLAT.astype(">u2").tobytes()),
        ({"lattice": f"Lattice {{ byte Labels }} @1(HxByteRLE,{len(RUNS)})"}, RUNS),
        (
            {"lattice": f"Lattice {{ byte Labels }} @1(HxZip,{len(zlib.compress(FLAT.tobytes()))})"},
            zlib.compress(FLAT.tobytes()),
        ),
    ],
    ids=["little", "text", "big", "runs", "zip"],
)
def test_every_encoding_gives_the_same_field(parts, data, tmp_path):
    image = read_label_map(a_file(tmp_path, data, **parts))
    assert (image.array == VALUES).all()
    assert image.spacing == (1.0, 2.0, 5.0)
    assert image.affine[:3, 3].tolist() == [0, 0, 10]


def test_the_box_runs_between_centers_and_the_unit_is_heeded(tmp_path):
    image = read(a_file(tmp_path, parameters='    Units {\n        Coordinates "cm"\n    }'))
    assert image.spacing == (10.0, 20.0, 50.0)


@pytest.mark.parametrize("known", [True, False])
def test_the_directions_of_the_axes_are_known_where_a_matrix_is_stored(known, tmp_path):
    assert not read(a_file(tmp_path)).orientation_known
    affine = np.diag([-1.0, -1.0, 3.0, 1.0])
    affine[:3, 3] = 7, -5, 2
    image = Image(VALUES, affine, orientation_known=known)
    write(tmp_path / "image.am", image)
    again = read(tmp_path / "image.am")
    assert again.orientation_known == known
    assert same_grid(image, again)


def test_the_labels_are_found_behind_another_field(tmp_path):
    lattice = "Lattice { float Probability } @1\nLattice { byte Labels } @2"
    data = np.zeros(24, dtype="<f4").tobytes() + b"\n@2\n" + FLAT.tobytes()
    path = a_file(tmp_path, data, lattice=lattice)
    assert (read_label_map(path).array == VALUES).all()
    assert read(path).array.dtype == np.float32


@pytest.mark.parametrize("names", [("Exterior", "lung", "infection"), ("Exterior", "Infection", "LUNG")])
def test_materials_get_the_values_of_the_labels_with_their_names(names, tmp_path):
    label_map = read_label_map(a_file(tmp_path, parameters=materials(*names)), COVID.labels)
    first = {"lung": 1, "infection": 2}[names[1].lower()]
    assert (label_map.array[VALUES == 1] == first).all()
    assert (label_map.array[VALUES == 2] == 3 - first).all()


def test_other_materials_keep_their_values_and_a_mixture_is_refused(tmp_path):
    path = a_file(tmp_path, parameters=materials("Exterior", "Inside", "Material3"))
    assert (read_label_map(path, COVID.labels).array == VALUES).all()
    path = a_file(tmp_path, parameters=materials("Exterior", "lung", "heart"))
    with pytest.raises(InputError, match="no labels of the task: heart"):
        read_label_map(path, COVID.labels)


@pytest.mark.parametrize("affine", [np.diag([-1.0, -1, 3, 1]), OBLIQUE, np.diag([0.5, 0.5, 2, 1])])
def test_a_label_map_comes_back_as_it_was_written(affine, tmp_path):
    draw = np.random.default_rng(0)
    array = np.kron(draw.choice([0, 1, 2, 4], (3, 4, 5)), np.ones((9, 7, 5))).astype(np.uint8)
    path = tmp_path / "case.labels.am"
    write_label_map(path, Image(array, affine), BRAIN.labels)
    again = read_label_map(path, BRAIN.labels)
    assert (again.array == array).all()
    assert same_grid(again, Image(array, affine))
    assert set(np.unique(read_label_map(path).array)) == {0, 1, 2, 3}  # materials are counted without gaps
    assert amira.is_label_field(path)


@pytest.mark.parametrize("dtype", ["u1", "i1", "i2", "u2", "i4", "f4", "f8"])
@pytest.mark.parametrize("shape", [(5, 4, 3), (5, 4, 1), (5, 4, 3, 2)])
def test_images_come_back_as_they_were_written(dtype, shape, tmp_path):
    image = Image((np.random.default_rng(1).normal(size=shape) * 50).astype(dtype), OBLIQUE)
    write(tmp_path / "image.am", image)
    again = read(tmp_path / "image.am")
    assert (again.array == image.array).all()
    assert same_grid(image, again)
    assert not amira.is_label_field(tmp_path / "image.am")


@pytest.mark.parametrize(
    ("parts", "data", "message"),
    [
        ({}, b"\x01\x02", "its header announces|instead of 24"),
        ({"lattice": "Lattice { byte Labels } @1(HxByteRLE,6)"}, bytes([127, 1, 127, 1, 127, 1]), "run-length"),
        ({"lattice": "Lattice { byte Labels } @1(HxZip,5)"}, b"abcde", "damaged"),
        ({"form": "3D ASCII 2.0"}, b"1 2 x " * 9, "24 numbers"),
        ({"lattice": "Lattice { complex Field } @1"}, None, "stores 'complex' values"),
        ({"lattice": "Vertices { float[3] Coordinates } @1"}, None, "holds no volume"),
        ({"box": "0 1 zero 2 0 1"}, None, "BoundingBox is no 6 numbers"),
        ({"box": "0 0 0 0 0 0"}, None, "voxel size of zero"),
    ],
)
def test_what_cannot_be_read_is_said(parts, data, message, tmp_path):
    with pytest.raises(InputError, match=message):
        read_label_map(a_file(tmp_path, data, **parts))


def test_no_amira_file_and_a_stretched_grid_are_refused(tmp_path):
    path = tmp_path / "x.am"
    path.write_bytes(struct.pack("<100I", *range(100)))
    with pytest.raises(InputError, match="as an AmiraMesh file does"):
        read(path)
    path.write_bytes(header().replace(b'"uniform"', b'"rectilinear"') + FLAT.tobytes())
    with pytest.raises(InputError, match="rectilinear"):
        read(path)
