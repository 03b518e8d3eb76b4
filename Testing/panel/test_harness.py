"""The harness refuses what Slicer refuses, and does what Slicer does."""

import functools
import sys
import time

import pytest

pytestmark = pytest.mark.usefixtures("scene")
VOLUME = "vtkMRMLScalarVolumeNode"


@pytest.fixture
def button(slicer_app):
    """A button of Qt."""
    import qt

    return qt.QPushButton("Apply")


@pytest.fixture
def selector(slicer_app):
    """A node selector for volumes, bound to the scene."""
    import slicer

    selector = slicer.qMRMLNodeComboBox()
    selector.nodeTypes = [VOLUME]
    selector.noneEnabled = True
    selector.setMRMLScene(slicer.mrmlScene)
    return selector


# what is refused


def test_a_property_is_a_value_and_cannot_be_called(button):
    assert button.text == "Apply"
    with pytest.raises(TypeError):
        button.text()


def test_widgets_take_no_new_attributes(button):
    with pytest.raises(AttributeError, match="creating new attributes on C\\+\\+ objects is not allowed"):
        button.note = "mine"


def test_methods_that_python_does_not_see_are_not_there(selector):
    with pytest.raises(AttributeError, match="setNodeTypes"):
        selector.setNodeTypes([VOLUME])


def test_a_property_that_cannot_be_written_refuses(slicer_app):
    with pytest.raises(AttributeError, match="not writable"):
        slicer_app.slicerHome = "elsewhere"


def test_a_signal_that_does_not_exist_cannot_be_connected(button, selector):
    with pytest.raises(ValueError, match="no signal"):
        button.connect("clickedd()", print)
    with pytest.raises(ValueError, match="no signal"):
        selector.connect("currentNodeChanged(QString)", print)


def test_modules_hold_only_what_slicer_has(slicer_app):
    import ctk
    import qt

    for module, name in ((qt, "QThread"), (qt, "QQuickView"), (ctk, "ctkNothing")):
        with pytest.raises(AttributeError, match=name):
            getattr(module, name)


def test_a_byte_array_is_read_with_data(slicer_app):
    import qt

    array = qt.QByteArray(b"text")
    assert array.data() == b"text"
    with pytest.raises(TypeError, match="QByteArray"):
        bytes(array)


def test_a_layout_file_with_an_unknown_property_is_refused(slicer_app, tmp_path):
    import slicer

    file = tmp_path / "Wrong.ui"
    file.write_text(
        '<ui version="4.0"><widget class="qMRMLNodeComboBox" name="chooser">'
        '<property name="nodeKinds"><string>x</string></property></widget></ui>',
        encoding="utf-8",
    )
    with pytest.raises(AttributeError, match="nodeKinds"):
        slicer.util.loadUI(str(file))


# what is done


def test_a_click_passes_its_state_unless_the_signature_says_not_to(button):
    got = []
    button.clicked.connect(functools.partial(lambda *values: got.append(values), "attribute"))
    button.connect("clicked()", functools.partial(lambda *values: got.append(values), "signature"))
    button.click()
    assert sorted(got) == [("attribute", False), ("signature",)]


def test_a_receiver_gets_as_many_values_as_it_takes(button):
    got = []
    button.clicked.connect(lambda: got.append("none"))
    button.clicked.connect(lambda on: got.append(on))
    button.click()
    assert got == ["none", False]


def test_connections_end_when_they_are_undone(button):
    got = []
    button.connect("clicked()", got.clear)
    button.clicked.connect(got.append)
    button.clicked.disconnect(got.append)
    assert button.disconnect("clicked()", got.clear)
    button.click()
    assert got == []


def test_an_error_in_a_slot_is_kept_for_the_test(button, capsys):
    from harness import failures

    failures.take()
    button.connect("clicked()", lambda: 1 / 0)
    button.click()
    assert "ZeroDivisionError" in failures.take()[0]


def test_children_are_found_by_their_names(slicer_app):
    import qt
    import slicer

    box = qt.QGroupBox()
    layout = qt.QVBoxLayout(box)
    inner = qt.QSpinBox()
    inner.objectName = "threads"
    layout.addWidget(inner)
    ui = slicer.util.childWidgetVariables(box)
    ui.threads.value = 3
    assert inner.value == 3


def test_a_selector_follows_the_scene(scene, selector):
    chosen = []
    selector.connect("currentNodeChanged(vtkMRMLNode*)", lambda node: chosen.append(node and node.GetName()))
    first = scene.AddNewNodeByClass(VOLUME, "first")
    assert (selector.nodeCount(), selector.currentNode()) == (1, None)
    selector.setCurrentNode(first)
    assert selector.currentNodeID == first.GetID()
    scene.RemoveNode(first)
    assert selector.currentNode() is None
    assert chosen == ["first", None]


