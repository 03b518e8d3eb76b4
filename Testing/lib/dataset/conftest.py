"""Small data sets."""

import numpy as np
import pytest

from MedSegEffNetLib.dataset.importing import NewCase, add_case
from MedSegEffNetLib.dataset.store import Dataset
from MedSegEffNetLib.image import Image

SHAPE = (24, 20, 6)
AFFINE = np.array([[-1.1, 0.1, 0, 12.0], [-0.1, -1.1, 0, 9.0], [0, 0, 4.0, -20.0], [0, 0, 0, 1]])
ANN, BOB = "Ann Lee", "Bob May"


def brain(seed, shape=SHAPE):
    """Blobs at random places on zeros, the same ones on any shape: a different picture for each seed."""
    draw = np.random.default_rng(seed)
    axes = np.meshgrid(*[np.linspace(0, 1, length) for length in shape], indexing="ij")
    total = np.zeros(shape)
    for _ in range(25):
        center, width, height = draw.uniform(0.15, 0.85, 3), draw.uniform(0.06, 0.16, 3), draw.uniform(20, 120)
        parts = zip(axes, center, width, strict=True)
        total += height * np.exp(-sum(((axis - middle) / wide) ** 2 for axis, middle, wide in parts))
    return total.astype(np.int16)


def images(seed=0):
    return {name: Image(brain(10 * seed + n), AFFINE) for n, name in enumerate(("t1", "flair", "t1ce"))}


def label(size=6, shape=SHAPE):
    array = np.zeros(shape, np.uint8)
    array[8 : 8 + size, 6:12, 2:4] = 1
    return Image(array, AFFINE)


def new_case(seed=0, case_id="", labelled=False, **changes):
    settings = {"patient": f"P{seed}", "label": label(4 + seed % 6) if labelled else None, **changes}
    return NewCase(case_id or f"case-{seed}", images=images(seed), files={}, **settings)


@pytest.fixture
def dataset(tmp_path):
    """An empty data set of tumor-slices."""
    return Dataset.create(tmp_path / "data", "tumor-slices")


@pytest.fixture
def filled(dataset):
    """A data set of one case, ``case-0``, without a label."""
    add_case(dataset, new_case(), ANN)
    return dataset


@pytest.fixture
def labelled(dataset):
    """A data set of eight accepted cases of eight patients."""
    for seed in range(8):
        add_case(dataset, new_case(seed, labelled=True, site="north" if seed % 2 else "south"), ANN)
    return dataset
