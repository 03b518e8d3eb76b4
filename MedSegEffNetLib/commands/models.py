"""List, show and verify models."""

from __future__ import annotations

import argparse

HELP = "list, show or verify the installed models"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """``list``, ``show MODEL``, ``verify [MODEL]``."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    actions.add_parser("list", help="list the models that are found")
    show = actions.add_parser("show", help="print a model's card")
    show.add_argument("model", help="name, name@version, folder or task")
    verify = actions.add_parser("verify", help="check a model's files (all models if none is named)")
    verify.add_argument("model", nargs="?", help="name, name@version, folder or task")


def run(arguments: argparse.Namespace) -> None:
    """Do what ``arguments.action`` says."""
    from MedSegEffNetLib.models.registry import find, list_models
    from MedSegEffNetLib.terminal import table

    if arguments.action == "list":
        rows = [[bundle.name, bundle.version, bundle.task_id, str(bundle.folder)] for bundle in list_models()]
        print(table(rows, ["model", "version", "task", "folder"]) if rows else "No model is installed.")
    elif arguments.action == "show":
        print(find(arguments.model).card)
    else:
        for bundle in [find(arguments.model)] if arguments.model else list_models():
            bundle.verify()
            print(
                f"{bundle.name}@{bundle.version}: {len(bundle.info['files'])} files as they were made, no code in weights"
            )