def test_when_the_chosen_node_leaves_its_neighbor_is_chosen(scene, selector):
    nodes = [scene.AddNewNodeByClass(VOLUME, name) for name in ("first", "second", "third")]
    told = []
    selector.setCurrentNode(nodes[1])
    selector.connect("currentNodeChanged(vtkMRMLNode*)", lambda node: told.append(node and node.GetName()))
    scene.RemoveNode(nodes[1])
    assert selector.currentNode() is nodes[2]
    scene.RemoveNode(nodes[2])
    assert selector.currentNode() is nodes[0]
    assert told == ["third", "first"]


def test_observers_of_a_leaving_node_come_before_the_selector_takes_its_neighbor(scene, selector):
    nodes = [scene.AddNewNodeByClass(VOLUME, name) for name in ("first", "second")]
    selector.setCurrentNode(nodes[0])
    seen = []
    observer = scene.AddObserver(
        scene.NodeAboutToBeRemovedEvent, lambda caller, event: seen.append(selector.currentNode())
    )
    scene.RemoveNode(nodes[0])
    scene.RemoveObserver(observer)
    assert seen == [nodes[0]]
    assert selector.currentNode() is nodes[1]


def test_a_selector_says_nothing_of_a_change_between_nodes_of_one_name(scene, selector):
    twins = [scene.AddNewNodeByClass(VOLUME, "twin") for _ in range(2)]
    selector.setCurrentNode(twins[0])
    told = []
    selector.connect("currentNodeChanged(vtkMRMLNode*)", told.append)
    selector.setCurrentNode(twins[1])
    assert selector.currentNode() is twins[1]
    assert told == []
    twins[1].SetName("other")
    assert told == [twins[1]]


def test_a_selector_hides_what_it_is_told_to(scene, selector):
    scene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "labels")
    hidden = scene.AddNewNodeByClass(VOLUME, "hidden")
    hidden.HideFromEditorsOn()
    selector.showHidden = True
    assert selector.nodeCount() == 2
    selector.showHidden = False
    selector.showChildNodeTypes = False
    assert selector.nodeCount() == 0


def test_a_selector_makes_nodes(scene, selector):
    made = []
    selector.baseName = "result"
    selector.nodeAdded.connect(made.append)
    node = selector.addNode()
    assert made == [node]
    assert node.GetName() == "result"
    assert selector.currentNode() is node


def test_a_selector_without_none_takes_the_first_node(scene, selector):
    selector.noneEnabled = False
    node = scene.AddNewNodeByClass(VOLUME, "only")
    assert selector.currentNode() is node
    scene.Clear(0)
    assert selector.currentNode() is None


def test_a_selector_that_is_deleted_with_its_parent_lets_go_of_the_scene(scene, selector):
    import qt

    from harness import failures

    failures.take()
    parent = qt.QWidget()
    selector.setParent(parent)
    parent.deleteLater()
    qt.QApplication.sendPostedEvents(None, qt.QEvent.DeferredDelete)
    scene.AddNewNodeByClass(VOLUME, "late").SetName("later")
    assert failures.take() == []


def test_a_selector_that_is_blocked_tells_nothing(scene, selector):
    told = []
    selector.currentNodeChanged.connect(told.append)
    node = scene.AddNewNodeByClass(VOLUME, "quiet")
    was = selector.blockSignals(True)
    selector.setCurrentNode(node)
    selector.blockSignals(was)
    assert told == []
    assert selector.currentNode() is node


def test_collapsing_hides_the_inside(slicer_app):
    import ctk
    import qt

    for kind in (ctk.ctkCollapsibleButton, ctk.ctkCollapsibleGroupBox):
        box = kind()
        layout = qt.QVBoxLayout(box)
        inside = qt.QLabel("inside")
        layout.addWidget(inside)
        box.show()
        box.collapsed = True
        assert not inside.visible
        box.collapsed = False
        assert inside.visible
        box.hide()


def test_a_path_line_tells_of_its_path(slicer_app):
    import ctk

    line, told = ctk.ctkPathLineEdit(), []
    line.filters = ctk.ctkPathLineEdit.Dirs
    line.connect("currentPathChanged(QString)", told.append)
    line.currentPath = "cases"
    assert (line.currentPath, told) == ("cases", ["cases"])


def test_a_process_gives_its_output_as_bytes_and_its_exit_code(slicer_app, wait_until):
    import qt

    process, ended = qt.QProcess(), []
    process.setProcessChannelMode(qt.QProcess.MergedChannels)
    process.connect("finished(int,QProcess::ExitStatus)", lambda code, status: ended.append((code, status)))
    process.start(sys.executable, ["-c", "import sys; print('out'); sys.stderr.write('err'); sys.exit(3)"])
    assert wait_until(lambda: ended, 20)
    assert ended == [(3, qt.QProcess.NormalExit)]
    text = process.readAllStandardOutput().data().decode()
    assert "out" in text
    assert "err" in text


