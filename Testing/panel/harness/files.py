"""Loading and saving files as ``slicer.util`` does, through the real storage nodes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import slicer

_KINDS = {
    "VolumeFile": ("vtkMRMLScalarVolumeNode", "vtkMRMLVolumeArchetypeStorageNode"),
    "SegmentationFile": ("vtkMRMLSegmentationNode", "vtkMRMLSegmentationStorageNode"),
    "TransformFile": ("vtkMRMLLinearTransformNode", "vtkMRMLTransformStorageNode"),
    "TableFile": ("vtkMRMLTableNode", "vtkMRMLTableStorageNode"),
}


class CoreIOManager:
    """``slicer.app.coreIOManager()``."""

    def fileType(self, path: str) -> str:
        """Which reader takes the file."""
        return "SegmentationFile" if ".seg.n" in str(path) else "VolumeFile"

    def fileWriterFileType(self, node: Any) -> str:
        """Which writer takes the node."""
        return next((kind for kind, (name, _) in _KINDS.items() if node.IsA(name)), "VolumeFile")

    def loadNodes(self, kind: str, properties: dict[str, Any], loaded: Any, messages: Any = None) -> bool:
        """Load the file ``properties["fileName"]``; False: it could not be read, and the scene is as before."""
        path = Path(properties["fileName"])
        scene = slicer.mrmlScene
        if kind == "SceneFile":
            scene.SetURL(str(path))
            return bool(scene.ReadFromMRB(str(path)) if path.suffix == ".mrb" else scene.Connect())
        if not path.is_file() or kind not in _KINDS:
            return False
        name = properties.get("name") or path.name.partition(".")[0]
        if kind == "VolumeFile":
            as_labels = int(bool(properties.get("labelmap")))
            logic = slicer.app.applicationLogic().GetModuleLogic("Volumes")
            node = logic.AddArchetypeVolume(str(path), name, as_labels)  # makes the name unique
        else:
            node = self._read(kind, path, name, scene)
        if node is None:
            return False
        loaded.AddItem(node)
        if kind == "VolumeFile" and properties.get("show", True):
            self._show(node)
        return True

    def _read(self, kind: str, path: Path, name: str, scene: Any) -> Any:
        class_name, storage_name = _KINDS[kind]
        node = scene.AddNewNodeByClass(class_name, scene.GenerateUniqueName(name))
        storage = scene.AddNewNodeByClass(storage_name)
        storage.SetFileName(str(path))
        node.SetAndObserveStorageNodeID(storage.GetID())
        if not storage.ReadData(node):
            scene.RemoveNode(node)
            scene.RemoveNode(storage)
            return None
        if hasattr(node, "CreateDefaultDisplayNodes"):
            node.CreateDefaultDisplayNodes()
        return node

    def _show(self, node: Any) -> None:
        selection = slicer.app.applicationLogic().GetSelectionNode()
        if node.IsA("vtkMRMLLabelMapVolumeNode"):
            selection.SetActiveLabelVolumeID(node.GetID())
        else:
            selection.SetActiveVolumeID(node.GetID())
        slicer.app.applicationLogic().PropagateVolumeSelection(1)

    def saveNodes(self, kind: str, properties: dict[str, Any], messages: Any = None) -> bool:
        """Write a node (or the scene) to the file ``properties["fileName"]``."""
        scene, path = slicer.mrmlScene, str(properties["fileName"])
        if kind == "SceneFile":
            return bool(scene.WriteToMRB(path) if path.endswith(".mrb") else scene.Commit(path))
        node = scene.GetNodeByID(properties["nodeID"])
        storage = node.GetStorageNode() or scene.AddNode(node.CreateDefaultStorageNode())
        node.SetAndObserveStorageNodeID(storage.GetID())
        storage.SetFileName(path)
        storage.SetUseCompression(int(properties.get("useCompression", 1)))
        return bool(storage.WriteData(node))

    def exportNodes(
        self, ids: list[str], paths: list[str], properties: dict[str, Any], harden: bool, messages: Any = None
    ) -> bool:
        """Write nodes without changing their storage nodes."""
        done = True
        for node_id, path in zip(ids, paths, strict=True):
            node = slicer.mrmlScene.GetNodeByID(node_id)
            storage = node.CreateDefaultStorageNode()
            storage.UnRegister(None)
            storage.SetFileName(str(path))
            done = bool(storage.WriteData(node)) and done
        return done
