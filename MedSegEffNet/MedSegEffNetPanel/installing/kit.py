"""The offline kit: a folder of wheels with a list of their SHA-256 sums. Standard library only."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from MedSegEffNetLib import atomic
from MedSegEffNetLib.errors import InputError

MANIFEST = "manifest.json"
SCHEMA = 1
_HINT = "Choose the folder that `python run.py offline-kit` made, or copy the kit here again."


@dataclass(frozen=True)
class Kit:
    """An offline kit.

    Attributes
    ----------
    folder : with the wheels and :data:`MANIFEST`.
    size : what it installs. platform : for which computers, e.g. ``win_amd64``. python : for which Python, e.g. ``3.12``.
    wheels : SHA-256 (hexadecimal) by file name. megabytes : of all wheels (10^6 bytes).
    """

    folder: Path
    size: str
    platform: str
    python: str
    wheels: Mapping[str, str]
    megabytes: float

    @classmethod
    def open(cls, folder: Path) -> Kit:
        """The kit in ``folder``; its wheels are counted, not yet read.

        Raises
        ------
        InputError
            No kit, a damaged list, a wheel that is missing, or a kit of a newer version.
        """
        path = folder / MANIFEST
        if not path.is_file():
            raise InputError(f"{folder} is no offline kit: it has no {MANIFEST}.", hint=_HINT)
        try:
            content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            schema = int(content["schema"])
            if schema > SCHEMA:
                raise InputError(
                    f"The kit {folder} was made by a newer version.", hint="Update MedSegEffNet, or make the kit again."
                )
            wheels = {str(entry["file"]): str(entry["sha256"]).lower() for entry in content["wheels"]}
            size, platform, python = (str(content[name]) for name in ("size", "platform", "python"))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path} is damaged ({error}).", hint=_HINT) from error
        missing = [name for name in wheels if Path(name).name != name or not (folder / name).is_file()]
        if missing or not wheels:
            raise InputError(f"The kit {folder} is not whole: {', '.join(missing) or 'no wheels'}.", hint=_HINT)
        megabytes = sum((folder / name).stat().st_size for name in wheels) / 1e6
        return cls(folder, size, platform, python, wheels, megabytes)

    def verify(self) -> None:
        """Read every wheel; :class:`InputError` for one whose SHA-256 is another than in the list."""
        damaged = [name for name, wanted in self.wheels.items() if sha256(self.folder / name) != wanted]
        if damaged:
            raise InputError(
                f"The kit is damaged: {', '.join(damaged)} is not what its list says.",
                expected=f"the SHA-256 sums in {MANIFEST}",
                hint="Copy the kit here again from where it was made.",
            )

    def check_python(self, python: str) -> None:
        """Refuse a kit for another Python than ``python`` (e.g. ``3.12``) with an :class:`InputError`."""
        if self.python != python:
            raise InputError(
                f"The kit is for Python {self.python}; this Slicer has Python {python}.",
                expected=f"a kit for Python {python}",
                hint=f"Make one: python run.py offline-kit --size {self.size} --platform {self.platform} --python {python}",
            )


def write_manifest(folder: Path, size: str, platform: str, python: str) -> Kit:
    """List the wheels in ``folder`` and make it a kit."""
    files = sorted(path for path in folder.iterdir() if path.suffix == ".whl")
    wheels = [{"file": path.name, "sha256": sha256(path), "bytes": path.stat().st_size} for path in files]
    content = {"schema": SCHEMA, "size": size, "platform": platform, "python": python, "wheels": wheels}
    atomic.write_json(folder / MANIFEST, content)
    return Kit.open(folder)


def sha256(path: Path) -> str:
    """The SHA-256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
