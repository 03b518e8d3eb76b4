"""The layout manager: three slice views and a 3D view, rendered without a screen by the real displayable managers.

Where nothing can render (no EGL, no OSMesa) the views are there, but have no picture; see :func:`can_render`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache
from typing import Any

import slicer
import vtk
from PySide6 import QtCore, QtGui, QtWidgets
from vtk.util.numpy_support import vtk_to_numpy

from harness.generated import generated
from harness.mrml import Mrml

_SLICES = {"Red": "Axial", "Yellow": "Sagittal", "Green": "Coronal"}
_COLORS = {"Red": (0.95, 0.29, 0.2), "Yellow": (0.93, 0.84, 0.3), "Green": (0.43, 0.69, 0.29)}
_SLICE_MANAGERS = (
    "vtkMRMLVolumeGlyphSliceDisplayableManager",
    "vtkMRMLModelSliceDisplayableManager",
    "vtkMRMLCrosshairDisplayableManager",
    "vtkMRMLOrientationMarkerDisplayableManager",
    "vtkMRMLRulerDisplayableManager",
    "vtkMRMLScalarBarDisplayableManager",
    "vtkMRMLSegmentationsDisplayableManager2D",
)
_VIEW_MANAGERS = (
    "vtkMRMLCameraDisplayableManager",
    "vtkMRMLViewDisplayableManager",
    "vtkMRMLModelDisplayableManager",
    "vtkMRMLThreeDReformatDisplayableManager",
    "vtkMRMLCrosshairDisplayableManager3D",
    "vtkMRMLOrientationMarkerDisplayableManager",
    "vtkMRMLRulerDisplayableManager",
    "vtkMRMLSegmentationsDisplayableManager3D",
)
_KIND = "VTK_DEFAULT_OPENGL_WINDOW"  # the variable by which VTK chooses a window
_PROBE = """
import vtk
window = vtk.vtkRenderWindow()
window.SetOffScreenRendering(1)
window.AddRenderer(vtk.vtkRenderer())
window.Render()
print("rendered")
"""


@cache
def can_render() -> bool:
    """Whether a window can be rendered here. Tried in processes of their own: where it fails it ends the process."""
    kinds = ("vtkEGLRenderWindow", "vtkOSOpenGLRenderWindow") if sys.platform == "linux" else ("",)
    for kind in kinds:
        variables = {**os.environ, **({_KIND: kind} if kind else {})}
        words = [sys.executable, "-c", _PROBE]
        probe = subprocess.run(words, capture_output=True, text=True, timeout=60, env=variables)
        if probe.returncode == 0 and "rendered" in probe.stdout:
            os.environ.update({_KIND: kind} if kind else {})
            return True
    return False


class _View:
    """A window that is rendered without a screen."""

    def __init__(self, factory: Any, node: Any) -> None:
        self.node = node
        self.renderer = vtk.vtkRenderer()
        self.window: Any = None
        self._factory = factory

    def open(self) -> bool:
        """Make the window, when it is looked at for the first time; False: nothing can render here."""
        if self.window is None and can_render():
            self.window = vtk.vtkRenderWindow()
            self.window.SetOffScreenRendering(1)
            self.window.SetMultiSamples(4)
            self.window.AddRenderer(self.renderer)
            self.interactor = vtk.vtkGenericRenderWindowInteractor()
            self.interactor.SetRenderWindow(self.window)
            self.group = self._factory.InstantiateDisplayableManagers(self.renderer)
            self.group.SetMRMLDisplayableNode(self.node)
        return self.window is not None

    def picture(self, width: int, height: int) -> QtGui.QImage:
        """The view as it is now; gray where nothing can render."""
        if not self.open():
            image = QtGui.QImage(width, height, QtGui.QImage.Format.Format_RGB888)
            image.fill(QtGui.QColor(60, 60, 60))
            return image
        self.window.SetSize(width, height)
        self.window.Render()
        grabber = vtk.vtkWindowToImageFilter()
        grabber.SetInput(self.window)
        grabber.ReadFrontBufferOff()
        grabber.Update()
        pixels = vtk_to_numpy(grabber.GetOutput().GetPointData().GetScalars()).reshape(height, width, 3)[::-1]
        data = pixels.tobytes()
        return QtGui.QImage(data, width, height, 3 * width, QtGui.QImage.Format.Format_RGB888).copy()


class SliceView(_View):
    """A slice with its volumes, and what displayable managers lay over it."""

    def __init__(self, name: str, mrml: Mrml) -> None:
        self.logic = slicer.vtkMRMLSliceLogic()
        self.logic.SetMRMLApplicationLogic(mrml.application)
        mrml.application.GetSliceLogics().AddItem(self.logic)
        self.logic.SetMRMLScene(mrml.scene)
        self.logic.AddSliceNode(name)
        node = self.logic.GetSliceNode()
        node.SetOrientation(_SLICES[name])
        node.SetLayoutLabel(name[0])
        node.SetLayoutColor(*_COLORS[name])
        node.SetMappedInLayout(1)
        super().__init__(slicer.vtkMRMLSliceViewDisplayableManagerFactory.GetInstance(), node)
        self.renderer.GetActiveCamera().ParallelProjectionOn()
        mapper = vtk.vtkImageMapper()
        mapper.SetColorWindow(255)
        mapper.SetColorLevel(127.5)
        mapper.SetInputConnection(self.logic.GetImageDataConnection())
        self.image = vtk.vtkActor2D()
        self.image.SetMapper(mapper)
        self.image.GetProperty().SetDisplayLocationToBackground()
        self.renderer.AddViewProp(self.image)  # before the segments': they are drawn over it, and let it through

    def fit(self, width: int, height: int) -> None:
        """Show all of the volume in the middle."""
        self.logic.ResizeSliceNode(width, height)
        self.logic.FitSliceToBackground(width, height)
        self.logic.SnapSliceOffsetToIJK()

    def picture(self, width: int, height: int) -> QtGui.QImage:
        """The slice as it is now."""
        self.logic.ResizeSliceNode(width, height)
        pixels = self.logic.GetImageDataConnection()
        self.image.SetVisibility(pixels is not None)
        if pixels is not None:
            self.image.GetMapper().SetInputConnection(pixels)
        return super().picture(width, height)


class ThreeDView(_View):
    """The 3D view, with Slicer's background."""

    def __init__(self, mrml: Mrml) -> None:
        logic = slicer.vtkMRMLViewLogic()
        logic.SetMRMLApplicationLogic(mrml.application)
        mrml.application.GetViewLogics().AddItem(logic)
        logic.SetMRMLScene(mrml.scene)
        self.logic = logic
        node = logic.AddViewNode("1")
        node.SetMappedInLayout(1)
        node.SetBoxVisible(False)
        node.SetAxisLabelsVisible(False)
        super().__init__(slicer.vtkMRMLThreeDViewDisplayableManagerFactory.GetInstance(), node)

    def resetFocalPoint(self) -> None:
        """Look at everything."""
        if self.open():
            self.window.Render()
            self.renderer.ResetCamera()

    resetCamera = resetFocalPoint


