"""Makes the facts in this folder from the larger ones in ``shared/slicer``: only what the panel's tests need.

    python Testing/panel/api/make_facts.py ../shared/slicer

Versions are bits: 1 is Slicer 5.8, 2 is 5.10, 4 is 5.12. Members without bits are in every version of their class.

contract.json
    Class → ``base``, ``in``, ``properties`` (name → [type, setter, bits]), ``signals`` (name → parameter lists),
    ``methods`` (name → bits), ``enums`` (name → enumerators); what Python reaches of the classes of Slicer and CTK.
visible.json
    ``classes``: class → ``slots``, ``signals``, ``values`` that ``dir()`` shows on an object in a running Slicer 5.8.1,
    without those of QObject and QWidget, which have entries of their own; ``names``: what is in slicer, ctk and qt.
functions.json
    Module → function or class → ``in`` and ``parameters``.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

BITS = {"v5.8.1": 1, "5.10": 2, "5.12": 4, "5.12 and main": 4}
EVERY = 7
MODULES = ("slicer.util", "slicer.i18n", "slicer.packaging", "slicer.ScriptedLoadableModule")
UNUSED = ("Reader", "Writer", "Plugin", "Options", "Decorators", "ModuleFactory", "DICOM", "Workflow", "Python")


def bits(versions: list[str] | None) -> int:
    """The versions that we ask about as bits."""
    return EVERY if versions is None else sum({BITS.get(version, 0) for version in versions})


def parameters(overloads: list[dict[str, Any]]) -> list[str]:
    """Each overload's parameter types as Qt writes them in a signature."""
    return [",".join(normalized(parameter["type"]) for parameter in one["parameters"]) for one in overloads]


def normalized(kind: str) -> str:
    """``const QString&`` → ``QString``, ``vtkMRMLNode *`` → ``vtkMRMLNode*``."""
    kind = " ".join(kind.replace("*", " * ").replace("&", " & ").split())
    if kind.endswith("&"):
        kind = kind.removeprefix("const ").removesuffix("&")
    return kind.replace(" *", "*").strip()


def reduced(facts: dict[str, Any]) -> dict[str, Any]:
    """What Python reaches of one class."""
    members = {**facts.get("slots", {}), **facts.get("invokables", {})}
    entry: dict[str, Any] = {
        "base": next((base for base in facts["bases"] if not base.startswith("vtk")), "QObject"),
        "in": bits(facts["in"]),
        "properties": {
            name: [one["type"], one.get("write", ""), *([bits(one["in"])] if "in" in one else [])]
            for name, one in facts.get("properties", {}).items()
        },
        "signals": {name: parameters(one["overloads"]) for name, one in facts.get("signals", {}).items()},
        "late": {name: bits(one["in"]) for name, one in facts.get("signals", {}).items() if "in" in one},
        "methods": {name: bits(one.get("in")) for name, one in members.items()},
        "enums": {name: one["values"] for name, one in facts.get("enums", {}).items() if one.get("registered")},
    }
    return {name: value for name, value in entry.items() if value}


def contract(source: Path) -> dict[str, Any]:
    """The classes of Slicer and CTK, without those that no panel meets."""
    classes: dict[str, Any] = {}
    for name in ("ctk.json", "qmrml.json"):
        for kind, facts in read(source / name)["classes"].items():
            entry = reduced(facts)
            if not any(word in kind for word in UNUSED) and len(entry) > 2 and entry.get("in"):
                classes[kind] = entry
    return classes


def visible(source: Path) -> dict[str, Any]:
    """What live objects showed, by class."""
    seen = read(source / "pythonqt_5.8.1.json")
    live = {"QObject": seen["QObject"], "QWidget": seen["QWidget beyond QObject"]}
    for title, one in seen["classes"].items():
        kind = one["className"] or ""
        if kind.startswith(("Q", "ctk", "qMRML", "qSlicer")) and kind not in {"QLocale", "QWidget", "QObject"}:
            live.setdefault(kind, one["names"])
        if title.startswith("qt.") and title[3:] not in live and one["names"] and title != "qt.QLocale":
            live[title[3:]] = one["names"]
    names = {module: " ".join(seen[f"{module} names"]) for module in ("slicer", "ctk", "qt")}
    return {"classes": {kind: grouped(members) for kind, members in live.items()}, "names": names}


def grouped(members: dict[str, str]) -> dict[str, str]:
    """Names by what they are, as one text each."""
    groups: dict[str, list[str]] = {"slots": [], "signals": [], "values": []}
    for name, kind in sorted(members.items()):
        group = "signals" if kind == "Signal" else "slots" if kind.startswith("builtin") else "values"
        groups[group].append(name)
    return {group: " ".join(found) for group, found in groups.items() if found}


def functions(source: Path) -> dict[str, Any]:
    """The functions and classes of Slicer's Python modules."""
    found: dict[str, Any] = {}
    modules = read(source / "util.json")["modules"]
    for module in MODULES:
        for version, facts in modules[module].items():
            for name, one in {**facts["functions"], **facts["classes"]}.items():
                entry = found.setdefault(module, {}).setdefault(name, {"in": 0, "parameters": ""})
                entry["in"] |= BITS.get(version, 0)
                entry["parameters"] = " ".join(item["name"] for item in one.get("parameters", []))
    return found


def read(path: Path) -> Any:
    """A file of facts."""
    return json.loads(path.read_text(encoding="utf-8"))


def main() -> None:
    """Write the three files beside this one."""
    source = Path(sys.argv[1])
    for name, make in (("contract", contract), ("visible", visible), ("functions", functions)):
        text = json.dumps(make(source), separators=(",", ":"), sort_keys=True)
        (Path(__file__).parent / f"{name}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
