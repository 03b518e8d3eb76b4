"""Segmentations to compare, for tests; a test file takes the fixtures that it needs."""

import numpy as np
import pytest

from cases import add_volume
from test_bridge_segments import oblique

SHAPE = (6, 10, 12)  # K, J, I
AFFINE = np.diag([-1.0, -1.0, 2.0, 1.0])


@pytest.fixture
def section(panel):
    return panel.section("compare")


@pytest.fixture
def segmentation(panel):
    """``segmentation(name, volume, **masks)`` makes a segmentation with masks (K, J, I) by name."""
    import slicer

    def segmentation(name, volume, **masks):
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", name)
        node.SetReferenceImageGeometryParameterFromVolumeNode(volume)
        for label, mask in masks.items():
            label = label.replace("_", " ")
            node.GetSegmentation().AddEmptySegment(label, label)
            slicer.util.updateSegmentBinaryLabelmapFromArray(mask.astype(np.uint8), node, label, volume)
        return node

    return segmentation


def box(k, j=slice(2, 6), i=slice(3, 8), shape=SHAPE):
    mask = np.zeros(shape, dtype=bool)
    mask[k, j, i] = True
    return mask


@pytest.fixture
def pair(segmentation):
    """A compared segmentation and a reference on one oblique volume; in the reference the tumor has a slice less."""
    volume = add_volume("T1", np.zeros(SHAPE, dtype=np.int16), oblique((1, 1, 2)))
    mine = segmentation("mine", volume, Tumor=box(slice(1, 4)), cyst=box(5))
    truth = segmentation("truth", volume, tumor=box(slice(1, 3)), vessel=box(0))
    return mine, truth


@pytest.fixture
def evaluate(section, wait_until):
    """``evaluate(compared, reference)`` chooses both, clicks Evaluate and gives the Evaluation."""

    def evaluate(compared, reference):
        section.ui.comparedSelector.setCurrentNode(compared)
        section.ui.referenceSelector.setCurrentNode(reference)
        assert section.ui.evaluateButton.enabled, section.ui.evaluateButton.toolTip
        section.ui.evaluateButton.click()
        assert wait_until(lambda: not section.pair.busy, 20)
        return section.pair.found

    return evaluate


def texts(table):
    return [[table.item(row, column).text() for column in range(table.columnCount)] for row in range(table.rowCount)]


def nodes_of(scene):
    kind = "vtkMRMLSegmentationNode"
    return [scene.GetNthNodeByClass(number, kind) for number in range(scene.GetNumberOfNodesByClass(kind))]
