"""The Slicer extension: built and installed by real CMake against a small stand-in for Slicer's package; its metadata."""

import ast
import json
import re
import shutil
import struct
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULE = ROOT / "MedSegEffNet"
ICONS = MODULE / "Resources" / "Icons"
SHIPPED_CODE = sorted([*MODULE.rglob("*.py"), *(ROOT / "MedSegEffNetLib").rglob("*.py"), ROOT / "run.py"])
OLDEST_PYTHON = (3, 11)
# Where a Slicer of today has its scripted modules, below the folder of an extension.
MODULES = Path("lib/Slicer-5.10/qt-scripted-modules")
# Windows allows 260 characters; a user with a name of 20 has 146 of them before the files in qt-scripted-modules.
LONGEST_PATH = 100

# The macros take the parameters of the real ones and refuse what they refuse.
SLICER_CONFIG = """
set(Slicer_USE_FILE "${CMAKE_CURRENT_LIST_DIR}/UseSlicer.cmake")
set(Slicer_EXTENSION_GENERATE_CONFIG "${CMAKE_CURRENT_LIST_DIR}/GenerateConfig.cmake")
set(Slicer_EXTENSION_CPACK "${CMAKE_CURRENT_LIST_DIR}/CPack.cmake")
set(Slicer_QTSCRIPTEDMODULES_LIB_DIR "@MODULES@")
set(Slicer_INSTALL_QTSCRIPTEDMODULES_LIB_DIR "./@MODULES@")
"""
USE_SLICER = """
include(CTest)

function(ctkMacroCompilePythonScript)
  cmake_parse_arguments(MY "NO_INSTALL_SUBDIR;GLOBAL_TARGET"
    "TARGET_NAME;SOURCE_DIR;DESTINATION_DIR;INSTALL_DIR" "SCRIPTS;RESOURCES" ${ARGN})
  if(MY_UNPARSED_ARGUMENTS OR NOT MY_TARGET_NAME OR NOT MY_SCRIPTS OR NOT MY_DESTINATION_DIR OR NOT MY_INSTALL_DIR)
    message(FATAL_ERROR "ctkMacroCompilePythonScript: wrong arguments: ${ARGN}")
  endif()
  set(copied)
  foreach(file IN LISTS MY_SCRIPTS MY_RESOURCES)
    set(source "${CMAKE_CURRENT_SOURCE_DIR}/${file}")
    if(NOT EXISTS "${source}")
      message(FATAL_ERROR "ctkMacroCompilePythonScript: there is no ${source}")
    endif()
    add_custom_command(OUTPUT "${MY_DESTINATION_DIR}/${file}" DEPENDS "${source}"
      COMMAND ${CMAKE_COMMAND} -E copy "${source}" "${MY_DESTINATION_DIR}/${file}" VERBATIM)
    list(APPEND copied "${MY_DESTINATION_DIR}/${file}")
  endforeach()
  add_custom_target(Copy${MY_TARGET_NAME}PythonFiles ALL DEPENDS ${copied})
  if(NOT MY_NO_INSTALL_SUBDIR)
    get_filename_component(subdir "${MY_DESTINATION_DIR}" NAME)
    string(APPEND MY_INSTALL_DIR "/${subdir}")
  endif()
  foreach(file IN LISTS MY_SCRIPTS MY_RESOURCES) # the real macro installs all of the folder, whoever filled it
    get_filename_component(folder "${file}" DIRECTORY)
    install(FILES "${MY_DESTINATION_DIR}/${file}" DESTINATION "${MY_INSTALL_DIR}/${folder}" COMPONENT RuntimeLibraries)
  endforeach()
endfunction()

function(slicerMacroBuildScriptedModule)
  cmake_parse_arguments(MY "WITH_GENERIC_TESTS;WITH_SUBDIR;VERBOSE" "NAME" "SCRIPTS;RESOURCES" ${ARGN})
  if(MY_UNPARSED_ARGUMENTS OR NOT MY_NAME)
    message(FATAL_ERROR "slicerMacroBuildScriptedModule: wrong arguments: ${ARGN}")
  endif()
  ctkMacroCompilePythonScript(TARGET_NAME ${MY_NAME} SCRIPTS "${MY_SCRIPTS}" RESOURCES "${MY_RESOURCES}"
    DESTINATION_DIR "${CMAKE_BINARY_DIR}/${Slicer_QTSCRIPTEDMODULES_LIB_DIR}"
    INSTALL_DIR "${Slicer_INSTALL_QTSCRIPTEDMODULES_LIB_DIR}" NO_INSTALL_SUBDIR)
endfunction()

function(slicer_add_python_unittest)
  cmake_parse_arguments(MY "" "TESTNAME_PREFIX;SCRIPT" "SLICER_ARGS" ${ARGN})
  get_filename_component(name "${MY_SCRIPT}" NAME_WE)
  add_test(NAME "py_${MY_TESTNAME_PREFIX}${name}" COMMAND Slicer --python-script "${MY_SCRIPT}")
endfunction()
"""
# Slicer writes the description of the extension from the same variables.
CPACK = """
set(described "")
foreach(name HOMEPAGE CATEGORY CONTRIBUTORS DESCRIPTION ICONURL SCREENSHOTURLS DEPENDS KEYWORDS README_FILE LICENSE_FILE)
  string(APPEND described "${name}\\t${EXTENSION_${name}}\\n")
endforeach()
file(WRITE "${CMAKE_BINARY_DIR}/description.txt" "${described}")
"""


