"""How much of a structure another one takes up, e.g. the infection of a lung."""

from __future__ import annotations

import math
from collections.abc import Sequence

from MedSegEffNetLib.image import Image, count_values
from MedSegEffNetLib.measures import Row
from MedSegEffNetLib.task import Label


def measure(label_map: Image, labels: Sequence[Label], *, part: str, whole: Sequence[str], title: str) -> list[Row]:
    """Share of ``part`` in percent, and both volumes in mL where the voxel size is known.

    Parameters
    ----------
    label_map : ``(X, Y, Z)`` of the values of ``labels``.
    part : name of a label.
    whole : names of the labels that make up the whole, ``part`` among them.
    title : what the whole is called.

    Without any voxel of the whole the share is NaN. ``ValueError`` for a name that no label has, or a part outside the
    whole.
    """
    values = {label.name: label.value for label in labels}
    unknown = sorted({part, *whole} - set(values))
    if unknown:
        raise ValueError(f"no label is called {', '.join(unknown)}")
    if part not in whole:
        raise ValueError(f"{part} is no part of {', '.join(whole)}")
    counts = count_values(label_map.array)
    some = counts.get(values[part], 0)
    every = sum(counts.get(values[name], 0) for name in whole)
    rows = [Row(f"{part}, share of {title}", 100 * some / every if every else math.nan, "%")]
    if label_map.spacing_known:
        x, y, z = label_map.spacing
        rows += [
            Row(f"{name}, volume", voxels * x * y * z / 1000, "mL") for name, voxels in ((part, some), (title, every))
        ]
    return rows
