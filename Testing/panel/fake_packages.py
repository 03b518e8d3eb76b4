"""Tiny wheels and a bare Python, so that the real pip installs in moments and without a network.

Importing this makes the panel's package importable, as Slicer does with the folder of a module.
"""

from __future__ import annotations

import base64
import hashlib
import os
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SEARCH = os.pathsep.join(map(str, (ROOT, ROOT / "MedSegEffNet")))
if str(ROOT / "MedSegEffNet") not in sys.path:
    sys.path.append(str(ROOT / "MedSegEffNet"))

from MedSegEffNetPanel.installing import folders  # noqa: E402
from MedSegEffNetPanel.installing.kit import Kit, write_manifest  # noqa: E402
from MedSegEffNetPanel.installing.requirements import LIGHT  # noqa: E402

# What the library's check asks of OpenVINO.
OPENVINO = {
    "openvino/__init__.py": """
class _Right:
    def __eq__(self, other):
        return self
    def all(self):
        return True
class Model:
    def __init__(self, results, parameters):
        pass
class Core:
    def compile_model(self, model, device):
        return lambda numbers: [_Right()]
""",
    "openvino/opset8.py": "def parameter(*given): pass\nrelu = matmul = parameter\n",
}
NUMPY = {"numpy/__init__.py": "float32 = float\ndef ones(*given): pass\narray = ones\n"}


def make_wheel(folder: Path, name: str, version: str, files: Mapping[str, str] | None = None) -> Path:
    """A wheel for every Python, with ``files`` (text by path; without them an empty module)."""
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"{name}-{version}"
    content = dict(files or {f"{name}.py": ""})
    content[f"{stem}.dist-info/METADATA"] = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    content[f"{stem}.dist-info/WHEEL"] = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    lines = [f"{path},sha256={_digest(text)},{len(text.encode())}" for path, text in content.items()]
    content[f"{stem}.dist-info/RECORD"] = "\n".join([*lines, f"{stem}.dist-info/RECORD,,", ""])
    wheel = folder / f"{stem}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in content.items():
            archive.writestr(path, text)
    return wheel


def make_wheels(folder: Path, openvino: Mapping[str, str] = OPENVINO, version: str = "2026.4.0") -> Path:
    """What the size light needs; NumPy too, newer than Slicer's, as a real kit has it."""
    make_wheel(folder, "openvino", version, openvino)
    make_wheel(folder, "pillow", "11.0.0", {"PIL/__init__.py": ""})
    make_wheel(folder, "numpy", "2.2.0", {"numpy/__init__.py": "raise ImportError('not the NumPy of Slicer')"})
    return folder


def make_kit(folder: Path, openvino: Mapping[str, str] = OPENVINO, version: str = "2026.4.0") -> Kit:
    """An offline kit of the size light for this Python."""
    make_wheels(folder, openvino, version)
    return write_manifest(folder, LIGHT, "linux_x86_64", folders.python_version())


def make_bare_python(folder: Path) -> Path:
    """A Python with pip that has, as Slicer's does, NumPy and SimpleITK, and nothing that computes."""
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    asked = [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    packages = Path(subprocess.run(asked, check=True, capture_output=True, encoding="utf-8").stdout.strip())
    for name, version, files in (("numpy", "2.0.1", NUMPY), ("SimpleITK", "2.4.0", None)):
        with zipfile.ZipFile(make_wheel(folder / "wheels", name, version, files)) as archive:
            archive.extractall(packages)
    return python


def offline() -> dict[str, str]:
    """Variables under which pip finds nothing but what it is shown: its index is a door that is shut."""
    foreign = ("PIP_", "PYTHON", "HTTP_PROXY", "ALL_PROXY")
    kept = {name: value for name, value in os.environ.items() if not name.upper().startswith(foreign)}
    return {**kept, "PIP_CONFIG_FILE": os.devnull, "PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PYTHONPATH": SEARCH}


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
