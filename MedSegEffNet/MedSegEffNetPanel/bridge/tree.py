"""Places of nodes in the data tree (the subject hierarchy), and their names."""

from __future__ import annotations

from typing import Any

import slicer


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


def new_node(kind: str, name: str) -> Any:
    """A new node of the class ``kind``; a number follows the name where it is taken."""
    return slicer.mrmlScene.AddNewNodeByClass(kind, slicer.mrmlScene.GenerateUniqueName(name))
