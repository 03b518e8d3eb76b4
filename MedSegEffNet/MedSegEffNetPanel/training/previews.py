"""Pictures of fixed validation cases, which get better from epoch to epoch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import qt
from slicer.i18n import tr as _

from MedSegEffNetPanel.curating.looks import narrow

Pictures = Mapping[tuple[str, str], Mapping[int, tuple[str, float | None]]]
"""By case and network, then by epoch: path in the run's folder, and the case's Dice."""


class Picture(qt.QObject):
    """A picture file in a label, as wide as the label is; keep this object as long as the label."""

    def __init__(self, label: Any) -> None:
        qt.QObject.__init__(self)
        self._label, self._pixels, self._width = label, qt.QPixmap(), 0
        label.installEventFilter(self)

    def show(self, path: Path | None) -> bool:
        """Show a file; False: it cannot be read. None: no picture."""
        self._pixels = qt.QPixmap(str(path)) if path is not None else qt.QPixmap()
        self._fit()
        return not self._pixels.isNull()

    def eventFilter(self, watched: Any, event: Any) -> bool:
        """Qt's way to look at the events of another object: False lets an event pass."""
        if event.type() == qt.QEvent.Resize and watched.width != self._width:
            self._fit()
        return False

    def _fit(self) -> None:
        self._width = self._label.width
        self._label.visible = not self._pixels.isNull()
        if not self._pixels.isNull():
            shown = self._pixels.scaledToWidth(max(1, self._width), qt.Qt.SmoothTransformation)
            self._label.setPixmap(shown)
            self._label.setFixedHeight(shown.height())


class PreviewView:
    """A case, a slider over its epochs, and the picture: the image, the truth, what the network says.

    The slider stays at the newest epoch until it is moved back.
    """

    def __init__(self, ui: Any) -> None:
        self._ui = ui
        self._folder = Path()
        self._pictures: Pictures = {}
        self._epochs: list[int] = []  # of the case that is shown
        self._picture = Picture(ui.previewPicture)
        narrow(ui.previewCase)
        ui.previewCase.connect("currentIndexChanged(int)", self._on_case)
        ui.previewSlider.connect("valueChanged(int)", self._on_slider)
        self.show(Path(), {})

    def show(self, folder: Path, pictures: Pictures) -> None:
        """Show the pictures of the run in ``folder``."""
        other, self._folder, self._pictures = folder != self._folder, folder, pictures
        box = self._ui.previewCase
        if other or box.count != len(pictures):
            chosen, was = box.currentText, box.blockSignals(True)
            box.clear()
            for case, network in pictures:
                box.addItem(f"{case} ({network})" if network else case)
            box.setCurrentIndex(max(0, box.findText(chosen)))
            box.blockSignals(was)
            self._epochs = []
        self._ui.previewFrame.visible = bool(pictures)
        self._ui.previewCase.visible = len(pictures) > 1
        self._take_epochs()

    def _take_epochs(self) -> None:
        """Let the slider have the epochs that there are."""
        keys, slider = list(self._pictures), self._ui.previewSlider
        of_case = self._pictures[keys[self._ui.previewCase.currentIndex]] if keys else {}
        before, newest = self._epochs, slider.value >= len(self._epochs) - 1
        self._epochs = sorted(of_case)
        if self._epochs == before and before:
            return
        was = slider.blockSignals(True)
        slider.maximum = max(0, len(self._epochs) - 1)
        slider.value = slider.maximum if newest else slider.value
        slider.blockSignals(was)
        self._on_slider(slider.value)

    def _on_case(self, place: int) -> None:
        self._take_epochs()
        self._on_slider(self._ui.previewSlider.value)

    def _on_slider(self, place: int) -> None:
        """Read the picture of an epoch; they are small."""
        keys = list(self._pictures)
        if not keys or place >= len(self._epochs):
            self._picture.show(None)
            return
        key, epoch = keys[self._ui.previewCase.currentIndex], self._epochs[place]
        path, dice = self._pictures[key][epoch]
        told = _("{case}, epoch {epoch}").format(case=key[0], epoch=epoch)
        if dice is not None:
            told += _(": Dice {dice:.3f}").format(dice=dice)
        if not self._picture.show(self._folder / path):
            told += _(" (the picture is not there)")
        self._ui.previewText.text = told
