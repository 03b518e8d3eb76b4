"""The modules of Python that a scripted module imports: base classes, translation, sample data, DICOM."""

from __future__ import annotations

import logging
import types
import unittest
from pathlib import Path
from typing import Any


def tr(text: str) -> str:
    """The text itself, as in an untranslated Slicer."""
    return text


def translate(context: str, text: str) -> str:
    """The text itself, as in an untranslated Slicer."""
    return text


def getContext(sourceFile: str) -> str:
    """The file's name."""
    return Path(sourceFile).stem


class ScriptedLoadableModule:
    """What is known of a module before it is opened."""

    def __init__(self, parent: Any) -> None:
        self.parent = parent
        self.moduleName = type(self).__name__
        parent.title, parent.categories, parent.dependencies = "", [], []
        parent.contributors, parent.helpText, parent.acknowledgementText = [], "", ""

    def resourcePath(self, filename: str) -> str:
        """A file of the folder Resources."""
        return str(Path(self.parent.path).parent / "Resources" / filename)

    def runTest(self, msec: int = 100, **keys: Any) -> None:
        """Nothing: tests are run by pytest."""


class ScriptedLoadableModuleWidget:
    """The base class of a module's widget."""

    def __init__(self, parent: Any = None) -> None:
        import slicer

        self.moduleName = type(self).__name__.removesuffix("Widget")
        self.developerMode = False
        self.parent = parent or slicer.qSlicerScriptedLoadableModuleWidget()
        self.layout = self.parent.layout()
        if parent is None:
            self.setup()
            self.parent.show()

    def resourcePath(self, filename: str) -> str:
        """A file of the folder Resources."""
        import slicer

        return str(Path(slicer.util.modulePath(self.moduleName)).parent / "Resources" / filename)

    def setup(self) -> None:
        """No developer's section."""

    def cleanup(self) -> None:
        """For subclasses."""

    def enter(self) -> None:
        """For subclasses."""

    def exit(self) -> None:
        """For subclasses."""


class ScriptedLoadableModuleLogic:
    """The base class of a module's logic."""

    def __init__(self, parent: Any = None) -> None:
        self.moduleName = type(self).__name__.removesuffix("Logic")
        self.isSingletonParameterNode = True


class ScriptedLoadableModuleTest(unittest.TestCase):
    """The base class of a module's self test."""

    def delayDisplay(self, message: str, requestedDelay: Any = None, msec: Any = None) -> None:
        """Say what is done."""
        logging.info(message)

    def runTest(self) -> None:
        """For subclasses."""


SAMPLES: list[dict[str, Any]] = []


class SampleDataLogic:
    """Keeps what modules register."""

    @staticmethod
    def registerCustomSampleDataSource(category: str = "Custom", sampleName: Any = None, **keys: Any) -> None:
        """Keep a source in ``SAMPLES``."""
        SAMPLES.append({"category": category, "sampleName": sampleName, **keys})


def modules() -> dict[str, types.ModuleType]:
    """The modules by the names under which they are imported."""
    base = (
        ScriptedLoadableModule,
        ScriptedLoadableModuleWidget,
        ScriptedLoadableModuleLogic,
        ScriptedLoadableModuleTest,
    )
    return {
        "slicer.ScriptedLoadableModule": _module("ScriptedLoadableModule", *base),
        "slicer.i18n": _module("i18n", tr, translate, getContext),
        "SampleData": _module("SampleData", SampleDataLogic),
        "DICOMLib": _module("DICOMLib"),
    }


def _module(name: str, *members: Any) -> types.ModuleType:
    module = types.ModuleType(name)
    for member in members:
        setattr(module, member.__name__, member)
    return module
