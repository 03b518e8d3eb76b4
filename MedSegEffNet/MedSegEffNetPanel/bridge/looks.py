"""Gray volumes with a display that was not computed from all voxels, which would hold the window up."""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer
from vtk.util.numpy_support import vtk_to_numpy

from MedSegEffNetPanel.bridge.images import sample
from MedSegEffNetPanel.bridge.transforms import matrix_of_array
from MedSegEffNetPanel.bridge.tree import new_node

_PERCENTILES = (1.0, 99.0)


def new_volume(name: str, image: Any, ijk_to_ras: np.ndarray) -> Any:
    """A scalar volume node in the scene, gray, its contrast judged by some thousand voxels."""
    node = new_node("vtkMRMLScalarVolumeNode", name)
    node.SetIJKToRASMatrix(matrix_of_array(ijk_to_ras))
    add_display(node, *_contrast(image))
    node.SetAndObserveImageData(image)
    return node


def add_display(node: Any, low: float, high: float) -> Any:
    """Give a volume without voxels a gray display from ``low`` to ``high``, which stays when the voxels come."""
    display = slicer.vtkMRMLScalarVolumeDisplayNode()
    display.SetAutoWindowLevel(False)
    display.SetAutoThreshold(False)
    display.SetWindowLevelMinMax(low, high)
    slicer.mrmlScene.AddNode(display)
    display.SetDefaultColorMap()
    node.SetAndObserveDisplayNodeID(display.GetID())
    return display


def _contrast(image: Any) -> tuple[float, float]:
    seen = sample(vtk_to_numpy(image.GetPointData().GetScalars()))
    seen = seen[np.isfinite(seen)]
    if not seen.size:
        return 0.0, 1.0
    low, high = np.percentile(seen, _PERCENTILES)
    if low == high:
        low, high = seen.min(), seen.max()
    return float(low), float(high if high > low else low + 1.0)
