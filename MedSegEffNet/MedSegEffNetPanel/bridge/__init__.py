"""Nodes to files and back: the only package of the panel that touches voxels in the scene.

Work that may take long is a generator of short steps, see :mod:`MedSegEffNetPanel.steps`.
"""

from MedSegEffNetPanel.bridge.copies import resample_like
from MedSegEffNetPanel.bridge.label_maps import LabelMap, load_label_map
from MedSegEffNetPanel.bridge.overlays import overlay, remove_overlay
from MedSegEffNetPanel.bridge.segment_sequences import put_segment_sequence
from MedSegEffNetPanel.bridge.segments import LOCKED, is_locked, put_segments, segment_volumes
from MedSegEffNetPanel.bridge.sequences import sequence_item, sequence_length, sequence_of, shown_item
from MedSegEffNetPanel.bridge.surfaces import show_3d, show_contours
from MedSegEffNetPanel.bridge.volumes import OVERLAY, candidates, components, export_volume, facts, load_volume

__all__ = [
    "LOCKED",
    "OVERLAY",
    "LabelMap",
    "candidates",
    "components",
    "export_volume",
    "facts",
    "is_locked",
    "load_label_map",
    "load_volume",
    "overlay",
    "put_segment_sequence",
    "put_segments",
    "remove_overlay",
    "resample_like",
    "segment_volumes",
    "sequence_item",
    "sequence_length",
    "sequence_of",
    "show_3d",
    "show_contours",
    "shown_item",
]
