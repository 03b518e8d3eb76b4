"""A case of a curated data set, opened, edited, saved, and found again after a crash; on real files and nodes."""

import numpy as np
import pytest

from test_bridge_segments import mask, segment_ids

pytestmark = pytest.mark.usefixtures("scene")
SHAPE = (12, 10, 8)  # X, Y, Z


@pytest.fixture
def dataset(tmp_path):
    from MedSegEffNetLib.dataset.importing import NewCase, add_case
    from MedSegEffNetLib.dataset.store import Dataset
    from MedSegEffNetLib.image import Image

    made = Dataset.create(tmp_path / "data", "tumor-slices")
    affine = np.diag([-1.0, -1.0, 2.0, 1.0])
    for number in (1, 2):
        values = np.random.default_rng(number).integers(0, 900, SHAPE).astype(np.int16)
        images = {name: Image(values + shift, affine) for shift, name in enumerate(("t1", "flair", "t1ce"))}
        add_case(made, NewCase(f"case-{number}", f"patient-{number}", images, {}), "Ada")
    return made


@pytest.fixture
def opened(dataset):
    """``opened(case)`` opens a case; it is closed at the end."""
    from MedSegEffNetPanel import steps
    from MedSegEffNetPanel.correcting.session import open_case

    sessions = []

    def opened(case_id="case-1", author="Ada"):
        sessions.append(steps.finish(open_case(dataset, case_id, author)))
        return sessions[-1]

    yield opened
    for session in sessions:
        session.close()


@pytest.fixture
def edit():
    """``edit(session, k)`` fills these planes of the first label, as a tool would."""

    def edit(session, planes):
        import slicer

        label = session.dataset.task.labels[0].name
        segment_id = session.segmentation.GetSegmentation().GetSegmentIdBySegmentName(label)
        values = np.zeros(SHAPE[::-1], dtype=np.uint8)
        values[planes] = 1
        slicer.util.updateSegmentBinaryLabelmapFromArray(values, session.segmentation, segment_id, session.reference)

    return edit


def save(session):
    from MedSegEffNetPanel import steps

    return steps.finish(session.save())


def crash(session):
    """The session as a killed Slicer leaves it: nothing is closed, and its lock is of a process that is gone."""
    session.edits.close()
    session._refreshing.stop()
    session._journal.close()
    session._lock.release()


def test_the_labels_of_another_patient_do_not_lie_over_the_case(opened, scene):
    other = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "another patient")
    other.CreateDefaultDisplayNodes()
    session = opened()
    assert not other.GetDisplayNode().GetVisibility()
    assert session.segmentation.GetDisplayNode().GetVisibility()


def test_a_case_is_opened_with_its_images_and_empty_labels(opened, scene):
    session = opened()
    assert list(session.volumes) == ["t1", "flair", "t1ce"]
    assert session.reference is session.volumes["flair"]
    assert set(segment_ids(session.segmentation)) == {label.name for label in session.dataset.task.labels}
    assert set(session.values.values()) == {label.value for label in session.dataset.task.labels}
    assert not session.unsaved


def test_what_is_saved_is_a_new_version_and_is_there_when_the_case_is_opened_again(opened, edit, dataset):
    session = opened()
    edit(session, slice(2, 5))
    record = save(session)
    assert (record.current, record.state, record.label.origin, record.label.author) == (1, "in review", "manual", "Ada")
    assert not session.unsaved
    edit(session, slice(2, 4))
    assert save(session).current == 2
    session.close()
    again = opened()
    name = dataset.task.labels[0].name
    assert mask(again.segmentation, name, again.reference).sum() == 2 * 120
    assert dataset.load("case-1", 1)[1].array.sum() == 3 * 120 * dataset.task.labels[0].value


@pytest.fixture
def marked_label(dataset):
    """A label of case-1 that was made from an image that a network made, as an import has it: no model is named."""
    from dataclasses import replace

    from MedSegEffNetLib.dataset.labels import save_label

    image = next(iter(dataset.load("case-1")[0].values()))
    values = np.zeros(SHAPE, dtype=np.uint8)
    values[2:5, 2:5, 2:5] = 1
    label_map = replace(image.with_array(values), synthesised="fake@1.0.0")
    return save_label(dataset, "case-1", label_map, author="Ada")


def test_what_is_corrected_from_a_marked_label_is_marked(opened, edit, dataset, marked_label):
    from MedSegEffNetPanel import bridge

    session = opened()
    assert bridge.made_by(session.segmentation) == "fake@1.0.0"
    assert session.segmentation.GetName() == "case-1 labels (from synthesised)"
    for planes in (slice(2, 3), slice(3, 4)):
        edit(session, planes)
        record = save(session)
        assert (record.label.origin, record.label.synthesised) == ("manual", True)
        assert dataset.load("case-1")[1].synthesised == "fake@1.0.0"


def test_what_is_drawn_anew_is_not_marked(opened, edit, dataset):
    from MedSegEffNetPanel import bridge

    session = opened()
    assert bridge.made_by(session.segmentation) == ""
    edit(session, slice(2, 5))
    assert not save(session).label.synthesised
    assert dataset.load("case-1")[1].synthesised == ""


def test_edits_that_were_not_saved_survive_a_crash(opened, edit, dataset, wait_until):
    session = opened()
    edit(session, slice(0, 1))
    save(session)
    edit(session, slice(0, 3))
    assert wait_until(lambda: not session.edits.pending, 5)
    crash(session)
    again = opened()
    assert again.recovered
    assert again.unsaved
    assert mask(again.segmentation, dataset.task.labels[0].name, again.reference).sum() == 3 * 120
    crash(again)  # before anything was edited
    third = opened()
    assert third.recovered
    assert save(third).current == 2
    third.close()
    assert not (dataset.case_folder("case-1") / "journal").exists()


