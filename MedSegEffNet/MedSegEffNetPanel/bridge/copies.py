"""Copies of volumes on another volume's grid."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from MedSegEffNetLib.dataset.series_names import RESAMPLED
from MedSegEffNetPanel.bridge import marks
from MedSegEffNetPanel.bridge.images import new_image
from MedSegEffNetPanel.bridge.looks import new_volume
from MedSegEffNetPanel.bridge.resampling import resampled
from MedSegEffNetPanel.bridge.transforms import to_world
from MedSegEffNetPanel.bridge.tree import check_in_scene, put_beside
from MedSegEffNetPanel.bridge.volumes import gray_voxels, grid_of, picture


def resample_like(node: Any, reference: Any) -> Generator[None, None, Any]:
    """A copy of a gray volume on the grid of ``reference``, linearly interpolated; gives the new volume node.

    It is called "<name> on <reference>", lies in the world (transforms of both are applied) and beside ``node`` in the
    data tree, looks like ``node`` and keeps its mark. It is made at the end, in one step: a canceled work leaves the
    scene as it was.

    Raises
    ------
    InputError
        One of them holds no voxels or was removed from the scene meanwhile, or ``node`` is a color volume.
    """
    yield from marks.look([node])
    seen, target = picture(node), grid_of(picture(reference), to_world(reference))
    array = yield from resampled(gray_voxels(node, seen), seen.ijk_to_ras, node, target)
    image = yield from new_image(array)
    check_in_scene(node, reference)
    copy = new_volume(f"{node.GetName()}{RESAMPLED}{reference.GetName()}", image, target.affine)
    _look_alike(copy.GetDisplayNode(), node.GetDisplayNode())
    marks.mark(copy, marks.made_by(node))
    marks.keep_in_file(copy)
    put_beside(copy, node)
    return copy


def _look_alike(display: Any, other: Any) -> None:
    if other is None or not other.IsA("vtkMRMLScalarVolumeDisplayNode"):
        return
    display.SetAndObserveColorNodeID(other.GetColorNodeID())
    display.SetWindowLevel(other.GetWindow(), other.GetLevel())
