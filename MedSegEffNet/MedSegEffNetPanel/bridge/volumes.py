"""Volume nodes: what they are, and their voxels as files with the exact geometry."""

from __future__ import annotations

import hashlib
import sys
import threading
from collections.abc import Generator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _
from vtk.util.numpy_support import vtk_to_numpy

from MedSegEffNetLib import atomic
from MedSegEffNetLib import image as images
from MedSegEffNetLib.errors import InputError, MedSegEffNetError, Stopped
from MedSegEffNetLib.formats.marks import fields_of
from MedSegEffNetPanel import steps
from MedSegEffNetPanel.bridge import marks
from MedSegEffNetPanel.bridge.images import new_image, planes_a_step, sample
from MedSegEffNetPanel.bridge.looks import new_volume
from MedSegEffNetPanel.bridge.resampling import resampled
from MedSegEffNetPanel.bridge.sequences import sequence_item
from MedSegEffNetPanel.bridge.series import series_description
from MedSegEffNetPanel.bridge.transforms import array_of_matrix, to_world
from MedSegEffNetPanel.bridge.tree import tree_item
from MedSegEffNetPanel.grid import Grid
from MedSegEffNetPanel.matching import Candidate

OVERLAY = "MedSegEffNet.Overlay"  # attribute of volumes that only show something, and are no images to segment
_CLASSES = ("vtkMRMLScalarVolumeNode", "vtkMRMLVectorVolumeNode")
_NRRD_TYPES = {"i1": "int8", "u1": "uint8", "i2": "int16", "u2": "uint16", "i4": "int32", "u4": "uint32",
               "i8": "int64", "u8": "uint64", "f4": "float", "f8": "double"}  # fmt: skip
_fingerprints: dict[str, tuple[int, str]] = {}  # by the node's id: the image's time of change, and the text


@dataclass(frozen=True)
class Picture:
    """Voxels of a node (or of one item of its sequence) and the matrix that places them in the node's own space."""

    image: Any
    ijk_to_ras: np.ndarray


def candidates() -> list[Candidate]:
    """The volumes of the scene that may be channels; label maps, overlays, hidden and empty ones are left out."""
    return [
        _candidate(node)
        for node in slicer.util.getNodesByClass("vtkMRMLVolumeNode")
        if node.GetClassName() in _CLASSES
        and node.GetImageData() is not None
        and not node.GetHideFromEditors()
        and not node.GetAttribute(OVERLAY)
    ]


def facts(node: Any) -> Candidate | None:
    """What :mod:`MedSegEffNetPanel.matching` wants to know of a volume node; None for no node."""
    return None if node is None else replace(_candidate(node), fingerprint=fingerprint(node))


def _candidate(node: Any) -> Candidate:
    """Without fingerprint: only volumes that were chosen are compared."""
    return Candidate(
        id=node.GetID(),
        name=node.GetName() or "",
        description=description(node),
        group=group(node),
        components=components(node),
        grid=grid(node),
        synthesised=marks.made_by(node),
    )


def components(node: Any) -> int:
    """Numbers a voxel: 1 for a gray volume, 3 or 4 for a color one; 0 without voxels."""
    image = node.GetImageData()
    return image.GetNumberOfScalarComponents() if image is not None else 0


def grid(node: Any) -> Grid | None:
    """Where the exported voxels lie, transforms applied; None without voxels.

    Under a transform that is not linear it is the volume's own grid, taken as a grid of the world: that is where
    :func:`export_volume` resamples to.
    """
    if node.GetImageData() is None:
        return None
    return grid_of(picture(node), to_world(node))


def grid_of(seen: Picture, world: np.ndarray | None) -> Grid:
    """The grid of a picture whose node is placed by ``world`` (None: not linear)."""
    i, j, k = seen.image.GetDimensions()
    return Grid((i, j, k), seen.ijk_to_ras if world is None else world @ seen.ijk_to_ras)


