"""Volumes that are one item of a sequence."""

from __future__ import annotations

from typing import Any

import slicer
from slicer.i18n import tr as _

from MedSegEffNetLib.errors import InputError


def browser_of(node: Any) -> Any:
    """The browser that ``node`` is, that shows the sequence ``node``, or whose item ``node`` shows; None: there is none."""
    scene = slicer.mrmlScene
    kind = "vtkMRMLSequenceBrowserNode"
    if node is None or node.IsA(kind):
        return node
    for number in range(scene.GetNumberOfNodesByClass(kind)):
        browser = scene.GetNthNodeByClass(number, kind)
        is_shown = node.IsA("vtkMRMLSequenceNode") and browser.IsSynchronizedSequenceNode(node, True)
        if is_shown or browser.IsProxyNodeID(node.GetID()):
            return browser
    return None


def sequence_of(node: Any) -> Any:
    """The sequence that ``node`` is, or whose items it shows; None: it has to do with none."""
    if node is None or node.IsA("vtkMRMLSequenceNode"):
        return node
    browser = browser_of(node)
    if browser is None or browser is node:
        return browser.GetMasterSequenceNode() if browser is not None else None
    return browser.GetSequenceNode(node)


def shown_item(sequence: Any) -> Any:
    """The node of the scene that shows an item of ``sequence`` now; None: no browser shows it."""
    browser = browser_of(sequence)
    return browser.GetProxyNode(sequence) if browser is not None else None


def sequence_length(node: Any) -> int:
    """How many items the sequence of ``node`` has; 0 if there is none."""
    sequence = sequence_of(node)
    return sequence.GetNumberOfDataNodes() if sequence is not None else 0


def sequence_item(node: Any, index: int) -> Any:
    """The volume node with number ``index`` (from 0) in the sequence of ``node``; it lies in a scene of its own.

    Raises
    ------
    InputError
        There is no such item, or it is no volume.
    """
    sequence = sequence_of(node)
    count = sequence_length(node)
    item = sequence.GetNthDataNode(index) if 0 <= index < count else None
    if item is None or not item.IsA("vtkMRMLVolumeNode"):
        raise InputError(
            _("{name} has no volume number {number}").format(name=node.GetName(), number=index + 1),
            expected=_("a number from 1 to {count}").format(count=count) if count else _("a sequence of volumes"),
        )
    return item
