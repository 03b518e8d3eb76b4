#!/usr/bin/env python3
"""Sets everything up in ``.venv`` and runs it: ``python3 run.py demo``, ``python3 run.py test`` or ``… offline-kit``.

Standard library only. What is installed stands in ``pyproject.toml``, in the versions of ``constraints.txt``.
"""

from __future__ import annotations

import argparse
import hashlib
import http.client
import json
import os
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

OLDEST_PYTHON = (3, 11)
ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
STAMP = VENV / "installed.json"
CONSTRAINTS = ROOT / "constraints.txt"
TORCH_CPU_INDEX = "https://download.pytorch.org/whl/cpu"
LIGHT = frozenset({"cpu"})
FULL = frozenset({"cpu", "train", "test", "panel"})
SIZES = {
    LIGHT: "about 130 MB to download, 550 MB on disk, without torch",
    FULL: "about 2.3 GB on disk, with torch for the CPU and Slicer's MRML for the panel's tests",
}
CHECKS = (["ruff", "check", "."], ["ruff", "format", "--check", "."], ["mypy"])
# What the panel's tests draw with: library that is looked for, Debian's package that has it.
DRAWING = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libEGL_mesa.so.0": "libegl-mesa0",
    "dri/swrast_dri.so": "libgl1-mesa-dri",
    "libX11.so.6": "libx11-6",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libdbus-1.so.3": "libdbus-1-3",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libfontconfig.so.1": "libfontconfig1",
}
FONTS = "fonts-dejavu-core"
NETWORK_HINT = (
    "What to do: check the network (or pip's proxy or mirror) and the disk's free space, then run this again."
)


class SetupError(Exception):
    """Something that the user must mend; the text says what and how."""


def main(words: list[str] | None = None) -> int:
    """Parse the command line, set up, run; returns the exit code."""
    arguments, rest = make_parser().parse_known_args(words)
    try:
        check_python(sys.version_info[:2])
        if arguments.command == "test":
            return run_tests(arguments.slow, [word for word in rest if word != "--"])
        if arguments.command == "offline-kit":
            return run_offline_kit(rest)
        if rest:
            raise SetupError(f"demo does not know {' '.join(rest)}. What to do: see python3 run.py demo --help")
        return run_demo(arguments.output)
    except SetupError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted; run the same command again to go on.", file=sys.stderr)
        return 130


