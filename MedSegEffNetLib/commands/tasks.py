"""List the tasks."""

from __future__ import annotations

import argparse

HELP = "list what can be segmented or synthesized"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """None."""


def run(arguments: argparse.Namespace) -> None:
    """Print a table of the tasks."""
    from MedSegEffNetLib.task import SegmentationTask, list_tasks
    from MedSegEffNetLib.terminal import table

    rows = []
    for task in list_tasks().values():
        channels = ", ".join(c.name if c.required else f"[{c.name}]" for c in task.channels)
        result = ", ".join(label.name for label in task.labels) if isinstance(task, SegmentationTask) else "an image"
        rows.append([task.id, f"{task.dimensions}D", channels, result, task.default_model or "–"])
    print(table(rows, ["task", "", "channels ([optional])", "result", "default model"]))
