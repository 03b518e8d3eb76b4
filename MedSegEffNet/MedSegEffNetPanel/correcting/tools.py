"""The tools for the selection: what each button and key does."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

from slicer.i18n import tr as _

from MedSegEffNetLib.labelops import Selection, island_at, within_range
from MedSegEffNetPanel.bridge.cursor import Voxel, axis_across, slice_shown, view_under_mouse, voxel_under_mouse
from MedSegEffNetPanel.correcting.bench import Bench
from MedSegEffNetPanel.correcting.keys import keys_of
from MedSegEffNetPanel.correcting.slicewise import smooth_slice
from MedSegEffNetPanel.signals import Signal
from MedSegEffNetPanel.wording import tip

_BUTTONS = (
    "add", "remove", "replace", "take", "clear", "interpolate", "fill", "grow", "shrink", "smooth", "island",
    "threshold", "wand",
)  # fmt: skip


class Tools:
    """Buttons of the selection, bound to the open case.

    Attributes
    ----------
    message : emitted with a sentence for the user.
    """

    def __init__(self, ui: Any) -> None:
        self._ui = ui
        self._bench: Bench | None = None
        self._ranging = False  # the range is being set by the program
        self._keys = ""
        self.message = Signal()
        self._tips = {name: self._button(name).toolTip for name in _BUTTONS}
        for name in _BUTTONS:
            self._button(name).connect("clicked()", self.actions[name])
        ui.rangeWidget.connect("valuesChanged(double,double)", self._on_range)
        self.refresh()

    @property
    def actions(self) -> dict[str, Callable[[], object]]:
        """What the buttons and keys do, by the names of the table of keys."""
        return {**{name: getattr(self, name) for name in _BUTTONS}, "flat": self._ui.flatBox.toggle}

    def open(self, bench: Bench) -> None:
        """Work on a case."""
        self._bench = bench
        bench.changed.connect(self.refresh)
        bench.changed.connect(self._show_limits)
        bench.sandbox.changed.connect(self._on_sandbox)
        self.refresh()

    def close(self) -> None:
        """No case is open."""
        self._bench = None
        self.refresh()

    def refresh(self) -> None:
        """Enable what can be used, and say why not."""
        reason = ""
        if self._bench is None:
            reason = _("Open a case first.")
        elif self._bench.busy:
            reason = _("The last step is still being done.")
        for name in _BUTTONS:
            button = self._button(name)
            button.enabled = not reason
            button.toolTip = tip(reason) if reason else self._tip(name)
        self._ui.rangeWidget.enabled = self._bench is not None and self._bench.wand is not None

    def show_keys(self, name: str) -> None:
        """Tell the keys of the map ``name`` in the tooltips."""
        self._keys = name
        self.refresh()

    def add(self) -> None:
        """Give the selection to the label."""
        self._give("add")

    def remove(self) -> None:
        """Take the selection away from the label."""
        self._give("remove")

    def replace(self) -> None:
        """Make the label what is selected."""
        self._give("replace")

    def take(self) -> None:
        """Select what the label holds."""
        if self._bench is not None:
            self._bench.sandbox.take(self._bench.label)

    def clear(self) -> None:
        """Select nothing."""
        if self._bench is not None:
            self._bench.sandbox.clear()

    def interpolate(self) -> None:
        """Fill the slices between those that are drawn."""
        if self._bench is not None:
            self._bench.sandbox.interpolate(self._axis())

    def fill(self) -> None:
        """Fill holes."""
        if self._bench is not None:
            self._bench.sandbox.fill_holes(self._flat_axis())

    def grow(self) -> None:
        """One voxel more."""
        if self._bench is not None:
            self._bench.sandbox.grow(self._flat_axis())

    def shrink(self) -> None:
        """One voxel less."""
        if self._bench is not None:
            self._bench.sandbox.shrink(self._flat_axis())

    def smooth(self) -> None:
        """Smooth the slice that is shown, or all in space."""
        if self._bench is None:
            return
        if not self._ui.flatBox.checked:
            self._bench.sandbox.smooth()
            return
        place = slice_shown(self._bench.volume, view_under_mouse())
        if place is not None:
            self._bench.sandbox.shape(partial(smooth_slice, self._axis(), place))

    def island(self) -> None:
        """Keep the island under the mouse."""
        voxel = self._voxel(_("Point at an island of the selection in a slice, then press {key}."), "island")
        if self._bench is not None and voxel is not None:
            self._bench.sandbox.shape(partial(_island, voxel, self._flat_axis()))

    def threshold(self) -> None:
        """Keep what is selected within the range of brightness."""
        if self._bench is not None and self._bench.wand is not None:
            low, high = self._ui.rangeWidget.minimumValue, self._ui.rangeWidget.maximumValue
            self._bench.sandbox.shape(partial(_within, self._bench.wand.image, low, high))

    def wand(self) -> None:
        """Select what is as bright as the voxel under the mouse and joined to it."""
        voxel = self._voxel(_("Point at a voxel in a slice, then press {key}."), "wand")
        if self._bench is None or self._bench.wand is None or self._bench.busy or voxel is None:
            return
        wand = self._bench.wand
        labels = self._bench.session.edits.labels if self._ui.sameLabelBox.checked else None
        wand.point(voxel, axis=self._axis() if self._ui.thisSliceBox.checked else None, labels=labels)
        self._show_range(wand.low, wand.high)

    def _give(self, how: str) -> None:
        if self._bench is None:
            return
        label = self._bench.label
        if label in self._bench.locks.locked():
            name = self._bench.session.segmentation.GetSegmentation().GetSegment(label).GetName()
            self.message.emit(_("{label} is locked: unlock it in the table of labels first.").format(label=name))
        else:
            getattr(self._bench.sandbox, how)(label)

    def _axis(self) -> int:
        return axis_across(self._bench.volume, view_under_mouse()) if self._bench is not None else 0

    def _flat_axis(self) -> int | None:
        return self._axis() if self._ui.flatBox.checked else None

    def _voxel(self, otherwise: str, name: str) -> Voxel | None:
        voxel = voxel_under_mouse(self._bench.volume) if self._bench is not None else None
        self.message.emit("" if voxel is not None else otherwise.format(key=keys_of(name, self._keys)))
        return voxel

    def _on_sandbox(self, problem: str) -> None:
        if problem:
            self.message.emit(problem)
        self.refresh()

    def _on_range(self, low: float, high: float) -> None:
        if not self._ranging and self._bench is not None and self._bench.wand is not None:
            self._bench.wand.set_range(low, high)

    def _show_limits(self) -> None:
        wand = self._bench.wand if self._bench is not None else None
        widget = self._ui.rangeWidget
        if wand is None or (widget.minimum, widget.maximum) == wand.limits:
            return
        low, high = wand.limits
        self._ranging = True
        widget.decimals = min(6, max(0, 3 - math.floor(math.log10(high - low)))) if high > low else 0
        widget.setRange(low, high)
        widget.singleStep = (high - low) / 200 or 1.0
        widget.setValues(low, high)
        self._ranging = False

    def _show_range(self, low: float, high: float) -> None:
        self._ranging = True
        self._ui.rangeWidget.setValues(low, high)
        self._ranging = False

    def _button(self, name: str) -> Any:
        return getattr(self._ui, f"{name}Button")

    def _tip(self, name: str) -> str:
        keys = keys_of(name, self._keys) if self._keys else ""
        return tip(f"{self._tips[name]} ({keys})" if keys else self._tips[name])


def _within(image: Any, low: float, high: float, selection: Selection) -> Selection:
    return within_range(selection, image, low, high)


def _island(voxel: Voxel, axis: int | None, selection: Selection) -> Selection:
    return island_at(selection, voxel, axis)