class _Widget:
    """``layoutManager().sliceWidget("Red")``, ``threeDWidget(0)``."""

    def __init__(self, view: Any) -> None:
        self.view = view

    def sliceLogic(self) -> Any:
        """The slice's logic."""
        return self.view.logic

    def mrmlSliceNode(self) -> Any:
        """The slice's node."""
        return self.view.node

    mrmlViewNode = mrmlSliceNode

    def mrmlSliceCompositeNode(self) -> Any:
        """Which volumes the slice shows."""
        return self.view.logic.GetSliceCompositeNode()

    def threeDView(self) -> Any:
        """The view itself."""
        return self.view

    sliceView = threeDView

    def fitSliceToBackground(self) -> None:
        """Show all of the volume."""
        self.view.fit(400, 400)


class qSlicerLayoutManager(generated("qSlicerLayoutManager")):  # type: ignore[misc]
    """Four views."""

    def __init__(self, mrml: Mrml) -> None:
        super().__init__()
        self._mrml = mrml
        _register(mrml)
        self.slices = {name: SliceView(name, mrml) for name in _SLICES}
        self.view = ThreeDView(mrml)

    def sliceViewNames(self) -> list[str]:
        """The names of the slice views."""
        return list(self.slices)

    def sliceWidget(self, name: str) -> _Widget:
        """A slice view."""
        return _Widget(self.slices[name])

    def threeDWidget(self, number: int) -> _Widget:
        """The 3D view."""
        return _Widget(self.view)

    def _read_threeDViewCount(self) -> int:
        return 1

    def mrmlSliceLogics(self) -> Any:
        """The logics of the slices."""
        return self._mrml.application.GetSliceLogics()

    def resetSliceViews(self) -> None:
        """Show all of the volumes."""
        for view in self.slices.values():
            view.fit(400, 400)

    def resetThreeDViews(self) -> None:
        """Look at everything."""
        self.view.resetFocalPoint()


def _register(mrml: Mrml) -> None:
    slices = slicer.vtkMRMLSliceViewDisplayableManagerFactory.GetInstance()
    spaces = slicer.vtkMRMLThreeDViewDisplayableManagerFactory.GetInstance()
    for factory, names in ((slices, _SLICE_MANAGERS), (spaces, _VIEW_MANAGERS)):
        factory.SetMRMLApplicationLogic(mrml.application)
        for name in names:
            if hasattr(slicer, name) and not factory.IsDisplayableManagerRegistered(name):
                factory.RegisterDisplayableManager(name)


class ViewPictures(QtWidgets.QWidget):
    """Pictures of the four views as in Slicer's window."""

    def __init__(self, manager: qSlicerLayoutManager, width: int, height: int) -> None:
        super().__init__()
        layout = QtWidgets.QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        half = QtCore.QSize((width - 2) // 2, (height - 2) // 2)
        places: dict[tuple[int, int], tuple[str, Any]] = {
            (0, 0): ("Red", manager.slices["Red"]),
            (0, 1): ("", manager.view),
            (1, 0): ("Green", manager.slices["Green"]),
            (1, 1): ("Yellow", manager.slices["Yellow"]),
        }
        for (row, column), (name, view) in places.items():
            layout.addWidget(_framed(name, view, half), row, column)
        self.setFixedSize(width, height)


def _framed(name: str, view: Any, size: QtCore.QSize) -> QtWidgets.QWidget:
    bar = 18
    frame = QtWidgets.QWidget()
    frame.setFixedSize(size)
    title = QtWidgets.QLabel(f"  {name[0]}  ·  {_SLICES[name]}" if name else "  1  ·  3D", frame)
    color = QtGui.QColor.fromRgbF(*(_COLORS[name] if name else (0.45, 0.45, 0.7)))
    title.setStyleSheet(f"background: {color.name()}; color: black;")
    title.setGeometry(0, 0, size.width(), bar)
    picture = QtWidgets.QLabel(frame)
    picture.setGeometry(0, bar, size.width(), size.height() - bar)
    picture.setPixmap(QtGui.QPixmap.fromImage(view.picture(size.width(), size.height() - bar)))
    return frame
