"""The share of a part in its whole."""

import math

import numpy as np
import pytest

from MedSegEffNetLib.image import Image
from MedSegEffNetLib.measures import Row
from MedSegEffNetLib.measures.share import measure
from MedSegEffNetLib.task import get_segmentation_task

LABELS = get_segmentation_task("covid-ct").labels
LUNG = {"part": "infection", "whole": ["lung", "infection"], "title": "lung with infection"}


def label_map(**kwargs):
    array = np.zeros((10, 10, 4), dtype=np.uint8)
    array[:, :4] = 1
    array[:, 0] = 2
    return Image(array, np.diag([0.5, 0.5, 10.0, 1.0]), **kwargs)


def test_a_quarter_of_a_lung_is_25_percent_with_volumes_in_ml():
    assert measure(label_map(), LABELS, **LUNG) == [
        Row("infection, share of lung with infection", 25.0, "%"),
        Row("infection, volume", pytest.approx(0.1), "mL"),
        Row("lung with infection, volume", pytest.approx(0.4), "mL"),
    ]


def test_without_a_voxel_size_there_is_a_share_but_no_volume():
    assert [row.unit for row in measure(label_map(spacing_known=False), LABELS, **LUNG)] == ["%"]


def test_without_a_lung_the_share_is_not_known():
    empty = Image(np.zeros((4, 4, 1), dtype=np.uint8), np.eye(4))
    share, *volumes = measure(empty, LABELS, **LUNG)
    assert math.isnan(share.value)
    assert [row.value for row in volumes] == [0.0, 0.0]


def test_names_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match="no label is called tumor"):
        measure(label_map(), LABELS, **{**LUNG, "part": "tumor"})
    with pytest.raises(ValueError, match="infection is no part of lung"):
        measure(label_map(), LABELS, **{**LUNG, "whole": ["lung"]})
