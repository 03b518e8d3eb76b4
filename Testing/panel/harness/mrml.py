"""The scene and the logics of Slicer's modules: real ones, put together as the application does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import slicer
import vtk

_MODULES = {
    "CropVolume": "vtkSlicerCropVolumeLogic",
    "Markups": "vtkSlicerMarkupsLogic",
    "Segmentations": "vtkSlicerSegmentationsModuleLogic",
    "Sequences": "vtkSlicerSequencesLogic",
    "SubjectHierarchy": "vtkSlicerSubjectHierarchyModuleLogic",
    "Tables": "vtkSlicerTablesLogic",
    "Terminologies": "vtkSlicerTerminologiesModuleLogic",
    "Transforms": "vtkSlicerTransformLogic",
    "Volumes": "vtkSlicerVolumesLogic",
}


@dataclass
class Mrml:
    """The scene, the application's logic and the modules' logics by name."""

    scene: Any
    application: Any
    logics: dict[str, Any] = field(default_factory=dict)


def start() -> Mrml:
    """Make an empty scene with the singletons that Slicer puts into it."""
    output = vtk.vtkOutputWindow()
    output.SetDisplayModeToAlwaysStdErr()
    vtk.vtkOutputWindow.SetInstance(output)
    scene = slicer.vtkMRMLScene()
    mrml = Mrml(scene, slicer.vtkSlicerApplicationLogic())
    mrml.application.SetMRMLScene(scene)
    colors = mrml.application.GetColorLogic()
    colors.SetMRMLScene(scene)
    colors.AddDefaultColorNodes()
    mrml.application.SetModuleLogic("Colors", colors)
    mrml.logics["Colors"] = colors
    mrml.application.SetSliceLogics(vtk.vtkCollection())
    mrml.application.SetViewLogics(vtk.vtkCollection())
    slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(scene, True)
    crosshair = slicer.vtkMRMLCrosshairNode()
    crosshair.SetCrosshairName("default")
    scene.AddNode(crosshair)
    for name, kind in _MODULES.items():
        if hasattr(slicer, kind):
            mrml.logics[name] = _logic(kind, name, mrml)
    return mrml


@contextmanager
def _quiet() -> Iterator[None]:
    vtk.vtkObject.GlobalWarningDisplayOff()
    was = vtk.vtkLogger.GetCurrentVerbosityCutoff()
    vtk.vtkLogger.SetStderrVerbosity(vtk.vtkLogger.VERBOSITY_OFF)
    yield
    vtk.vtkLogger.SetStderrVerbosity(was)
    vtk.vtkObject.GlobalWarningDisplayOn()


def _logic(kind: str, name: str, mrml: Mrml) -> Any:
    make: Callable[[], Any] = getattr(slicer, kind)
    logic = make()
    logic.SetMRMLApplicationLogic(mrml.application)
    with _quiet():  # the wheel has no terminologies
        logic.SetMRMLScene(mrml.scene)
    mrml.application.SetModuleLogic(name, logic)
    return logic


def clear(scene: Any) -> None:
    """Empty the scene; its singletons stay, as in Slicer."""
    scene.Clear(0)
