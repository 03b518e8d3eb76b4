"""Nodes to files and back: the only package of the panel that touches voxels in the scene.

Work that may take long is a generator of short steps, see :mod:`MedSegEffNetPanel.steps`.
"""

from MedSegEffNetPanel.bridge.copies import resample_like
from MedSegEffNetPanel.bridge.label_maps import LabelMap, load_label_map
from MedSegEffNetPanel.bridge.made import LOCKED, MADE, is_locked
from MedSegEffNetPanel.bridge.marks import joined, look, made_by, mark, mark_made_from, unseen
from MedSegEffNetPanel.bridge.masks import segment_volumes
from MedSegEffNetPanel.bridge.overlays import overlay, remove_overlay
from MedSegEffNetPanel.bridge.segment_sequences import put_segment_sequence
from MedSegEffNetPanel.bridge.segments import put_segments
from MedSegEffNetPanel.bridge.sequences import sequence_item, sequence_length, sequence_of, shown_item
from MedSegEffNetPanel.bridge.slices import hide_other_segmentations, jump_to, reference_of, show_volume
from MedSegEffNetPanel.bridge.surfaces import show_3d, show_contours, shows_3d, shows_contours
from MedSegEffNetPanel.bridge.synthesised import put_made
from MedSegEffNetPanel.bridge.volumes import (
    OVERLAY,
    candidates,
    components,
    export_volume,
    facts,
    grid,
    load_volume,
    volume_of,
)

__all__ = [
    "LOCKED",
    "MADE",
    "OVERLAY",
    "LabelMap",
    "candidates",
    "components",
    "export_volume",
    "facts",
    "grid",
    "hide_other_segmentations",
    "is_locked",
    "joined",
    "jump_to",
    "load_label_map",
    "load_volume",
    "look",
    "made_by",
    "mark",
    "mark_made_from",
    "overlay",
    "put_made",
    "put_segment_sequence",
    "put_segments",
    "reference_of",
    "remove_overlay",
    "resample_like",
    "segment_volumes",
    "sequence_item",
    "sequence_length",
    "sequence_of",
    "show_3d",
    "show_contours",
    "show_volume",
    "shown_item",
    "shows_3d",
    "shows_contours",
    "unseen",
    "volume_of",
]
