"""Arrays as images of VTK, copied in short steps."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any

import numpy as np
import vtk
from vtk.util.numpy_support import get_vtk_array_type, vtk_to_numpy

from MedSegEffNetPanel.bridge.transforms import matrix_of_array

_BLOCK = 1 << 22  # bytes a step
_SAMPLES = 4096


def sample(scalars: np.ndarray) -> np.ndarray:
    """Some thousand numbers as float64, from anywhere; from the same places in all arrays of one size."""
    flat = scalars.reshape(-1)
    return flat[np.random.default_rng(flat.size).integers(0, flat.size, _SAMPLES)].astype(np.float64)


def planes_a_step(array: np.ndarray) -> Iterator[slice]:
    """Planes of a (K, J, I) array, a few megabytes after the other."""
    count = max(1, _BLOCK // max(1, array[:1].nbytes))
    for start in range(0, len(array), count):
        yield slice(start, min(start + count, len(array)))


def new_image(
    array: np.ndarray,
    place: np.ndarray | None = None,
    first: tuple[int, int, int] = (0, 0, 0),
    kind: Any = vtk.vtkImageData,
) -> Generator[None, None, Any]:
    """A copy of ``array`` (K, J, I) as an image whose first voxel has the indices ``first`` (i, j, k).

    With ``place``, a (4, 4) matrix from indices to mm, ``kind`` must be vtkOrientedImageData.
    """
    depth, height, width = array.shape
    i, j, k = first
    image = kind()
    image.SetExtent(i, i + width - 1, j, j + height - 1, k, k + depth - 1)
    if place is not None:
        image.SetImageToWorldMatrix(matrix_of_array(place))
    image.AllocateScalars(get_vtk_array_type(array.dtype), 1)
    yield
    target = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(array.shape)
    for planes in planes_a_step(array):
        target[planes] = array[planes]
        yield
    image.Modified()
    return image
