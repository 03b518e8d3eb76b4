"""Every name of Slicer, CTK and Qt in the panel's code and layout files exists in Slicer 5.8, 5.10 and 5.12.

Read from the files alone: neither Slicer nor Qt is needed. The facts are in Testing/panel/api.
"""

import ast
import re
import sys
import xml.etree.ElementTree as ET
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "Testing" / "panel"))

from harness import contract  # noqa: E402

MODULE = ROOT / "MedSegEffNet"
FILES = sorted(MODULE.rglob("*.py"))
LAYOUTS = sorted(MODULE.rglob("*.ui"))
FUNCTIONS = ("slicer.util", "slicer.i18n", "slicer.packaging", "slicer.ScriptedLoadableModule")

each_file = pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(MODULE).as_posix())
each_layout = pytest.mark.parametrize("path", LAYOUTS, ids=lambda path: path.name)


def is_widget(kind):
    return not kind.startswith(("QTimer", "QProcess", "QSettings", "qSlicerApplication"))


def lacking(kind, name):
    """The versions in which Python does not see ``name`` on an object of a class."""
    visible = contract.visible_names(kind, is_widget(kind))
    if visible is None or name == "__init__":
        return []
    missing = [] if name in visible else ["5.8"]
    for one in contract.lineage(kind):
        if contract.has_class(one) and name in contract.own_members(one):
            bits = contract.own_members(one)[name]
            missing += [version for version, bit in contract.VERSIONS.items() if not bits & bit and version != "5.8"]
    return missing


def has_signal(kind, signature):
    """Whether the class has the signal; of classes of Qt only its name is known."""
    name, _, rest = signature.replace(" ", "").partition("(")
    declared = contract.signal_signatures(kind, name)
    if declared is not None:
        return rest.removesuffix(")") in ["", *declared]
    signals = contract.read("visible")["classes"].get(kind, {}).get("signals")
    return signals is None or name in signals.split()


@cache
def widgets():
    """The classes of the named widgets of all layout files."""
    found = {}
    for path in LAYOUTS:
        for widget in ET.parse(path).getroot().iter("widget"):
            found.setdefault(widget.get("name"), set()).add(widget.get("class"))
        for layout in ET.parse(path).getroot().iter("layout"):
            found.setdefault(layout.get("name"), set()).add(layout.get("class"))
    return found


def dotted(node):
    """``a.b.c`` as a text; empty for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        inner = dotted(node.value)
        return f"{inner}.{node.attr}" if inner else ""
    return ""


def kinds_of(node, known):
    """The classes that an expression can be: a widget of a layout file, a new object, or a variable with one."""
    if isinstance(node, ast.Call):
        module, _, name = dotted(node.func).partition(".")
        return {name} if module in {"qt", "ctk", "slicer"} and name.startswith(("Q", "ctk", "qMRML")) else set()
    words = dotted(node).split(".")
    if words[0] == "self":
        words = words[1:]
    if len(words) == 2 and words[0] in {"ui", "_ui"}:
        return widgets().get(words[1], {"?"})
    return known.get(words[0], set()) if len(words) == 1 else set()


def uses(path):
    """(line, class, attribute, node) for each attribute of an object of Slicer, CTK or Qt whose class is clear."""
    for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(function, ast.FunctionDef):
            continue
        known = {}
        for node in ast.walk(function):
            if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
                known.setdefault(node.targets[0].id, set()).update(kinds_of(node.value, known))
        for node in ast.walk(function):
            if isinstance(node, ast.Attribute):
                for kind in kinds_of(node.value, known):
                    yield node.lineno, kind, node.attr


def connections(path):
    """(line, class, signature) for each connection of such an object by signature."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        is_call = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "connect"
        if is_call and node.args and isinstance(node.args[0], ast.Constant):
            for kind in kinds_of(node.func.value, {}):
                yield node.lineno, kind, node.args[0].value


def test_there_are_files_to_look_at():
    assert len(FILES) > 20
    assert len(LAYOUTS) >= 3
    assert sum(len(list(uses(path))) for path in FILES) > 100
    assert sum(len(list(connections(path))) for path in FILES) > 10


