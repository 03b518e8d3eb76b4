"""Fixtures for the panel: a Slicer made of PySide6 and slicer-core, see the package ``harness``."""

import os
import sys
from pathlib import Path

import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
MODULE = Path(__file__).resolve().parents[2] / "MedSegEffNet" / "MedSegEffNet.py"
sys.path[:0] = [str(Path(__file__).parent), str(MODULE.parent)]


@pytest.fixture(scope="session")
def slicer_app(tmp_path_factory):
    """``slicer.app`` of an application that is started once."""
    for name in ("slicer", "vtk", "PySide6.QtUiTools"):
        reason = "the panel is tested where the extra [panel] is installed, and on Linux libegl1 and libgl1"
        pytest.importorskip(name, reason=reason, exc_type=ImportError)
    from harness import boot

    return boot.boot(tmp_path_factory.mktemp("slicer")).app


@pytest.fixture
def scene(slicer_app):
    """The scene, empty; emptied again after the test."""
    import slicer

    from harness import mrml

    mrml.clear(slicer.mrmlScene)
    yield slicer.mrmlScene
    mrml.clear(slicer.mrmlScene)


@pytest.fixture
def dialogs(slicer_app):
    """What message boxes and file dialogs showed (``shown``), and what they answer (``answers``)."""
    from harness.dialogs import DIALOGS

    DIALOGS.reset()
    yield DIALOGS
    DIALOGS.reset()


@pytest.fixture
def settings(slicer_app):
    """Slicer's settings, empty."""
    import qt

    store = qt.QSettings()
    store.clear()
    return store


@pytest.fixture(scope="session")
def _loaded(slicer_app):
    from harness import boot

    return boot.load_module(MODULE)


@pytest.fixture
def module(_loaded, scene, settings, dialogs):
    """The module of the file MedSegEffNet.py; its widget is made by ``widgetRepresentation()``."""
    import slicer

    from harness import application, failures

    failures.take()
    yield _loaded
    application.end_widget(_loaded)
    slicer.app.processEvents()
    unseen = failures.take()
    assert not unseen, "errors in slots or observers:\n" + "\n".join(unseen)


@pytest.fixture
def window(module):
    """The window that shows the module's widget, as wide as in Slicer."""
    import qt

    from harness import application, watch

    area = qt.QScrollArea()
    area.setWidget(module.widgetRepresentation())
    area.widgetResizable = True
    area.resize(480, 900)
    area.show()
    yield area
    application.end_widget(module)
    area.deleteLater()
    watch.delete_later_is_now()


@pytest.fixture
def panel(module, window):
    """The panel in its window, entered."""
    import slicer

    slicer.util.selectModule("MedSegEffNet")
    slicer.app.processEvents()
    return module.widgetRepresentation().self().panel


@pytest.fixture
def wait_until(slicer_app):
    """``wait_until(condition, seconds)`` lets the window live meanwhile; False: the time ran out."""
    from harness.watch import wait_until

    return wait_until


@pytest.fixture
def loop_watch(slicer_app):
    """``with loop_watch() as watch: …; watch.longest`` is the longest time the window stood still, in seconds."""
    from harness.watch import LoopWatch

    return LoopWatch


@pytest.fixture
def window_lives(loop_watch):
    """``window_lives(act, tries=4)`` does ``act()`` and fails where the window stood still meanwhile.

    It tries again where it did: other programs may have had the processor. Where they have it all the time, what counts
    is how long the window's own thread computed.
    """
    from harness.watch import stop_limit

    def window_lives(act, tries=4):
        limit = stop_limit()
        stops, works = [], []
        while len(stops) < tries and min(stops, default=limit) >= limit:
            with loop_watch() as watch:
                act()
            stops.append(watch.longest)
            works.append(watch.longest_work)
        assert min(*stops, *works) < limit, (stops, works, limit)

    return window_lives


@pytest.fixture(scope="session")
def rendering(slicer_app):
    """For tests that look at pictures: skipped where nothing renders without a screen."""
    from harness import views

    if not views.can_render():
        pytest.skip("no EGL or OSMesa: install libegl1 and libgl1-mesa-dri, or libosmesa6")


@pytest.fixture
def section(panel):
    """The section Segment, with the shipped model for tumor slices chosen."""
    section = panel.section("segment")
    section.models.choose_task("tumor-slices")
    assert section.models.entry.name == "tumor-slices-efficientnet"
    return section


@pytest.fixture
def apply(section, wait_until):
    """A function that fills in the channels, clicks Apply and waits for the end; gives the run."""

    from cases import PATIENCE

    def apply():
        section.inputs.fill()
        assert section.ui.applyButton.enabled, section.ui.applyButton.toolTip
        section.ui.applyButton.click()
        assert wait_until(lambda: section.run.over, PATIENCE)
        return section.run

    return apply


@pytest.fixture
def models(tmp_path, monkeypatch):
    """The folder of the user's models, empty."""
    from MedSegEffNetLib.models.registry import FOLDER_VARIABLE

    folder = tmp_path / "Models"
    folder.mkdir()
    monkeypatch.setenv(FOLDER_VARIABLE, str(folder))
    return folder
