"""Running pip: its lines as they come, stopped when the job is, and its failures in a user's words."""

from __future__ import annotations

import importlib.metadata
import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from MedSegEffNetLib.errors import MedSegEffNetError
from MedSegEffNetPanel.installing import child

KIT_HINT = (
    "Or install from an offline kit: on a computer with internet run `python run.py offline-kit --help`, "
    "copy the kit here and press “From an offline kit …”."
)
# What pip says -> (what is the matter, what to do). The first that fits is told.
_CAUSES = (
    (r"No module named pip", "This Python has no pip.", "Reinstall Slicer, or use another Python."),
    (
        r"No space left on device|Errno 28|not enough space on the disk|Disk quota",
        "The disk is full.",
        "Free some space and press Install again.",
    ),
    (
        r"WinError 206|file ?name or extension is too long|enable-long-paths",
        "A path became too long for Windows.",
        "Switch on long paths in Windows (group policy “Enable Win32 long paths”), restart, and press Install again.",
    ),
    (
        r"Permission denied|PermissionError|WinError 5\b|Access is denied|Read-only file system",
        "The folder of the packages, or a file in it, cannot be written.",
        "Close other Slicer windows and press Install again. Some virus scanners block this: ask your IT department.",
    ),
    (
        r"CERTIFICATE_VERIFY_FAILED|SSLError|SSLCertVerificationError",
        "The connection to the package server is not trusted (often a hospital's proxy with its own certificate).",
        "Ask your IT department for the certificate's file and name it in the environment variable PIP_CERT. "
        + KIT_HINT,
    ),
    (
        r"ProxyError|407 Proxy Authentication|Cannot connect to proxy|Tunnel connection failed",
        "The proxy refuses the connection to the package server.",
        "Ask your IT department, and set the environment variable HTTPS_PROXY. " + KIT_HINT,
    ),
    (
        r"NewConnectionError|ConnectTimeout|ReadTimeout|Read timed out|name resolution|getaddrinfo failed"
        r"|NameResolutionError|Network is unreachable|Connection refused|ConnectionReset|RemoteDisconnected"
        r"|Max retries exceeded|connection broken",
        "The package server cannot be reached: this computer seems to be offline.",
        "Check the network and press Install again; what was downloaded is kept. " + KIT_HINT,
    ),
    (
        r"DO NOT MATCH THE HASHES|HashMismatch|Hash mismatch",
        "A package is not what its checksum says.",
        "Press Install again. If it happens again, something between here and the server changes the files.",
    ),
    (
        r"Wheel .* is invalid|BadZipFile|invalid wheel|has an invalid wheel",
        "A package is damaged.",
        "Press Install again, or copy the offline kit again.",
    ),
    (
        r"ResolutionImpossible|conflicting dependencies|user requested \(constraint\)",
        "No versions were found that fit the packages of this Slicer.",
        "Update Slicer, or use another Python that has the packages. The log names the versions.",
    ),
)


def command(*arguments: str) -> list[str]:
    """The command line of pip in this Python."""
    return [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", *arguments]


def has_raw_progress() -> bool:
    """Whether this pip (24.1 or newer) can print plain numbers of its progress."""
    try:
        numbers = re.findall(r"\d+", importlib.metadata.version("pip"))
    except importlib.metadata.PackageNotFoundError:
        return False
    return tuple(map(int, numbers[:2])) >= (24, 1)


def run(arguments: Sequence[str], check: Callable[[], None], line: Callable[[str], None], folder: Path) -> None:
    """Run pip and hand its lines to ``line``; its temporary files go to ``folder``.

    ``check`` is called all the time; when it raises, pip is ended first. Raises :class:`MedSegEffNetError` when pip fails.
    """
    folder.mkdir(parents=True, exist_ok=True)
    said: list[str] = []

    def hear(text: str) -> None:
        said.append(text)
        line(text)

    code = child.run(command(*arguments), _variables(folder), check, hear)
    if code:
        raise failure(said, code)


def failure(said: Sequence[str], code: int) -> MedSegEffNetError:
    """Why pip failed, from what it said."""
    text = "\n".join(said)
    for pattern, found, hint in _CAUSES:
        if re.search(pattern, text):
            return MedSegEffNetError(found, hint=hint)
    missing = re.findall(r"No matching distribution found for ([\w.\-\[\]<>=!,+~]+)", text)
    if missing:
        return MedSegEffNetError(
            f"There is no package {missing[-1]} for this computer and Python {sys.version_info[0]}.{sys.version_info[1]}.",
            hint="A kit must be made for this platform and Python. Without a kit: update MedSegEffNet or Slicer.",
        )
    errors = [line for line in said if line.startswith("ERROR:")] or list(said) or [f"it ended with code {code}"]
    return MedSegEffNetError(f"pip failed: {errors[-1]}", hint="Press Install again; the log says more.")


def _variables(folder: Path) -> dict[str, str]:
    moved = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(folder))
    return {**os.environ, **moved, "PYTHONUNBUFFERED": "1", "PIP_NO_COLOR": "1"}
