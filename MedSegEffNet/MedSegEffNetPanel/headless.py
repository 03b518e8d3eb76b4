"""Segmentation for scripts: no panel, no clicks. The calling script waits; the work is done in a process."""

from __future__ import annotations

import logging
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from MedSegEffNetLib.errors import InputError, MedSegEffNetError
from MedSegEffNetLib.job import read_events
from MedSegEffNetLib.models.registry import find
from MedSegEffNetLib.task import find_channel, reference_channel
from MedSegEffNetPanel import bridge, steps
from MedSegEffNetPanel.environment import Environment
from MedSegEffNetPanel.processes import Interpreter
from MedSegEffNetPanel.run_folders import INPUTS, new_folder, runs_folder
from MedSegEffNetPanel.segmenting.request import LABEL_MAP, Options, Request, Source, input_path, segment_words
from MedSegEffNetPanel.settings import Settings


def segment(model: str, channels: Mapping[str, Any], *, output: Any = None, options: Options | None = None) -> Any:
    """Segment volume nodes and wait for it.

    Parameters
    ----------
    model : a model's name, ``name@version``, its folder, or a task's id.
    channels : volume node by channel name (or alias); optional channels may be left out. The components of a color
        volume, given for any channel, are all channels in their order.
    output : segmentation node that takes the result; None: a new one beside the volume that gives the grid.
    options : how to compute.

    Returns
    -------
    The segmentation node, on the grid of the model's first required channel that is given.

    Raises
    ------
    InputError, MedSegEffNetError
        What was found, and what to do; the scene is as it was.
    """
    bundle = find(model)
    nodes = _nodes(bundle, channels)
    python = _python()
    color = next((node for node in nodes.values() if bridge.components(node) > 1), None)
    if color is not None:
        nodes = dict.fromkeys((channel.name for channel in bundle.channels), color)
    sources = {name: Source(node.GetID(), None if color is None else n) for n, (name, node) in enumerate(nodes.items())}
    reference = nodes[reference_channel(bundle.channels, nodes)]
    request = Request(bundle.folder, bundle.name, sources, reference.GetID(), options=options or Options())
    folder = new_folder(runs_folder(), "script")
    try:
        for name, node in nodes.items():
            steps.finish(bridge.export_volume(node, input_path(folder, name), sources[name].component))
        _compute(python, segment_words(request, folder), folder)
        label_map = steps.finish(bridge.load_label_map(folder / LABEL_MAP))
        segmentation, notices = steps.finish(bridge.put_segments(output, label_map, reference, bundle.labels))
        alone = segmentation.GetSegmentation().GetNumberOfSegments() == len(bundle.labels)
        marked = bridge.mark_made_from(segmentation, bridge.joined(nodes.values()), alone=alone)
        for notice in (*marked, *notices):
            logging.info(notice)
        return segmentation
    finally:
        shutil.rmtree(folder / INPUTS, ignore_errors=True)


def _nodes(bundle: Any, channels: Mapping[str, Any]) -> dict[str, Any]:
    """The given nodes by the model's own names of its channels."""
    given = {name: node for name, node in channels.items() if node is not None}
    if not given:
        raise InputError("no volume was given", expected="a volume node for each channel of the model")
    return {find_channel(bundle.task_id, bundle.channels, name).name: node for name, node in given.items()}


def _python() -> Interpreter:
    """The command that computes; an error where nothing is installed that can."""
    environment = Environment(Settings())
    status = environment.status()
    if not status.ready:
        raise MedSegEffNetError(status.text, hint=status.hint_elsewhere)
    return environment.interpreter()


def _compute(python: Interpreter, words: list[str], folder: Path) -> None:
    """Run the command to its end; its failure becomes an error here."""
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
