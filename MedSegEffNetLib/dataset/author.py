"""Who works on data sets: asked once, kept in the user's settings file."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

from MedSegEffNetLib import atomic
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.resources import data_folder

SETTINGS = "settings.json"  # in the user's data folder


def known_author() -> str:
    """The name that was given before; empty: none was."""
    return str(_settings().get("author", ""))


def keep_author(name: str) -> str:
    """Keep ``name`` for the next time and return it; an :class:`InputError` if it is empty."""
    plain = " ".join(name.split())
    if not plain:
        raise InputError("the author's name is empty", expected="your name, or initials that your group knows")
    if plain != known_author():
        atomic.write_json(data_folder() / SETTINGS, {**_settings(), "author": plain})
    return plain


def author_or_kept(name: str | None) -> str:
    """``name``, which is kept, or the kept one; an :class:`InputError` if there is none."""
    if name is not None:
        return keep_author(name)
    kept = known_author()
    if not kept:
        raise InputError(
            "it is not known who you are",
            expected="the author of what is saved",
            hint="give --author NAME once; it is kept in your settings",
        )
    return kept


def _settings() -> dict[str, Any]:
    with suppress(OSError, ValueError):
        content = json.loads((data_folder() / SETTINGS).read_text(encoding="utf-8"))
        if isinstance(content, dict):
            return content
    return {}
