"""What belongs to the machine and not to the scene, kept in Slicer's settings."""

from __future__ import annotations

from pathlib import Path

import qt

_GROUP = "MedSegEffNet"


class Settings:
    """Texts and paths by name; an empty text stands for "not set"."""

    def __init__(self) -> None:
        self._store = qt.QSettings()

    def text(self, name: str, default: str = "") -> str:
        """The text under ``name``, or ``default``."""
        value = self._store.value(f"{_GROUP}/{name}")
        return default if value is None else str(value)

    def path(self, name: str) -> Path | None:
        """The path under ``name``, or None."""
        value = self.text(name)
        return Path(value) if value else None

    def flag(self, name: str, default: bool = False) -> bool:
        """The yes or no under ``name``, or ``default``; a settings file gives back texts."""
        return self.text(name, "yes" if default else "no") == "yes"

    def keep(self, name: str, value: str | Path | bool) -> None:
        """Keep ``value`` under ``name``."""
        if isinstance(value, bool):
            value = "yes" if value else "no"
        self._store.setValue(f"{_GROUP}/{name}", str(value))
