"""Segmentation for scripts: no panel, no clicks. The calling script waits; the work is done in a process."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from MedSegEffNetLib.errors import InputError, MedSegEffNetError
from MedSegEffNetLib.job import read_events
from MedSegEffNetLib.models.registry import find, user_folder
from MedSegEffNetPanel import bridge, steps
from MedSegEffNetPanel.environment import Environment
from MedSegEffNetPanel.run_folders import INPUTS, new_folder
from MedSegEffNetPanel.segmenting.request import LABEL_MAP, Options, Request, Source, input_path, segment_words
from MedSegEffNetPanel.settings import Settings


def segment(model: str, channels: Mapping[str, Any], *, output: Any = None, options: Options | None = None) -> Any:
    """Segment volume nodes and wait for it.

    Parameters
    ----------
    model : a model's name, ``name@version``, its folder, or a task's id.
    channels : volume node by channel name (or alias); optional channels may be left out.
    output : segmentation node that takes the result; None: a new one beside the first volume.
    options : how to compute.

    Returns
    -------
    The segmentation node, on the grid of the first channel.

    Raises
    ------
    InputError, MedSegEffNetError
        What was found, and what to do; the scene is as it was.
    """
    bundle = find(model)
    nodes = {_channel_name(bundle, name): node for name, node in channels.items() if node is not None}
    if not nodes:
        raise InputError("no volume was given", expected="a volume node for each channel of the model")
    sources = {name: Source(node.GetID()) for name, node in nodes.items()}
    reference = next(iter(nodes.values()))
    request = Request(bundle.folder, bundle.name, sources, reference.GetID(), options=options or Options())
    folder = new_folder(user_folder().parent / "runs", "script")
    try:
        for name, node in nodes.items():
            steps.finish(bridge.export_volume(node, input_path(folder, name)))
        _compute(segment_words(request, folder), folder)
        label_map = steps.finish(bridge.load_label_map(folder / LABEL_MAP))
        return steps.finish(bridge.put_segments(output, label_map, reference, bundle.labels))
    finally:
        shutil.rmtree(folder / INPUTS, ignore_errors=True)


def _channel_name(bundle: Any, name: str) -> str:
    from MedSegEffNetLib.task import find_channel

    return find_channel(bundle.task_id, bundle.channels, name).name


def _compute(words: list[str], folder: Path) -> None:
    """Run the command to its end; its failure becomes an error here."""
    environment = Environment(Settings())
    status = environment.status()
    if not status.ready:
        raise MedSegEffNetError(status.text, hint=status.hint)
    python = environment.interpreter()
    done = subprocess.run(
        [python.program, *python.prefix, *words, "--run", str(folder)],
        env=dict(python.variables),
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
    )
    if done.returncode:
        failed = [event for event in read_events(folder)[0] if event["event"] == "failed"]
        if failed:
            raise MedSegEffNetError(failed[-1]["message"], hint=failed[-1]["hint"])
        raise MedSegEffNetError(done.stderr.strip()[-2000:] or f"the process ended with code {done.returncode}")