def make_parser() -> argparse.ArgumentParser:
    """The command line of this file."""
    parser = argparse.ArgumentParser(description="Set up MedSegEffNet in .venv and run its demo or its tests.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="demo|test|offline-kit")
    demo = commands.add_parser("demo", help="segment a sample patient; installs no torch")
    demo.add_argument("--output", default="demo-output", metavar="FOLDER", help="where to write (default: demo-output)")
    test = commands.add_parser(
        "test",
        help="run ruff, mypy and pytest",
        usage="%(prog)s [-h] [--slow] [PYTEST_ARGUMENT ...]",
        description="Run ruff, mypy and pytest. Further arguments are handed on to pytest.",
    )
    test.add_argument("--slow", action="store_true", help="run the slow tests too")
    commands.add_parser(
        "offline-kit",
        add_help=False,  # its own help says more
        help="make a folder of packages for a Slicer without internet; see offline-kit --help",
    )
    return parser


def check_python(version: tuple[int, ...]) -> None:
    """Refuse a Python that is too old."""
    if version < OLDEST_PYTHON:
        needed = ".".join(map(str, OLDEST_PYTHON))
        found = ".".join(map(str, version))
        raise SetupError(
            f"This is Python {found} ({sys.executable}); {needed} or newer is needed.\n"
            f"What to do: install a newer Python and start this with it, for example: python{needed} run.py demo"
        )


def run_demo(output: str) -> int:
    """Segment the sample patient; a real one if research data lie beside the checkout."""
    prepare(LIGHT)
    command = [str(PYTHON), "-m", "MedSegEffNetLib", "demo", "--output", output]
    data = ROOT.parent / "shared" / "data" / "lgg"
    if data.is_dir():
        command += ["--data", str(data)]
    return subprocess.run(command, env=environment()).returncode


def run_tests(slow: bool, pytest_arguments: list[str]) -> int:
    """Ruff, mypy and pytest; all run, and the first failure decides the exit code."""
    prepare(FULL)
    prepare_drawing()
    selection = ["-m", ""] if slow else []  # pyproject.toml leaves the slow tests out
    codes = []
    for command in (*CHECKS, ["pytest", *selection, *pytest_arguments]):
        print(f"== {' '.join(command)}", flush=True)
        codes.append(subprocess.run([str(PYTHON), "-m", *command], cwd=ROOT, env=environment()).returncode)
        if codes[-1] and command in CHECKS:
            print(f"FAILED: {' '.join(command)}", flush=True)
    return next((code for code in codes if code), 0)


def run_offline_kit(words: list[str]) -> int:
    """Make a folder of wheels; it needs no more than a pip."""
    if not _works("pip"):
        make_venv()
    command = [str(PYTHON), "-m", "MedSegEffNetPanel.installing.offline_kit", *words]
    search = os.pathsep.join(map(str, (ROOT, ROOT / "MedSegEffNet")))
    return subprocess.run(command, env={**environment(), "PYTHONPATH": search}).returncode


def environment() -> dict[str, str]:
    """The variables for a program in ``.venv``: nothing from another Python or from Qt; idle threads sleep."""
    foreign = ("PYTHONPATH", "PYTHONHOME", "QT_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return {**kept, "OMP_WAIT_POLICY": "PASSIVE", "PYTHONUTF8": "1"}


def prepare(extras: frozenset[str]) -> None:
    """Make ``.venv`` with the package and ``extras``, unless it is there already and whole.

    The stamp is written last, so an interrupted installation is gone on with at the next call.
    """
    if is_ready(extras):
        return
    if not _works("pip"):
        make_venv()
    STAMP.unlink(missing_ok=True)
    print(f"Installing into .venv ({SIZES[extras]}); this is done once ...", flush=True)
    if "train" in extras:
        install_torch()
    pip("install", "-c", str(CONSTRAINTS), "-e", f"{ROOT}[{','.join(sorted(extras))}]")
    STAMP.write_text(json.dumps({"extras": sorted(extras), "fingerprint": fingerprint()}), encoding="utf-8")


def prepare_drawing() -> None:
    """What Qt and VTK need on a Linux without a screen: installed by root on Debian and Ubuntu, named to others.

    Without it the tests of the panel, or of its pictures, are skipped.
    """
    missing = missing_packages() if sys.platform == "linux" else []
    if not missing:
        return
    command = ["apt-get", "install", "--yes", "--quiet", "--no-install-recommends", *missing]
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        print(f"For the tests of the panel, this would be needed: sudo {' '.join(command)}", flush=True)
        return
    print(f"Installing Debian's packages {', '.join(missing)} ...", flush=True)
    unasked = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for one in (["apt-get", "update", "--quiet"], command):
        if subprocess.run(one, stdout=subprocess.DEVNULL, env=unasked).returncode:
            print(f"{' '.join(one)} failed; it says why above. Tests that draw are skipped.", flush=True)
            return


def missing_packages() -> list[str]:
    """Debian's packages whose libraries or fonts are not there."""
    folders = [Path(folder) for folder in ("/usr/lib", "/usr/lib64", *map(str, Path("/usr/lib").glob("*-linux-gnu")))]
    missing = [package for name, package in DRAWING.items() if not any((one / name).exists() for one in folders)]
    fonts = Path("/usr/share/fonts")
    return missing if any(fonts.rglob("*.ttf")) else [*missing, FONTS]


def is_ready(extras: frozenset[str]) -> bool:
    """Whether ``.venv`` was set up from the present files, with these extras or more, and still works."""
    try:
        stamp = json.loads(STAMP.read_text(encoding="utf-8"))
        fits = extras <= set(stamp["extras"]) and stamp["fingerprint"] == fingerprint()
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return fits and _works("MedSegEffNetLib", "numpy", "openvino", *(("torch", "pytest") if "test" in extras else ()))


def fingerprint() -> str:
    """Changes with what is to be installed and with the place of the checkout."""
    text = (ROOT / "pyproject.toml").read_bytes() + CONSTRAINTS.read_bytes() + str(ROOT).encode()
    return hashlib.sha256(text).hexdigest()


def make_venv() -> None:
    """An empty virtual environment in place of a missing or broken one."""
    print("Making the virtual environment .venv ...", flush=True)
    shutil.rmtree(VENV, ignore_errors=True)
    if subprocess.run([sys.executable, "-m", "venv", str(VENV)]).returncode:
        raise SetupError(
            f"Python's own module venv could not make {VENV}; it says why above.\n"
            "What to do: see that the folder can be written; on Debian and Ubuntu, install the package python3-venv."
        )


def install_torch() -> None:
    """torch as a CPU build where there is no NVIDIA GPU: never several GB by surprise."""
    version = pinned("torch")
    requirement = f"torch=={version}"
    if installed_version("torch") == version:
        return
    if sys.platform != "linux":  # the default build is for the CPU (Windows) or for Apple's GPU too (macOS)
        pip("install", requirement)
    elif has_nvidia_gpu():
        print("An NVIDIA GPU was found: torch comes with CUDA, several GB ...", flush=True)
        pip("install", requirement)
    elif _reachable(f"{TORCH_CPU_INDEX}/torch/"):
        # Its dependencies come with the package's own, from where pip takes everything else.
        pip("install", "--no-deps", "--index-url", TORCH_CPU_INDEX, requirement)
    else:
        install_offered_torch(requirement)


def install_offered_torch(requirement: str) -> None:
    """torch from where pip is set to look, provided that it brings no GPU libraries."""
    print(f"{TORCH_CPU_INDEX} cannot be reached; looking at what pip's own sources offer ...", flush=True)
    heavy = gpu_packages(pip_report(requirement))
    if heavy:
        raise SetupError(
            f"PyTorch's CPU builds at {TORCH_CPU_INDEX} cannot be reached, and the torch that pip's own sources offer\n"
            f"brings several GB of GPU libraries ({', '.join(heavy[:3])}, ...), useless without an NVIDIA GPU.\n"
            "What to do: allow that address, or put a CPU build into .venv by hand, then run this again:\n"
            f"  {PYTHON} -m pip install FILE_OF_A_CPU_BUILD_OF_{requirement}"
        )
    pip("install", requirement)


def has_nvidia_gpu() -> bool:
    """Whether NVIDIA's driver is there and sees a GPU."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return False
    listed = subprocess.run([program, "-L"], capture_output=True, text=True)
    return listed.returncode == 0 and "GPU" in listed.stdout


def gpu_packages(report: dict[str, Any]) -> list[str]:
    """Names of the GPU packages in pip's installation report (PyPA specification "Installation Report")."""
    names = [entry["metadata"]["name"].lower().replace("_", "-") for entry in report["install"]]
    return [name for name in names if name.startswith(("nvidia-", "cuda-", "triton", "pytorch-triton"))]


def pip_report(requirement: str) -> dict[str, Any]:
    """What pip would install for ``requirement``; nothing is installed."""
    command = [str(PYTHON), "-m", "pip", "install", "--dry-run", "--quiet", "--report", "-", requirement]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", env=environment())
    if done.returncode:
        raise SetupError(f"{requirement} cannot be had:\n{done.stderr[-1500:]}\n{NETWORK_HINT}")
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def pip(*arguments: str) -> None:
    """Run pip in ``.venv``; with its progress bars on a terminal, with its errors alone elsewhere."""
    quiet = [] if sys.stdout.isatty() else ["--quiet"]
    command = [str(PYTHON), "-m", "pip", "--disable-pip-version-check", *arguments, *quiet]
    if subprocess.run(command, env=environment()).returncode:
        raise SetupError(f"pip could not install; it says why above.\n{NETWORK_HINT}")


def pinned(package: str) -> str:
    """The version of ``package`` in ``constraints.txt``."""
    for line in CONSTRAINTS.read_text(encoding="utf-8").splitlines():
        name, _, version = line.partition("==")
        if name.strip() == package:
            return version.strip()
    raise SetupError(f"{CONSTRAINTS.name} pins no version of {package}. What to do: add a line {package}==VERSION")


def installed_version(package: str) -> str | None:
    """The public version of ``package`` in ``.venv`` (``2.13.0`` of ``2.13.0+cpu``), None if it is not there."""
    code = f"from importlib.metadata import version; print(version({package!r}).split('+')[0])"
    done = subprocess.run([str(PYTHON), "-c", code], capture_output=True, text=True, env=environment())
    return done.stdout.strip() if done.returncode == 0 else None


def _works(*modules: str) -> bool:
    """Whether ``.venv`` has a Python that runs and finds all the modules."""
    code = f"import importlib.util as u, sys; sys.exit(not all(map(u.find_spec, {modules!r})))"
    try:
        done = subprocess.run([str(PYTHON), "-c", code], cwd=VENV, capture_output=True, env=environment())
    except OSError:
        return False
    return done.returncode == 0


def _reachable(address: str) -> bool:
    """Whether the address answers within 5 seconds."""
    try:
        with urllib.request.urlopen(urllib.request.Request(address, method="HEAD"), timeout=5):
            return True
    except (OSError, http.client.HTTPException):
        return False


if __name__ == "__main__":
    sys.exit(main())
