"""``slicer.app``, the main window, and the modules that are loaded into it."""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any

from PySide6 import QtCore, QtWidgets

from harness import views, watch
from harness.files import CoreIOManager
from harness.generated import behaves, class_of, generated
from harness.mrml import Mrml


@behaves
class qSlicerApplication(generated("qSlicerApplication")):  # type: ignore[misc]
    """The application: paths, settings, logics, layout."""

    _default_majorVersion = 5
    _default_minorVersion = 8
    _default_repositoryRevision = "33241"
    _default_revision = "33241"
    _default_platform = "linux-amd64"
    _default_isInstalled = True

    def __init__(self, folder: Path, mrml: Mrml) -> None:
        super().__init__(["Slicer"])
        self.setApplicationName("Slicer")
        self.setApplicationVersion("5.8.1")
        self.setOrganizationName("slicer.org")
        self._mrml = mrml
        self._slicerHome = str(folder / "home")
        self._temporaryPath = str(folder / "tmp")
        self._cachePath = str(folder / "cache")
        for path in (self._slicerHome, self._temporaryPath, self._cachePath):
            Path(path).mkdir(parents=True, exist_ok=True)
        self._files = CoreIOManager()
        self._modules = qSlicerModuleManager()
        self._layout_manager = views.qSlicerLayoutManager(mrml)
        self.testing = False

    def applicationLogic(self) -> Any:
        """The real logic of the application."""
        return self._mrml.application

    def moduleLogic(self, name: str) -> Any:
        """The real logic of a module."""
        return self._mrml.logics.get(name)

    def mrmlScene(self) -> Any:
        """The scene."""
        return self._mrml.scene

    def coreIOManager(self) -> CoreIOManager:
        """Loads and saves."""
        return self._files

    ioManager = coreIOManager

    def moduleManager(self) -> Any:
        """Knows the modules."""
        return self._modules

    def layoutManager(self) -> Any:
        """The views."""
        return self._layout_manager

    def settings(self) -> QtCore.QSettings:
        """The settings, in a file of the tests."""
        return QtCore.QSettings()

    userSettings = settings
    revisionUserSettings = settings

    def startupEnvironment(self) -> QtCore.QProcessEnvironment:
        """The variables of the process."""
        return QtCore.QProcessEnvironment.systemEnvironment()

    environment = startupEnvironment

    def testingEnabled(self) -> bool:
        """Whether Slicer runs its own tests; message boxes would not be shown then."""
        return self.testing

    def commandOptions(self) -> Any:
        """How Slicer was started."""
        return types.SimpleNamespace(noMainWindow=False, testingEnabled=False, runPythonAndExit=False)

    def pauseRender(self) -> None:
        """Views are rendered when they are asked for: nothing to pause."""

    resumeRender = pauseRender


@behaves
class qSlicerModuleManager(generated("qSlicerModuleManager")):  # type: ignore[misc]
    """The modules by name."""

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self.loaded: dict[str, Any] = {}

    def module(self, name: str) -> Any:
        """A module, or None."""
        return self.loaded.get(name)

    def modulesNames(self) -> list[str]:
        """The names of all modules."""
        return list(self.loaded)


class CoreModule:
    """A module of C++: its name and its logic."""

    def __init__(self, name: str, logic: Any) -> None:
        self.name = self.title = name
        self._logic = logic

    def logic(self) -> Any:
        """Its real logic."""
        return self._logic

    def widgetRepresentation(self) -> None:
        """No widget."""


@behaves
class qSlicerScriptedLoadableModuleWidget(class_of("qMRMLWidget")):  # type: ignore[misc]
    """Hosts the widget that a module of Python makes."""

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self.setLayout(QtWidgets.QVBoxLayout())
        self._python: Any = None

    def self(self) -> Any:
        """The object of Python."""
        return self._python

    def setup(self, module: Any, kind: Any) -> None:
        """Make and set up the widget ``kind`` of the module."""
        self._module = module
        self.setProperty("moduleName", module.name)
        self._python = kind(self)
        self._python.setup()


@behaves
class qSlicerScriptedLoadableModule(generated("qSlicerScriptedLoadableModule")):  # type: ignore[misc]
    """A module made of a file of Python."""

    def __init__(self, path: Path, source: types.ModuleType) -> None:
        super().__init__()
        self._path, self._name, self._source = str(path), path.stem, source
        self._widget: Any = None
        self.setObjectName(path.stem)
        self._python = getattr(source, path.stem)(self)

    @QtCore.Property(str)
    def path(self) -> str:
        """The file."""
        return self._path

    @QtCore.Property(str)
    def name(self) -> str:
        """The module's name."""
        return self._name

    def widgetRepresentation(self) -> Any:
        """The module's widget; it is made at the first call."""
        if self._widget is None:
            self._widget = self.createNewWidgetRepresentation()
        return self._widget

    def createNewWidgetRepresentation(self) -> Any:
        """Another widget of the module."""
        widget = qSlicerScriptedLoadableModuleWidget()
        widget.setMRMLScene(sys.modules["slicer"].mrmlScene)
        widget.setup(self, getattr(self._source, f"{self._name}Widget"))
        return widget


def end_widget(module: qSlicerScriptedLoadableModule) -> None:
    """End the module's widget, as when Slicer ends; the next call of ``widgetRepresentation`` makes another."""
    widget, module._widget = module._widget, None
    if widget is not None:
        selector = sys.modules["slicer"].util.mainWindow().moduleSelector()
        if selector.selectedModule == module.name:
            selector.selectModule("")
        widget.self().cleanup()
        widget.deleteLater()
        watch.delete_later_is_now()


class ModuleSelector:
    """Opens modules: the one before is left, the next one is entered."""

    def __init__(self) -> None:
        self.selectedModule = ""

    def selectModule(self, name: str) -> None:
        """Open a module."""
        slicer = sys.modules["slicer"]
        before = slicer.app._modules.module(self.selectedModule)
        if isinstance(before, qSlicerScriptedLoadableModule) and before._widget is not None:
            before._widget.self().exit()
        self.selectedModule = name
        module = slicer.app._modules.module(name)
        if isinstance(module, qSlicerScriptedLoadableModule):
            module.widgetRepresentation().self().enter()


class qSlicerMainWindow(QtWidgets.QMainWindow):
    """The main window: a status bar and a module selector."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("qSlicerMainWindow")
        self._selector = ModuleSelector()
        self.statusBar()

    def moduleSelector(self) -> ModuleSelector:
        """Opens modules."""
        return self._selector
