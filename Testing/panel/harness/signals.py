"""Connections as PythonQt makes them: by signature or by attribute, with the arguments that the receiver takes."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from PySide6 import QtCore

from harness import contract, failures

_SIGNATURE = re.compile(r"\s*(\w+)\s*\((.*)\)\s*")
_get = QtCore.QObject.__getattribute__


@dataclass
class Connection:
    """One connection by signature, with the function that Qt calls in place of the receiver."""

    signature: str
    receiver: Callable[..., Any]
    relay: Callable[..., Any]


class BoundSignal:
    """``widget.signal`` in Python: it can be connected, disconnected and, by calling it, emitted."""

    def __init__(self, owner: QtCore.QObject, name: str) -> None:
        self._owner, self._name = owner, name

    def connect(self, receiver: Any, slot: str | None = None) -> bool:
        """Call ``receiver`` with all arguments of the signal, as far as it takes them."""
        return _connect(self._owner, self._name, self._name, None, _callable(receiver, slot))

    def disconnect(self, receiver: Any = None) -> bool:
        """Call ``receiver`` no longer; without one, all that were connected in this way."""
        return _disconnect(self._owner, self._name, receiver)

    def __call__(self, *values: Any) -> None:
        _get(self._owner, self._name).emit(*values)


def connect(owner: QtCore.QObject, signature: Any, receiver: Any, slot: Any = None, *others: Any) -> Any:
    """``owner.connect("clicked()", function)``, or with a receiver and its slot.

    Raises
    ------
    ValueError
        The object has no such signal. Slicer only prints a warning and goes on: an error is more useful in a test.
    """
    if not isinstance(signature, str):  # PySide itself looks the function up
        given = (signature, receiver, slot, *others)
        return _get(owner, "connect")(*(one for one in given if one is not None))
    name, parameters = _parse(owner, signature)
    return _connect(owner, _key(name, parameters), name, parameters, _callable(receiver, slot))


def disconnect(owner: QtCore.QObject, signature: str = "", receiver: Any = None, slot: str | None = None) -> bool:
    """Undo :func:`connect`; without a receiver all connections of the signature."""
    name, parameters = _parse(owner, signature)
    return _disconnect(owner, _key(name, parameters), receiver if slot is None else _callable(receiver, slot))


def _connections(owner: QtCore.QObject) -> list[Connection]:
    return _get(owner, "__dict__").setdefault("_connections", [])


def _connect(
    owner: QtCore.QObject, key: str, name: str, parameters: list[str] | None, receiver: Callable[..., Any]
) -> bool:
    taken = _arguments_taken(receiver)

    def relay(*values: Any) -> None:
        given = values if parameters is None else _as_declared(values, parameters)
        failures.call(receiver, *given[:taken])

    relay = _RELAYS[_parameters(owner, name)](relay)
    _get(owner, name).connect(relay)
    _connections(owner).append(Connection(key, receiver, relay))
    return True


# PySide chooses among a signal's overloads by the number of parameters that the receiver takes.
_RELAYS: list[Callable[[Callable[..., None]], Callable[..., None]]] = [
    lambda relay: lambda: relay(),
    lambda relay: lambda a: relay(a),
    lambda relay: lambda a, b: relay(a, b),
    lambda relay: lambda a, b, c: relay(a, b, c),
    lambda relay: lambda a, b, c, d: relay(a, b, c, d),
]


def _parameters(owner: QtCore.QObject, name: str) -> int:
    """The most parameters that a signal of this name has."""
    meta = _get(owner, "metaObject")()
    methods = (meta.method(number) for number in range(meta.methodCount()))
    return max((one.parameterCount() for one in methods if one.name() == name.encode()), default=0)


def _disconnect(owner: QtCore.QObject, key: str, receiver: Any) -> bool:
    found = [one for one in _connections(owner) if one.signature == key and receiver in (None, one.receiver)]
    for one in found:
        _get(owner, key.partition("(")[0]).disconnect(one.relay)
        _connections(owner).remove(one)
    return bool(found)


def _key(name: str, parameters: list[str]) -> str:
    return f"{name}({','.join(parameters)})"


def _parse(owner: QtCore.QObject, signature: str) -> tuple[str, list[str]]:
    found = _SIGNATURE.fullmatch(signature)
    kind = type(owner).__name__
    if found is None:
        raise ValueError(f"{signature!r} is no signature of a signal: write for example 'clicked()'")
    text = QtCore.QMetaObject.normalizedSignature(signature).data().decode()  # type: ignore[arg-type]
    name, _, rest = text.partition("(")
    if not _is_signal(owner, name, rest.removesuffix(")"), text):
        raise ValueError(f"{kind} has no signal {text}")
    return name, [one for one in rest.removesuffix(")").split(",") if one]


def _is_signal(owner: QtCore.QObject, name: str, parameters: str, text: str) -> bool:
    """By the contract for classes of Slicer and CTK; a signal may be named with its last parameters left out."""
    for kind in type(owner).__mro__:
        declared = contract.signal_signatures(kind.__name__, name)
        if declared is not None:
            return parameters in declared or (parameters == "" and bool(declared))
    return _get(owner, "metaObject")().indexOfSignal(text) >= 0


def _as_declared(values: tuple[Any, ...], parameters: list[str]) -> tuple[Any, ...]:
    """The overload ``currentNodeChanged(bool)`` says whether there is a node."""
    pairs = zip(values, parameters, strict=False)
    return tuple(bool(value) if kind == "bool" else value for value, kind in pairs)


def _callable(receiver: Any, slot: str | None) -> Callable[..., Any]:
    if slot is not None:
        return getattr(receiver, slot.partition("(")[0])
    if isinstance(receiver, BoundSignal):
        return receiver.__call__
    if not callable(receiver):
        raise TypeError(f"a signal can be connected to a function, not to {receiver!r}")
    return receiver


def _arguments_taken(receiver: Callable[..., Any]) -> int | None:
    """How many arguments PythonQt gives: as many as a Python function takes (defaults count); all to anything else."""
    function = receiver.__func__ if inspect.ismethod(receiver) else receiver
    if not inspect.isfunction(function) or function.__code__.co_flags & inspect.CO_VARARGS:
        return None
    return function.__code__.co_argcount - int(inspect.ismethod(receiver))
