"""Say what is installed, and whether it works."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

HELP = "say what is installed here and whether it works (a small real computation with each engine)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where the diagnosis goes besides the terminal."""
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the diagnosis as JSON")
    parser.add_argument("--run", type=Path, metavar="FOLDER", dest="folder", help="make it a job with events")


def run(arguments: argparse.Namespace) -> None:
    """Look, print, and write what was found; a broken engine is a finding and no failure of this command."""
    from MedSegEffNetLib import atomic
    from MedSegEffNetLib.diagnosis import diagnose
    from MedSegEffNetLib.job import Job

    if arguments.json:
        atomic.check_writable(arguments.json)
    with Job.open(arguments.folder, {"command": "doctor"}) as job:
        diagnosis = diagnose()
        if arguments.json:
            atomic.write_json(arguments.json, diagnosis)
        job.finish(diagnosis=diagnosis)
    print(as_text(diagnosis))


def as_text(diagnosis: dict[str, Any]) -> str:
    """The diagnosis for people."""
    from MedSegEffNetLib.errors import how_to_install
    from MedSegEffNetLib.terminal import table

    python, folder, gpu = diagnosis["python"], diagnosis["temporary_folder"], diagnosis["gpu"]
    packages = [
        [name, found["version"], found["location"]] if found else [name, "–", "not installed"]
        for name, found in diagnosis["packages"].items()
    ]
    computations = [
        [row["engine"], row["device"], f"works ({row['seconds']:.2f} s)" if row["works"] else f"fails: {row['error']}"]
        for row in diagnosis["computations"]
    ]
    memory = diagnosis["memory_free_mb"]
    return "\n".join(
        [
            f"Python {python['version']} ({python['executable']}), {diagnosis['platform']}",
            f"Free memory: {'unknown' if memory is None else f'{memory} MB'}",
            f"Free disk for temporary files: {folder['free_mb']} MB ({folder['path']})",
            f"GPU: {gpu['name'] or 'none, ' + gpu['reason']}",
            "",
            table(packages, ["package", "version", "where"]),
            "",
            table(computations, ["engine", "device", "a small computation"])
            if computations
            else f"No engine is installed. What to do: {how_to_install('openvino')}",
        ]
    )
