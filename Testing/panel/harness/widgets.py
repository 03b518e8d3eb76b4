"""The widgets of CTK that the panel uses, and the loader of .ui files."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any, ClassVar

from PySide6 import QtCore, QtGui, QtUiTools, QtWidgets

from harness import contract
from harness.generated import behaves, class_of, generated

_BAR = 24  # height of a collapsible button's bar in pixels


@behaves
class ctkCollapsibleButton(generated("ctkCollapsibleButton")):  # type: ignore[misc]
    """A bar that opens and closes what is below it."""

    def __init__(self, text: Any = "", parent: Any = None) -> None:
        super().__init__(parent if isinstance(text, str) else text)
        self.setText(text if isinstance(text, str) else "")
        self.setCheckable(True)
        self.setChecked(True)
        self.setContentsMargins(4, _BAR + 2, 4, 2)
        policy = QtWidgets.QSizePolicy.Policy
        self.setSizePolicy(policy.Preferred, policy.Preferred)
        self.toggled.connect(lambda on: self.setCollapsed(not on))

    def setCollapsed(self, on: bool) -> None:
        """Close (True) or open it."""
        self._write_collapsed(on)

    def _write_collapsed(self, on: bool) -> None:
        if on != self.__dict__.get("_collapsed", False):
            self._collapsed = on
            self.setChecked(not on)
            self._show_inside()
            self.contentsCollapsed.emit(on)

    def _show_inside(self) -> None:
        opened = not self.__dict__.get("_collapsed", False)
        for child in self.children():
            if isinstance(child, QtWidgets.QWidget):
                child.setVisible(opened)
        constraint = QtWidgets.QLayout.SizeConstraint
        if self.layout() is not None:
            self.layout().setSizeConstraint(constraint.SetDefaultConstraint if opened else constraint.SetNoConstraint)
        self.setMinimumHeight(0 if opened else _BAR)
        self.setMaximumHeight(16777215 if opened else _BAR)
        self.updateGeometry()

    def childEvent(self, event: QtCore.QChildEvent) -> None:
        """A widget that is added to a closed bar is not seen."""
        child = event.child()
        if event.added() and isinstance(child, QtWidgets.QWidget) and self.__dict__.get("_collapsed", False):
            child.setVisible(False)
        super().childEvent(event)

    def showEvent(self, event: QtGui.QShowEvent) -> None:
        """Children that were hidden by the bar stay so."""
        self._show_inside()
        super().showEvent(event)

    def sizeHint(self) -> QtCore.QSize:
        """The bar, and what is inside when it is open."""
        size = QtCore.QSize(120, _BAR)
        if self.layout() is not None and not self.__dict__.get("_collapsed", False):
            size = size.expandedTo(self.layout().totalSizeHint())
        return size

    def minimumSizeHint(self) -> QtCore.QSize:
        """As small as its contents can be."""
        size = QtCore.QSize(60, _BAR)
        if self.layout() is not None and not self.__dict__.get("_collapsed", False):
            size = size.expandedTo(self.layout().totalMinimumSize())
        return size

    def hitButton(self, place: QtCore.QPoint) -> bool:
        """Only the bar can be clicked."""
        return place.y() < _BAR

    def paintEvent(self, event: QtGui.QPaintEvent) -> None:
        """The bar with an arrow, and a frame around what is inside."""
        painter = QtWidgets.QStylePainter(self)
        option = QtWidgets.QStyleOptionButton()
        option.initFrom(self)
        option.rect = QtCore.QRect(0, 0, self.width(), _BAR)
        painter.drawControl(QtWidgets.QStyle.ControlElement.CE_PushButton, option)
        arrow = "▸ " if self.__dict__.get("_collapsed", False) else "▾ "
        painter.drawText(option.rect.adjusted(8, 0, 0, 0), QtCore.Qt.AlignmentFlag.AlignVCenter, arrow + self.text())


class _ArrowStyle(QtWidgets.QProxyStyle):
    """Draws an arrow in place of the box that is checked."""

    def drawPrimitive(self, element: Any, option: Any, painter: Any, widget: Any = None) -> None:
        """The arrow points down when the box is open."""
        primitive = QtWidgets.QStyle.PrimitiveElement
        if element == primitive.PE_IndicatorCheckBox:
            opened = option.state & QtWidgets.QStyle.StateFlag.State_On
            element = primitive.PE_IndicatorArrowDown if opened else primitive.PE_IndicatorArrowRight
        super().drawPrimitive(element, option, painter, widget)


@behaves
class ctkCollapsibleGroupBox(generated("ctkCollapsibleGroupBox")):  # type: ignore[misc]
    """A group box whose title opens and closes it; a checked box is open."""

    def __init__(self, title: Any = "", parent: Any = None) -> None:
        super().__init__(parent if isinstance(title, str) else title)
        self.setTitle(title if isinstance(title, str) else "")
        self.setCheckable(True)
        self.setChecked(True)
        self._style = _ArrowStyle()
        self.setStyle(self._style)
        self.toggled.connect(lambda on: self._show_inside())

    def _read_collapsed(self) -> bool:
        return not self.isChecked()

    def _write_collapsed(self, on: bool) -> None:
        self.setChecked(not on)

    def setCollapsed(self, on: bool) -> None:
        """Close (True) or open it."""
        self.setChecked(not on)

    def _show_inside(self) -> None:
        for child in self.children():
            if isinstance(child, QtWidgets.QWidget):
                child.setVisible(self.isChecked())
        self.setMaximumHeight(16777215 if self.isChecked() else self.fontMetrics().height() + 8)
        self.updateGeometry()

    def childEvent(self, event: QtCore.QChildEvent) -> None:
        """A widget that is added to a closed box is not seen."""
        child = event.child()
        if event.added() and isinstance(child, QtWidgets.QWidget) and not self.isChecked():
            child.setVisible(False)
        super().childEvent(event)

    def showEvent(self, event: QtGui.QShowEvent) -> None:
        """Children that were hidden by the box stay so."""
        self._show_inside()
        super().showEvent(event)

    def sizeHint(self) -> QtCore.QSize:
        """The title alone when it is closed."""
        size = super().sizeHint()
        return size if self.isChecked() else QtCore.QSize(size.width(), self.fontMetrics().height() + 8)

    def minimumSizeHint(self) -> QtCore.QSize:
        """The title alone when it is closed."""
        size = super().minimumSizeHint()
        return size if self.isChecked() else QtCore.QSize(size.width(), self.fontMetrics().height() + 8)


@behaves
class ctkPathLineEdit(generated("ctkPathLineEdit")):  # type: ignore[misc]
    """A line for a path, with a button that opens a file dialog."""

    _default_showBrowseButton = True

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._box = QtWidgets.QComboBox(self)
        self._box.setEditable(True)
        self._button = QtWidgets.QToolButton(self)
        self._button.setText("...")
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._box, 1)
        layout.addWidget(self._button)
        self._box.editTextChanged.connect(self.currentPathChanged.emit)

    def _read_currentPath(self) -> str:
        return self._box.currentText()

    def _write_currentPath(self, path: str) -> None:
        self._box.setEditText(path)

    def setCurrentPath(self, path: str) -> None:
        """Show ``path``."""
        self._box.setEditText(path)

    def comboBox(self) -> QtWidgets.QComboBox:
        """The line itself."""
        return self._box


class QUiLoader(QtUiTools.QUiLoader):
    """Loads a .ui file, and connects what it connects with signals that carry a node or the scene."""

    _registered: ClassVar[set[str]] = set()

    def load(self, device: QtCore.QFile, parent: Any = None) -> QtWidgets.QWidget:
        """The widget in a file.

        Raises
        ------
        AttributeError
            The file sets a property that a class of Slicer or CTK does not have; Slicer would ignore it.
        """
        root = ET.parse(device.fileName()).getroot()
        device.close()
        check_properties(root)
        self._register({widget.get("class", "") for widget in root.iter("widget")})
        ours = [one for one in root.iter("connection") if "vtk" in one.findtext("signal", "")]
        for part in root.iter("connections"):
            for connection in ours:
                part.remove(connection)
        buffer = QtCore.QBuffer()
        buffer.setData(ET.tostring(root, encoding="utf-8"))
        widget = super().load(buffer, parent)
        named = {child.objectName(): child for child in widget.findChildren(QtCore.QObject)}
        named[widget.objectName()] = widget
        for connection in ours:
            sender, signal, receiver, slot = (
                connection.findtext(part, "") for part in ("sender", "signal", "receiver", "slot")
            )
            source = getattr(named[sender], signal.partition("(")[0])
            source.connect(getattr(named[receiver], slot.partition("(")[0]))
        return widget

    def _register(self, kinds: set[str]) -> None:
        for kind in sorted(kinds - self._registered):
            if contract.has_class(kind):
                self.registerCustomWidget(class_of(kind))
                self._registered.add(kind)


def check_properties(root: ET.Element) -> None:
    """Each property that a .ui file gives a class of Slicer or CTK must be one that it has."""
    for widget in root.iter("widget"):
        kind = widget.get("class", "")
        if not contract.has_class(kind):
            continue
        known = contract.property_names(kind)
        for declared in widget.findall("property"):
            name = declared.get("name", "")
            if declared.get("stdset") != "0" and name not in known:
                raise AttributeError(f"{kind} {widget.get('name')!r} has no property {name!r}")
