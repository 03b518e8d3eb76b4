"""The range of two numbers of CTK: two spin boxes and the bar between them."""

from __future__ import annotations

from typing import Any

from PySide6 import QtCore, QtGui, QtWidgets

from harness.generated import behaves, generated


class _Bar(QtWidgets.QWidget):
    """Where the range lies within the limits; it is only looked at."""

    def __init__(self) -> None:
        super().__init__()
        self.setMinimumSize(40, 16)
        self.setSizePolicy(QtWidgets.QSizePolicy.Policy.Expanding, QtWidgets.QSizePolicy.Policy.Fixed)
        self.shown = (0.0, 1.0)  # parts of the width

    def paintEvent(self, event: QtGui.QPaintEvent) -> None:
        """A groove with the range in it."""
        painter = QtGui.QPainter(self)
        groove = QtCore.QRectF(0, self.height() / 2 - 3, self.width() - 1, 6)
        painter.fillRect(groove, self.palette().mid())
        low, high = (part * groove.width() for part in self.shown)
        painter.fillRect(QtCore.QRectF(low, groove.top(), max(2.0, high - low), 6), self.palette().highlight())


@behaves
class ctkRangeWidget(generated("ctkRangeWidget")):  # type: ignore[misc]
    """Two numbers within limits. They are rounded to the decimals, kept in order and within the limits, and told of."""

    _default_maximum = 99.0
    _default_singleStep = 1.0

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._limits, self._values, self._digits, self._telling = (0.0, 99.0), (0.0, 99.0), 2, True
        self._boxes = (QtWidgets.QDoubleSpinBox(), QtWidgets.QDoubleSpinBox())
        self._bar = _Bar()
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for part in (self._boxes[0], self._bar, self._boxes[1]):
            layout.addWidget(part)
        for box in self._boxes:
            box.setSizePolicy(QtWidgets.QSizePolicy.Policy.Preferred, QtWidgets.QSizePolicy.Policy.Fixed)
            box.valueChanged.connect(self._on_box)
        self._show()

    def setRange(self, low: float, high: float) -> None:
        """Other limits; the numbers are moved within them."""
        self._limits = (low, max(low, high))
        self.setValues(*self._values)

    def setValues(self, low: float, high: float) -> None:
        """Other numbers."""
        least, most = self._limits
        one, two = sorted(round(min(max(value, least), most), self._digits) for value in (low, high))
        before, self._values = self._values, (one, two)
        self._show()
        if one != before[0]:
            self.minimumValueChanged.emit(one)
        if two != before[1]:
            self.maximumValueChanged.emit(two)
        if self._values != before:
            self.valuesChanged.emit(one, two)

    def _show(self) -> None:
        least, most = self._limits
        self._telling = False
        for box, value in zip(self._boxes, self._values, strict=True):
            box.setDecimals(self._digits)
            box.setRange(least, most)
            box.setSingleStep(self.singleStep)
            box.setValue(value)
        self._telling = True
        width = (most - least) or 1.0
        self._bar.shown = ((self._values[0] - least) / width, (self._values[1] - least) / width)
        self._bar.update()

    def _on_box(self, value: float) -> None:
        if self._telling:
            self.setValues(self._boxes[0].value(), self._boxes[1].value())

    def setMinimumValue(self, value: float) -> None:
        """Another lower number."""
        self.setValues(value, max(value, self._values[1]))

    def setMaximumValue(self, value: float) -> None:
        """Another upper number."""
        self.setValues(min(value, self._values[0]), value)

    def _read_minimum(self) -> float:
        return self._limits[0]

    def _read_maximum(self) -> float:
        return self._limits[1]

    def _read_minimumValue(self) -> float:
        return self._values[0]

    def _read_maximumValue(self) -> float:
        return self._values[1]

    def _write_minimumValue(self, value: float) -> None:
        self.setMinimumValue(value)

    def _write_maximumValue(self, value: float) -> None:
        self.setMaximumValue(value)

    def _write_minimum(self, value: float) -> None:
        self.setRange(value, self._limits[1])

    def _write_maximum(self, value: float) -> None:
        self.setRange(self._limits[0], value)

    def _read_decimals(self) -> int:
        return self._digits

    def _write_decimals(self, number: int) -> None:
        self._digits = number
        self.setValues(*self._values)
