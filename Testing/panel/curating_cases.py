"""The section Data set with a data set of three small cases, for tests; a test file takes the fixtures that it needs."""

from __future__ import annotations

import numpy as np
import pytest

PATIENCE = 120  # s, on a busy computer
ANN = "Ann Lee"
CHANNELS = ("t1", "flair", "t1ce")


@pytest.fixture
def section(panel, slicer_app):
    """The section, opened, with an author."""
    panel._bars[type(panel.section("segment"))].collapsed = True
    panel.show("dataset")
    slicer_app.processEvents()
    section = panel.section("dataset")
    section.ui.authorEdit.text = ANN
    section.ui.authorEdit.editingFinished()
    return section


@pytest.fixture
def idle(section, wait_until):
    """Wait until the section has done what it was told; gives what it says then."""

    def idle():
        curation = section.panel.curation
        read = lambda: curation._reading is None or curation._reading.over  # noqa: E731
        assert wait_until(lambda: not section.work.busy and read(), PATIENCE), message(section)
        assert wait_until(lambda: section.table._arranging.over, 5)
        return message(section)

    return idle


def message(section):
    return section.ui.datasetMessage.text


def shown(section):
    return [row.id for row in section.table.shown]


def states(section):
    return {row.id: row.state for row in section.panel.curation.cases}


def write_small(folder, seed):
    """A case folder of three small images, another picture for each seed."""
    from MedSegEffNetLib.image import Image, write

    draw = np.random.default_rng(seed)
    for channel in CHANNELS:
        image = Image(draw.integers(0, 900, (32, 30, 4)).astype(np.int16), np.diag([-1.0, -1.0, 5.0, 1.0]))
        write(folder / f"{folder.name}_{channel}.nii.gz", image)


@pytest.fixture
def source(tmp_path):
    """A folder of three cases without labels."""
    for number, name in enumerate(("anna", "bert", "carl")):
        write_small(tmp_path / "source" / name, number)
    return tmp_path / "source"


@pytest.fixture
def opened(section, tmp_path, idle):
    """An empty data set, made by clicks."""
    ui = section.ui
    ui.newBox.collapsed = False
    ui.taskBox.setCurrentIndex(ui.taskBox.findData("tumor-slices"))
    ui.newFolder.currentPath = str(tmp_path / "set")
    ui.titleEdit.text = "Gliomas"
    assert ui.createButton.enabled, ui.createButton.toolTip
    ui.createButton.click()
    idle()
    return section


def take(section, source, wait_until, idle):
    section.ui.sourceFolder.currentPath = str(source)
    assert wait_until(lambda: section.ui.importButton.enabled, 10), section.ui.importButton.toolTip
    section.ui.importButton.click()
    return idle()


@pytest.fixture
def filled(opened, source, wait_until, idle):
    """The data set with three new cases."""
    take(opened, source, wait_until, idle)
    return opened


def label(section, case_id, size=5, **more):
    """Save a label of a case, as a correction would."""
    from MedSegEffNetLib.dataset.labels import save_label

    dataset = section.panel.curation.dataset
    image = next(iter(dataset.load(case_id)[0].values()))
    array = np.zeros(image.shape, np.uint8)
    array[10 : 10 + size, 10 : 10 + size, 1] = 1
    save_label(dataset, case_id, image.with_array(array), author=ANN, **more)


@pytest.fixture
def labelled(filled, idle):
    """Every case has a label of its own size."""
    for number, case_id in enumerate(("anna", "bert", "carl")):
        label(filled, case_id, 5 + number)
    filled.panel.curation.refresh()
    idle()
    return filled


def choose(section, *case_ids):
    import qt

    table, ids = section.ui.caseTable, shown(section)
    table.clearSelection()
    for case_id in case_ids:
        row = ids.index(case_id)
        table.setRangeSelected(qt.QTableWidgetSelectionRange(row, 0, row, 8), True)