@each_file
def test_modules_have_the_names_that_are_used(path):
    wrong = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Attribute):
            continue
        module, *names = dotted(node).split(".")
        if module not in {"qt", "ctk", "slicer"} or not names:
            continue
        if names[0] not in contract.module_names(module):
            wrong.append((node.lineno, f"{module}.{names[0]}"))
        elif names[0] == "app" and len(names) > 1:
            wrong += [(node.lineno, names[1])] * bool(lacking("qSlicerApplication", names[1]))
        elif module in {"qt", "ctk"} and len(names) == 2:
            wrong += [(node.lineno, ".".join(names))] * bool(lacking(*names))
    assert wrong == []


@each_file
def test_functions_of_slicer_exist_and_take_what_they_are_given(path):
    wrong = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module in FUNCTIONS:
            known = contract.read("functions")[node.module]
            wrong += [alias.name for alias in node.names if known.get(alias.name, {"in": 0})["in"] != contract.EVERY]
        if isinstance(node, ast.Call):
            module, _, name = dotted(node.func).rpartition(".")
            if module in FUNCTIONS and not fits(contract.read("functions")[module].get(name), node):
                wrong.append((node.lineno, ast.unparse(node)))
    assert wrong == []


def fits(function, call):
    """Whether a function of every version takes the arguments of a call."""
    if function is None or function["in"] != contract.EVERY:
        return False
    names = function["parameters"].split()
    given = [keyword.arg for keyword in call.keywords]
    return len(call.args) <= len(names) and ("kwargs" in names or set(given) <= set(names))


@each_file
def test_widgets_have_the_attributes_that_are_used(path):
    assert [use for use in uses(path) if use[1] == "?" or lacking(*use[1:])] == []


@each_file
def test_widgets_have_the_signals_that_are_connected(path):
    assert [one for one in connections(path) if not has_signal(*one[1:])] == []


@each_layout
def test_layout_files_use_classes_and_properties_that_exist(path):
    wrong = []
    for widget in ET.parse(path).getroot().iter("widget"):
        kind, name = widget.get("class"), widget.get("name")
        if not class_exists(kind):
            wrong.append((name, kind))
        known = contract.property_names(kind)
        for one in widget.findall("property"):
            if one.get("stdset") != "0" and one.get("name") not in known:
                wrong.append((name, kind, one.get("name")))
    assert wrong == []


def class_exists(kind):
    """Whether every version has the class."""
    if contract.has_class(kind):
        return contract.facts(kind)["in"] == contract.EVERY
    return kind in contract.module_names("qt")


@each_layout
def test_layout_files_connect_signals_that_exist(path):
    root = ET.parse(path).getroot()
    kinds = {widget.get("name"): widget.get("class") for widget in root.iter("widget")}
    for connection in root.iter("connection"):
        assert has_signal(kinds[connection.findtext("sender")], connection.findtext("signal"))
        assert not lacking(kinds[connection.findtext("receiver")], connection.findtext("slot").partition("(")[0])


@each_layout
def test_layout_files_name_enumerators_that_exist(path):
    for value in re.findall(r"<(?:enum|set)>([^<]+)<", path.read_text(encoding="utf-8")):
        for one in value.split("|"):
            kind, _, name = one.rpartition("::")
            live = contract.live_names(kind)
            assert live is None or name in live, one


def test_names_that_slicer_lacks_are_noticed():
    assert lacking("qMRMLNodeComboBox", "setNodeTypes") == ["5.8"]
    assert lacking("QLabel", "textt") == ["5.8"]
    assert not lacking("qMRMLNodeComboBox", "nodeTypes")
    assert not has_signal("qMRMLNodeComboBox", "currentNodeChanged(QString)")
    assert has_signal("qMRMLNodeComboBox", "currentNodeChanged(vtkMRMLNode*)")
    call = ast.parse("slicer.util.loadVolume(a, shown=True)").body[0].value
    assert not fits(contract.read("functions")["slicer.util"]["loadVolume"], call)
