"""The rules of the architecture, read from the imports."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LIBRARY = ROOT / "MedSegEffNetLib"
FILES = sorted(LIBRARY.rglob("*.py"))
NEVER = {"slicer", "qt", "ctk", "vtk", "PythonQt", "mrml", "PySide6", "PyQt5"}
HEAVY = {"torch", "monai", "openvino", "nibabel", "efficientnet_pytorch", "scipy"}
# What each part may import of the others; parts not named here are the bottom (image, task, errors, atomic, geometry).
BOTTOM = {"errors", "task", "tasks", "atomic", "image", "formats", "geometry", "resources", "job"}
NUMERIC = {"networks", "preprocessing", "losses", "metrics", "augmentation", "postprocessing"}
ALLOWED = {
    **dict.fromkeys(BOTTOM, BOTTOM),
    "networks": BOTTOM | {"networks"},
    **dict.fromkeys(NUMERIC - {"networks"}, BOTTOM | NUMERIC),
    "models": BOTTOM | {"models", "networks"},
    "dataset": BOTTOM | {"dataset"},
    "reporting": BOTTOM | {"reporting", "metrics"},
    "report": BOTTOM | {"reporting"},
    "synthetic": BOTTOM | {"synthetic"},
    "terminal": BOTTOM,
    "inference": BOTTOM | NUMERIC | {"inference", "models"},
    "evaluation": BOTTOM | NUMERIC | {"inference", "models", "dataset", "report", "reporting", "terminal"},
    "training": BOTTOM | NUMERIC | {"training", "models", "dataset", "inference"},
}


def imported_modules(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def part_of(path):
    relative = path.relative_to(LIBRARY).parts
    return relative[0].removesuffix(".py")


def test_there_are_files_to_look_at():
    assert len(FILES) > 40


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(LIBRARY).as_posix())
def test_the_library_knows_nothing_of_slicer_qt_and_vtk(path):
    assert not {name.split(".")[0] for name in imported_modules(path)} & NEVER


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(LIBRARY).as_posix())
def test_imports_run_in_one_direction(path):
    part = part_of(path)
    if part in ("commands", "__init__", "__main__"):
        return
    names = {name.split(".")[1] for name in imported_modules(path) if name.startswith("MedSegEffNetLib.")}
    names -= {"__version__"}
    assert names <= ALLOWED[part], f"{part} imports {sorted(names - ALLOWED[part])}"


@pytest.mark.parametrize(
    "code",
    [
        "import MedSegEffNetLib",
        "from MedSegEffNetLib.task import list_tasks; assert list_tasks()",
        "from MedSegEffNetLib.models.registry import list_models; list_models()",
        "from MedSegEffNetLib.networks import list_networks; assert list_networks()",
        "from MedSegEffNetLib.job import Job",
    ],
)
def test_lists_are_made_without_heavy_packages(code):
    check = f"{code}\nimport sys\nprint(sorted({HEAVY!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["segment", "--help"], ["train", "--help"]])
def test_help_loads_not_even_numpy(words):
    check = (
        "import sys\nfrom MedSegEffNetLib.__main__ import main\n"
        f"try:\n    main({words!r})\nexcept SystemExit as end:\n    assert end.code == 0\n"
        f"print(sorted({HEAVY | {'numpy', 'SimpleITK', 'PIL'}!r} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip().splitlines()[-1] == "[]"
