"""A tiny data set and recipe: real files, seconds to train."""

import numpy as np
import pytest
from PIL import Image as Pillow

TINY = [
    "network.channels=[4,8]", "network.dropout=0.1", "size=32", "batch_size=4", "epochs=3", "empties_per_epoch=2",
    "early_stopping=0", "precision=float32",
]  # fmt: skip


def write_patients(folder, count=3, slices=4, size=32):
    """Slices of noise with a bright square, whose mask is the square; the last slice of each patient is empty."""
    draw = np.random.default_rng(0)
    for number in range(count):
        patient = folder / ("val" if number == count - 1 else "train") / f"P{number}"
        patient.mkdir(parents=True)
        for index in range(slices):
            picture = draw.integers(0, 80, (size, size, 3), dtype=np.uint8)
            mask = np.zeros((size, size), dtype=np.uint8)
            if index < slices - 1:
                row, column = draw.integers(4, size - 16, 2)
                mask[row : row + 12, column : column + 12] = 255
                picture[mask > 0] += 120
            Pillow.fromarray(picture).save(patient / f"{index:03d}.png")
            Pillow.fromarray(mask).save(patient / f"{index:03d}_mask.png")
    return folder


@pytest.fixture(scope="session")
def patients(tmp_path_factory):
    """Two patients to train on and one to validate on, as slice pictures."""
    return write_patients(tmp_path_factory.mktemp("data"))
