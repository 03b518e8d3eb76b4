"""The command line, one file a subcommand.

A command's file has ``HELP``, ``add_arguments(parser)`` and ``run(arguments)``, and imports what it works with inside of
``run``: listing the commands loads none of it.
"""

from __future__ import annotations

import argparse
import importlib
import pkgutil

from MedSegEffNetLib import __version__


def list_commands() -> list[str]:
    """The names of all subcommands."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))


def make_parser() -> argparse.ArgumentParser:
    """The parser of the whole command line."""
    parser = argparse.ArgumentParser(
        prog="medsegeffnet", description="Medical image segmentation with EfficientNets. Not for clinical use."
    )
    parser.add_argument("--version", action="version", version=f"medsegeffnet {__version__}")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name in list_commands():
        module = importlib.import_module(f"{__name__}.{name}")
        subparser = subparsers.add_parser(name, help=module.HELP, description=module.HELP)
        module.add_arguments(subparser)
        subparser.set_defaults(run=module.run)
    return parser
