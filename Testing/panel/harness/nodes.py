"""Widgets that know the scene: qMRMLWidget and the node selector."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import shiboken6
import slicer
import vtk
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
    """The node selector: lists the scene's nodes of some types, and follows the scene as Slicer's does.

    When the chosen node leaves the scene, the list's next item is chosen (or the last one), as every QComboBox does.
    Another node is told of when another *text* is shown: of two nodes with the same name the change goes unheard, and
    a new name of the chosen node is told as if it were another one.
    """

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
        self._switching = False
        self._box = QtWidgets.QComboBox(self)
        self._box.setSizeAdjustPolicy(QtWidgets.QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._box)
        self.setSizePolicy(QtWidgets.QSizePolicy.Policy.Expanding, QtWidgets.QSizePolicy.Policy.Fixed)
        self._box.currentTextChanged.connect(self._on_text)
        self._box.activated.connect(self._on_activated)

    # what the scene tells

    def mrmlScene(self) -> Any:
        """The scene, or None."""
        return self._scene

    def setMRMLScene(self, scene: Any) -> None:
        """List the nodes of another scene."""
        if scene is self._scene:
            return
        before = self._id()
        self._unobserve()
        self._scene = scene
        if scene is not None:
            for event, priority, follow in (  # the priorities are those of Slicer's model of the scene
                (scene.NodeAddedEvent, 10.0, self._on_node),
                (scene.NodeAboutToBeRemovedEvent, -10.0, self._on_leaving),
                (scene.NodeRemovedEvent, 10.0, self._on_node),
                (scene.EndCloseEvent, 0.0, self._on_scene),
                (scene.EndBatchProcessEvent, 0.0, self._on_scene),
            ):
                self._observed.append((scene, scene.AddObserver(event, follow, priority)))
        self._switching = True
        self._refresh()
        self._switching = False
        self._choose(before or self._id())

    def _on_scene(self, caller: Any, event: str) -> None:
        self._follow(self._refresh)

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def _on_node(self, caller: Any, event: str, node: Any) -> None:
        if self._listed(node):  # others change nothing here
            self._follow(self._refresh)

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def _on_leaving(self, caller: Any, event: str, node: Any) -> None:
        self._follow(functools.partial(self._drop, node))

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
        """Make the list fit the scene, item by item, so that the choice stays where it can."""
        if self._scene is not None and (self._scene.IsClosing() or self._scene.IsBatchProcessing()):
            return
        nodes = self._nodes()
        wanted = {"": self.noneDisplay} if self.noneEnabled else {}
        wanted |= {node.GetID(): node.GetName() or node.GetID() for node in nodes}
        wanted |= self._actions()
        for place in reversed(range(self._box.count())):
            if self._box.itemData(place) not in wanted:
                self._box.removeItem(place)
        for place, (data, text) in enumerate(wanted.items()):
            if self._box.itemData(place) == data:
                self._box.setItemText(place, text)
            else:
                self._insert(place, text, data)
        self._watch_names(nodes)
        self._unselect_hidden()
        if self._box.currentIndex() < 0 and nodes:
            self._box.setCurrentIndex(0)

    def _insert(self, place: int, text: str, data: str) -> None:
        """An action that comes into an empty list does not become the choice."""
        before = self._box.currentIndex()
        self._box.insertItem(place, text, data)
        if data.startswith("+"):
            self._box.setCurrentIndex(before)

    def _drop(self, node: Any) -> None:
        """A node is about to leave: its neighbor takes its place, also as the choice."""
        if self._scene.IsClosing() or self._scene.IsBatchProcessing():
            return
        place = self._box.findData(node.GetID() or "?")
        if place >= 0:
            self._box.removeItem(place)
            self._unselect_hidden()

    def _unselect_hidden(self) -> None:
        if self.currentNode() is None:
            self._choose("")

    def _actions(self) -> dict[str, str]:
        kinds = self._nodeTypes if self.addEnabled else []
        return {f"+{kind}": f"Create new {self._label(kind)}" for kind in kinds}

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

    def _on_text(self, text: str) -> None:
        """Another text is shown. Where it is an action's, the last node is chosen in its place."""
        if self._switching:
            return
        if (self._box.currentData() or "").startswith("+"):
            nodes = [place for place in range(self._box.count()) if not self._is_extra(self._box.itemData(place))]
            if nodes:
                self._box.setCurrentIndex(nodes[-1])
        else:
            self.currentNodeChanged.emit(self.currentNode())
            self.currentNodeIDChanged.emit(self._id())

    @staticmethod
    def _is_extra(data: str) -> bool:
        return not data or data.startswith("+")

    def _on_activated(self, place: int) -> None:
        data = self._box.itemData(place) or ""
        if data.startswith("+"):
            self.nodeAddedByUser.emit(self.addNode(data[1:]))
        elif data:
            self.nodeActivated.emit(self.currentNode())

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
