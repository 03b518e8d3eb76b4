"""Puts the modules ``qt``, ``ctk`` and ``slicer`` in place; once for each interpreter."""

from __future__ import annotations

import importlib.util
import os
import sys
import types
from pathlib import Path
from typing import Any

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import slicer
import slicer.util
from PySide6 import QtCore

from harness import (
    application,
    contract,
    dialogs,
    editor,
    failures,
    generated,
    mrml,
    nodes,
    pythonqt,
    ranges,
    scripted,
    widgets,
)

_RENAMED = {"QFileDialog": dialogs.QFileDialog, "QUiLoader": widgets.QUiLoader}
_BEHAVIOR = (nodes, widgets, ranges, editor)  # importing them registers their classes


class _QtModule(types.ModuleType):
    """``import qt``: all of Qt that PythonQt wraps."""

    def __getattr__(self, name: str) -> Any:
        if name in _RENAMED:
            return _RENAMED[name]
        if name in contract.module_names("qt"):
            for module in pythonqt.MODULES:
                if hasattr(module, name):
                    return getattr(module, name)
        raise AttributeError(f"module 'qt' has no attribute {name!r}")


class _CtkModule(types.ModuleType):
    """``import ctk``: the classes of CTK."""

    def __getattr__(self, name: str) -> Any:
        if name in contract.module_names("ctk") and contract.has_class(name):
            return generated.class_of(name)
        raise AttributeError(f"module 'ctk' has no attribute {name!r}")


def boot(folder: Path) -> Any:
    """Start the application; gives the module ``slicer``.

    Parameters
    ----------
    folder : takes the settings, temporary files and caches.
    """
    QtCore.QSettings.setDefaultFormat(QtCore.QSettings.Format.IniFormat)
    for scope in (QtCore.QSettings.Scope.UserScope, QtCore.QSettings.Scope.SystemScope):
        QtCore.QSettings.setPath(QtCore.QSettings.Format.IniFormat, scope, str(folder / "settings"))
    data = mrml.start()
    app = application.qSlicerApplication(folder, data)
    sys.modules["qt"] = _QtModule("qt")
    sys.modules["ctk"] = _CtkModule("ctk")
    _fill_slicer(app, data)
    failures.install()
    pythonqt.install()
    return slicer


def _fill_slicer(app: Any, data: mrml.Mrml) -> None:
    for name, kind in generated.all_classes().items():
        if name.startswith("q") and name in contract.module_names("slicer"):
            setattr(slicer, name, kind)
    slicer.qSlicerScriptedLoadableModuleWidget = application.qSlicerScriptedLoadableModuleWidget
    slicer.app, slicer.mrmlScene = app, data.scene
    slicer.modules = types.SimpleNamespace()
    for name, logic in data.logics.items():
        core = application.CoreModule(name, logic)
        app.moduleManager().loaded[name] = core
        setattr(slicer.modules, name.lower(), core)
    for name, module in scripted.modules().items():
        sys.modules[name] = module
        parent, _, child = name.rpartition(".")
        if parent:
            setattr(slicer, child, module)
    slicer.util.messageBox = dialogs.message_box
    app.main_window = application.qSlicerMainWindow()


def load_module(path: Path) -> Any:
    """Load a scripted module from its file, unchanged, as Slicer does; gives the module object."""
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no file of Python")
    source = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = source
    spec.loader.exec_module(source)
    module = application.qSlicerScriptedLoadableModule(path, source)
    slicer.app.moduleManager().loaded[path.stem] = module
    setattr(slicer.modules, path.stem.lower(), module)
    return module