def picture(node: Any, item: int | None = None) -> Picture:
    """The voxels of a volume, or of the item with number ``item`` of its sequence.

    Raises
    ------
    InputError
        There are no voxels.
    """
    shown = node if item is None else sequence_item(node, item)
    image = shown.GetImageData()
    if image is None or image.GetPointData().GetScalars() is None:
        raise InputError(
            _("the volume {name} holds no voxels").format(name=node.GetName()),
            hint=_("load it again, or choose another volume"),
        )
    matrix = vtk.vtkMatrix4x4()
    shown.GetIJKToRASMatrix(matrix)
    return Picture(image, array_of_matrix(matrix))


def voxels(image: Any) -> np.ndarray:
    """The voxels as (K, J, I) or (K, J, I, component); a view, nothing is copied."""
    i, j, k = image.GetDimensions()
    scalars = vtk_to_numpy(image.GetPointData().GetScalars())
    return scalars.reshape((k, j, i) if scalars.ndim == 1 else (k, j, i, scalars.shape[1]))


def description(node: Any) -> str:
    """How the scanner called the series: its DICOM series description, else the name in the data tree; may be empty."""
    found = series_description(node)
    if found:
        return found
    tree, item = tree_item(node)
    name = tree.GetItemName(item) if item else ""
    return name if name != node.GetName() else ""


def group(node: Any) -> str:
    """The patient or folder in the data tree that the volume belongs to, as a text; empty at the top."""
    tree, item = tree_item(node)
    if not item:
        return ""
    above = tree.GetItemAncestorAtLevel(item, "Patient") or tree.GetItemParent(item)
    return "" if above == tree.GetSceneItemID() else str(above)


def fingerprint(node: Any) -> str:
    """The same text for volumes with the same voxels, judged by some thousand of them.

    Empty where it cannot be told: without voxels, or where all these voxels are equal.
    """
    image = node.GetImageData()
    if not components(node) or not image.GetNumberOfPoints():
        return ""
    version, known = _fingerprints.get(node.GetID(), (0, ""))
    if version != image.GetMTime():  # no two images share this number
        known = _fingerprint(image)
        _fingerprints[node.GetID()] = image.GetMTime(), known
    return known


def _fingerprint(image: Any) -> str:
    seen = sample(vtk_to_numpy(image.GetPointData().GetScalars()))
    if seen.min() == seen.max():
        return ""
    return f"{image.GetDimensions()} {hashlib.sha1(seen.tobytes(), usedforsecurity=False).hexdigest()}"


def export_volume(
    node: Any, path: Path, component: int | None = None, *, like: Any = None, item: int | None = None
) -> Generator[None, None, tuple[str, ...]]:
    """Write the voxels to an uncompressed NRRD file (``.nrrd``) with float64 geometry; the node is not changed.

    The file appears whole or not at all. It is written by a thread, a few megabytes at a time. Its header says so where
    a network made the volume.

    Parameters
    ----------
    component : which component of a color volume; None: the volume has one.
    like : volume node on whose grid the copy is resampled (linearly); None: the node's own grid.
    item : number of an item in the sequence that the node shows (or is); None: what the node shows now.

    Returns
    -------
    Notices for the user: what was done to the copy because of a transform.

    Raises
    ------
    InputError
        No voxels, a component that is not there, or a type of voxels that no file holds.
    MedSegEffNetError
        The file could not be written, or the volume was changed meanwhile.
    """
    yield from marks.look([node])
    seen = picture(node, item)
    world = to_world(node)
    array = gray_voxels(node, seen, component)
    target, notices = grid_of(seen, world), _notices(node, world)
    wanted = target if like is None else grid_of(picture(like), to_world(like))
    if not target.same(wanted):
        target = wanted
        notices += (_("{name}: a copy was resampled onto {other}.").format(name=node.GetName(), other=like.GetName()),)
        array = yield from resampled(array, seen.ijk_to_ras, node, target)
    elif world is None:
        array = yield from resampled(array, seen.ijk_to_ras, node, target)
    if array.dtype.str[1:] not in _NRRD_TYPES:
        raise InputError(
            _("{name} holds {type} values").format(name=node.GetName(), type=array.dtype), expected="numbers"
        )
    yield from _written(node, seen.image, path, array, target)
    return notices


