"""The rules of the architecture, read from the imports."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LIBRARY = ROOT / "MedSegEffNetLib"
FILES = sorted(LIBRARY.rglob("*.py"))
SLICER = {"slicer", "qt", "ctk", "vtk", "vtkmodules", "mrml", "PythonQt", "PySide2", "PySide6", "PyQt5", "PyQt6"}
HEAVY = {"torch", "monai", "openvino", "efficientnet_pytorch", "nibabel", "scipy", "matplotlib", "pandas"}
# The only files whose first lines may import torch, monai or openvino: those that are about nothing else.
HEAVY_PARTS = {"networks", "training", "losses", "augmentation"}
HEAVY_FILES = {"inference/torch_engine.py", "inference/openvino_engine.py"}
LIGHT_IN_HEAVY_PARTS = {"networks/__init__.py", "training/__init__.py", "training/config.py"}

GROUND = {"__version__", "errors", "task", "tasks", "image", "formats", "geometry", "atomic", "resources"}
NUMERIC = {"networks", "preprocessing", "clahe", "intensities", "losses", "metrics", "augmentation", "postprocessing"}
# What each part (a file or a folder of the library) may import of the others.
ALLOWED = {
    "__init__": set(),
    "errors": set(),
    "resources": set(),
    "priority": set(),
    "atomic": {"errors"},
    "task": {"errors", "tasks"},
    "tasks": {"errors", "task"},
    "networks": {"errors", "geometry"},
    "geometry": GROUND,
    "image": GROUND,
    "formats": GROUND,
    "terminal": GROUND,
    "processes": set(),
    "job": GROUND | {"processes"},
    "labelops": set(),
    "measures": GROUND,
    "dataset": GROUND | {"labelops", "metrics", "postprocessing", "processes"},
    "synthetic": GROUND,
    "reporting": GROUND | {"measures", "metrics", "terminal"},
    "report": GROUND | {"reporting"},
    "comparison": GROUND | {"metrics"},
    **dict.fromkeys(NUMERIC - {"networks"}, GROUND | NUMERIC),
    "models": GROUND | {"networks", "job"},
    "inference": GROUND | NUMERIC | {"job", "measures", "report", "models"},
    "training": GROUND
    | NUMERIC
    | {"job", "report", "reporting", "models", "dataset", "inference", "synthesis", "synthetic"},
    "synthesis": GROUND | NUMERIC | {"dataset", "inference", "job", "models", "report", "reporting", "terminal"},
    "diagnosis": {"inference"},
    "evaluation": GROUND | NUMERIC | {"job", "measures", "report", "models", "dataset", "inference", "terminal"},
    "serving": GROUND | {"inference", "models", "preprocessing"},
    "model_comparison": GROUND
    | {"comparison", "dataset", "evaluation", "inference", "job", "metrics", "models", "report"},
}
TOP = {"commands", "__main__"}  # these may import everything

each_file = pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(LIBRARY).as_posix())


def imported_modules(nodes):
    """Full names of what the nodes import; ``from a import b`` may mean ``a`` or ``a.b``, so it gives both."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def tree_of(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def packages(names):
    return {name.split(".")[0] for name in names}


def part_of(path):
    return path.relative_to(LIBRARY).parts[0].removesuffix(".py")


def loaded_by(code):
    """The heavy and the base packages that a fresh Python has loaded after the code (which may end with SystemExit)."""
    watched = HEAVY | {"numpy", "SimpleITK", "PIL"}
    lines = [
        "import sys",
        "try:",
        f"    {code}",
        "except SystemExit as end:",
        "    if end.code: raise",
        f"print(*sorted({watched!r} & set(sys.modules)))",
    ]
    command = [sys.executable, "-c", "\n".join(lines)]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines()[-1].split())


def running(*words):
    """Code that does what ``python -m MedSegEffNetLib words`` does."""
    argv = ["medsegeffnet", *words]
    return f"import runpy; sys.argv = {argv!r}; runpy.run_module('MedSegEffNetLib', run_name='__main__')"


def test_there_are_files_to_look_at():
    assert len(FILES) > 40


@each_file
def test_the_library_knows_nothing_of_slicer_qt_and_vtk(path):
    assert packages(imported_modules(ast.walk(tree_of(path)))) & SLICER == set()


@each_file
def test_imports_within_the_library_are_absolute(path):
    assert [node.lineno for node in ast.walk(tree_of(path)) if isinstance(node, ast.ImportFrom) and node.level] == []


@each_file
def test_imports_run_in_one_direction(path):
    part = part_of(path)
    if part in TOP:
        return
    assert part in ALLOWED, f"say in this test what the new part '{part}' may import"
    names = imported_modules(ast.walk(tree_of(path)))
    parts = {name.split(".")[1] for name in names if name.startswith("MedSegEffNetLib.")}
    assert parts - {part} - ALLOWED[part] == set()


@each_file
def test_heavy_packages_are_imported_where_they_are_used(path):
    name = path.relative_to(LIBRARY).as_posix()
    if name in HEAVY_FILES or (part_of(path) in HEAVY_PARTS and name not in LIGHT_IN_HEAVY_PARTS):
        return
    assert packages(imported_modules(tree_of(path).body)) & HEAVY == set()


def test_importing_the_library_loads_nothing():
    assert loaded_by("import MedSegEffNetLib") == set()


@pytest.mark.parametrize(
    "words",
    ["--help", "--version", "segment --help", "train --help", "evaluate --help", "doctor --help", "dataset --help"],
)
def test_help_loads_not_even_numpy(words):
    assert loaded_by(running(*words.split())) == set()


@pytest.mark.parametrize("words", ["tasks", "models list"])
def test_lists_are_printed_without_heavy_packages(words):
    assert loaded_by(running(*words.split())) & HEAVY == set()


@pytest.mark.parametrize(
    "code",
    [
        "from MedSegEffNetLib.task import list_tasks; list_tasks()['tumor-slices']",
        "from MedSegEffNetLib.networks import list_networks; list_networks().index('unet_2d')",
        "from MedSegEffNetLib.models.registry import list_models; list_models()",
        "import MedSegEffNetLib.job, MedSegEffNetLib.image, MedSegEffNetLib.preprocessing, MedSegEffNetLib.metrics",
        "import MedSegEffNetLib.report, MedSegEffNetLib.postprocessing, MedSegEffNetLib.inference.predict",
        "import MedSegEffNetLib.evaluation, MedSegEffNetLib.dataset.readers",
        "from MedSegEffNetLib.dataset import checks, importing, raters, snapshots, splits, store, upkeep",
    ],
)
def test_what_needs_no_network_loads_no_heavy_package(code):
    assert loaded_by(code) & HEAVY == set()
