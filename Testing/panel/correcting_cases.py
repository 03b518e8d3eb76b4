"""Small data sets for the section Correct, and what an annotator does with mouse and keys."""

from __future__ import annotations

import numpy as np

SHAPE = (24, 20, 16)  # X, Y, Z
AFFINE = np.diag([-1.0, -1.0, 2.0, 1.0])
PATIENCE = 120  # s, on a busy computer


def make_dataset(folder, number=3, task="tumor-slices", shape=SHAPE):
    """A data set of synthetic cases case-1 … case-N: a bright ball in noise, without labels."""
    from MedSegEffNetLib.dataset.importing import NewCase, add_case
    from MedSegEffNetLib.dataset.store import Dataset
    from MedSegEffNetLib.image import Image

    made = Dataset.create(folder, task)
    names = [channel.name for channel in made.task.channels]
    for case in range(1, number + 1):
        values = np.random.default_rng(case).integers(0, 90, shape).astype(np.int16)
        values[ball(shape)] = 500 + values[ball(shape)] // 10
        images = {name: Image(values + shift, AFFINE) for shift, name in enumerate(names)}
        add_case(made, NewCase(f"case-{case}", f"patient-{case}", images, {}), "Ada")
    return made


def ball(shape=SHAPE, radius=0.25):
    """A ball in the middle, (X, Y, Z)."""
    places = np.meshgrid(*(np.linspace(-1, 1, length) for length in shape), indexing="ij")
    return sum(place**2 for place in places) < (2 * radius) ** 2


def click(section, name):
    """Click a button of the section."""
    button = getattr(section.ui, f"{name}Button")
    assert button.enabled, f"{name}: {button.toolTip}"
    button.click()


def press(section, keys):
    """Press keys, as they are installed in Slicer's window; a key that nobody listens to is an error."""
    import qt
    import slicer

    found = [key for key in slicer.util.mainWindow().findChildren(qt.QShortcut) if key.key.toString() == keys]
    assert len(found) == 1, f"{len(found)} listen to {keys}"
    found[0].activated()


def keys_installed():
    """The keys that work in Slicer's window now."""
    import qt
    import slicer

    return {key.key.toString() for key in slicer.util.mainWindow().findChildren(qt.QShortcut)}


def open_case(section, wait_until, case_id="case-1"):
    """Open a case by a double click."""
    table = section.ui.caseTable
    assert wait_until(lambda: case_id in names(section), PATIENCE), names(section)
    table.cellDoubleClicked(names(section).index(case_id), 1)
    settled(section, wait_until)
    assert section.desk.case_id == case_id, section.ui.correctMessage.text
    return section.desk.session


def settled(section, wait_until):
    """Wait until nothing is under way."""

    def calm():
        bench = section.bench
        return not section.desk.busy and (
            bench is None or not (bench.busy or bench.locks.busy or bench.wand is None or bench.session.edits.pending)
        )

    assert wait_until(calm, PATIENCE), section.ui.correctMessage.text


def names(section):
    """The cases in the table."""
    table = section.ui.caseTable
    return [table.item(row, 1).text() for row in range(table.rowCount) if table.item(row, 1) is not None]


def draw(section, box):
    """Draw a box (slices along k, j, i) into what the tools draw into, as Slicer's brush does."""
    from harness.effects import array_of

    paint = section.bench.editor.effectByName("Paint")
    image = paint.defaultModifierLabelmap()
    array_of(image)[box] = 1
    image.Modified()
    paint.saveStateForUndo()
    paint.modifySelectedSegmentByLabelmap(image, paint.ModificationModeAdd)


def point(section, voxel):
    """Move the mouse over the voxel (k, j, i) in a slice."""
    import slicer

    volume = section.bench.volume
    k, j, i = voxel
    matrix = slicer.vtkMRMLSliceNode().GetSliceToRAS()
    volume.GetIJKToRASMatrix(matrix)
    crosshair = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLCrosshairNode")
    if crosshair is None:
        crosshair = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLCrosshairNode")
    crosshair.SetCursorPositionRAS(list(matrix.MultiplyPoint([i, j, k, 1.0]))[:3])


def labels(section):
    """Voxels by label name."""
    session = section.desk.session
    found = session.edits.counts
    return {label.name: found.get(label.value, 0) for label in session.dataset.task.labels}


def selected(section):
    """How many voxels are selected."""
    from MedSegEffNetPanel import steps
    from MedSegEffNetPanel.bridge.selections import read_selection
    from MedSegEffNetPanel.correcting.sandbox import SELECTION

    session = section.desk.session
    return steps.finish(read_selection(session.segmentation, SELECTION, session.reference)).voxels


def real_dataset(folder, shared_data, number=2):
    """Patients of BraTS 2013 (240 x 240 x 155) with their labels, accepted."""
    from MedSegEffNetLib.dataset.importing import import_cases
    from MedSegEffNetLib.dataset.readers import brats2013
    from MedSegEffNetLib.dataset.store import Dataset

    made = Dataset.create(folder, "brain-tumor")
    cases = brats2013.read(shared_data / "brats2013", made.task)[:number]
    import_cases(made, cases, "Ada", lambda *told: None)
    return made
