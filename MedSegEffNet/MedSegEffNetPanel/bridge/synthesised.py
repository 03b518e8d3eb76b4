"""An image that a network made as a volume, and how it differs from the real one."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import slicer
from slicer.i18n import tr as _

from MedSegEffNetLib.image import Image
from MedSegEffNetPanel.bridge import marks
from MedSegEffNetPanel.bridge.images import new_image
from MedSegEffNetPanel.bridge.looks import add_display, new_volume
from MedSegEffNetPanel.bridge.transforms import matrix_of_array
from MedSegEffNetPanel.bridge.tree import check_in_scene, new_node, put_beside
from MedSegEffNetPanel.bridge.volumes import OVERLAY

FULL = 2.0  # standard deviations of the image: differences from here on are shown in full color
RED, BLUE = (0.95, 0.27, 0.20), (0.30, 0.55, 0.95)  # too bright, too dark; nothing is black, like what lies outside
_COLORS = "MedSegEffNet difference"
_STEPS = 255  # odd: the one in the middle is black


def put_made(
    made: Image, difference: Image | None, reference: Any, names: tuple[str, str]
) -> Generator[None, None, tuple[Any, Any]]:
    """Make volumes of an image that a network made, and of its difference from the real one, beside ``reference``.

    Parameters
    ----------
    made : float32, on the grid of ``reference`` in the world; with its mark, which both volumes get.
    difference : float32 on the same grid, made less real in standard deviations; None: there is no real image.
    names : of the two volumes.

    Returns
    -------
    The node of the image, and that of the difference or None. They are made in one step, at the end.

    Raises
    ------
    InputError
        ``reference`` was removed from the scene meanwhile.
    """
    data = yield from new_image(made.array.T)
    other = (yield from new_image(difference.array.T)) if difference is not None else None
    check_in_scene(reference)
    node = new_volume(names[0], data, made.affine)
    marks.mark(node, made.synthesised)
    marks.keep_in_file(node)
    put_beside(node, reference)
    if difference is None:
        return node, None
    apart = new_node("vtkMRMLScalarVolumeNode", names[1])
    apart.SetIJKToRASMatrix(matrix_of_array(difference.affine))
    apart.SetAttribute(OVERLAY, "1")  # it is no image to segment
    add_display(apart, -FULL, FULL).SetAndObserveColorNodeID(_colors().GetID())
    apart.SetAndObserveImageData(other)
    marks.mark(apart, made.synthesised)
    marks.keep_in_file(apart)
    put_beside(apart, reference)
    return node, apart


def _colors() -> Any:
    """Blue over black to red; one table for all differences of the scene."""
    found = slicer.util.getFirstNodeByClassByName("vtkMRMLColorTableNode", _COLORS)
    if found is not None:
        return found
    table = new_node("vtkMRMLColorTableNode", _COLORS)
    table.SetTypeToUser()
    table.SetDescription(_("Red: too bright; blue: too dark."))
    table.SetNumberOfColors(_STEPS)
    middle = _STEPS // 2
    for number in range(_STEPS):
        strength = abs(number - middle) / middle
        color = RED if number > middle else BLUE
        table.SetColor(number, str(number), *(part * strength for part in color), 1.0)
    return table
