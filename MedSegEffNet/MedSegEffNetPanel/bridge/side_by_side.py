"""Volumes side by side in slice views of their own, which move together; the user's views stay as they are."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import qt
import slicer

_LAYOUT = 6880  # number of the first layout below, of two views; Slicer's own are smaller than 1000
_GROUP = 6880  # of views that are linked with each other alone
_TAG = "MedSegEffNet"  # before the part in a view's name
_SHADES = {
    "Input": (0.55, 0.55, 0.71),
    "Real": (0.43, 0.69, 0.29),
    "Made": (0.90, 0.62, 0.0),
    "Difference": (0.71, 0.43, 0.55),
}


@dataclass(frozen=True)
class View:
    """A volume node, its part (``Input``, ``Real``, ``Made`` or ``Difference``), and what its view is called."""

    part: str
    title: str
    volume: Any

    @property
    def tag(self) -> str:
        """By which Slicer knows the view."""
        return f"{_TAG}{self.part}"


class SideBySide:
    """A layout with one axial slice view a volume: two in a row, three or four in two rows."""

    def __init__(self) -> None:
        self._before: int | None = None  # the layout that was left
        self._number = 0  # of the layout that was shown last

    @property
    def shown(self) -> bool:
        """Whether that layout is the one that is seen."""
        manager = slicer.app.layoutManager()
        return manager is not None and self._number > 0 and manager.layout == self._number

    def show(self, views: Sequence[View]) -> None:
        """Show these volumes, of one grid, in the plane that the red view shows if it is among theirs."""
        manager = slicer.app.layoutManager()
        if manager is None or not views:
            return
        if not self.shown:
            self._before = manager.layout
        self._number = _LAYOUT + len(views)
        layouts = manager.layoutLogic().GetLayoutNode()
        known = layouts.IsLayoutDescription(self._number)
        describe = layouts.SetLayoutDescription if known else layouts.AddLayoutDescription
        describe(self._number, _layout(views))
        manager.setLayout(self._number)
        for view in views:
            _fill(manager.sliceWidget(view.tag), view)
        tags, place = [view.tag for view in views], _place(manager, views[0].volume)
        self._fit(tags, place)
        qt.QTimer.singleShot(0, functools.partial(self._fit, tags, place))  # when they have their size

    def leave(self) -> None:
        """Switch back to the layout before :meth:`show`, unless the user has chosen another one meanwhile."""
        if self.shown and self._before is not None:
            slicer.app.layoutManager().setLayout(self._before)
        self._before = None

    def _fit(self, tags: Sequence[str], place: list[float] | None) -> None:
        if not self.shown:
            return
        manager = slicer.app.layoutManager()
        for tag in tags:
            widget = manager.sliceWidget(tag)
            volume = slicer.mrmlScene.GetNodeByID(widget.mrmlSliceCompositeNode().GetBackgroundVolumeID() or "")
            if volume is None:
                continue
            node, logic = widget.mrmlSliceNode(), widget.sliceLogic()
            node.SetOrientation("Axial")
            node.RotateToVolumePlane(volume)
            logic.FitSliceToBackground()
            if place is not None:
                node.JumpSliceByOffsetting(*place)
            logic.SnapSliceOffsetToIJK()


def _fill(widget: Any, view: View) -> None:
    """Show the volume alone, and say of the view what the layout says only of a new one."""
    node, composite = widget.mrmlSliceNode(), widget.mrmlSliceCompositeNode()
    node.SetLayoutLabel(view.title)
    node.SetLayoutColor(*_SHADES[view.part])
    node.SetViewGroup(_GROUP)
    composite.SetBackgroundVolumeID(view.volume.GetID())
    composite.SetForegroundVolumeID(None)
    composite.SetLabelVolumeID(None)
    composite.SetLinkedControl(True)
    composite.SetHotLinkedControl(True)


def _place(manager: Any, volume: Any) -> list[float] | None:
    """A point in the plane of the red view and inside the volume; None: there is none."""
    matrix = manager.sliceWidget("Red").mrmlSliceNode().GetSliceToRAS()
    bounds = [0.0] * 6
    volume.GetRASBounds(bounds)
    middle = [(low + high) / 2 for low, high in zip(bounds[::2], bounds[1::2], strict=True)]
    normal = [matrix.GetElement(row, 2) for row in range(3)]
    apart = sum(part * (matrix.GetElement(row, 3) - middle[row]) for row, part in enumerate(normal))
    point = [start + apart * part for start, part in zip(middle, normal, strict=True)]
    inside = all(low <= at <= high for at, low, high in zip(point, bounds[::2], bounds[1::2], strict=True))
    return point if inside else None


def _layout(views: Sequence[View]) -> str:
    """As Slicer's layouts are written."""
    prop = '<property name="{}" action="default">{}</property>'
    items = []
    for view in views:
        looks = {"orientation": "Axial", "viewlabel": escape(view.title), "viewgroup": str(_GROUP)}
        told = "".join(prop.format(name, value) for name, value in looks.items())
        items.append(f'<item><view class="vtkMRMLSliceNode" singletontag="{view.tag}">{told}</view></item>')
    rows = [items] if len(items) < 3 else [items[:2], items[2:]]
    lines = "".join(f'<item><layout type="horizontal">{"".join(row)}</layout></item>' for row in rows)
    return f'<layout type="vertical">{lines}</layout>'
