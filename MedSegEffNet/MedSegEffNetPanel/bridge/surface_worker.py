"""Makes the surface of one mask in a process of its own: ``python surface_worker.py MASK.npz SURFACE.vtp``.

The steps and their settings are those of Slicer's ``vtkBinaryLabelmapToClosedSurfaceConversionRule``, so that the surface
is the one that Slicer would make. Needs NumPy and VTK alone.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from vtkmodules.util.numpy_support import numpy_to_vtk
from vtkmodules.vtkCommonDataModel import vtkImageData
from vtkmodules.vtkCommonTransforms import vtkTransform
from vtkmodules.vtkFiltersCore import vtkDecimatePro, vtkPolyDataNormals, vtkWindowedSincPolyDataFilter
from vtkmodules.vtkFiltersGeneral import vtkDiscreteFlyingEdges3D, vtkTransformPolyDataFilter
from vtkmodules.vtkIOXML import vtkXMLPolyDataWriter


def main(mask_file: str, surface_file: str) -> None:
    """Read ``mask`` (K, J, I) of 0 and 1 without a rim, ``first`` (i, j, k) and ``place`` (4, 4), write the surface."""
    given = np.load(mask_file)
    steps: list[Any] = [_edges(np.pad(given["mask"], 1), given["first"] - 1)]
    if given["decimation"] > 0:
        steps.append(vtkDecimatePro())
        steps[-1].SetFeatureAngle(60)
        steps[-1].SplittingOff()
        steps[-1].PreserveTopologyOn()
        steps[-1].SetMaximumError(1)
        steps[-1].SetTargetReduction(float(given["decimation"]))
    if given["smoothing"] > 0:
        steps.append(_smoothing(float(given["smoothing"])))
    steps += [_placing(given["place"]), vtkPolyDataNormals()]
    steps[-1].ConsistencyOn()
    steps[-1].SplittingOff()
    writer = vtkXMLPolyDataWriter()
    for before, after in zip(steps, [*steps[1:], writer], strict=True):
        after.SetInputConnection(before.GetOutputPort())
    writer.SetFileName(surface_file)
    writer.SetDataModeToAppended()
    writer.EncodeAppendedDataOff()
    writer.SetCompressorTypeToNone()
    if not writer.Write():
        sys.exit(f"{surface_file} could not be written")


def _edges(mask: np.ndarray, first: np.ndarray) -> vtkDiscreteFlyingEdges3D:
    image = vtkImageData()
    k, j, i = mask.shape
    x, y, z = (int(number) for number in first)
    image.SetExtent(x, x + i - 1, y, y + j - 1, z, z + k - 1)
    image.GetPointData().SetScalars(numpy_to_vtk(np.ascontiguousarray(mask).reshape(-1), deep=True))
    edges = vtkDiscreteFlyingEdges3D()
    edges.SetInputData(image)
    edges.ComputeGradientsOff()
    edges.ComputeNormalsOff()
    edges.ComputeScalarsOff()
    edges.SetValue(0, 1)
    return edges


def _smoothing(factor: float) -> vtkWindowedSincPolyDataFilter:
    smoothing = vtkWindowedSincPolyDataFilter()
    smoothing.SetNumberOfIterations(20 + round(40 * factor))
    smoothing.SetPassBand(10 ** (-4.0 * factor))
    smoothing.BoundarySmoothingOff()
    smoothing.FeatureEdgeSmoothingOff()
    smoothing.NonManifoldSmoothingOn()
    smoothing.NormalizeCoordinatesOn()
    return smoothing


def _placing(place: np.ndarray) -> vtkTransformPolyDataFilter:
    transform = vtkTransform()
    transform.SetMatrix(place.ravel().tolist())
    placing = vtkTransformPolyDataFilter()
    placing.SetTransform(transform)
    return placing


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