def test_edits_on_an_outdated_label_are_put_aside_and_not_lost(opened, edit, dataset, wait_until):
    from MedSegEffNetLib.dataset.labels import save_label
    from MedSegEffNetLib.image import Image

    session = opened()
    edit(session, slice(0, 3))
    assert wait_until(lambda: not session.edits.pending, 5)
    crash(session)
    other = Image(np.zeros(SHAPE, dtype=np.uint8), np.diag([-1.0, -1.0, 2.0, 1.0]))
    save_label(dataset, "case-1", other, author="Berta")
    again = opened()
    assert not again.recovered
    assert (dataset.case_folder("case-1") / again.aside).is_file()
    assert not mask(again.segmentation, dataset.task.labels[0].name, again.reference).any()


def test_a_label_saved_meanwhile_by_another_is_kept_beside(opened, edit, dataset):
    from MedSegEffNetLib.dataset.labels import save_label
    from MedSegEffNetLib.image import Image

    session = opened()
    edit(session, slice(0, 3))
    save_label(dataset, "case-1", Image(np.zeros(SHAPE, np.uint8), np.diag([-1.0, -1.0, 2.0, 1.0])), author="Berta")
    record = save(session)
    assert len(record.labels) == 2
    assert record.conflicts


def test_two_who_have_one_case_open_leave_each_others_journals_alone(opened, edit, dataset, wait_until):
    """The first computer slept until its lock counted no longer, and another annotator took the case over."""
    folder = dataset.case_folder("case-1")
    first = opened()
    edit(first, slice(0, 1))
    assert wait_until(lambda: first.edits.revision == 1 and not first.edits.pending)
    (folder / "editing.lock").unlink()
    second = opened(author="Bob")
    edit(second, slice(2, 5))
    assert wait_until(lambda: not second.edits.pending)
    before = (folder / "journal").read_bytes()
    first._refresh()
    assert wait_until(lambda: list(folder.glob("journal-*")))
    edit(first, slice(0, 2))
    assert wait_until(lambda: first.edits.revision == 2 and not first.edits.pending)
    (aside,) = folder.glob("journal-*")
    assert np.count_nonzero(replayed(aside)) == 2 * SHAPE[0] * SHAPE[1]
    save(first)
    first.close()
    assert (folder / "journal").read_bytes() == before
    assert list(folder.glob("journal-*")) == []
    record = save(second)
    assert [version.author for version in record.labels] == ["Ada", "Bob"]
    assert len(record.conflicts) == 1


def replayed(path):
    from MedSegEffNetLib.dataset.journal import recover

    labels = np.zeros(SHAPE[::-1], np.uint8)
    recover(path).replay(labels)
    return labels


def test_a_case_that_another_has_open_is_refused_with_the_name(opened, dataset, scene):
    from MedSegEffNetLib.errors import InputError

    before = scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode")
    with dataset.open_case("case-1", "Berta"), pytest.raises(InputError, match="Berta"):
        opened()
    assert scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == before


def test_a_closed_case_leaves_the_scene_as_it_was(opened, dataset, scene):
    before = scene.GetNumberOfNodes()
    session = opened()
    session.close()
    kinds = ("vtkMRMLSegmentationNode", "vtkMRMLScalarVolumeNode")
    assert not any(scene.GetNumberOfNodesByClass(kind) for kind in kinds), before
    assert dataset.editor("case-1") is None
    assert not (dataset.case_folder("case-1") / "journal").exists()


def test_unsaved_edits_stay_in_the_journal_when_the_case_is_closed_and_go_when_they_are_discarded(
    opened, edit, dataset, wait_until
):
    session = opened()
    edit(session, slice(0, 3))
    assert wait_until(lambda: not session.edits.pending, 5)
    session.close()
    again = opened()
    assert again.recovered
    again.discard()
    again.close()
    assert not opened().recovered


def test_a_case_read_ahead_is_opened_without_reading_it_again(dataset, opened, monkeypatch):
    from MedSegEffNetPanel import steps
    from MedSegEffNetPanel.correcting import session as sessions

    ahead = sessions.read_case(dataset, "case-2")
    monkeypatch.setattr(sessions, "read_case", None)
    made = steps.finish(sessions.open_case(dataset, "case-2", "Ada", ahead))
    assert made.record.id == "case-2"
    made.close()


def test_a_case_read_ahead_and_changed_since_is_read_again(dataset, opened):
    from MedSegEffNetPanel import steps
    from MedSegEffNetPanel.correcting import session as sessions

    ahead = sessions.read_case(dataset, "case-2")
    dataset.comment("case-2", "look at the left side", "Berta")
    made = steps.finish(sessions.open_case(dataset, "case-2", "Ada", ahead))
    assert made.record.comment == "look at the left side"
    made.close()


def test_a_disk_that_is_full_loses_no_edit(opened, edit, dataset, monkeypatch):
    from MedSegEffNetLib.errors import MedSegEffNetError
    from MedSegEffNetPanel.correcting import session as sessions

    session = opened()
    edit(session, slice(0, 3))

    def full(*values, **named):
        raise MedSegEffNetError("the disk is full", hint="make room")

    with monkeypatch.context() as patch, pytest.raises(MedSegEffNetError, match="full"):
        patch.setattr(sessions, "save_label", full)
        save(session)
    assert session.unsaved
    crash(session)
    assert opened().recovered
