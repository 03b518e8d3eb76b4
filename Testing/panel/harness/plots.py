"""Plot views: a chart node with its series and table drawn by VTK's charts, as Slicer's plot view does."""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer
import vtk
from PySide6 import QtGui
from vtk.util.numpy_support import vtk_to_numpy

from harness.rendering import blank, can_render, grabbed

_PENS = {
    slicer.vtkMRMLPlotSeriesNode.LineStyleNone: vtk.vtkPen.NO_PEN,
    slicer.vtkMRMLPlotSeriesNode.LineStyleSolid: vtk.vtkPen.SOLID_LINE,
    slicer.vtkMRMLPlotSeriesNode.LineStyleDash: vtk.vtkPen.DASH_LINE,
    slicer.vtkMRMLPlotSeriesNode.LineStyleDot: vtk.vtkPen.DOT_LINE,
}


class PlotView:
    """A plot view. It looks at its view node and at the chart node, and draws anew when one of them says so.

    Attributes
    ----------
    node : the view's node.
    """

    def __init__(self, node: Any) -> None:
        self.node = node
        self.chart = vtk.vtkChartXY()
        self._context: Any = None
        self._plots: dict[str, Any] = {}  # by the id of the series node
        self._observed: tuple[Any, int] | None = None
        node.AddObserver(node.PlotChartNodeChangedEvent, self._on_other_chart)
        node.AddObserver("ModifiedEvent", self._on_other_chart)
        self._on_other_chart(node, "")

    def _on_other_chart(self, caller: Any, event: str) -> None:
        chart = self.node.GetPlotChartNode()
        if self._observed is not None and self._observed[0] is not chart:
            self._observed[0].RemoveObserver(self._observed[1])
            self._observed = None
        if chart is not None and self._observed is None:
            self._observed = chart, chart.AddObserver("ModifiedEvent", self._on_chart)
        self._on_chart(chart, event)

    def _on_chart(self, caller: Any, event: str) -> None:
        chart, wanted = self.node.GetPlotChartNode(), {}
        for place in range(chart.GetNumberOfPlotSeriesNodes() if chart is not None else 0):
            series = chart.GetNthPlotSeriesNode(place)
            if series is not None and _drawable(series):
                wanted[series.GetID()] = series
        for name in self._plots.keys() - wanted.keys():
            self.chart.RemovePlotInstance(self._plots.pop(name))
        for name, series in wanted.items():
            if name not in self._plots:
                self._plots[name] = self.chart.AddPlot(vtk.vtkChart.LINE)
            _dress(self._plots[name], series)
        if chart is not None:
            self._dress_chart(chart)

    def _dress_chart(self, node: Any) -> None:
        self.chart.SetTitle((node.GetTitle() or "") if node.GetTitleVisibility() else "")
        self.chart.GetTitleProperties().SetFontSize(node.GetTitleFontSize())
        self.chart.SetShowLegend(bool(node.GetLegendVisibility()))
        for place, letter in ((vtk.vtkAxis.BOTTOM, "X"), (vtk.vtkAxis.LEFT, "Y")):
            axis = self.chart.GetAxis(place)
            axis.SetTitle(getattr(node, f"Get{letter}AxisTitle")() or "")
            axis.GetTitleProperties().SetFontSize(node.GetAxisTitleFontSize())
            axis.GetLabelProperties().SetFontSize(node.GetAxisLabelFontSize())
            axis.SetGridVisible(bool(node.GetGridVisibility()))
            if getattr(node, f"Get{letter}AxisRangeAuto")():
                axis.SetBehavior(vtk.vtkAxis.AUTO)
            else:
                axis.SetBehavior(vtk.vtkAxis.FIXED)
                axis.SetUnscaledRange(*getattr(node, f"Get{letter}AxisRange")())

    def lines(self) -> dict[str, np.ndarray]:
        """The curves that are drawn: points (N, 2) by the legend's text."""
        found = {}
        for plot in self._plots.values():
            table = plot.GetInput()
            columns = [plot.GetData().GetInputArrayToProcess(place, table) for place in range(2)]
            found[plot.GetLabel()] = np.stack([vtk_to_numpy(column) for column in columns], axis=1)
        return found

    def picture(self, width: int, height: int) -> QtGui.QImage:
        """The view as it is now; gray where nothing can render."""
        if not can_render():
            return blank(width, height)
        if self._context is None:
            self._context = vtk.vtkContextView()
            self._context.GetRenderWindow().SetOffScreenRendering(1)
            self._context.GetRenderWindow().SetMultiSamples(4)
            self._context.GetScene().AddItem(self.chart)
        window = self._context.GetRenderWindow()
        window.SetSize(width, height)
        self._context.GetScene().SetDirty(True)
        window.Render()
        return grabbed(window, width, height)


def _drawable(series: Any) -> bool:
    """Whether the table has the columns that a series names."""
    table = series.GetTableNode().GetTable() if series.GetTableNode() is not None else None
    names = [series.GetYColumnName(), *([series.GetXColumnName()] if series.IsXColumnRequired() else [])]
    return table is not None and all(name and table.GetColumnByName(name) is not None for name in names)


def _dress(plot: Any, series: Any) -> None:
    plot.SetInputData(series.GetTableNode().GetTable(), series.GetXColumnName(), series.GetYColumnName())
    plot.SetLabel(series.GetName())
    plot.SetWidth(series.GetLineWidth())
    plot.SetColorF(*series.GetColor())
    plot.GetPen().SetLineType(_PENS.get(series.GetLineStyle(), vtk.vtkPen.SOLID_LINE))
    if series.GetMarkerStyle() == series.MarkerStyleNone:
        plot.SetMarkerStyle(vtk.vtkPlotPoints.NONE)
