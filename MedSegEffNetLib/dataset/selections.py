"""The annotator's selection of a case on disk: what is drawn but not given to a label yet outlives a crash."""

from __future__ import annotations

import json
import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np

from MedSegEffNetLib import atomic
from MedSegEffNetLib.labelops import Selection

_VERSION = 1


def save_selection(path: Path, selection: Selection) -> None:
    """Write ``selection`` to the file ``path``; an empty one leaves no file. :class:`MedSegEffNetError` if it cannot be.

    The file is a line of JSON and the mask's bits, compressed.
    """
    if selection.empty:
        path.unlink(missing_ok=True)
        return
    box = [[part.start, part.stop] for part in selection.box]
    head = json.dumps({"version": _VERSION, "shape": selection.shape, "box": box})
    atomic.write_bytes(path, head.encode() + b"\n" + zlib.compress(np.packbits(selection.mask).tobytes(), 1))


def load_selection(path: Path, shape: tuple[int, int, int]) -> Selection | None:
    """The selection in ``path`` of a volume of ``shape``; None: there is none, it is of another volume, or damaged."""
    with suppress(OSError, ValueError, KeyError, TypeError, zlib.error):
        head, _, bits = path.read_bytes().partition(b"\n")
        told = json.loads(head)
        k, j, i = (slice(int(start), int(stop)) for start, stop in told["box"])
        lengths = [part.stop - part.start for part in (k, j, i)]
        mask = np.unpackbits(np.frombuffer(zlib.decompress(bits), np.uint8), count=int(np.prod(lengths)))
        if told["version"] == _VERSION and tuple(told["shape"]) == shape:
            return Selection(shape, (k, j, i), mask.reshape(lengths).view(bool))
    return None
