"""Files dropped on a widget: the disk is asked when they come and when they are let go, not while they move."""

import pytest


def send(watcher, kind, path):
    """An event of a drag that carries a file."""
    import qt

    data = qt.QMimeData()
    data.setUrls([qt.QUrl.fromLocalFile(str(path))])
    made = {
        "enter": lambda: qt.QDragEnterEvent(
            qt.QPoint(5, 5), qt.Qt.CopyAction, data, qt.Qt.LeftButton, qt.Qt.NoModifier
        ),
        "move": lambda: qt.QDragMoveEvent(qt.QPoint(5, 5), qt.Qt.CopyAction, data, qt.Qt.LeftButton, qt.Qt.NoModifier),
        "drop": lambda: qt.QDropEvent(qt.QPointF(5, 5), qt.Qt.CopyAction, data, qt.Qt.LeftButton, qt.Qt.NoModifier),
    }[kind]()
    send.kept = data
    return watcher.eventFilter(None, made)


@pytest.fixture
def asked():
    return []


@pytest.fixture
def received():
    return []


@pytest.fixture
def drop(slicer_app, asked, received):
    """A drop on a widget that wants files called ``yes``."""
    import qt

    from MedSegEffNetPanel.drops import PathDrop

    widget = qt.QWidget()
    made = PathDrop(widget, lambda path: asked.append(path.name) or path.name == "yes", received.append)
    made.watched = widget
    return made


def test_the_disk_is_not_asked_while_a_drag_moves(drop, asked, received, tmp_path):
    assert send(drop, "enter", tmp_path / "yes")
    for _ in range(5):
        assert send(drop, "move", tmp_path / "yes")
    assert asked == ["yes"]
    assert send(drop, "drop", tmp_path / "yes")
    assert received == [tmp_path / "yes"]


def test_what_is_not_wanted_passes_by(drop, received, tmp_path):
    assert not send(drop, "enter", tmp_path / "no")
    assert not send(drop, "move", tmp_path / "no")
    assert not send(drop, "drop", tmp_path / "no")
    assert received == []
