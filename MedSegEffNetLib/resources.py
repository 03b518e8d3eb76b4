"""Where the shipped resources (models, sample cases) lie, and the user's own folders."""

from __future__ import annotations

import os
import sys
from pathlib import Path

DATA_VARIABLE = "MEDSEGEFFNET_DATA"


def resources_folder() -> Path:
    """``Resources`` of a source checkout, or ``_resources`` beside this file in a wheel or a packaged extension."""
    package = Path(__file__).resolve().parent
    packed = package / "_resources"
    return packed if packed.is_dir() else package.parent / "Resources"


def cache_folder() -> Path:
    """Where things that can be made again are kept for this user."""
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "MedSegEffNet"


def data_folder() -> Path:
    """The program's own folder in the user's part of the disk, for models, runs and packages.

    The environment variable ``MEDSEGEFFNET_DATA`` names another one.
    """
    named = os.environ.get(DATA_VARIABLE)
    if named:
        return Path(named)
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return base / "MedSegEffNet"
