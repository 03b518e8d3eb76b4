"""The facts about Slicer's Python interface (folder ``api``): which names a class has, in which versions."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

FACTS = Path(__file__).resolve().parents[1] / "api"
VERSIONS = {"5.8": 1, "5.10": 2, "5.12": 4}
EVERY = 7
# PythonQt gives these to every object it wraps.
WRAPPER_NAMES = frozenset({"className", "connect", "delete", "disconnect", "help", "inherits", "name"})


@cache
def read(name: str) -> Any:
    """The facts in the file ``name``.json."""
    return json.loads((FACTS / f"{name}.json").read_text(encoding="utf-8"))


def has_class(kind: str) -> bool:
    """Whether Slicer or CTK has a class ``kind``."""
    return kind in read("contract")


def facts(kind: str) -> dict[str, Any]:
    """What the contract says of the class ``kind``, with empty entries for what it has none of."""
    empty: dict[str, Any] = {"base": "QObject", "in": EVERY}
    return {**empty, **{part: {} for part in PARTS}, **read("contract").get(kind, {})}


PARTS = ("properties", "signals", "late", "methods", "enums")


def lineage(kind: str) -> list[str]:
    """The class and those of the contract that it inherits from, and the first class of Qt after them."""
    found = [kind]
    while has_class(found[-1]):
        found.append(facts(found[-1])["base"])
    return found


def own_members(kind: str) -> dict[str, int]:
    """The names that the contract gives to the class itself, each with the versions that have it."""
    one = facts(kind)
    names = {name: (entry[2] if len(entry) > 2 else one["in"]) for name, entry in one["properties"].items()}
    names |= {name: one["late"].get(name, one["in"]) for name in one["signals"]}
    names |= {name: versions & one["in"] for name, versions in one["methods"].items() if name not in names}
    for enum, values in one["enums"].items():
        names |= dict.fromkeys([enum, *values], one["in"])
    return names


@cache
def live_names(kind: str) -> frozenset[str] | None:
    """The names that ``dir()`` showed on an object of the class in Slicer 5.8.1; None: none was looked at."""
    groups = read("visible")["classes"].get(kind)
    return None if groups is None else frozenset(name for names in groups.values() for name in names.split())


def base_names(is_widget: bool) -> frozenset[str]:
    """The names of every QObject, or of every QWidget."""
    names = WRAPPER_NAMES | (live_names("QObject") or frozenset())
    return names | (live_names("QWidget") or frozenset()) if is_widget else names


@cache
def visible_names(kind: str, is_widget: bool) -> frozenset[str] | None:
    """All names that Python sees on an object of a class; None: we do not know, so any that Qt has."""
    live = live_names(kind)
    if live is not None:
        return live | base_names(is_widget)
    if kind in {"QObject", "QWidget"}:
        return base_names(is_widget)
    if not has_class(kind):
        return None
    inherited = visible_names(facts(kind)["base"], is_widget)
    own = frozenset(name for name, versions in own_members(kind).items() if versions & VERSIONS["5.8"])
    return None if inherited is None else own | inherited


def signal_signatures(kind: str, name: str) -> list[str] | None:
    """The parameter lists of a signal of the class or of its bases in the contract; None: it has no such signal."""
    for one in lineage(kind):
        signatures = facts(one)["signals"].get(name) if has_class(one) else None
        if signatures is not None:
            return list(signatures)
    return None


def module_names(module: str) -> frozenset[str]:
    """What the module ``slicer``, ``ctk`` or ``qt`` holds in Slicer 5.8.1."""
    return frozenset(read("visible")["names"][module].split())


@cache
def property_names(kind: str) -> frozenset[str]:
    """The properties of a class and of what it inherits from, as far as every supported version has them."""
    names: set[str] = set()
    for one in lineage(kind):
        if has_class(one):
            mine = facts(one)
            versions = {name: entry[2] if len(entry) > 2 else mine["in"] for name, entry in mine["properties"].items()}
            names |= {name for name, bits in versions.items() if bits & VERSIONS["5.8"]}
    for one in (*lineage(kind), "QWidget", "QObject"):
        values = read("visible")["classes"].get(one, {}).get("values", "").split()
        names |= {name for name in values if name[0].islower()}
    return frozenset(names)
