"""The annotator's operations: a selection is drawn and shaped first, then a label takes it.

Pure functions on arrays of three axes in any order (``axis`` counts the array's own). A selection knows its box, and what
an operation costs follows the box, not the volume. NumPy and SimpleITK only, so that the panel can use it.
"""

from MedSegEffNetLib.labelops.changes import Change, add, counts, remove, replace
from MedSegEffNetLib.labelops.interpolation import interpolate
from MedSegEffNetLib.labelops.selection import Box, Selection, whole_box
from MedSegEffNetLib.labelops.shapes import fill_holes, grow, island_at, shrink, smooth
from MedSegEffNetLib.labelops.wand import magic_wand, within_range

__all__ = [
    "Box",
    "Change",
    "Selection",
    "add",
    "counts",
    "fill_holes",
    "grow",
    "interpolate",
    "island_at",
    "magic_wand",
    "remove",
    "replace",
    "shrink",
    "smooth",
    "whole_box",
    "within_range",
]
