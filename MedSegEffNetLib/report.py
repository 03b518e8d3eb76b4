"""Reports to look at: one self-contained HTML file each, with tables, charts and pictures.

This module is the door; the work is done in :mod:`MedSegEffNetLib.reporting`.
"""

from MedSegEffNetLib.reporting.comparison import write_evaluations_page, write_label_maps_page
from MedSegEffNetLib.reporting.evaluation import Example, draw_example, write_evaluation_page
from MedSegEffNetLib.reporting.evaluation_files import (
    ABOUT,
    ENSEMBLES,
    PAGE,
    PER_CASE,
    SUMMARY,
    SYNTHETIC,
    Evaluation,
    read_evaluation,
    read_rows,
    split_kinds,
    write_evaluation,
    write_rows,
    write_summary,
)
from MedSegEffNetLib.reporting.models import Loss, draw_loss, write_models_page
from MedSegEffNetLib.reporting.segmentation import write_segmentation_report
from MedSegEffNetLib.reporting.training import write_training_page

__all__ = [
    "ABOUT",
    "ENSEMBLES",
    "PAGE",
    "PER_CASE",
    "SUMMARY",
    "SYNTHETIC",
    "Evaluation",
    "Example",
    "Loss",
    "draw_example",
    "draw_loss",
    "read_evaluation",
    "read_rows",
    "split_kinds",
    "write_evaluation",
    "write_evaluation_page",
    "write_evaluations_page",
    "write_label_maps_page",
    "write_models_page",
    "write_rows",
    "write_segmentation_report",
    "write_summary",
    "write_training_page",
]
