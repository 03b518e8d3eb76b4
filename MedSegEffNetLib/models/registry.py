"""Finds models: those that are shipped, and those of the user.

Of several versions of a name one is current: the newest that was promoted (:mod:`MedSegEffNetLib.models.promotion`), or
the newest of all where none was; an update that ships a newer one does not take its place. A file
``<name>.current.json`` in the user's folder, which a roll back writes, names another one until a newer comes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.models.bundle import METADATA, Bundle
from MedSegEffNetLib.resources import DATA_VARIABLE as DATA_VARIABLE
from MedSegEffNetLib.resources import data_folder as data_folder
from MedSegEffNetLib.resources import resources_folder
from MedSegEffNetLib.task import list_tasks

FOLDER_VARIABLE = "MEDSEGEFFNET_MODELS"


def user_folder() -> Path:
    """Where the user's own models live; the environment variable ``MEDSEGEFFNET_MODELS`` names another folder."""
    named = os.environ.get(FOLDER_VARIABLE)
    return Path(named) if named else data_folder() / "Models"


def search_path() -> list[Path]:
    """The folders of models: shipped ones (checkout, wheel or Slicer extension) first, then the user's."""
    return [resources_folder() / "Models", user_folder()]


def list_models() -> list[Bundle]:
    """All models that are found, by name, newest version first; what is no model, or a broken one, is passed over.

    Where an update ships a version that the user has promoted under the same number, the user's comes first.
    """
    found = [bundle for bundle in _opened().values() if isinstance(bundle, Bundle)]
    newest_first = sorted(found, key=lambda bundle: (version_key(bundle.version), is_promoted(bundle)), reverse=True)
    return sorted(newest_first, key=lambda bundle: bundle.name)


def current(name: str, models: Sequence[Bundle] | None = None) -> Bundle | None:
    """The version that ``name`` means, or None where there is no such model.

    ``models`` as of :func:`list_models`, where they have been listed already.
    """
    versions = [bundle for bundle in (list_models() if models is None else models) if bundle.name == name]
    if not versions:
        return None
    best = next((bundle for bundle in versions if is_promoted(bundle)), versions[0])
    version, over = _rolled_back(name)
    if not version or version_key(best.version) > version_key(over):
        return best
    # Where that version was removed, the one before it.
    return next((bundle for bundle in versions if version_key(bundle.version) <= version_key(version)), best)


def is_promoted(bundle: Bundle) -> bool:
    """Whether the model took its place as a version by a promotion, here or where it was exported."""
    return bool(bundle.info["provenance"].get("promotion"))


def current_file(name: str) -> Path:
    """What a roll back writes: ``schema``, ``version`` (which is current) and ``over`` (the newest there was)."""
    return user_folder() / f"{name}.current.json"


def _rolled_back(name: str) -> tuple[str, str]:
    """The version and the newest one of :func:`current_file`; empty where there is none or it is damaged."""
    try:
        content = json.loads(current_file(name).read_text(encoding="utf-8"))
        return str(content["version"]), str(content["over"])
    except (OSError, ValueError, KeyError, TypeError):
        return "", ""


def broken_models() -> dict[Path, InputError]:
    """The models that :func:`list_models` passes over because they cannot be read: why, by folder."""
    return {folder: error for folder, error in _opened().items() if isinstance(error, InputError)}


def _opened() -> dict[Path, Bundle | InputError]:
    opened: dict[Path, Bundle | InputError] = {}
    for folder in search_path():
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            if (path / METADATA).is_file():
                try:
                    opened[path] = Bundle.open(path)
                except InputError as error:
                    opened[path] = error
    return opened


def find(model: str) -> Bundle:
    """The model meant by a name (its current version), ``name@version``, a bundle's folder, or a task's id.

    A task's id means its default model, in the version that is current.

    Raises
    ------
    InputError
        There is none; the message lists those there are.
    """
    if (Path(model) / METADATA).is_file():
        return Bundle.open(Path(model))
    models = list_models()
    name, _, version = model.partition("@")
    task = list_tasks().get(name)
    if task is not None:
        name = task.default_model
        if not name:
            raise InputError(
                f"no model of task {task.id} is shipped yet",
                hint=f"train one: medsegeffnet train {task.id} --data FOLDER --run FOLDER",
            )
    found = current(name, models)
    if version:
        found = next((bundle for bundle in models if (bundle.name, bundle.version) == (name, version)), None)
    if found is not None:
        return found
    broken = ", ".join(folder.name for folder in broken_models())
    raise InputError(
        f"there is no model '{model}'" + (f" among those that can be read (not: {broken})" if broken else ""),
        expected=", ".join(f"{bundle.name}@{bundle.version}" for bundle in models) or "no model is installed",
        hint="see `medsegeffnet models list`, or give the path of a model's folder",
    )


def version_key(version: str) -> tuple[int, ...]:
    """What versions are put in order by."""
    return tuple(int(part) if part.isdigit() else 0 for part in version.split("."))
