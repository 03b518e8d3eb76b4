"""Finds models: those that are shipped, and those of the user."""

from __future__ import annotations

import os
from pathlib import Path

from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.models.bundle import METADATA, Bundle
from MedSegEffNetLib.resources import DATA_VARIABLE as DATA_VARIABLE
from MedSegEffNetLib.resources import data_folder as data_folder
from MedSegEffNetLib.resources import resources_folder
from MedSegEffNetLib.task import Task, list_tasks

FOLDER_VARIABLE = "MEDSEGEFFNET_MODELS"


def user_folder() -> Path:
    """Where the user's own models live; the environment variable ``MEDSEGEFFNET_MODELS`` names another folder."""
    named = os.environ.get(FOLDER_VARIABLE)
    return Path(named) if named else data_folder() / "Models"


def search_path() -> list[Path]:
    """The folders of models: shipped ones (checkout, wheel or Slicer extension) first, then the user's."""
    return [resources_folder() / "Models", user_folder()]


def list_models() -> list[Bundle]:
    """All models that are found, by name, newest version first; what is no model, or a broken one, is passed over."""
    found = [bundle for bundle in _opened().values() if isinstance(bundle, Bundle)]
    newest_first = sorted(found, key=lambda bundle: _version_key(bundle.version), reverse=True)
    return sorted(newest_first, key=lambda bundle: bundle.name)


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
    """The model meant by a name, ``name@version``, a bundle's folder, or a task's id (its default model).

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
                hint=_how_to_get_one(task),
            )
    for bundle in models:
        if bundle.name == name and version in ("", bundle.version):
            return bundle
    broken = ", ".join(folder.name for folder in broken_models())
    raise InputError(
        f"there is no model '{model}'" + (f" among those that can be read (not: {broken})" if broken else ""),
        expected=", ".join(f"{bundle.name}@{bundle.version}" for bundle in models) or "no model is installed",
        hint="see `medsegeffnet models list`, or give the path of a model's folder",
    )


def _how_to_get_one(task: Task) -> str:
    if task.kind == "segmentation":
        return f"train one: medsegeffnet train {task.id} --data FOLDER --run FOLDER"
    return "this version cannot train one either"


def _version_key(version: str) -> tuple[int, ...]:
    return tuple(int(part) if part.isdigit() else 0 for part in version.split("."))
