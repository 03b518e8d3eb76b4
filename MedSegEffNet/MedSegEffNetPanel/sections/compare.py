"""Section Compare: a segmentation against a reference, and the open case against the model."""

from __future__ import annotations

from typing import Any

import slicer
import vtk
from slicer.i18n import tr as _

from MedSegEffNetPanel.comparing.case_view import CaseView
from MedSegEffNetPanel.comparing.pair_view import PairView
from MedSegEffNetPanel.sections import Section


class PanelSection(Section):
    """Two segmentations of the scene measured; below, the labels of the case that is open in Correct against others.

    Attributes
    ----------
    pair : the two segmentations (PairView). case : the open case (CaseView).
    """

    order = 25
    layout_file = "Compare.ui"

    @staticmethod
    def label() -> str:
        """The section's title."""
        return _("Compare")

    def setup(self) -> None:
        """Make the parts and connect them."""
        self.pair = PairView(self.ui, self.panel.settings)
        self.case = CaseView(self.ui, self.panel)
        self._observer: int | None = None
        self.panel.environment.changed.connect(self.case.refresh)
        self.panel.models_changed.connect(self.case.refresh)

    def enter(self) -> None:
        """Another model may be chosen, and segmentations may have come and gone."""
        scene = slicer.mrmlScene
        if self._observer is None:
            self._observer = scene.AddObserver(scene.NodeAboutToBeRemovedEvent, self._on_leaving)
        self.pair.refresh()
        self.case.refresh()

    def scene_closing(self) -> None:
        """Let go of the scene's nodes."""
        self.pair.clear()
        self.case.close()

    def cleanup(self) -> None:
        """The module ends: nothing of it stays in the scene."""
        if self._observer is not None:
            slicer.mrmlScene.RemoveObserver(self._observer)
        self.panel.environment.changed.disconnect(self.case.refresh)
        self.panel.models_changed.disconnect(self.case.refresh)
        self.pair.clear()
        self.case.close()

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def _on_leaving(self, caller: Any, event: Any, node: Any) -> None:
        """A selector would choose the neighbor of a node that goes: it is emptied before."""
        for selector in (self.ui.comparedSelector, self.ui.referenceSelector, self.ui.otherSelector):
            if selector.currentNode() is node:
                selector.setCurrentNode(None)