def test_a_program_that_is_not_there_fails_to_start(slicer_app, wait_until):
    import qt

    process, errors = qt.QProcess(), []
    process.connect("errorOccurred(QProcess::ProcessError)", errors.append)
    process.start("there-is-no-such-program", [])
    assert wait_until(lambda: errors, 10)
    assert errors == [qt.QProcess.FailedToStart]


def test_questions_are_recorded_and_answered(dialogs):
    import qt
    import slicer

    dialogs.answers.append(False)
    assert not slicer.util.confirmOkCancelDisplay("Sure?")
    assert slicer.util.confirmYesNoDisplay("Really?")
    slicer.util.errorDisplay("It failed.")
    assert dialogs.texts() == ["Sure?", "Really?", "It failed."]
    dialogs.answers.append("picked.zip")
    assert qt.QFileDialog.getOpenFileName(None, "Import") == "picked.zip"
    assert qt.QFileDialog.getExistingDirectory(None, "Folder") == ""


def test_settings_are_of_the_tests_alone(settings, slicer_app, tmp_path_factory):
    import qt

    settings.setValue("Group/key", "kept")
    assert qt.QSettings().value("Group/key") == "kept"
    assert str(tmp_path_factory.getbasetemp()) in settings.fileName()


def test_volumes_are_written_and_loaded_with_their_geometry(scene, tmp_path):
    import numpy as np
    import slicer

    turned = np.array([[0, -2, 0, 5.0], [3, 0, 0, -7], [0, 0, 4, 9], [0, 0, 0, 1]])
    voxels = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    node = slicer.util.addVolumeFromArray(voxels, turned, "case", VOLUME)
    path = tmp_path / "case.nii.gz"
    assert slicer.util.saveNode(node, str(path))
    again = slicer.util.loadVolume(str(path))
    matrix = __import__("vtk").vtkMatrix4x4()
    again.GetIJKToRASMatrix(matrix)
    assert np.allclose(slicer.util.arrayFromVTKMatrix(matrix), turned)
    assert np.array_equal(slicer.util.arrayFromVolume(again), voxels)
    with pytest.raises(RuntimeError, match="Failed to load"):
        slicer.util.loadVolume(str(tmp_path / "missing.nrrd"))


def test_the_watch_sees_a_window_that_stands_still(loop_watch):
    import qt

    with loop_watch() as watch:
        qt.QTimer.singleShot(10, lambda: time.sleep(0.12))
        end = time.monotonic() + 0.3
        while time.monotonic() < end:
            qt.QApplication.processEvents()
    assert watch.longest > 0.1
    assert watch.longest_work < watch.longest


def test_where_nothing_renders_a_view_is_gray(slicer_app, monkeypatch):
    from harness import views

    monkeypatch.setattr(views, "can_render", lambda: False)
    monkeypatch.setattr(slicer_app.layoutManager().threeDWidget(0).threeDView(), "window", None)
    slicer_app.layoutManager().resetThreeDViews()
    image = slicer_app.layoutManager().threeDWidget(0).threeDView().picture(20, 10)
    assert (image.width(), image.height(), image.pixelColor(5, 5).red()) == (20, 10, 60)


def test_the_panel_is_opened_in_a_window_and_entered(panel):
    import slicer

    assert slicer.util.mainWindow().moduleSelector().selectedModule == "MedSegEffNet"
    assert panel.section("segment").ui.modelList.count > 0
    assert not panel.section("segment").ui.applyButton.enabled


def test_a_picture_shows_panel_and_views(scene, rendering, slicer_app, tmp_path):
    import numpy as np
    import qt
    import slicer

    from harness.pictures import picture

    node = slicer.util.addVolumeFromArray(np.full((8, 16, 16), 100, np.float32), np.diag([5, 5, 9, 1.0]), "v", VOLUME)
    node.CreateDefaultDisplayNodes()
    node.GetDisplayNode().AutoWindowLevelOff()
    node.GetDisplayNode().SetWindowLevel(100, 50)
    slicer.util.setSliceViewerLayers(background=node)
    slicer.util.resetSliceViews()
    label = qt.QLabel("The panel")
    picture(label, tmp_path / "picture.png")
    scene.Clear(0)
    picture(label, tmp_path / "empty.png")
    assert qt.QImage(str(tmp_path / "empty.png")).pixelColor(484 + 200, 230).red() < 50
    image = qt.QImage(str(tmp_path / "picture.png"))
    assert (image.width(), image.height()) == (1284, 900)
    assert image.pixelColor(484 + 200, 230).red() > 200
