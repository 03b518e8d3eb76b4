"""Arrays as images of VTK, copied in short steps."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np
import vtk
from vtk.util.numpy_support import get_vtk_array_type, vtk_to_numpy

from MedSegEffNetPanel.bridge.transforms import matrix_of_array

_BLOCK = 1 << 22  # bytes a step


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
    planes = max(1, _BLOCK // max(1, array[0].nbytes))
    for start in range(0, depth, planes):
        target[start : start + planes] = array[start : start + planes]
        yield
    image.Modified()
    return image
