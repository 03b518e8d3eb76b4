"""Classes of Slicer and CTK made from the contract: signals, properties that keep their value, methods that do nothing.

A class with behavior derives from ``generated(NAME)``, is registered with :func:`behaves`, and may define
``_read_PROPERTY`` and ``_write_PROPERTY``; its other methods replace those made here.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, Flag
from typing import Any

from PySide6 import QtCore, QtGui, QtWidgets
from PySide6.QtCore import Property, Signal

from harness import contract

_DEFAULTS: dict[str, tuple[Any, Any]] = {
    "bool": (bool, False),
    "int": (int, 0),
    "double": (float, 0.0),
    "float": (float, 0.0),
    "QString": (str, ""),
    "QStringList": ("QStringList", []),
}
_behavior: dict[str, Any] = {}
_made: dict[str, Any] = {}


def behaves(kind: Any) -> Any:
    """Register a class that does more than keeping values."""
    _behavior[kind.__name__] = kind
    return kind


def class_of(name: str) -> Any:
    """The class to make objects of: of the harness, generated, or of Qt."""
    if name in _behavior:
        return _behavior[name]
    return generated(name) if contract.has_class(name) else _qt_class(name)


def all_classes() -> dict[str, Any]:
    """Every class of the contract; those with behavior first, as others may inherit from them."""
    return {name: class_of(name) for name in contract.read("contract")} | _behavior


def generated(name: str) -> Any:
    """The class ``name`` without behavior of its own."""
    if name not in _made:
        facts = contract.facts(name)
        base = class_of(facts["base"].partition("<")[0])
        members: dict[str, Any] = {"__module__": __name__, "__doc__": f"{name}, made from the contract."}
        for enum, values in facts["enums"].items():
            members |= _enumerators(enum, values)
        for signal, signatures in facts["signals"].items():
            members[signal] = Signal(*[object] * _number_of_arguments(signatures[0]))
        for method in facts["methods"]:
            members.setdefault(method, _method_without_effect(method))
        for title, (kind, setter, *_versions) in facts["properties"].items():
            members[title] = _property(title, kind, bool(setter), f"{title}Changed" in facts["signals"])
            if (setter and setter not in members) or setter in facts["methods"]:
                members[setter] = _setter(title)
        _made[name] = type(name, (base,), members)
    return _made[name]


def _qt_class(name: str) -> Any:
    for module in (QtWidgets, QtGui, QtCore):
        if hasattr(module, name):
            return getattr(module, name)
    return QtCore.QObject


def _enumerators(enum: str, values: list[str]) -> dict[str, Any]:
    """The enum and its values as attributes of the class; flags can be joined with ``|``."""
    if not values:
        return {}
    plural = enum.endswith(("Filter", "Option", "Flag", "Role", "Column", "Type"))
    kind: Any = Flag(enum, values) if plural else Enum(enum, values)
    return {enum: kind, **{value: kind[value] for value in values}}


def _number_of_arguments(signature: str) -> int:
    return signature.count(",") + 1 if signature else 0


def _method_without_effect(name: str) -> Callable[..., None]:
    def method(self: Any, *values: Any) -> None:
        self.__dict__.setdefault("_calls", []).append((name, values))

    method.__name__ = name
    return method


def _setter(title: str) -> Callable[[Any, Any], None]:
    def setter(self: Any, value: Any) -> None:
        self.setProperty(title, value)

    return setter


def _property(title: str, kind: str, writable: bool, tells: bool) -> Any:
    type_, default = _DEFAULTS.get(kind, ("QVariant", None))

    def read(self: Any) -> Any:
        own = getattr(type(self), f"_read_{title}", None)
        return own(self) if own else self.__dict__.get(f"_{title}", getattr(type(self), f"_default_{title}", default))

    def write(self: Any, value: Any) -> None:
        own = getattr(type(self), f"_write_{title}", None)
        if own:
            own(self, value)
        elif value != read(self):
            self.__dict__[f"_{title}"] = value
            if tells:
                getattr(self, f"{title}Changed").emit(value)

    return Property(type_, read, write) if writable else Property(type_, read)