def run(*command, cwd):
    done = subprocess.run([str(word) for word in command], cwd=cwd, capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def files_below(folder):
    """What the folder holds, without Python's caches."""
    paths = (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(folder).as_posix() for path in paths}


def set_lines():
    """The ``set(EXTENSION_NAME "value")`` lines of the top-level CMakeLists.txt, read as the Extensions Index reads."""
    text = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
    return dict(re.findall(r'set\s*\(EXTENSION_(\w+)\s*"([^"]+)"[ ]*\)', text))


@pytest.fixture(scope="module")
def catalogue():
    """The entry for the Extensions Index."""
    return json.loads((ROOT / "MedSegEffNet.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    """A folder in which the extension was configured and built."""
    if shutil.which("cmake") is None:
        pytest.skip("CMake is not installed: the extension cannot be built here")
    if not any(shutil.which(name) for name in ("cc", "gcc", "clang", "cl")):
        pytest.skip("there is no C compiler: Slicer's packages, and so project(), ask for one")
    slicer, folder = tmp_path_factory.mktemp("slicer"), tmp_path_factory.mktemp("build")
    (slicer / "SlicerConfig.cmake").write_text(SLICER_CONFIG.replace("@MODULES@", MODULES.as_posix()), encoding="utf-8")
    (slicer / "UseSlicer.cmake").write_text(USE_SLICER, encoding="utf-8")
    (slicer / "GenerateConfig.cmake").touch()
    (slicer / "CPack.cmake").write_text(CPACK, encoding="utf-8")
    run("cmake", "-S", ROOT, "-B", folder, f"-DSlicer_DIR={slicer}", "-DCMAKE_BUILD_TYPE=Release", cwd=folder)
    run("cmake", "--build", folder, "--config", "Release", cwd=folder)
    return folder


@pytest.fixture(scope="module")
def installed(build, tmp_path_factory):
    """The folder of the scripted modules in the installed extension."""
    prefix = tmp_path_factory.mktemp("installed")
    run("cmake", "--install", build, "--config", "Release", "--prefix", prefix, cwd=build)
    return prefix / MODULES


def expected_files():
    """What belongs into the folder of the scripted modules."""
    module = {path.relative_to(MODULE).as_posix() for path in MODULE.rglob("*.py")}
    module |= {f"Resources/{name}" for name in files_below(MODULE / "Resources")}
    library = {path.relative_to(ROOT).as_posix() for path in (ROOT / "MedSegEffNetLib").rglob("*.py")}
    resources = {f"MedSegEffNetLib/_resources/{name}" for name in files_below(ROOT / "Resources")}
    assert len(library) > 40
    assert resources
    return module | library | resources


def test_all_of_module_library_and_models_is_installed_and_nothing_else(installed):
    assert files_below(installed) == expected_files() | {"MedSegEffNetLib/LICENSE.txt"}


def test_the_built_tree_can_be_used_without_installing(build):
    assert files_below(build / MODULES) == expected_files()


def test_installed_models_are_whole(installed):
    folder = ROOT / "Resources"
    copies = installed / "MedSegEffNetLib" / "_resources"
    assert [name for name in files_below(folder) if (folder / name).read_bytes() != (copies / name).read_bytes()] == []


def test_slicer_finds_one_module_in_the_installed_folder(installed):
    assert [path.name for path in installed.glob("*.py")] == ["MedSegEffNet.py"]


def test_the_installed_library_finds_its_models(installed):
    code = "from MedSegEffNetLib.models import registry as r; print(r.__file__, *(m.name for m in r.list_models()))"
    used, *names = run(sys.executable, "-c", code, cwd=installed).split()
    assert Path(used).is_relative_to(installed.resolve())
    assert set(names) == {path.name for path in (ROOT / "Resources" / "Models").iterdir() if path.is_dir()}


def test_installed_paths_are_short_enough_for_windows(installed):
    assert [name for name in sorted(files_below(installed)) if len(name) > LONGEST_PATH] == []


def test_the_self_test_is_registered(build):
    assert "py_MedSegEffNet\n" in run("ctest", "-N", "-C", "Release", cwd=build).replace("\r", "")


def test_the_description_is_complete_and_in_plain_lines(build):
    lines = (build / "description.txt").read_text(encoding="utf-8").splitlines()
    described = dict(line.split("\t") for line in lines)
    assert [name for name, value in described.items() if not value or ";" in value] == []
    assert Path(described["README_FILE"]).samefile(ROOT / "README.md")
    assert Path(described["LICENSE_FILE"]).samefile(ROOT / "LICENSE.txt")
    assert {name: described[name] for name in set_lines() if not name.endswith("_FILE")} == {
        name: value for name, value in set_lines().items() if not name.endswith("_FILE")
    }


def test_the_catalogue_entry_keeps_to_the_schema_of_slicer(catalogue):
    # The keys and kinds of slicer-extension-catalog-entry-schema 1.0.1, the newest that Slicer 5.10 has.
    kinds = {
        "$schema": str,
        "category": str,
        "scm_url": str,
        "scm_revision": str,
        "scm_type": str,
        "build_dependencies": list,
        "build_subdirectory": str,
        "enabled": bool,
        "tier": int,
    }
    assert {"$schema", "category", "scm_url"} <= set(catalogue) <= set(kinds)
    assert [key for key, value in catalogue.items() if type(value) is not kinds[key]] == []
    assert catalogue["$schema"].endswith("/Schemas/slicer-extension-catalog-entry-schema-v1.0.1.json#")
    assert 1 <= catalogue["tier"] <= 5
    assert b"\r" not in (ROOT / "MedSegEffNet.json").read_bytes()


def test_the_repository_is_named_as_the_index_asks(catalogue):
    parts = urlsplit(catalogue["scm_url"])
    assert parts.scheme == "https"
    assert parts.path.rsplit("/", 1)[1] == "SlicerMedSegEffNet"


def test_catalogue_and_cmake_agree(catalogue):
    lines = set_lines()
    assert "project(MedSegEffNet)" in (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
    assert lines["CATEGORY"] == catalogue["category"]
    assert lines["HOMEPAGE"] == catalogue["scm_url"]
    assert (lines["DEPENDS"] == "NA") == (catalogue["build_dependencies"] == [])


def test_pictures_of_the_catalogue_are_files_of_the_repository(catalogue):
    owner_and_name = urlsplit(catalogue["scm_url"]).path
    raw = f"https://raw.githubusercontent.com{owner_and_name}/{catalogue['scm_revision']}/"
    lines = set_lines()
    screenshots = lines["SCREENSHOTURLS"].split()
    assert screenshots
    for url in [lines["ICONURL"], *screenshots]:
        assert url.startswith(raw)
        assert (ROOT / url.removeprefix(raw)).is_file(), url
    assert ROOT / lines["ICONURL"].removeprefix(raw) == ICONS / "MedSegEffNet.png"


def test_the_icon_is_a_png_of_128_pixels_with_transparency():
    content = (ICONS / "MedSegEffNet.png").read_bytes()
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    width, height, bits, color = struct.unpack(">IIBB", content[16:26])
    assert (width, height, bits) == (128, 128, 8)
    assert color in (4, 6)  # gray or color, with an alpha channel
    image = pytest.importorskip("PIL.Image").open(ICONS / "MedSegEffNet.png")
    assert image.getchannel("A").getextrema() == (0, 255)


def test_the_icon_is_drawn_with_what_qt_can_draw():
    # Slicer prefers the SVG, and Qt draws SVG Tiny 1.2: no filters, masks, style sheets, pictures or texts in fonts.
    text = (ICONS / "MedSegEffNet.svg").read_text(encoding="utf-8")
    assert set(re.findall(r"<([a-z]\w*)", text)) <= {"svg", "title", "g", "path", "circle", "ellipse", "rect"}
    assert "style=" not in text


def test_the_license_lies_at_the_root():
    assert "Apache License" in (ROOT / "LICENSE.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", SHIPPED_CODE, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_code_is_written_for_the_oldest_python(path):
    ast.parse(path.read_text(encoding="utf-8"), feature_version=OLDEST_PYTHON)
