"""What settings of a training have in common: they are frozen dataclasses, made from data or from what is typed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Self

from MedSegEffNetLib.errors import InputError


@dataclass(frozen=True)
class Settings:
    """Base of the recipes, which validate themselves in ``__post_init__``."""

    @classmethod
    def from_mapping(cls, settings: Mapping[str, Any]) -> Self:
        """From a task's data or a run's file; an :class:`InputError` names a setting that does not exist or fit."""
        known = {setting.name for setting in fields(cls)}
        unknown = set(settings) - known
        if unknown:
            raise InputError(
                f"a training has no setting '{', '.join(sorted(unknown))}'",
                expected="one of " + ", ".join(sorted(known)),
            )
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in settings.items()
        }
        try:
            return cls(**values)
        except (TypeError, ValueError) as error:
            raise InputError(f"the training's settings do not fit: {error}") from error

    def with_texts(self, settings: Mapping[str, str]) -> Self:
        """These settings with some as they are typed: ``epochs=5``, ``augmentation.zoom=0.1``, ``network.variant=b2``."""
        values = asdict(self)
        for key, text in settings.items():
            name, _, inner = key.partition(".")
            value = _parse(text)
            if inner and isinstance(values.get(name), dict):
                values[name] = {**values[name], inner: value}
            else:
                values[key] = value
        for name, value in values.items():
            current = getattr(self, name, None)
            if isinstance(current, tuple) and isinstance(value, (int, float)):
                values[name] = (value, value)
            elif isinstance(current, tuple) and isinstance(value, str):
                values[name] = tuple(value.split(","))
            elif isinstance(current, float) and isinstance(value, int):
                values[name] = float(value)
            elif name in {s.name for s in fields(self)} and not isinstance(value, type(current) | list):
                raise InputError(f"setting {name} is '{value}'", expected=f"a {type(current).__name__}")
        return type(self).from_mapping(values)

    def as_mapping(self) -> dict[str, Any]:
        """All settings, ready for JSON."""
        return asdict(self)

    def replaced(self, **settings: Any) -> Self:
        """A copy with some settings changed."""
        return replace(self, **settings)


def check_number(name: str, value: Any, kind: type[int] | type[float], least: float, most: float) -> None:
    """Raise a ``ValueError`` if ``value`` is no number of this kind within the limits; NaN lies within none."""
    fits = isinstance(value, int if kind is int else int | float) and not isinstance(value, bool)
    if not fits or not least <= value <= most:
        what = "a whole number" if kind is int else "a number"
        raise ValueError(f"{name} is {value}, not {what} from {least:g} to {most:g}")


def _parse(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text
