import numpy as np

from MedSegEffNetLib.labelops import Selection, magic_wand, within_range


def picture():
    image = np.full((8, 8, 3), 10.0, dtype=np.float32)
    image[1:4, 1:4] = 50
    image[4:7, 1:4] = 60
    image[1:3, 6:8] = 50
    return image


def test_the_wand_takes_what_is_joined_and_as_bright():
    assert magic_wand(picture(), (2, 2, 1), 45, 55).voxels == 27
    assert magic_wand(picture(), (2, 2, 1), 45, 65).voxels == 54
    assert magic_wand(picture(), (2, 2, 1), 45, 55, axis=2).voxels == 9


def test_the_wand_stays_within_the_label_of_its_voxel():
    labels = np.zeros((8, 8, 3), dtype=np.uint8)
    labels[:, :3] = 4
    taken = magic_wand(picture(), (2, 2, 1), 45, 65, labels=labels)
    assert taken.voxels == 36
    assert not taken.whole()[:, 3:].any()


def test_a_voxel_out_of_range_takes_nothing():
    assert magic_wand(picture(), (0, 0, 0), 45, 55).empty


def test_a_threshold_narrows_the_selection():
    everything = Selection.of(np.ones((8, 8, 3), dtype=bool))
    assert within_range(everything, picture(), 55, 65).voxels == 27
    assert within_range(everything, picture(), 100, 200).empty
