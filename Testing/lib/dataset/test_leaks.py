"""The leak guard finds copies, and takes no two patients for one."""

import json

import numpy as np
import pytest

from MedSegEffNetLib.dataset.descriptors import (
    COPY,
    describe,
    fine_grid,
    hash_of_voxels,
    likeness,
    maybe_copies,
)
from MedSegEffNetLib.dataset.importing import add_case
from MedSegEffNetLib.dataset.leaks import find_leaks
from MedSegEffNetLib.dataset.readers import read_folder
from MedSegEffNetLib.dataset.splits import SPLITS, make_splits, read_splits
from MedSegEffNetLib.image import Image, resample
from MedSegEffNetLib.task import get_segmentation_task

from .conftest import AFFINE, ANN, brain, images, new_case


def copies(image, draw):
    """The image flipped, resampled, padded and rescaled, by name."""
    array = image.array.astype(np.float32)
    shape = np.maximum(1, np.array(array.shape) * draw.uniform(0.6, 1.3, 3)).astype(int)
    affine = image.affine.copy()
    affine[:3, :3] = affine[:3, :3] @ np.diag(np.array(array.shape) / shape)
    small = resample(Image(array, image.affine), Image(np.zeros(shape, np.uint8), affine))
    return {
        "flipped": Image(array[::-1, :, ::-1], image.affine),
        "resampled": small,
        "resampled and flipped": Image(small.array[:, ::-1], affine),
        "padded": Image(np.pad(array, ((9, 2), (0, 12), (1, 0)), constant_values=array.min()), image.affine),
        "rescaled": Image((array - array.mean()) / array.std(), image.affine),
    }


def assign(dataset, **splits):
    path = dataset.folder / SPLITS
    make_splits(dataset, {"train": 0.5, "test": 0.5}, seed=0)
    content = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**content, "patients": {**content["patients"], **splits}}), encoding="utf-8")
    return read_splits(dataset)


def test_the_hash_is_of_the_values_and_not_of_their_type():
    array = brain(1)
    assert hash_of_voxels(array) == hash_of_voxels(array.astype(np.float64))
    changed = array.copy()
    changed[3, 3, 3] += 1
    assert hash_of_voxels(array) != hash_of_voxels(changed)
    assert hash_of_voxels(array) != hash_of_voxels(array.reshape(20, 24, 6))


def test_copies_of_smooth_noise_are_found_and_other_noise_is_not():
    draw = np.random.default_rng(0)
    first = Image(brain(1, (60, 56, 30)), AFFINE)
    for name, copy in copies(first, draw).items():
        assert maybe_copies([describe(first), describe(copy)]), name
        assert likeness(fine_grid(first), fine_grid(copy)) >= COPY, name
    others = [Image(brain(seed, (60, 56, 30)), AFFINE) for seed in range(2, 8)]
    assert max(likeness(fine_grid(first), fine_grid(other)) for other in others) < COPY


def test_an_image_that_shows_nothing_is_like_nothing():
    assert describe(Image(np.zeros((5, 5, 5)), np.eye(4))) == ""
    assert maybe_copies(["", ""]) == []


def test_the_same_voxels_in_two_splits_are_an_error_and_in_one_a_warning(labelled):
    add_case(labelled, new_case(1, "again", patient="other"), ANN)
    within = find_leaks(labelled, assign(labelled, P1="train", other="train"))
    assert [(leak.cases, leak.check, leak.severity) for leak in within] == [
        (("again", "case-1"), "duplicate", "warning")
    ]
    (labelled.folder / SPLITS).unlink()
    across = find_leaks(labelled, assign(labelled, P1="train", other="test"))
    assert [(leak.check, leak.severity) for leak in across] == [("leak", "error")]


def test_a_flipped_copy_in_two_splits_is_an_error(labelled):
    flipped = {name: Image(image.array[::-1], image.affine) for name, image in images(1).items()}
    new = new_case(1, "again", patient="other")
    new.images.update(flipped)
    add_case(labelled, new, ANN)
    leaks = find_leaks(labelled, assign(labelled, P1="train", other="test"))
    assert [(leak.cases, leak.severity) for leak in leaks] == [(("again", "case-1"), "error")]
    assert "copy" in leaks[0].text


def test_rejected_cases_leak_nothing(labelled):
    add_case(labelled, new_case(1, "again", patient="other"), ANN)
    labelled.set_state("again", "rejected", ANN)
    assert find_leaks(labelled, assign(labelled, P1="train", other="test")) == []


def test_two_spellings_of_a_patient_in_two_splits_are_told(labelled):
    add_case(labelled, new_case(70, "visit", patient="p-1"), ANN)
    leaks = find_leaks(labelled, assign(labelled, **{"P1": "train", "p-1": "test"}))
    assert [(leak.check, leak.severity) for leak in leaks] == [("patient", "warning")]


@pytest.mark.slow
def test_of_real_patients_every_copy_is_found_and_no_two_are_taken_for_one(shared_data):
    draw = np.random.default_rng(0)
    cases = read_folder(shared_data / "lgg", get_segmentation_task("tumor-slices"))[:24]
    flair = [case.load()[0]["flair"] for case in cases]
    grids = [fine_grid(image) for image in flair]
    pairs = [(one, other) for one in range(len(flair)) for other in range(one)]
    assert max(likeness(grids[one], grids[other]) for one, other in pairs) < COPY
    for image, grid in list(zip(flair, grids, strict=True))[:8]:
        for name, copy in copies(image, draw).items():
            assert maybe_copies([describe(image), describe(copy)]), name
            assert likeness(grid, fine_grid(copy)) >= COPY, name
