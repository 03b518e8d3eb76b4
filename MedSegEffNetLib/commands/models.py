"""List, show, verify, import, export and remove models; compare, promote and roll back versions."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from MedSegEffNetLib.commands import _model_versions

if TYPE_CHECKING:
    from MedSegEffNetLib.job import Job
    from MedSegEffNetLib.models.bundle import Bundle

HELP = "list, show, verify, import, export, remove, compare or promote models, or roll back to an earlier version"
_MODEL = "name, name@version, folder or task"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """``list``, ``show MODEL``, ``verify [MODEL]``, ``import SOURCE``, ``export MODEL --output FILE``, ``remove MODEL``,
    ``compare RUN-or-MODEL``, ``promote RUN-or-MODEL``, ``rollback NAME``."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    actions.add_parser("list", help="list the models that are found")
    show = actions.add_parser("show", help="print a model's card")
    show.add_argument("model", help=_MODEL)
    verify = actions.add_parser("verify", help="check a model's files (all models if none is named)")
    verify.add_argument("model", nargs="?", help=_MODEL)
    taken = actions.add_parser("import", help="install a model from a folder or a zip")
    taken.add_argument("source", type=Path, metavar="SOURCE", help="a model's folder, or a zip of one")
    export = actions.add_parser("export", help="write a model as a zip, to be imported elsewhere")
    export.add_argument("model", help=_MODEL)
    export.add_argument("--output", required=True, type=Path, metavar="FILE", help="the zip to write")
    remove = actions.add_parser("remove", help="remove a model of your own; shipped ones stay")
    remove.add_argument("model", help="name, name@version or folder")
    for action in (verify, taken, export, remove, *_model_versions.add_actions(actions)):
        action.add_argument("--run", type=Path, metavar="FOLDER", dest="folder", help="make it a job with events")


def run(arguments: argparse.Namespace) -> None:
    """Do what ``arguments.action`` says."""
    if arguments.action == "list":
        _list()
    elif arguments.action == "show":
        from MedSegEffNetLib.models.registry import find

        print(find(arguments.model).card)
    elif arguments.action == "compare":
        _model_versions.compare(arguments)
    elif arguments.action == "promote":
        _model_versions.promote(arguments)
    else:
        actions: dict[str, Callable[[argparse.Namespace, Job], None]] = {
            "verify": _verify, "import": _import, "export": _export, "remove": _remove,
            "rollback": _model_versions.rollback,
        }  # fmt: skip
        _run_job(arguments, actions)


def _run_job(arguments: argparse.Namespace, actions: dict[str, Callable[[argparse.Namespace, Job], None]]) -> None:
    from MedSegEffNetLib.job import Job
    from MedSegEffNetLib.terminal import ProgressLine

    unwanted = ("run", "folder")
    job = Job.open(arguments.folder, {key: value for key, value in vars(arguments).items() if key not in unwanted})
    job.listeners.append(ProgressLine())
    with job:
        actions[arguments.action](arguments, job)


def _list() -> None:
    from MedSegEffNetLib.models.registry import broken_models, current, list_models
    from MedSegEffNetLib.terminal import table

    models = list_models()
    now = {bundle.name: current(bundle.name, models) for bundle in models}
    rows = [
        [bundle.name, bundle.version, "current" if now[bundle.name] is bundle else "", bundle.task_id,
         str(bundle.folder)]
        for bundle in models
    ]  # fmt: skip
    print(table(rows, ["model", "version", "", "task", "folder"]) if rows else "No model is installed.")
    for folder, error in broken_models().items():
        print(f"\nBroken: {folder}\n{error}")


def _verify(arguments: argparse.Namespace, job: Job) -> None:
    from MedSegEffNetLib.models.registry import broken_models, find, list_models

    bundles = [find(arguments.model)] if arguments.model else list_models()
    for number, bundle in enumerate(bundles):
        _model_versions.told(job)("Check", number, len(bundles))
        bundle.verify()
        print(f"{_named(bundle)}: {len(bundle.info['files'])} files as they were made, no code in weights")
    if not arguments.model:
        for error in broken_models().values():
            raise error
    job.finish(models=[_named(bundle) for bundle in bundles])


def _import(arguments: argparse.Namespace, job: Job) -> None:
    from MedSegEffNetLib.models.registry import current
    from MedSegEffNetLib.models.transfer import import_model

    bundle = import_model(arguments.source, _model_versions.told(job))
    job.finish(model=_named(bundle), folder=bundle.folder)
    print(f"{_named(bundle)} is installed in {bundle.folder}")
    now = current(bundle.name)
    if now is not None and now.version != bundle.version:
        print(f"{_named(now)} stays in use; `models rollback {bundle.name} --to {bundle.version}` changes that")


def _export(arguments: argparse.Namespace, job: Job) -> None:
    from MedSegEffNetLib.models.registry import find
    from MedSegEffNetLib.models.transfer import export_model

    bundle = find(arguments.model)
    output = export_model(bundle, arguments.output.resolve(), _model_versions.told(job))
    job.finish(model=_named(bundle), output=output)
    print(f"{_named(bundle)} is written to {output}")


def _remove(arguments: argparse.Namespace, job: Job) -> None:
    from MedSegEffNetLib.models.registry import find
    from MedSegEffNetLib.models.transfer import remove_model

    # A broken model has no name to find it by; it is removed by its folder.
    given = Path(arguments.model)
    folder = given if given.is_dir() else find(arguments.model).folder
    remove_model(folder)
    job.finish(folder=folder.resolve())
    print(f"{folder} is removed")


def _named(bundle: Bundle) -> str:
    return f"{bundle.name}@{bundle.version}"
