"""Measures found by their names, with the arguments that tasks give."""

import math

import numpy as np
import pytest

from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.image import Image
from MedSegEffNetLib.measures import Row, doubt_all, list_measures, map_all, measure_all
from MedSegEffNetLib.task import Measure, SegmentationTask, get_segmentation_task, list_tasks

TASKS = [task for task in list_tasks().values() if isinstance(task, SegmentationTask) and task.measures]


def test_there_are_measures_and_tasks_that_name_them():
    assert "share" in list_measures()
    assert "covid-ct" in [task.id for task in TASKS]


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.id)
@pytest.mark.parametrize("filled", [True, False])
def test_every_measure_of_a_task_takes_its_arguments_and_any_label_map(task, filled):
    array = np.zeros((12, 10, 2), dtype=np.uint8)
    if filled:
        for row, label in enumerate(task.labels):
            array[:, 1 + row % 8] = label.value
    rows = measure_all(task.measures, Image(array, np.eye(4)), task.labels)
    assert rows
    assert len({row.title for row in rows}) == len(rows)


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.id)
def test_maps_and_doubts_are_given_by_the_measures_that_have_them(task):
    label_map = Image(np.zeros((12, 10, 2), dtype=np.uint8), np.eye(4))
    assert all(one.values.shape == label_map.shape for one in map_all(task.measures, label_map, task.labels))
    assert all(isinstance(text, str) for text in doubt_all(task.measures, label_map, task.labels))


def test_an_unknown_measure_is_named_with_those_there_are():
    with pytest.raises(InputError, match="no measure 'size'") as caught:
        measure_all([Measure("size")], Image(np.zeros((2, 2, 1), dtype=np.uint8), np.eye(4)), ())
    assert "share" in caught.value.expected


def test_arguments_that_a_measure_does_not_take_are_told():
    labels = get_segmentation_task("covid-ct").labels
    with pytest.raises(InputError, match="measure share"):
        measure_all([Measure("share", {"of": "lung"})], Image(np.zeros((2, 2, 1), dtype=np.uint8), np.eye(4)), labels)


def test_a_row_says_when_nothing_is_known():
    assert Row("share", math.nan, "%").text == "not known"
    assert Row("share", math.nan, "%").as_mapping() == {"name": "share", "value": None, "unit": "%"}
    assert Row("share", 12.34567, "%").text == "12.3 %"
    assert Row("lung, volume", 5123.4, "mL").text == "5123 mL"
    assert Row("share", 12.34567, "%").title == "share (%)"
