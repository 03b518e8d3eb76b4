"""Volumes on another grid, a few thousand voxels a step."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any

import numpy as np
import vtk
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

from MedSegEffNetPanel.bridge.images import planes_a_step
from MedSegEffNetPanel.bridge.transforms import index_to_index
from MedSegEffNetPanel.grid import Grid

_STEP = 1 << 15  # voxels


def resampled(array: np.ndarray, ijk_to_ras: np.ndarray, node: Any, target: Grid) -> Generator[None, None, np.ndarray]:
    """Voxels of ``node`` on the grid ``target``, interpolated linearly; steps of a few milliseconds.

    Parameters
    ----------
    array : (K, J, I), with ``ijk_to_ras`` placing its voxels in the space of ``node``.

    Returns
    -------
    (K, J, I) float32 (float64 from float64). Outside the image lies its smallest value or 0, whichever is less, as with
    the library's ``--resample``.
    """
    kind = np.float64 if array.dtype == np.float64 else np.float32
    source = np.ascontiguousarray(array)
    yield
    reslice = vtk.vtkImageReslice()
    reslice.SetInputData(_image(source))
    reslice.SetResliceTransform(index_to_index(ijk_to_ras, node, target.affine))
    reslice.SetInterpolationModeToLinear()
    reslice.SetOutputScalarType(vtk.VTK_DOUBLE if kind is np.float64 else vtk.VTK_FLOAT)
    reslice.SetOutputOrigin(0.0, 0.0, 0.0)
    reslice.SetOutputSpacing(1.0, 1.0, 1.0)
    reslice.SetBackgroundLevel((yield from _least(source)))
    i, j, k = target.shape
    result = np.empty((k, j, i), dtype=kind)
    for rows, plane in _blocks(i, j, k):
        reslice.SetOutputExtent(0, i - 1, rows.start, rows.stop - 1, plane, plane)
        reslice.Update()
        done = vtk_to_numpy(reslice.GetOutput().GetPointData().GetScalars())
        result[plane, rows] = done.reshape(rows.stop - rows.start, i)
        yield
    return result


def _least(array: np.ndarray) -> Generator[None, None, float]:
    """The smallest value or 0, whichever is less."""
    least = 0.0
    for planes in planes_a_step(array):
        least = min(least, float(array[planes].min()))
        yield
    return least


def _blocks(i: int, j: int, k: int) -> Iterator[tuple[slice, int]]:
    """Bands of rows of one plane after the other."""
    rows = max(1, _STEP // i)
    for plane in range(k):
        for first in range(0, j, rows):
            yield slice(first, min(first + rows, j)), plane


def _image(array: np.ndarray) -> Any:
    """(K, J, I) as vtkImageData with voxel indices as its space; shares the memory of ``array``."""
    image = vtk.vtkImageData()
    image.SetDimensions(*array.shape[::-1])
    image.GetPointData().SetScalars(numpy_to_vtk(array.reshape(-1), deep=False))
    return image
