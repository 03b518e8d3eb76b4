"""What the panel keeps in the scene: the model, which volume is which channel, where the result goes."""

from __future__ import annotations

import slicer

_MODULE = "MedSegEffNet"
_OUTPUT = "Output"


class Parameters:
    """The module's parameter node. It is saved and loaded with the scene; deleted nodes vanish from it by themselves."""

    def __init__(self) -> None:
        scene = slicer.mrmlScene
        self.node = scene.GetSingletonNode(_MODULE, "vtkMRMLScriptedModuleNode")
        if self.node is None:
            node = scene.CreateNodeByClass("vtkMRMLScriptedModuleNode")
            node.UnRegister(None)  # CreateNodeByClass gives a reference that the caller owns
            node.SetSingletonTag(_MODULE)
            node.SetModuleName(_MODULE)
            node.SetName(_MODULE)
            self.node = scene.AddNode(node)

    @property
    def model(self) -> str:
        """The chosen model as ``name@version``; empty: none was chosen."""
        return self.node.GetParameter("Model") or ""

    @model.setter
    def model(self, name: str) -> None:
        self.node.SetParameter("Model", name)

    def channel(self, name: str):
        """The volume node of the channel ``name``, or None."""
        return self.node.GetNodeReference(f"Channel.{name}")

    def set_channel(self, name: str, node) -> None:
        """Take ``node`` (None: no volume) as the channel ``name``."""
        self.node.SetNodeReferenceID(f"Channel.{name}", node.GetID() if node else None)

    @property
    def output(self):
        """The segmentation node that takes the result, or None: a new one is made."""
        return self.node.GetNodeReference(_OUTPUT)

    @output.setter
    def output(self, node) -> None:
        self.node.SetNodeReferenceID(_OUTPUT, node.GetID() if node else None)
