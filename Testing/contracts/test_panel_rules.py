"""The rules of the panel, read from its files."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULE = ROOT / "MedSegEffNet"
PANEL = MODULE / "MedSegEffNetPanel"
FILES = sorted(MODULE.rglob("*.py"))
# What the panel may know of the library; none of it loads torch, openvino or monai, as the last test shows.
ALLOWED = {
    "__version__",
    "atomic",
    "comparison",
    "dataset.author",
    "dataset.channels",
    "dataset.exporters",
    "dataset.importing",
    "dataset.index",
    "dataset.journal",
    "dataset.labels",
    "dataset.leaks",
    "dataset.locks",
    "dataset.readers",
    "dataset.records",
    "dataset.selections",
    "dataset.series_names",
    "dataset.snapshots",
    "dataset.splits",
    "dataset.store",
    "errors",
    "formats",
    "geometry",
    "image",
    "job",
    "labelops",
    "metrics",
    "models.bundle",
    "models.comparisons",
    "models.promotion",
    "models.registry",
    "models.sources",
    "models.transfer",
    "models.versions",
    "processes",
    "resources",
    "task",
    "tasks",
    "training.config",
}
HEAVY = {"torch", "monai", "openvino", "scipy", "pandas", "matplotlib", "nibabel"}

each_file = pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(MODULE).as_posix())


def tree_of(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(path):
    """Full names of the modules that a file imports anywhere."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module == "MedSegEffNetLib":
            yield from (f"MedSegEffNetLib.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def calls(path, name):
    """Lines of a file that call something by this name."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == name:
            yield node.lineno


def test_there_are_files_to_look_at():
    assert len(FILES) > 10


def test_every_section_is_found_by_itself():
    files = {path.stem for path in (PANEL / "sections").glob("*.py")} - {"__init__"}
    assert {"segment", "models", "environment"} <= files
    for name in files:
        classes = [
            node.name for node in tree_of(PANEL / "sections" / f"{name}.py").body if isinstance(node, ast.ClassDef)
        ]
        assert "PanelSection" in classes, f"sections/{name}.py has no class PanelSection"


def test_every_section_has_its_layout_file():
    for path in (PANEL / "sections").glob("[!_]*.py"):
        named = [
            node.value.value
            for node in ast.walk(tree_of(path))
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "layout_file"
        ]
        assert len(named) == 1
        assert (MODULE / "Resources" / "UI" / named[0]).is_file()


@each_file
def test_the_panel_knows_only_the_light_parts_of_the_library(path):
    names = {name.removeprefix("MedSegEffNetLib.") for name in imported(path) if name.startswith("MedSegEffNetLib.")}
    assert {name for name in names if name not in ALLOWED and name.rpartition(".")[0] not in ALLOWED} == set()


@each_file
def test_the_panel_imports_nothing_heavy(path):
    assert {name.split(".")[0] for name in imported(path)} & HEAVY == set()


@each_file
def test_nothing_waits_for_a_process_on_the_window_s_thread(path):
    waits = [line for name in ("waitForFinished", "waitForStarted", "waitForReadyRead") for line in calls(path, name)]
    assert waits == []


@each_file
def test_handlers_are_short(path):
    handlers = [
        node for node in ast.walk(tree_of(path)) if isinstance(node, ast.FunctionDef) and node.name.startswith("_on_")
    ]
    assert [node.name for node in handlers if node.end_lineno - node.lineno >= 18] == []


def test_only_the_environment_installs():
    others = [path for path in FILES if path.stem != "environment" and "installing" not in path.parts]
    assert [path.name for path in others if '"pip"' in path.read_text(encoding="utf-8")] == []


def test_what_the_panel_takes_from_the_library_loads_nothing_heavy():
    modules = sorted(ALLOWED - {"__version__"})
    lines = [f"import importlib; importlib.import_module('MedSegEffNetLib.{name}')" for name in modules]
    code = "\n".join([*lines, "import sys", f"print(*sorted({HEAVY!r} & set(sys.modules)))"])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []
