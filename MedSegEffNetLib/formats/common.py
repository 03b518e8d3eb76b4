"""What several formats share: bounds on memory, the turn between LPS and RAS, quiet readers."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from MedSegEffNetLib.errors import InputError

# The most that one stored byte can stand for: https://zlib.net/zlib_tech.html gives 1032 for deflate; a bzip2 block of
# 900 kB shrinks to some 45 bytes at best; the coders of PNG, TIFF and JPEG stay below that.
EXPANSION = {"raw": 1, "gzip": 1032, "bzip2": 25_000, "picture": 25_000}

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def damaged(path: Path, why: str) -> InputError:
    """The error for a file that is broken: ``why`` completes "<path> cannot be read: ..."."""
    return InputError(
        f"{path} cannot be read: {why}",
        expected="a complete, undamaged image file",
        hint="Copy or export the file again; if it opens in another program, save it there as NIfTI (.nii.gz).",
    )


def check_size(path: Path, shape: Sequence[int], bytes_per_voxel: int, stored: int, encoding: str = "raw") -> int:
    """Bytes of the voxels that a header announces; refuses what ``stored`` bytes in a file cannot hold.

    Keeps a header with a flipped bit from asking for terabytes: the check comes before anything is allocated.
    """
    if any(length < 1 for length in shape):
        raise damaged(path, f"its header gives the size {' x '.join(map(str, shape))}")
    claimed = math.prod(int(length) for length in shape) * bytes_per_voxel
    if claimed > stored * EXPANSION[encoding] + 1024 * (encoding != "raw"):
        raise damaged(
            path,
            f"its header announces {' x '.join(map(str, shape))} values ({claimed:,} bytes), "
            f"which the {stored:,} bytes of data cannot hold. The file is cut short or its header is damaged",
        )
    return claimed


def check_affine(path: Path, affine: np.ndarray) -> np.ndarray:
    """``affine`` as float64 (4, 4) if it places voxels in space; otherwise an error that names the file."""
    affine = np.asarray(affine, dtype=np.float64)
    if not np.isfinite(affine).all() or np.abs(affine).max() > 1e7:
        raise damaged(path, "its header gives no usable position or voxel size (infinite, enormous or not a number)")
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    if lengths.min() < 1e-7 or abs(np.linalg.det(affine[:3, :3] / lengths)) < 1e-4:
        raise damaged(path, "its header gives a voxel size of zero or two image axes of the same direction")
    return affine


@contextmanager
def quiet() -> Iterator[None]:
    """Silence what ITK's and Pillow's readers write straight to the process's standard error."""
    _flush_stderr()
    try:
        kept = os.dup(2)
    except OSError:  # a program without a standard error, such as a windowed one
        yield
        return
    try:
        with open(os.devnull, "wb") as sink:
            os.dup2(sink.fileno(), 2)
        yield
    finally:
        _flush_stderr()
        os.dup2(kept, 2)
        os.close(kept)


def _flush_stderr() -> None:
    if sys.stderr is not None:
        sys.stderr.flush()


def itk_reason(error: RuntimeError) -> str:
    """The telling last line of an ITK exception, without its source file and class."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1].split("): ", 1)[-1][-200:] if lines else "the reader gave no reason"
