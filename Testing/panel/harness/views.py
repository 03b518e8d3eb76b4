"""The layout manager: views as the layout has them, rendered without a screen by the real displayable managers.

Where nothing can render (no EGL, no OSMesa) the views are there, but have no picture; see :func:`can_render`.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any

import slicer
import vtk
from PySide6 import QtCore, QtGui, QtWidgets

from harness.generated import generated
from harness.mrml import Mrml
from harness.plots import PlotView
from harness.rendering import blank, can_render, grabbed

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
            return blank(width, height)
        self.window.SetSize(width, height)
        self.window.Render()
        return grabbed(self.window, width, height)


class SliceView(_View):
    """A slice with its volumes, and what displayable managers lay over it."""

    def __init__(self, name: str, mrml: Mrml, node: Any = None) -> None:
        """``node``: the one that a layout has made for another view than the three of every layout."""
        self.logic = slicer.vtkMRMLSliceLogic()
        self.logic.SetMRMLApplicationLogic(mrml.application)
        mrml.application.GetSliceLogics().AddItem(self.logic)
        self.logic.SetMRMLScene(mrml.scene)
        if node is None:
            self.logic.AddSliceNode(name)
            node = self.logic.GetSliceNode()
            node.SetOrientation(_SLICES[name])
            node.SetLayoutLabel(name[0])
            node.SetLayoutColor(*_COLORS[name])
        else:
            self.logic.SetSliceNode(node)
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


class _PlotWidget:
    """``layoutManager().plotWidget(0)``."""

    def __init__(self, view: PlotView) -> None:
        self.view = view

    def plotView(self) -> PlotView:
        """The view itself."""
        return self.view

    def mrmlPlotViewNode(self) -> Any:
        """The view's node."""
        return self.view.node


class qSlicerLayoutManager(generated("qSlicerLayoutManager")):  # type: ignore[misc]
    """The views of the layout; the layout's node and its logic, which makes nodes for views, are the real ones."""

    def __init__(self, mrml: Mrml) -> None:
        super().__init__()
        self._mrml = mrml
        _register(mrml)
        self.slices = {name: SliceView(name, mrml) for name in _SLICES}
        self.view = ThreeDView(mrml)
        self.plots: dict[str, PlotView] = {}  # by the id of the view's node
        self._logic = slicer.vtkMRMLLayoutLogic()
        self._logic.SetMRMLApplicationLogic(mrml.application)
        self._logic.SetMRMLScene(mrml.scene)
        self.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)

    def layoutLogic(self) -> Any:
        """The real logic; its node knows the layouts."""
        return self._logic

    def _read_layout(self) -> int:
        return int(self._logic.GetLayoutNode().GetViewArrangement())

    def setLayout(self, number: int) -> None:
        """Switch to another layout; plot and slice views that it has are made, and stay when it is left."""
        node = self._logic.GetLayoutNode()
        if number == node.GetViewArrangement():
            return
        node.SetViewArrangement(number)
        for view in self._visible_plots():
            self.plots.setdefault(view.GetID(), PlotView(view))
        for view in self._visible("vtkMRMLSliceNode"):
            if view.GetLayoutName() not in self.slices:
                self.slices[view.GetLayoutName()] = SliceView(view.GetLayoutName(), self._mrml, view)
        self.layoutChanged.emit(number)

    _write_layout = setLayout

    def _visible(self, kind: str) -> list[Any]:
        views = self._logic.GetViewNodes()
        nodes = [views.GetItemAsObject(place) for place in range(views.GetNumberOfItems())]
        return [node for node in nodes if node.IsA(kind)]

    def _visible_plots(self) -> list[Any]:
        return self._visible("vtkMRMLPlotViewNode")

    def _read_plotViewCount(self) -> int:
        return len(self._visible_plots())

    def plotWidget(self, number: int) -> _PlotWidget | None:
        """A plot view of the layout, or None."""
        views = self._visible_plots()
        return _PlotWidget(self.plots[views[number].GetID()]) if number < len(views) else None

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
    """Pictures of the layout's views as in Slicer's window."""

    def __init__(self, manager: qSlicerLayoutManager, width: int, height: int) -> None:
        super().__init__()
        self.setFixedSize(width, height)
        self._manager = manager
        root = ET.fromstring(manager.layoutLogic().GetLayoutNode().GetCurrentLayoutDescription())
        self._place(root, QtCore.QRect(0, 0, width, height))

    def _place(self, part: ET.Element, place: QtCore.QRect) -> None:
        """Divide a place among the items of a layout, or put a view there."""
        if part.tag == "view":
            _framed(self, place, *self._view(part))
            return
        items = part.findall("item")
        across = part.get("type") == "horizontal"
        for number, item in enumerate(items):
            first, last = (
                (number + step) * ((place.width() if across else place.height()) + 2) // len(items) for step in (0, 1)
            )
            inner = (
                (first, 0, last - first - 2, place.height()) if across else (0, first, place.width(), last - first - 2)
            )
            self._place(item[0], QtCore.QRect(*inner).translated(place.topLeft()))

    def _view(self, part: ET.Element) -> tuple[str, QtGui.QColor, Any]:
        kind, tag = part.get("class"), part.get("singletontag", "")
        if kind == "vtkMRMLSliceNode":
            node = self._manager.slices[tag].node
            color = QtGui.QColor.fromRgbF(*node.GetLayoutColor())
            return f"{node.GetLayoutLabel()}  ·  {node.GetOrientation()}", color, self._manager.slices[tag]
        if kind == "vtkMRMLPlotViewNode":
            node = slicer.mrmlScene.GetSingletonNode(tag, kind)
            return node.GetLayoutLabel(), QtGui.QColor(27, 198, 207), self._manager.plots[node.GetID()]
        return "1  ·  3D", QtGui.QColor.fromRgbF(0.45, 0.45, 0.7), self._manager.view


def _framed(parent: QtWidgets.QWidget, place: QtCore.QRect, text: str, color: QtGui.QColor, view: Any) -> None:
    bar = 18
    title = QtWidgets.QLabel(f"  {text}", parent)
    title.setStyleSheet(f"background: {color.name()}; color: black;")
    title.setGeometry(place.x(), place.y(), place.width(), bar)
    picture = QtWidgets.QLabel(parent)
    picture.setGeometry(place.x(), place.y() + bar, place.width(), place.height() - bar)
    picture.setPixmap(QtGui.QPixmap.fromImage(view.picture(place.width(), place.height() - bar)))
