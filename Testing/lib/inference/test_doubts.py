"""Whether a case is one that the model was made for."""

from dataclasses import replace

import numpy as np
import pytest

from MedSegEffNetLib.image import Image, read
from MedSegEffNetLib.inference.doubts import CHECKS, chest_ct, find_doubts, resampling, skull_stripped
from MedSegEffNetLib.task import SegmentationTask, get_segmentation_task, list_tasks

LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
BRAIN = get_segmentation_task("brain-tumor")


def grid(shape):
    return np.meshgrid(*[np.linspace(-1, 1, length) for length in shape], indexing="ij")


def head(stripped, spacing=3.0):
    """A brain in T1, in its skull and skin unless ``stripped``; about 13 cm of brain."""
    radius = np.sqrt(sum(axis**2 for axis in grid((64, 64, 64))))
    draw = np.random.default_rng(0)
    array = np.where(radius < 0.65, 100 + 10 * draw.random(radius.shape), 0)
    if not stripped:
        array[(radius >= 0.65) & (radius < 0.75)] = 8  # bone
        array[(radius >= 0.75) & (radius < 0.9)] = 180  # skin and fat
        array += 4 * draw.random(radius.shape)
    return Image(array.astype(np.float32), LPS * [[spacing], [spacing], [spacing], [1]])


def body(lungs=True, turned=False, axes=LPS):
    """A CT in Hounsfield units on axes LPS: body with spine at the back, table below, lungs perhaps."""
    x, y, z = grid((96, 96, 20))
    array = np.full(x.shape, -1000, dtype=np.int16)
    array[(x / 0.85) ** 2 + (y / 0.6) ** 2 < 1] = 40
    if lungs:
        for side in (-0.4, 0.4):
            array[((x - side) / 0.3) ** 2 + (y / 0.42) ** 2 + (z / 1.2) ** 2 < 1] = -850
    array[(x / 0.1) ** 2 + ((y - 0.45) / 0.1) ** 2 < 1] = 600
    array[(abs(x) < 0.9) & (abs(y - 0.75) < 0.03)] = -100
    return Image(array[:, ::-1] if turned else array, axes)


def test_every_check_that_a_task_names_is_there():
    named = {name for task in list_tasks().values() if isinstance(task, SegmentationTask) for name in task.checks}
    assert named
    assert named <= set(CHECKS)


def test_a_brain_without_its_skull_passes_and_a_whole_head_does_not():
    assert skull_stripped({"t1": head(stripped=True)}) == []
    (text,) = skull_stripped({"t1": head(stripped=False)})
    assert "do not look skull-stripped" in text


def test_a_head_whose_air_was_set_to_zero_is_known_by_its_size():
    whole = head(stripped=True, spacing=4.5)  # nothing is dark, but five liters are no brain
    assert skull_stripped({"t1": whole})
    assert not skull_stripped({"t1": replace(whole, spacing_known=False)})


@pytest.mark.parametrize("axes", [LPS, np.eye(4), np.diag([1.0, -1.0, 1.0, 1.0])], ids=["LPS", "RAS", "RPS"])
def test_a_chest_is_known_whatever_the_files_axes_are(axes):
    as_stored = body().array[:: -1 if axes[0, 0] > 0 else 1, :: -1 if axes[1, 1] > 0 else 1]
    assert chest_ct({"ct": Image(as_stored, axes)}) == []


def test_a_ct_without_two_lungs_is_no_chest():
    (text,) = chest_ct({"ct": body(lungs=False)})
    assert text.startswith("This does not look like a chest CT")
    one = body()
    one.array[:48][one.array[:48] == -850] = 40
    assert chest_ct({"ct": one})


def test_a_chest_upside_down_in_its_own_header_is_told():
    (text,) = chest_ct({"ct": body(turned=True)})
    assert "upside down" in text


def test_slices_of_8_bits_are_no_hounsfield_units_and_pass():
    eight_bit = (body(lungs=False).array.astype(np.float32) + 1000) / 7
    assert chest_ct({"ct": Image(eight_bit.astype(np.uint8), LPS)}) == []


def test_a_chest_whose_values_were_cut_at_soft_tissue_is_doubtful():
    chest = body()
    (text,) = chest_ct({"ct": chest.with_array(chest.array.clip(-160, 240))})
    assert "No value lies below -160 HU" in text


def test_files_without_directions_are_doubtful_for_volumes_but_pictures_are_not_for_slices():
    brain = replace(head(stripped=True), orientation_known=False)
    assert "store no orientation" in " ".join(find_doubts(BRAIN, {"t1": brain}))
    slices = get_segmentation_task("tumor-slices")
    assert find_doubts(slices, {"flair": replace(brain, spacing_known=False)}) == []
    assert find_doubts(slices, {"flair": brain})


def test_voxels_of_unknown_size_and_too_few_slices_are_doubtful_for_volumes():
    brain = head(stripped=True)
    assert find_doubts(BRAIN, {"t1": brain}) == []
    assert "no voxel size" in " ".join(find_doubts(BRAIN, {"t1": replace(brain, spacing_known=False)}))
    thin = Image(brain.array[:, :, 28:36], brain.affine)
    assert any("cover 24 mm only" in text for text in find_doubts(BRAIN, {"t1": thin}))


def test_resampling_is_told_with_the_voxel_size_and_thick_slices_with_their_number():
    steps = BRAIN.preprocessing
    fine = Image(np.zeros((9, 9, 9)), LPS)
    assert resampling(fine, steps) == []
    (text,) = resampling(Image(fine.array, np.diag([0.8, 6.5, 0.8, 1.0])), steps)
    assert "0.8 × 6.5 × 0.8 mm" in text
    assert "6.5 mm apart" in text
    assert "apart" not in resampling(Image(fine.array, np.diag([0.5, 0.5, 0.5, 1.0])), steps)[0]
    assert (
        resampling(Image(fine.array, np.diag([3.0, 3.0, 3.0, 1.0])), get_segmentation_task("covid-ct").preprocessing)
        == []
    )


def test_real_brains_and_heads_are_told_apart(shared_data):
    stripped = [*shared_data.glob("brats2013/*/*subtr*.gz"), *shared_data.glob("ms_mni/*/*brain_N4*.gz")]
    heads = [*shared_data.glob("io/pyradiomics/brain*_image.nrrd"), *shared_data.glob("io/tcia*/*.gz")]
    assert len(stripped) >= 8
    assert len(heads) >= 4
    assert [path.name for path in stripped if skull_stripped({"t1": read(path)})] == []
    assert [path.name for path in heads if not skull_stripped({"t1": read(path)})] == []


def test_a_real_ct_of_the_belly_is_no_chest_and_lies_on_its_back(shared_data):
    (text,) = chest_ct({"ct": read(shared_data / "io" / "totalsegmentator" / "example_ct.nii.gz")})
    assert text.startswith("This does not look like a chest CT")