def load_volume(path: Path) -> Generator[None, None, Any]:
    """Load a gray image of the library's formats in short steps; gives a scalar volume node called like the file.

    For images that were made here: the node does not know its file, as one that Slicer loads does.

    Raises
    ------
    InputError
        The file cannot be read, or holds no gray image.
    """
    image = yield from steps.in_thread(images.read, path)
    if image.array.ndim != 3:
        raise InputError(_("{file} is a color image").format(file=path.name), expected=_("one number a voxel"))
    return (yield from volume_of(image, path.name.partition(".")[0]))


def volume_of(image: images.Image, name: str) -> Generator[None, None, Any]:
    """A gray image (X, Y, Z) as a new scalar volume node called ``name``, in short steps; it keeps the image's mark."""
    data = yield from new_image(image.array.T)
    node = new_volume(name, data, image.affine)
    marks.mark(node, image.synthesised)
    return node


def _written(node: Any, image: Any, path: Path, array: np.ndarray, target: Grid) -> Generator[None, None, None]:
    """Write in a thread; a change of the voxels meanwhile would give a file of two halves, so it ends the work."""
    stop = threading.Event()
    version = image.GetMTime()
    writing = steps.in_thread(_write_nrrd, path, array, target, stop, marks.made_by(node))
    try:
        for pause in writing:
            if image.GetMTime() != version:
                raise MedSegEffNetError(
                    _("{name} was changed while it was being written").format(name=node.GetName()),
                    hint=_("press Apply again"),
                )
            yield pause
    finally:
        stop.set()


def _notices(node: Any, world: np.ndarray | None) -> tuple[str, ...]:
    name = node.GetName()
    if world is None:
        return (_("{name} is bent by a transform: a resampled copy was used.").format(name=name),)
    if not np.array_equal(world, np.eye(4)):
        return (_("{name} is under a transform: a copy with the transform applied was used.").format(name=name),)
    return ()


def gray_voxels(node: Any, seen: Picture, component: int | None = None) -> np.ndarray:
    """Voxels (K, J, I) of a picture of ``node``, of one component where it has several; a view.

    Raises
    ------
    InputError
        There are several components and none is named, or the named one is not there.
    """
    array, name = voxels(seen.image), node.GetName()
    count = 1 if array.ndim == 3 else array.shape[3]
    if component is None and count > 1:
        raise InputError(
            _("{name} is a color volume of {count} components").format(name=name, count=count),
            expected=_("one number a voxel"),
            hint=_("choose a gray volume, or make one with the module Vector to Scalar Volume"),
        )
    if component is not None and component >= count:
        raise InputError(
            _("{name} has {count} components").format(name=name, count=count),
            expected=_("{wanted} at least").format(wanted=component + 1),
        )
    return array if array.ndim == 3 else array[..., component or 0]


def _write_nrrd(path: Path, array: np.ndarray, place: Grid, stop: threading.Event, model: str) -> None:
    """``model`` made the image; empty: a scanner took it.

    Source of the format: https://teem.sourceforge.net/nrrd/format.html.
    """
    lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ place.affine
    i, j, k = place.shape
    lines = [
        "NRRD0005",
        f"type: {_NRRD_TYPES[array.dtype.str[1:]]}",
        "dimension: 3",
        "space: left-posterior-superior",
        f"sizes: {i} {j} {k}",
        f"space directions: {' '.join(_vector(lps[:3, axis]) for axis in range(3))}",
        "kinds: domain domain domain",
        f"endian: {sys.byteorder}",
        "encoding: raw",
        f"space origin: {_vector(lps[:3, 3])}",
        *(f"{key}:={value}" for key, value in fields_of(model).items()),
    ]
    with atomic.replacing(path) as temporary, temporary.open("wb") as stream:
        stream.write(("\n".join(lines) + "\n\n").encode("utf-8"))
        for planes in planes_a_step(array):
            if stop.is_set():
                raise Stopped("canceled")
            stream.write(np.ascontiguousarray(array[planes]).data)


def _vector(numbers: np.ndarray) -> str:
    return "(" + ",".join(repr(float(number)) for number in numbers) + ")"
