"""PySide6 behaving as PythonQt towards the panel and the tests; the harness itself uses PySide6 as it is.

Objects of Qt get other attributes depending on who asks: code of the harness sees PySide6, everybody else sees
properties as values, only names that exist in Slicer, and no new attributes on objects of C++.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache, partial
from typing import Any

from PySide6 import QtCore, QtGui, QtNetwork, QtUiTools, QtWidgets

from harness import contract, signals

MODULES = (QtCore, QtGui, QtWidgets, QtNetwork, QtUiTools)
_INSIDE = ("harness", "PySide6", "shiboken6", "shibokensupport")
_get = QtCore.QObject.__getattribute__
_object = QtCore.QObject
_getters: dict[type, Callable[[Any, str], Any]] = {}


def install() -> None:
    """Patch the classes of PySide6; they stay so until the interpreter ends."""
    if _object.__getattribute__ is _getattribute:
        return
    for kind in _qobject_classes():
        if "__getattribute__" in vars(kind):  # those with a method that is static as well, and QObject
            _getters[kind] = kind.__getattribute__
            kind.__getattribute__ = _getattribute
        if "__setattr__" in vars(kind):
            kind.__setattr__ = _setattr
    _object.__getattribute__ = _getattribute
    values = _value_classes()
    _getters.update({kind: kind.__getattribute__ for kind in values})  # all before the first is replaced
    for kind in values:
        kind.__getattribute__ = _getattribute_of_value
    QtCore.QByteArray.__bytes__ = _no_bytes


def _qobject_classes() -> list[Any]:
    found = [getattr(module, name) for module in MODULES for name in dir(module)]
    return [kind for kind in found if isinstance(kind, type) and issubclass(kind, _object)]


def _value_classes() -> list[Any]:
    """Those that are no QObjects and of which we know what Python sees: QColor, QUrl, QTableWidgetItem and others."""
    known = [(name, getattr(module, name)) for module in MODULES for name in dir(module) if contract.live_names(name)]
    return [kind for _name, kind in known if isinstance(kind, type) and not issubclass(kind, _object)]


def _getattribute_of_value(self: Any, name: str) -> Any:
    kind = type(self)
    getter = next(_getters[base] for base in kind.__mro__ if base in _getters)
    names = contract.live_names(kind.__name__)
    if names and name not in names and not name.startswith("_") and _asked_from_outside(2):
        raise AttributeError(f"{kind.__name__} has no attribute named '{name}'")
    return getter(self, name)


def _no_bytes(array: QtCore.QByteArray) -> bytes:
    if _asked_from_outside(2):
        raise TypeError("cannot convert 'QByteArray' object to bytes: use data()")
    return array.data()


def _asked_from_outside(depth: int) -> bool:
    return not sys._getframe(depth).f_globals.get("__name__", "").startswith(_INSIDE)


def is_inside(kind: type) -> bool:
    """Whether a class is of PySide6 or of the harness, so that it stands for one of C++."""
    return kind.__module__.startswith(_INSIDE)


@cache
def _wrapped(kind: type) -> type:
    """The class of C++ that a class stands for: itself, or the first base that no user wrote."""
    return next(base for base in kind.__mro__ if is_inside(base))


@cache
def _properties(kind: type) -> frozenset[str]:
    meta = _wrapped(kind).staticMetaObject  # type: ignore[attr-defined]
    return frozenset(meta.property(number).name() for number in range(meta.propertyCount()))


@cache
def _visible(kind: type) -> frozenset[str] | None:
    """The names of the class that it stands for; helper classes of the harness show those of their base."""
    for base in _wrapped(kind).__mro__:
        if contract.live_names(base.__name__) is not None or contract.has_class(base.__name__):
            return contract.visible_names(base.__name__, issubclass(kind, QtWidgets.QWidget))
        if base.__module__.startswith("PySide6"):
            break
    return None


def _written_by_user(target: Any, name: str) -> bool:
    classes = (kind for kind in type(target).__mro__ if not is_inside(kind) and kind is not object)
    own = _get(target, "__dict__")
    kept = name in own and not isinstance(own[name], QtCore.SignalInstance)  # PySide keeps signals there
    return kept or any(name in vars(kind) for kind in classes)


def _delete(target: QtCore.QObject) -> Callable[[], None]:
    return _get(target, "deleteLater")


def _inherits(target: QtCore.QObject) -> Callable[[str], bool]:
    return _get(target, "inherits")


_WRAPPER: dict[str, Callable[[Any], Any]] = {
    "connect": lambda target: partial(signals.connect, target),
    "disconnect": lambda target: partial(signals.disconnect, target),
    "className": lambda target: lambda: _get(target, "metaObject")().className(),
    "delete": _delete,
    "inherits": _inherits,
    "name": lambda target: _get(target, "objectName")(),
}


def _raw(target: Any, name: str) -> Any:
    """The attribute as PySide gives it."""
    getter = next((_getters[kind] for kind in type(target).__mro__ if kind in _getters), _get)
    return getter(target, name)


def _getattribute(self: Any, name: str) -> Any:
    if name.startswith("_") or not _asked_from_outside(2) or _written_by_user(self, name):
        return _raw(self, name)
    kind = type(self)
    visible = _visible(kind)
    if visible is None or name in visible:
        if name in _properties(kind):
            value = _get(self, "property")(name)
            return tuple(value) if isinstance(value, list) else value
        if name in _WRAPPER:
            return _WRAPPER[name](self)
        value = _member(self, name)
        if value is not None:
            return value
    if name not in sys._getframe(1).f_code.co_names:
        return _raw(self, name)  # not asked by the code: C++ looks for an override of a virtual function
    return _by_name(self, name)


def _member(target: Any, name: str) -> Any:
    """A method, a signal or an enumerator; None: there is none."""
    try:
        value = _raw(target, name)
    except AttributeError:
        value = getattr(type(target), name, None)  # enumerators are found on the class
    return signals.BoundSignal(target, name) if isinstance(value, QtCore.SignalInstance) else value


def _by_name(target: Any, name: str) -> Any:
    """A dynamic property or a child of this name."""
    if name in _dynamic_properties(target):
        return _get(target, "property")(name)
    for child in _get(target, "children")():
        if child.objectName() == name:
            return child
    raise AttributeError(f"{type(target).__name__} has no attribute named '{name}'")


def _dynamic_properties(target: Any) -> list[str]:
    return [name.data().decode() for name in _get(target, "dynamicPropertyNames")()]


def _keep(target: Any, name: str, value: Any) -> None:
    """An attribute of Python: set by its descriptor if the class has one."""
    descriptor = next((vars(kind)[name] for kind in type(target).__mro__ if name in vars(kind)), None)
    if isinstance(descriptor, QtCore.Property):
        descriptor.fset(target, value)
    elif hasattr(type(descriptor), "__set__"):
        type(descriptor).__set__(descriptor, target, value)
    else:
        _get(target, "__dict__")[name] = value


def _setattr(self: Any, name: str, value: Any) -> None:
    kind = type(self)
    if name.startswith("_") or not _asked_from_outside(2):
        _keep(self, name, value)
    elif name == "name" and not _written_by_user(self, name):
        _get(self, "setObjectName")(value)
    elif name in _properties(kind) and not _written_by_user(self, name):
        _set_property(self, name, value)
    elif name in _dynamic_properties(self):
        _get(self, "setProperty")(name, value)
    elif is_inside(kind):
        raise AttributeError(
            f"'{name}' does not exist on {kind.__name__} and creating new attributes on C++ objects is not allowed"
        )
    else:
        _keep(self, name, value)


def _set_property(target: Any, name: str, value: Any) -> None:
    kind = type(target).__name__
    visible = _visible(type(target))
    if visible is not None and name not in visible:
        raise AttributeError(f"'{name}' does not exist on {kind} in every supported Slicer")
    meta = _get(target, "metaObject")()
    declared = meta.property(meta.indexOfProperty(name))
    if not declared.isWritable():
        raise AttributeError(f"Property '{name}' of {kind} object is not writable")
    value = list(value) if isinstance(value, tuple | set) else value
    if not _get(target, "setProperty")(name, value):
        given = type(value).__name__
        raise AttributeError(f"Property '{name}' of type '{declared.typeName()}' does not accept a {given}: {value!r}")
