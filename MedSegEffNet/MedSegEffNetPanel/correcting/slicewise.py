"""One slice of a selection, smoothed by itself."""

from __future__ import annotations

from MedSegEffNetLib.labelops import Selection, smooth


def smooth_slice(axis: int, place: int, selection: Selection) -> Selection:
    """The selection with its slice ``place`` across ``axis`` smoothed, and the others as they are."""
    part = selection.box[axis]
    if not part.start <= place < part.stop:
        return selection
    mask = selection.mask.copy()
    index = [slice(None)] * 3
    index[axis] = slice(place - part.start, place - part.start + 1)
    box = list(selection.box)
    box[axis] = slice(place, place + 1)
    one = Selection.of(mask[tuple(index)].copy(), (box[0], box[1], box[2]), selection.shape)
    mask[tuple(index)] = False
    return Selection.of(mask, selection.box, selection.shape).united(smooth(one, axis))
