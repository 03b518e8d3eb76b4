"""Curves in Slicer's plot views: the only place of the panel that makes tables, series and charts.

All curves stand in one table, which is rewritten in place: however long a training is followed, the scene keeps the same
few nodes. They are hidden from editors and are not saved with the scene.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import vtk_to_numpy

from MedSegEffNetPanel.bridge.tree import new_node

_LAYOUT = 6870  # number of the layout below; Slicer's own are smaller than 1000
_SIZES = {"SetTitleFontSize": 14, "SetAxisTitleFontSize": 12, "SetAxisLabelFontSize": 11, "SetLegendFontSize": 11}
_WIDTH = 2.0  # pixels
_ROOM = 1.3  # of the curves' length: Slicer puts the legend into the corner where the newest points would be
_SLICES = {
    "Red": ("Axial", "R", "#F34A33"),
    "Green": ("Coronal", "G", "#6EB04B"),
    "Yellow": ("Sagittal", "Y", "#EDD54C"),
}


@dataclass(frozen=True)
class Look:
    """A chart: its title, the title of its vertical axis, and that axis's range (None: as the values need it)."""

    title: str
    axis: str
    range: tuple[float, float] | None = None


@dataclass(frozen=True, eq=False)
class Line:
    """A curve.

    Parameters
    ----------
    chart : key of the chart that it belongs to. name : of its column, unlike all others. title : in the legend.
    values : (N,), NaN where there is none. color : red, green, blue, 0 to 1.
    """

    chart: str
    name: str
    title: str
    values: np.ndarray
    color: tuple[float, float, float]
    dashed: bool = False


