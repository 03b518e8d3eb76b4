"""Who works on data sets: asked once, kept in the user's settings file."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from MedSegEffNetLib import atomic
from MedSegEffNetLib.errors import InputError, MedSegEffNetError
from MedSegEffNetLib.resources import data_folder

SETTINGS = "settings.json"  # in the user's data folder


def known_author() -> str:
    """The name that was given before; empty: none was."""
    return str(_settings().get("author", ""))


def keep_author(name: str) -> str:
    """Keep ``name`` for the next time and return it.

    Raises
    ------
    InputError
        It is empty.
    MedSegEffNetError
        The settings file could not be written.
    """
    plain = _plain(name)
    if plain != known_author():
        atomic.write_json(data_folder() / SETTINGS, {**_settings(), "author": plain})
    return plain


def author_or_kept(name: str | None, warn: Callable[[str], object] = warnings.warn) -> str:
    """``name``, which is kept, or the kept one; an :class:`InputError` if there is none.

    A name that cannot be kept is good for this time, and ``warn`` is told why.
    """
    if name is not None:
        plain = _plain(name)
        try:
            return keep_author(plain)
        except MedSegEffNetError as error:
            warn(f"your name is not kept for the next time: {error.found}")
            return plain
    kept = known_author()
    if not kept:
        raise InputError(
            "it is not known who you are",
            expected="the author of what is saved",
            hint="give --author NAME once; it is kept in your settings",
        )
    return kept


def _plain(name: str) -> str:
    plain = " ".join(name.split())
    if not plain:
        raise InputError("the author's name is empty", expected="your name, or initials that your group knows")
    return plain


def _settings() -> dict[str, Any]:
    with suppress(OSError, ValueError):
        content = json.loads((data_folder() / SETTINGS).read_text(encoding="utf-8"))
        if isinstance(content, dict):
            return content
    return {}
