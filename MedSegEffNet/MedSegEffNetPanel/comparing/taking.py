"""A label of another label map, taken over into the one that is edited."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np

from MedSegEffNetLib.labelops import Selection
from MedSegEffNetPanel import steps
from MedSegEffNetPanel.bridge.made import is_locked
from MedSegEffNetPanel.bridge.masks import segments_of
from MedSegEffNetPanel.bridge.selections import REPLACE, put_selection, read_selection


def take_label(editor: Any, segment_id: str, labels: np.ndarray, value: int) -> Generator[None, None, None]:
    """Make a segment of the editor's segmentation what ``labels`` (K, J, I) has of ``value``; one step of the undo.

    Locked labels keep their voxels, and a locked segment is not changed at all.
    """
    segmentation, volume = editor.segmentationNode(), editor.sourceVolumeNode()
    if is_locked(segmentation.GetSegmentation().GetSegment(segment_id)):
        return
    wanted = yield from steps.in_thread(Selection.of_label, labels, value)
    for other_id, segment in list(segments_of(segmentation)):
        if other_id != segment_id and is_locked(segment):
            locked = yield from read_selection(segmentation, other_id, volume)
            wanted = yield from steps.in_thread(wanted.without, locked)
    editor.saveStateForUndo()
    yield from put_selection(editor, segment_id, wanted, REPLACE, overwrite=True)
