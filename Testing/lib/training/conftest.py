"""A tiny data set and recipe: real files, seconds to train."""

import numpy as np
import pytest
from PIL import Image as Pillow

from MedSegEffNetLib.image import Image, write

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


_AFFINE = np.diag([1.0, 1.0, 4.0, 1.0])
TINY_GAN = {
    "epochs": "2", "batch_size": "2", "discriminator_batch_size": "1", "patch": "16", "crop": "content",
    "samples_per_epoch": "6", "validation_slices": "2", "critic_epochs": "1", "critic_apart": "false",
    "network.channels": "[4,8]", "network.blocks": "1", "critic.channels": "[4,8]",
    "discriminator.channels": "[4,8]",
}  # fmt: skip


def write_heads(folder, count=4, splits=("train", "train", "train", "val")):
    """Round heads of noise with a bright tumor; the last case has T2 as well and no label map."""
    draw = np.random.default_rng(0)
    axes = np.meshgrid(*[np.linspace(-1, 1, n) for n in (24, 26, 6)], indexing="ij")
    head = sum(axis[..., :] ** 2 for axis in axes[:2]) < 0.7
    for number in range(count):
        case = folder / splits[number] / f"head_{number}"
        case.mkdir(parents=True)
        middle = draw.uniform(-0.3, 0.3, 2)
        tumor = (axes[0] - middle[0]) ** 2 + (axes[1] - middle[1]) ** 2 < 0.1
        base = head * (100 + 20 * draw.random(head.shape))
        names = ("t1", "flair", "t1ce", "t2") if number == 0 else ("t1", "flair", "t1ce")
        for place, name in enumerate(names):
            array = base * (1 + 0.2 * place) + head * tumor * (40 * place - 30)
            write(case / f"head_{number}_{name}.nii.gz", Image(array.astype(np.float32), _AFFINE))
        if number:
            label = Image(((head & tumor) * 2).astype(np.uint8), _AFFINE)
            write(case / f"head_{number}_seg.nii.gz", label)
    return folder


@pytest.fixture(scope="session", name="write_heads")
def write_heads_fixture():
    """The function :func:`write_heads`."""
    return write_heads


@pytest.fixture(scope="session")
def heads(tmp_path_factory):
    """Three heads to train on and one to validate on, as case folders."""
    return write_heads(tmp_path_factory.mktemp("heads"))


@pytest.fixture(scope="session")
def tiny_gan():
    """Settings of a synthesis training of seconds."""
    return dict(TINY_GAN)
