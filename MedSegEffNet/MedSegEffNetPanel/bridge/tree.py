"""Places of nodes in the data tree (the subject hierarchy), and their names."""

from __future__ import annotations

from typing import Any

import slicer
from slicer.i18n import tr as _

from MedSegEffNetLib.errors import InputError


def tree_item(node: Any) -> tuple[Any, int]:
    """The data tree (None: the scene has none) and the node's item in it; 0: it has none."""
    tree = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    return tree, tree.GetItemByDataNode(node) if tree is not None else 0


def put_beside(node: Any, other: Any) -> None:
    """Put ``node`` into the folder or study of ``other``; at the top where that has no place."""
    tree, item = tree_item(other)
    if tree is None:
        return
    parent = tree.GetItemParent(item) if item else tree.GetSceneItemID()
    own = tree.GetItemByDataNode(node)
    if own:
        tree.SetItemParent(own, parent)
    else:
        tree.CreateItem(parent, node)


def check_in_scene(*nodes: Any) -> None:
    """Refuse nodes that were removed meanwhile, as when the scene was closed.

    Raises
    ------
    InputError
        Names the first one that is in the scene no longer.
    """
    for node in nodes:
        if node.GetScene() is not slicer.mrmlScene:
            raise InputError(
                _("{name} is no longer in the scene").format(name=node.GetName()),
                expected=_("that the scene stays open while there is work on it"),
                hint=_("load it again, and start anew"),
            )


def new_node(kind: str, name: str) -> Any:
    """A new node of the class ``kind``; a number follows the name where it is taken."""
    return slicer.mrmlScene.AddNewNodeByClass(kind, slicer.mrmlScene.GenerateUniqueName(name))
