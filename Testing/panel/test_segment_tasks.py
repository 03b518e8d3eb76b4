"""Every task that ships a model is segmented in the panel by the same clicks: no task has code of its own there."""

from __future__ import annotations

import numpy as np
import pytest

from cases import PATIENCE, add_synthetic_patient, add_volume, dice, segment_array, segmentations
from MedSegEffNetLib.task import SegmentationTask, list_tasks

SHIPPED = [task for task in list_tasks().values() if isinstance(task, SegmentationTask) and task.default_model]


def a_chest():
    """CT in Hounsfield units, ``(K, J, I)``, table down: a body with two lungs, and how a voxel lies in RAS."""
    k, j, i = np.mgrid[:8, :128, :128]
    ct = np.full(k.shape, -1000, np.int16)
    ct[((i - 64) / 56) ** 2 + ((j - 64) / 40) ** 2 < 1] = 40
    for middle in (38, 90):
        ct[((i - middle) / 18) ** 2 + ((j - 62) / 28) ** 2 < 1] = -850
    return ct, np.diag([-3.0, -3.0, 5.0, 1.0])


def add_case(task):
    """Volumes that suit the task; gives the one that the result lies on, and its true labels where they are known."""
    if task.id == "covid-ct":
        return add_volume("patient_ct", *a_chest()), None
    if task.id == "skin-layers":
        from MedSegEffNetLib.synthetic.heel_skin import make_heel

        heel = make_heel(3)
        arrays = (np.ascontiguousarray(image.array.T) for image in (heel.image, heel.label_map))
        image, labels = (array if array.ndim == 3 else array[None] for array in arrays)
        return add_volume("heel_t2", image, heel.image.affine), labels
    return add_synthetic_patient()["flair"], None


@pytest.mark.parametrize("task", SHIPPED, ids=[task.id for task in SHIPPED])
def test_the_default_model_of_every_task_segments_with_one_click(task, panel, wait_until, scene):
    section = panel.section("segment")
    node, true = add_case(task)
    names = [entry.name for entry in section.models.usable]
    section.ui.modelList.setCurrentRow(names.index(task.default_model))
    section.inputs.fill()
    assert section.ui.applyButton.enabled, section.ui.applyButton.toolTip
    section.ui.applyButton.click()
    assert wait_until(lambda: section.run.over, PATIENCE)
    assert section.run.result is not None, section.run.text
    [segmentation] = segmentations(scene)
    found = segmentation.GetSegmentation()
    assert [found.GetNthSegment(n).GetName() for n in range(len(task.labels))] == [label.name for label in task.labels]
    if true is not None:
        overlaps = [
            dice(segment_array(segmentation, n, node), true == label.value) for n, label in enumerate(task.labels)
        ]
        assert np.mean(overlaps) > 0.7
