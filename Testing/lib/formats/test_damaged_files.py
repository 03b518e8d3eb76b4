"""Every reader, given cut and bit-flipped files, returns an image or an InputError that names the file."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from MedSegEffNetLib import image
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.image import Image

_HEAD = 400  # most flips fall here, where headers are
_KINDS = ("nii", "nii.gz", "nrrd", "mha", "npy", "png", "tif", "webp", "dcm")


def whole(folder: Path, kind: str) -> bytes:
    """A small sound file of this kind."""
    path = folder / f"whole.{kind}"
    values = np.random.default_rng(0).integers(0, 200, (9, 8, 1 if kind in ("png", "tif", "webp", "dcm") else 7))
    if kind == "dcm":
        sitk = pytest.importorskip("SimpleITK")
        sitk.WriteImage(sitk.GetImageFromArray(values.astype(np.int16).T), str(path))
    else:
        image.write(path, Image(values.astype(np.uint8), np.diag([1.0, 2, 3, 1])))
    return path.read_bytes()


def damaged(content: bytes, number: int, seed: int) -> Iterator[bytes]:
    """``number`` copies that are cut short or have one to four flipped bits."""
    chance = random.Random(seed)
    for _ in range(number):
        if chance.random() < 0.2:
            yield content[: chance.randrange(len(content))]
            continue
        copy = bytearray(content)
        for _ in range(chance.choice((1, 1, 2, 4))):
            where = chance.randrange(min(_HEAD, len(copy)) if chance.random() < 0.8 else len(copy))
            copy[where] ^= 1 << chance.randrange(8)
        yield bytes(copy)


def check(path: Path, contents: Iterator[bytes]) -> None:
    for content in contents:
        path.write_bytes(content)
        for reader in (image.read, image.read_label_map):
            assert path.name in outcome(reader, path)


def outcome(reader: Callable[[Path], Image], path: Path) -> str:
    """The file's name if it was read, otherwise what the refusal says."""
    try:
        reader(path)
    except InputError as error:
        return str(error)
    return path.name


@pytest.mark.parametrize("kind", _KINDS)
def test_a_damaged_file_is_read_or_refused(tmp_path: Path, capfd, kind: str):
    check(tmp_path / f"a.{kind}", damaged(whole(tmp_path, kind), 150, seed=_KINDS.index(kind)))
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    "name",
    ["totalsegmentator/example_mr_sm.nii.gz", "pyradiomics/breast1_image.nrrd", "pyradiomics/brain1_label.nrrd"],
)
def test_a_damaged_real_file_is_read_or_refused(tmp_path: Path, shared_data: Path, name: str):
    path = shared_data / "io" / name
    check(tmp_path / path.name, damaged(path.read_bytes(), 20, seed=1))
