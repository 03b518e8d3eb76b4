"""Where the shipped resources (models, sample cases) lie."""

from __future__ import annotations

from pathlib import Path


def resources_folder() -> Path:
    """``Resources`` of a source checkout, or ``_resources`` beside this file in a wheel or a packaged extension."""
    package = Path(__file__).resolve().parent
    packed = package / "_resources"
    return packed if packed.is_dir() else package.parent / "Resources"
