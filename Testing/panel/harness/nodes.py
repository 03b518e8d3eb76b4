"""Widgets that know the scene: qMRMLWidget and the node selector."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import shiboken6
import slicer
from PySide6 import QtCore, QtWidgets

from harness import failures
from harness.generated import behaves, generated


@behaves
class qMRMLWidget(generated("qMRMLWidget")):  # type: ignore[misc]
    """A widget that hands its scene to those that are connected with it."""

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._scene: Any = None

    def mrmlScene(self) -> Any:
        """The scene, or None."""
        return self._scene

    def setMRMLScene(self, scene: Any) -> None:
        """Take another scene and tell of it."""
        if scene is not self._scene:
            self._scene = scene
            self.mrmlSceneChanged.emit(scene)


@behaves
class qMRMLNodeComboBox(generated("qMRMLNodeComboBox")):  # type: ignore[misc]
    """The node selector: lists the scene's nodes of some types, and follows the scene."""

    _default_addEnabled = True
    _default_removeEnabled = True
    _default_showChildNodeTypes = True
    _default_selectNodeUponCreation = True
    _default_noneDisplay = "None"

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._scene: Any = None
        self._nodeTypes: list[str] = []
        self._observed: list[tuple[Any, int]] = []
        self._known: set[str] = set()
        self._told: str | None = ""
        self._box = QtWidgets.QComboBox(self)
        self._box.setSizeAdjustPolicy(QtWidgets.QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._box)
        self.setSizePolicy(QtWidgets.QSizePolicy.Policy.Expanding, QtWidgets.QSizePolicy.Policy.Fixed)
        self._box.currentIndexChanged.connect(self._on_index)
        self._box.activated.connect(self._on_activated)

    # what the scene tells

    def mrmlScene(self) -> Any:
        """The scene, or None."""
        return self._scene

    def setMRMLScene(self, scene: Any) -> None:
        """List the nodes of another scene."""
        if scene is self._scene:
            return
        self._unobserve()
        self._scene = scene
        if scene is not None:
            for event in (
                scene.NodeAddedEvent,
                scene.NodeRemovedEvent,
                scene.EndCloseEvent,
                scene.EndBatchProcessEvent,
            ):
                self._observed.append((scene, scene.AddObserver(event, self._on_scene)))
        self._refresh()

    def _on_scene(self, caller: Any, event: str) -> None:
        self._follow(self._refresh)

    def _on_renamed(self, caller: Any, event: str) -> None:
        self._follow(self._rename)

    def _follow(self, change: Callable[[], None]) -> None:
        """Do what the scene asks for, or let go of it where the widget was deleted with its parent."""
        if shiboken6.isValid(self) and shiboken6.isValid(self._box):
            failures.call(change)
        else:
            self._unobserve()

    def _unobserve(self) -> None:
        for target, observer in self._observed:
            target.RemoveObserver(observer)
        self._observed, self._known = [], set()

    def event(self, event: QtCore.QEvent) -> bool:
        """Let go of the scene when the widget is deleted."""
        if event.type() == QtCore.QEvent.Type.DeferredDelete:
            self._unobserve()
        return super().event(event)

    # which nodes are listed

    def _write_nodeTypes(self, types: list[str]) -> None:
        self._nodeTypes = list(types)
        self._refresh()

    def _write_noneEnabled(self, on: bool) -> None:
        self._noneEnabled = on
        self._refresh()

    def _write_noneDisplay(self, text: str) -> None:
        self._noneDisplay = text
        self._refresh()

    def _write_showChildNodeTypes(self, on: bool) -> None:
        self._showChildNodeTypes = on
        self._refresh()

    def _write_showHidden(self, on: bool) -> None:
        self._showHidden = on
        self._refresh()

    def _write_addEnabled(self, on: bool) -> None:
        self._addEnabled = on
        self._refresh()

    def _listed(self, node: Any) -> bool:
        if node.GetHideFromEditors() and not self.showHidden:
            return False
        return any(
            node.GetClassName() == kind or (self.showChildNodeTypes and node.IsA(kind)) for kind in self._nodeTypes
        )

    def _nodes(self) -> list[Any]:
        if self._scene is None:
            return []
        nodes = (self._scene.GetNthNode(number) for number in range(self._scene.GetNumberOfNodes()))
        return [node for node in nodes if self._listed(node)]

    def _refresh(self) -> None:
        """List the nodes anew. The choice stays while its node does; else it is none, or without that the first."""
        if self._scene is not None and (self._scene.IsClosing() or self._scene.IsBatchProcessing()):
            return
        chosen, nodes = self._id(), self._nodes()
        self._box.blockSignals(True)
        self._box.clear()
        if self.noneEnabled:
            self._box.addItem(self.noneDisplay, "")
        for node in nodes:
            self._box.addItem(node.GetName() or node.GetID(), node.GetID())
        self._add_actions()
        place = self._box.findData(chosen) if chosen else -1
        self._box.setCurrentIndex(place if place >= 0 else 0 if self.noneEnabled or nodes else -1)
        self._box.blockSignals(False)
        self._watch_names(nodes)
        self._tell()

    def _add_actions(self) -> None:
        if self.addEnabled and self._nodeTypes:
            for kind in self._nodeTypes:
                self._box.addItem(f"Create new {self._label(kind)}", f"+{kind}")

    def _label(self, kind: str) -> str:
        node = self._scene.CreateNodeByClass(kind) if self._scene is not None else None
        if node is None:
            return kind
        node.UnRegister(None)
        return node.GetNodeTagName()

    def _watch_names(self, nodes: list[Any]) -> None:
        for node in nodes:
            if node.GetID() not in self._known:
                self._known.add(node.GetID())
                observer = node.AddObserver(slicer.vtkMRMLNode.IDChangedEvent, self._on_renamed)
                self._observed.append((node, observer))
                self._observed.append((node, node.AddObserver("ModifiedEvent", self._on_renamed)))

    def _rename(self) -> None:
        for place in range(self._box.count()):
            node = self._scene.GetNodeByID(self._box.itemData(place) or "") if self._scene is not None else None
            if node is not None and node.GetName() != self._box.itemText(place):
                self._box.setItemText(place, node.GetName())

    # which node is chosen

    def _id(self) -> str:
        data = self._box.currentData() or ""
        return "" if data.startswith("+") else data

    def _on_index(self, place: int) -> None:
        if not (self._box.currentData() or "").startswith("+"):
            self._tell()

    def _on_activated(self, place: int) -> None:
        data = self._box.itemData(place) or ""
        if data.startswith("+"):
            self.nodeAddedByUser.emit(self.addNode(data[1:]))
        elif data:
            self.nodeActivated.emit(self.currentNode())

    def _tell(self) -> None:
        if self._id() != self._told:
            self._told = self._id()
            self.currentNodeChanged.emit(self.currentNode())
            self.currentNodeIDChanged.emit(self._told)

    def _read_currentNodeID(self) -> str:
        return self._id()

    def _read_currentNodeId(self) -> str:
        return self._id()

    def _write_currentNodeID(self, node_id: str) -> None:
        self._choose(node_id)

    _write_currentNodeId = _write_currentNodeID

    def currentNode(self) -> Any:
        """The chosen node, or None."""
        return self._scene.GetNodeByID(self._id()) if self._scene is not None and self._id() else None

    def setCurrentNode(self, node: Any) -> None:
        """Choose ``node`` (or its id); None: no node."""
        self._choose(node if isinstance(node, str) else node.GetID() if node is not None else "")

    def setCurrentNodeID(self, node_id: str) -> None:
        """Choose the node with this id."""
        self._choose(node_id)

    def setCurrentNodeIndex(self, place: int) -> None:
        """Choose a node by its place in the list."""
        self._box.setCurrentIndex(place + int(self.noneEnabled))

    def _choose(self, node_id: str) -> None:
        place = self._box.findData(node_id or "")
        self._box.setCurrentIndex(place if place >= 0 else 0 if self.noneEnabled else -1)

    def nodeCount(self) -> int:
        """How many nodes are listed."""
        return len(self._nodes())

    def nodeFromIndex(self, place: int) -> Any:
        """The node at a place of the list."""
        return self._nodes()[place]

    def addNode(self, kind: str = "") -> Any:
        """Add a node to the scene, with a unique name made of ``baseName``."""
        kind = kind or self._nodeTypes[0]
        base = self.baseName or self._label(kind)
        node = self._scene.AddNewNodeByClass(kind, self._scene.GenerateUniqueName(base))
        if self.selectNodeUponCreation:
            self.setCurrentNode(node)
        self.nodeAdded.emit(node)
        return node

    def removeCurrentNode(self) -> None:
        """Remove the chosen node from the scene."""
        node = self.currentNode()
        if node is not None:
            self.nodeAboutToBeRemoved.emit(node)
            self._scene.RemoveNode(node)