class Plots:
    """Charts of curves over the same axis, each in a plot view of its own.

    Nodes are made when there is something to draw first, and again where somebody has deleted them.
    """

    def __init__(self, tag: str, axis: str, looks: Mapping[str, Look]) -> None:
        self._tag, self._axis, self._looks = tag, axis, dict(looks)
        self._table: Any = None
        self._charts: dict[str, Any] = {}
        self._series: dict[str, Any] = {}  # by the curve's name
        self._before: int | None = None  # the layout that was left for that of the plots

    @property
    def nodes(self) -> list[Any]:
        """All nodes that are in the scene."""
        made = [self._table, *self._charts.values(), *self._series.values()]
        return [node for node in made if node is not None and node.GetScene() is not None]

    @property
    def shown(self) -> bool:
        """Whether the layout with the plot views is the one that is seen."""
        manager = slicer.app.layoutManager()
        return manager is not None and manager.layout == _LAYOUT

    def draw(self, x: np.ndarray, lines: Sequence[Line]) -> None:
        """Show these curves over ``x`` (N,), ascending from 0 or more, in place of those before."""
        if len(self.nodes) != 1 + len(self._charts) + len(self._series) or self._table is None:
            self.remove()  # some were deleted
            self._make()
        held = [(chart, chart.StartModify()) for chart in self._charts.values()]
        self._fill({self._axis: x, **{line.name: line.values for line in lines}})
        self._keep_series(lines)
        for chart, modified in held:
            chart.SetXAxisRange(0.0, _ROOM * float(x[-1]) if len(x) else 1.0)
            chart.Modified()  # what a view looks at
            chart.EndModify(modified)

    def remove(self) -> None:
        """Take all nodes out of the scene."""
        for node in self.nodes:
            slicer.mrmlScene.RemoveNode(node)
        self._table, self._charts, self._series = None, {}, {}

    def show(self) -> None:
        """Switch to a layout with the plot views above the slices; nothing happens where it is seen already."""
        manager = slicer.app.layoutManager()
        if manager is None or self.shown:
            return
        layouts = manager.layoutLogic().GetLayoutNode()
        known = layouts.IsLayoutDescription(_LAYOUT)
        describe = layouts.SetLayoutDescription if known else layouts.AddLayoutDescription
        describe(_LAYOUT, self._layout())
        self._before = manager.layout
        manager.setLayout(_LAYOUT)
        self._show_charts()

    def leave(self) -> None:
        """Switch back to the layout before :meth:`show`, unless the user has chosen another one meanwhile."""
        if self.shown and self._before is not None:
            slicer.app.layoutManager().setLayout(self._before)
        self._before = None

    def _make(self) -> None:
        self._table = _hidden("vtkMRMLTableNode", self._tag)
        for key, look in self._looks.items():
            chart = self._charts[key] = _hidden("vtkMRMLPlotChartNode", look.title)
            chart.SetTitle(look.title)
            chart.SetXAxisTitle(self._axis)
            chart.SetYAxisTitle(look.axis)
            chart.SetXAxisRangeAuto(False)
            for setter, size in _SIZES.items():
                getattr(chart, setter)(size)
            if look.range is not None:
                chart.SetYAxisRangeAuto(False)
                chart.SetYAxisRange(*look.range)
        self._show_charts()

    def _show_charts(self) -> None:
        for key, view in self._views().items():
            view.SetSaveWithScene(False)
            view.SetDoPropagatePlotChartSelection(False)  # a chart that another module shows is not for this view
            if key in self._charts:
                view.SetPlotChartNodeID(self._charts[key].GetID())

    def _views(self) -> dict[str, Any]:
        """The nodes of the plot views by chart; none before they were shown first."""
        tagged = {
            key: slicer.mrmlScene.GetSingletonNode(self._tag_of(key), "vtkMRMLPlotViewNode") for key in self._looks
        }
        return {key: view for key, view in tagged.items() if view is not None}

    def _fill(self, columns: Mapping[str, np.ndarray]) -> None:
        table = self._table.GetTable()
        for place in reversed(range(table.GetNumberOfColumns())):
            if table.GetColumnName(place) not in columns:
                table.RemoveColumn(place)
        for name, values in columns.items():
            column = table.GetColumnByName(name)
            if column is None:
                column = vtk.vtkDoubleArray()
                column.SetName(name)
                _write(column, values)
                table.AddColumn(column)  # those before have as many rows by now
            else:
                _write(column, values)
        table.Modified()

    def _keep_series(self, lines: Sequence[Line]) -> None:
        for name in self._series.keys() - {line.name for line in lines}:
            slicer.mrmlScene.RemoveNode(self._series.pop(name))  # the chart's reference goes with it
        for line in lines:
            series = self._series.get(line.name)
            if series is None:
                series = self._series[line.name] = self._new_series(line)
            series.SetName(line.title)
            series.SetColor(*line.color)

    def _new_series(self, line: Line) -> Any:
        series = _hidden("vtkMRMLPlotSeriesNode", line.title)
        series.SetPlotType(series.PlotTypeScatter)
        series.SetMarkerStyle(series.MarkerStyleNone)
        series.SetLineStyle(series.LineStyleDash if line.dashed else series.LineStyleSolid)
        series.SetLineWidth(_WIDTH)
        series.SetXColumnName(self._axis)
        series.SetYColumnName(line.name)
        series.SetAndObserveTableNodeID(self._table.GetID())
        self._charts[line.chart].AddAndObservePlotSeriesNodeID(series.GetID())
        return series

    def _tag_of(self, key: str) -> str:
        """The tag by which Slicer knows a plot view."""
        return f"{self._tag}.{key}"

    def _layout(self) -> str:
        """The plot views side by side, the slices below, as Slicer's layouts are written."""
        item, view = "<item>{}</item>", '<view class="{}" singletontag="{}">{}</view>'
        label = '<property name="viewlabel" action="default">{}</property>'
        look = '<property name="orientation" action="default">{}</property>{}'
        color = '<property name="viewcolor" action="default">{}</property>'
        plots = [view.format("vtkMRMLPlotViewNode", self._tag_of(key), label.format(key)) for key in self._looks]
        slices = [
            view.format("vtkMRMLSliceNode", name, look.format(plane, label.format(letter)) + color.format(shade))
            for name, (plane, letter, shade) in _SLICES.items()
        ]
        rows = [f'<layout type="horizontal">{"".join(map(item.format, row))}</layout>' for row in (plots, slices)]
        return f'<layout type="vertical" split="true">{"".join(map(item.format, rows))}</layout>'


def _hidden(kind: str, name: str) -> Any:
    node = new_node(kind, name)
    node.SetHideFromEditors(True)
    node.SetSaveWithScene(False)
    return node


def _write(column: Any, values: np.ndarray) -> None:
    column.SetNumberOfTuples(len(values))
    if len(values):
        vtk_to_numpy(column)[:] = values
    column.Modified()
