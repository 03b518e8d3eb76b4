"""Which volumes a network made: by an attribute of the node, its name or series description, or the header of its file.

Slicer drops what a file's header says when it loads it, so that the file is asked (:func:`look`), in a thread.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from pathlib import Path
from typing import Any

import slicer
from slicer.i18n import tr as _

from MedSegEffNetLib import image as images
from MedSegEffNetLib.formats import marks
from MedSegEffNetPanel import steps
from MedSegEffNetPanel.bridge.made import tag_of
from MedSegEffNetPanel.bridge.masks import segments_of
from MedSegEffNetPanel.bridge.series import series_description

KEY = marks.KEY  # the attribute: "model@version"
FROM = " (from synthesised)"  # after a segmentation's name; never translated, as it is looked for
_STORAGE = "vtkMRMLNRRDStorageNode"  # writes a volume's attributes into the file's header, as no other does
_looked: dict[str, int] = {}  # by the node's id: when its storage node was last changed before its file was asked


def made_by(node: Any) -> str:
    """The model that made a volume, or the images that a segmentation was made from; empty: nothing says so.

    No file is asked, see :func:`look`.
    """
    texts = (node.GetName() or "", series_description(node))
    return node.GetAttribute(KEY) or _tagged(node) or (marks.UNKNOWN if any(map(_named, texts)) else "")


def joined(nodes: Iterable[Any]) -> str:
    """The models that made any of these volumes; empty: none did."""
    return ", ".join(dict.fromkeys(filter(None, map(made_by, nodes))))


def mark(node: Any, model: str) -> None:
    """Say of a node that ``model`` made it; nothing is done where that is empty."""
    if model:
        node.SetAttribute(KEY, model)


def mark_made_from(node: Any, model: str, *, alone: bool = True) -> list[str]:
    """Say of a segmentation, or a sequence of such, that it was made from images that ``model`` made.

    It is said by the node's attribute, by its name, after which Slicer calls the file, and by a tag of every segment, which
    Slicer writes into the header of a .seg.nrrd. Where ``model`` is empty, scanners took all images: what was said is
    forgotten if the segments of this run are ``alone`` in the node, and stays if others are there.

    Returns
    -------
    Remarks for the user.
    """
    before = "" if alone else made_by(node)
    parts = (part.strip() for part in f"{before},{model}".split(","))
    said = ", ".join(dict.fromkeys(filter(None, parts)))
    _say(node, said)
    if not said:
        return []
    text = (
        _("{name} is marked: it was made from an image that a network made.")
        if model
        else _("{name} stays marked: segments that were there before may come from an image that a network made.")
    )
    return [text.format(name=node.GetName())]


def _say(node: Any, model: str) -> None:
    """Mark a segmentation, or a sequence and its items; an empty ``model`` takes every mark away."""
    name = node.GetName() or ""
    if not model:
        node.RemoveAttribute(KEY)
        node.SetName(name.replace(FROM, ""))
    else:
        node.SetAttribute(KEY, model)
        if not _named(name):
            node.SetName(slicer.mrmlScene.GenerateUniqueName(name + FROM))
    if node.IsA("vtkMRMLSequenceNode"):
        for number in range(node.GetNumberOfDataNodes()):
            _say(node.GetNthDataNode(number), model)
    else:
        for _id, segment in segments_of(node):
            if model:
                segment.SetTag(KEY, marks.sentence(model))
            else:
                segment.RemoveTag(KEY)


def _tagged(node: Any) -> str:
    """What the tags of a segmentation's segments say."""
    segments = segments_of(node) if node.IsA("vtkMRMLSegmentationNode") else ()
    return ", ".join(dict.fromkeys(filter(None, (marks.model_in(tag_of(segment, KEY)) for _id, segment in segments))))


def keep_in_file(node: Any) -> None:
    """Let Slicer save a new volume that is marked as NRRD, whose header then says so too."""
    if node.GetAttribute(KEY):
        storage = slicer.mrmlScene.AddNewNodeByClass(_STORAGE)
        node.SetAndObserveStorageNodeID(storage.GetID())


def look(nodes: Iterable[Any]) -> Generator[None, None, bool]:
    """Mark the volumes whose files say in their header that a network made them; gives whether there were any.

    Each file is asked once; a node that says so itself is believed.
    """
    found = False
    for node in unseen(nodes):
        storage = node.GetStorageNode()
        version = storage.GetMTime()  # no two nodes share this number
        model = yield from steps.in_thread(images.made_by, Path(storage.GetFullNameFromFileName()))
        _looked[node.GetID()] = version
        if model and node.GetScene() is not None and not node.GetAttribute(KEY):
            node.SetAttribute(KEY, model)
            found = True
    return found


def unseen(nodes: Iterable[Any]) -> list[Any]:
    """Those whose files :func:`look` has to ask yet."""
    versions = ((node, _version(node)) for node in nodes if not node.GetAttribute(KEY))
    return [node for node, version in versions if version and version != _looked.get(node.GetID())]


def _version(node: Any) -> int:
    """When the storage node of a volume was last changed; 0: it has no file."""
    storage = node.GetStorageNode() if node.IsA("vtkMRMLVolumeNode") else None
    return storage.GetMTime() if storage is not None and storage.GetFileName() else 0


def _named(text: str) -> bool:
    return marks.named(Path(text.replace("/", " ").replace("\\", " ")))
