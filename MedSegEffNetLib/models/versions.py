"""The versions of a model: which one is current, where each comes from, and the way back. Needs no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from MedSegEffNetLib import atomic
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.models import registry
from MedSegEffNetLib.models.bundle import Bundle
from MedSegEffNetLib.models.transfer import is_users
from MedSegEffNetLib.task import list_tasks

SCHEMA = 1


@dataclass(frozen=True)
class Version:
    """One version of a model as it is shown.

    Attributes
    ----------
    current : whether the model's name (and its task's id) means this one.
    own : whether it is one of the user's own, which can be removed.
    time : when it was promoted (ISO 8601, UTC); empty: it was not, e.g. a shipped one.
    parent : ``name@version`` that the training started from; empty: none.
    snapshot, split : the cases it was compared on. verdict : ``better``, ``no worse`` or ``worse`` against ``against``.
    regions : figures of the comparison by region, as in ``comparison.json``.
    override : why it was promoted although the comparison spoke against it; empty: it did not.
    synthesised : whether it learnt from synthesised images.
    """

    name: str
    version: str
    folder: Path
    current: bool
    own: bool
    time: str = ""
    parent: str = ""
    snapshot: str = ""
    split: str = ""
    against: str = ""
    verdict: str = ""
    regions: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    override: str = ""
    synthesised: bool = False


def current(name: str) -> str | None:
    """The current version of a model, or of the default model of a task; None: there is none."""
    found = registry.current(_model_name(name))
    return found.version if found else None


def current_versions() -> dict[str, str]:
    """The current version of every model by name; one look at the disk for all of them."""
    models = registry.list_models()
    found = (registry.current(name, models) for name in dict.fromkeys(bundle.name for bundle in models))
    return {bundle.name: bundle.version for bundle in found if bundle}


def versions_of(name: str) -> list[str]:
    """The versions of a model (or of the default model of a task), newest first; empty: there is none."""
    return [bundle.version for bundle in _bundles(_model_name(name))]


def history(name: str) -> list[Version]:
    """The versions of a model (or of the default model of a task) with what is known of them, newest first."""
    bundles = _bundles(_model_name(name))
    now = registry.current(_model_name(name), bundles)
    return [_version(bundle, bundle is now) for bundle in bundles]


def previous(name: str) -> str:
    """The version that :func:`rollback` goes to: the one that the current one took the place of; empty: none."""
    bundles = _bundles(_model_name(name))
    now = registry.current(_model_name(name), bundles)
    if now is None:
        return ""
    older = [bundle.version for bundle in bundles[bundles.index(now) + 1 :]]
    replaced = str(now.info["provenance"].get("promotion", {}).get("replaced") or "")
    return replaced if replaced in older else next(iter(older), "")


def rollback(name: str, to: str = "") -> str:
    """Make an earlier version the current one; returns it. Nothing is removed, and the same way leads forward again.

    Parameters
    ----------
    name : of a model, or of a task (its default model).
    to : the version; empty: the one that the current one took the place of.

    Raises
    ------
    InputError
        There is no such model or version, or none before the current one.
    """
    name = _model_name(name)
    bundles = _bundles(name)
    there = [bundle.version for bundle in bundles]
    if not bundles:
        raise InputError(f"there is no model '{name}'", hint="see `medsegeffnet models list`")
    version = to or previous(name)
    if not version:
        raise InputError(
            f"{name} has no version before {current(name)}",
            expected=f"an earlier version (there is {', '.join(there)})",
            hint="import an earlier one, or name the version with --to",
        )
    if version not in there:
        raise InputError(f"{name} has no version {version}", expected="one of " + ", ".join(there))
    content = {"schema": SCHEMA, "version": version, "over": there[0]}
    atomic.write_json(registry.current_file(name), content)
    return version


def _bundles(name: str) -> list[Bundle]:
    return [bundle for bundle in registry.list_models() if bundle.name == name]


def _model_name(name: str) -> str:
    task = list_tasks().get(name)
    return task.default_model if task else name


def _version(bundle: Bundle, is_current: bool) -> Version:
    provenance = bundle.info["provenance"]
    promotion = provenance.get("promotion", {})
    comparison = promotion.get("comparison") or {}
    return Version(
        name=bundle.name,
        version=bundle.version,
        folder=bundle.folder,
        current=is_current,
        own=is_users(bundle.folder),
        time=str(promotion.get("time", "")),
        parent=str(provenance.get("parent") or ""),
        snapshot=str(comparison.get("snapshot") or provenance.get("data", {}).get("snapshot", "")),
        split=str(comparison.get("split", "")),
        against=str(comparison.get("old", "")),
        verdict=str(comparison.get("verdict", "")),
        regions=comparison.get("regions", {}),
        override=str((promotion.get("override") or {}).get("reason", "")),
        synthesised=bool(provenance.get("synthesised")),
    )
