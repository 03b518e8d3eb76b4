"""Copies of volumes on another volume's grid."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from MedSegEffNetLib.dataset.series_names import RESAMPLED
from MedSegEffNetPanel.bridge.images import new_image
from MedSegEffNetPanel.bridge.resampling import resampled
from MedSegEffNetPanel.bridge.transforms import matrix_of_array, to_world
from MedSegEffNetPanel.bridge.tree import new_node, put_beside
from MedSegEffNetPanel.bridge.volumes import gray_voxels, grid_of, picture


def resample_like(node: Any, reference: Any) -> Generator[None, None, Any]:
    """A copy of a gray volume on the grid of ``reference``, linearly interpolated; gives the new volume node.

    It is called "<name> on <reference>", lies in the world (transforms of both are applied) and beside ``node`` in the
    data tree, and looks like ``node``. It is made at the end: a canceled work leaves the scene as it was.

    Raises
    ------
    InputError
        One of them holds no voxels, or ``node`` is a color volume.
    """
    seen, target = picture(node), grid_of(picture(reference), to_world(reference))
    array = yield from resampled(gray_voxels(node, seen), seen.ijk_to_ras, node, target)
    image = yield from new_image(array)
    copy = new_node("vtkMRMLScalarVolumeNode", f"{node.GetName()}{RESAMPLED}{reference.GetName()}")
    copy.SetIJKToRASMatrix(matrix_of_array(target.affine))
    copy.SetAndObserveImageData(image)
    copy.CreateDefaultDisplayNodes()
    _look_alike(copy.GetDisplayNode(), node.GetDisplayNode())
    put_beside(copy, node)
    return copy


def _look_alike(display: Any, other: Any) -> None:
    if other is None or not other.IsA("vtkMRMLScalarVolumeDisplayNode"):
        return
    display.SetAndObserveColorNodeID(other.GetColorNodeID())
    display.SetAutoWindowLevel(False)
    display.SetWindowLevel(other.GetWindow(), other.GetLevel())
