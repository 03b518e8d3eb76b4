"""Rules that every file of the project keeps."""

import ast
import re
import subprocess
import tomllib
from itertools import chain
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LIBRARY = sorted((ROOT / "MedSegEffNetLib").rglob("*.py"))
PANEL = sorted((ROOT / "MedSegEffNet").rglob("*.py"))
PRODUCT = [*LIBRARY, *PANEL]
CODE = [*PRODUCT, *sorted(ROOT.glob("*.py")), *sorted((ROOT / "Testing").rglob("*.py"))]
# Put together from halves, so that this file does not name what it looks for.
MACHINE_PATH = re.compile(
    r"(?<![\w.])/(?:" + "|".join(["wo" + "rk", "ro" + "ot", "ho" + "me", "Us" + "ers"]) + r")/[.\w]"
)


def named(path):
    return path.relative_to(ROOT).as_posix()


each_code_file = pytest.mark.parametrize("path", CODE, ids=named)
each_product_file = pytest.mark.parametrize("path", PRODUCT, ids=named)


def tree_of(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def length(node):
    return node.end_lineno - node.lineno + 1


def public_functions(body):
    """Public functions of a module, and methods of its public classes; not what is nested in functions."""
    for node in body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from public_functions(node.body)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_"):
            yield node


def project_files():
    """Names of the files that git keeps or would keep; skips where this is no git checkout."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, cwd=ROOT, capture_output=True)
    except FileNotFoundError:
        pytest.skip("git is not installed")
    if listed.returncode:
        pytest.skip("this is no git checkout")
    return [name for name in listed.stdout.decode("utf-8").split("\0") if name and (ROOT / name).is_file()]


def test_there_are_files_to_look_at():
    assert len(LIBRARY) > 40
    assert len(PANEL) > 10


@each_code_file
def test_files_and_functions_stay_small(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400
    functions = [node for node in ast.walk(tree_of(path)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    assert [node.name for node in functions if length(node) > 60] == []


@each_product_file
def test_public_functions_say_what_they_do(path):
    functions = list(public_functions(tree_of(path).body))
    # A method may be explained once, in the base class; PyTorch explains "forward".
    explained = {node.name for node in functions if ast.get_docstring(node)} | {"forward"}
    assert [node.name for node in functions if length(node) > 5 and node.name not in explained] == []


@each_product_file
def test_modules_say_what_they_are_for(path):
    assert ast.get_docstring(tree_of(path))


@each_product_file
def test_the_product_validates_without_assert(path):
    assert [node.lineno for node in ast.walk(tree_of(path)) if isinstance(node, ast.Assert)] == []


@each_code_file
def test_no_except_catches_everything(path):
    handlers = [node for node in ast.walk(tree_of(path)) if isinstance(node, ast.ExceptHandler)]
    assert [node.lineno for node in handlers if node.type is None] == []


def test_no_file_names_a_path_of_somebodys_machine():
    found = []
    for name in project_files():
        content = (ROOT / name).read_bytes()
        if b"\0" in content:
            continue
        lines = content.decode("utf-8", errors="replace").splitlines()
        found += [f"{name}:{number}" for number, line in enumerate(lines, 1) if MACHINE_PATH.search(line)]
    assert found == []


def test_the_wheel_lists_every_package():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    folders = {path.parent.relative_to(ROOT) for path in LIBRARY if path.name == "__init__.py"}
    assert set(settings["packages"]) == {".".join(folder.parts) for folder in folders} | {"MedSegEffNetLib._resources"}
    assert all((path.parent / "__init__.py").is_file() for path in LIBRARY)
    assert (ROOT / settings["package-dir"]["MedSegEffNetLib._resources"]).is_dir()


def test_what_run_py_installs_lies_within_the_published_ranges():
    from packaging.requirements import Requirement

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    pins = [
        Requirement(line)
        for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
        if "==" in line
    ]
    versions = {pin.name.lower(): str(pin.specifier).removeprefix("==") for pin in pins}
    wanted = [*project["dependencies"], *chain.from_iterable(project["optional-dependencies"].values())]
    for requirement in map(Requirement, wanted):
        assert requirement.specifier.contains(versions[requirement.name.lower()]), requirement
        assert "<" in str(requirement.specifier), f"{requirement.name} has no upper bound"
