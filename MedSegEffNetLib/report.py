"""Reports to look at: one self-contained HTML file each, with tables, charts and pictures.

This module is the door; the work is done in :mod:`MedSegEffNetLib.reporting`.
"""

from MedSegEffNetLib.reporting.evaluation import (
    Example,
    write_evaluation_report,
    write_per_case_csv,
    write_summary,
)
from MedSegEffNetLib.reporting.segmentation import write_segmentation_report

__all__ = [
    "Example",
    "write_evaluation_report",
    "write_per_case_csv",
    "write_segmentation_report",
    "write_summary",
]
