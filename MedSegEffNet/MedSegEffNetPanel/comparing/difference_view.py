"""The box that shows where two label maps differ, and the buttons that lead from one difference to the next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from html import escape
from typing import Any

import numpy as np
from slicer.i18n import tr as _

from MedSegEffNetPanel import steps
from MedSegEffNetPanel.bridge.label_maps import LabelMap, label_map_of
from MedSegEffNetPanel.bridge.underlays import jump_to_voxel, remove_underlay, underlay
from MedSegEffNetPanel.comparing.differences import Differences, Key, difference_labels, differences_of
from MedSegEffNetPanel.grid import Grid
from MedSegEffNetPanel.wording import told

Pair = Callable[[], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Widgets:
    """A check box, two buttons, and a label for where one is and for the colors."""

    box: Any
    previous: Any
    next: Any
    text: Any


class DifferenceView:
    """Shows the differences of one pair of label maps at a time; they are looked for when they are asked for."""

    def __init__(self, widgets: Widgets, here: str, there: str) -> None:
        """``here``, ``there``: what the colors of the two label maps are called, such as "only in the reference"."""
        self._widgets = widgets
        self._labels = difference_labels(here, there)
        self._tips = [widget.toolTip for widget in self._buttons]
        self._pair: Any = None  # a Pair; None: there is nothing to compare
        self._grid: Any = None  # the Grid of both
        self._found: Differences | None = None
        self._map: Any = None  # a LabelMap of what was found
        self._at: Key | None = None
        self._step = 0  # to be gone when the differences are known
        self._work: Any = None
        self._node: Any = None
        widgets.box.connect("toggled(bool)", self._on_shown)
        widgets.previous.connect("clicked()", partial(self._go, -1))
        widgets.next.connect("clicked()", partial(self._go, 1))
        self.close("")

    @property
    def _buttons(self) -> tuple[Any, ...]:
        return self._widgets.box, self._widgets.previous, self._widgets.next

    @property
    def busy(self) -> bool:
        """Whether differences are being looked for or drawn."""
        return self._work is not None and not self._work.over

    def open(self, pair: Pair, grid: Grid) -> None:
        """Be ready for two label maps (K, J, I) on ``grid``, which ``pair`` gives in a thread."""
        self._forget()
        self._pair, self._grid, self._at = pair, grid, None
        for widget, tip in zip(self._buttons, self._tips, strict=True):
            widget.enabled, widget.toolTip = True, tip
        self.edited()

    def edited(self) -> None:
        """One of the label maps was changed: what is known of it is out of date."""
        self._found = None
        if self._pair is not None and self._widgets.box.checked:
            self._look()
        elif not self.busy:
            self._say("")

    def close(self, why: str) -> None:
        """There is nothing to compare; ``why`` is the tooltip of what cannot be pressed."""
        self._forget()
        self._pair = None
        for widget in self._buttons:
            widget.enabled, widget.toolTip = False, why
        was = self._widgets.box.blockSignals(True)
        self._widgets.box.checked = False
        self._widgets.box.blockSignals(was)
        self._say("")

    def _forget(self) -> None:
        if self._work is not None:
            self._work.cancel()
        self._step, self._found, self._map = 0, None, None
        self._hide()

    def _hide(self) -> None:
        node, self._node = self._node, None
        remove_underlay(node)

    def _on_shown(self, on: bool) -> None:
        if not on:
            self._hide()
            self._tell()
        elif self._found is None:
            self._look()
        else:
            self._tell()
            self._draw()

    def _go(self, step: int) -> None:
        self._step = step
        if self._found is None:
            self._look()
        else:
            self._jump()

    def _look(self) -> None:
        if self._work is not None:
            self._work.cancel()
        self._say(_("Looking for differences …"))
        work = steps.in_thread(_find, self._pair, self._grid)
        self._work = steps.run(work, done=self._on_found, failed=self._on_failed)

    def _on_found(self, found: tuple[Differences, LabelMap]) -> None:
        self._found, self._map = found
        if self._step:
            self._jump()
        else:
            self._tell()
        if self._widgets.box.checked:
            self._draw()

    def _on_failed(self, error: Exception) -> None:
        self._step = 0
        self._say(escape(told(error)))

    def _jump(self) -> None:
        found, step = self._found, self._step
        self._step = 0
        if found is not None and found.keys:
            number = found.after(self._at, step)
            self._at = found.keys[number]
            jump_to_voxel(self._grid, found.voxel(number))
        self._tell()

    def _draw(self) -> None:
        if self._work is not None:
            self._work.cancel()
        work = underlay(self._node, _("Differences"), self._map, self._labels, outline=False)
        self._work = steps.run(work, done=self._on_drawn, failed=self._on_failed)

    def _on_drawn(self, node: Any) -> None:
        self._node = node

    def _tell(self) -> None:
        found = self._found
        parts = []
        if found is not None and not found.keys:
            parts.append(escape(_("They do not differ.")))
        elif found is not None:
            parts.append(escape(self._where(found)))
        if self._widgets.box.checked:
            colors = ((f"rgb{label.color}", escape(label.name)) for label in self._labels)
            parts.append("&nbsp; ".join(f'<span style="color: {color}">■</span>&nbsp;{name}' for color, name in colors))
        self._say("<br>".join(parts))

    def _say(self, text: str) -> None:
        self._widgets.text.text = text
        self._widgets.text.visible = bool(text)

    def _where(self, found: Differences) -> str:
        count = len(found.keys)
        if self._at not in found.keys:
            return _("{count} connected differences.").format(count=count)
        number = found.keys.index(self._at)
        ml = found.size(number) * abs(np.linalg.det(self._grid.affine[:3, :3])) / 1000
        text = _("Difference {number} of {count}: {voxels} voxels, {ml:.2f} mL.")
        return text.format(number=number + 1, count=count, voxels=found.size(number), ml=ml)


def _find(pair: Pair, grid: Grid) -> tuple[Differences, LabelMap]:
    found = differences_of(*pair())
    return found, label_map_of(found.marked, grid)
