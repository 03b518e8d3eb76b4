"""The sections of the panel: one file (or folder) each, found by itself.

A module of this package with a class ``PanelSection`` is a section; ``order`` says where it stands.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import TYPE_CHECKING, ClassVar

import slicer

if TYPE_CHECKING:
    import qt

    from MedSegEffNetPanel.panel import Panel


class Section:
    """One collapsible part of the panel.

    Attributes
    ----------
    title : what stands on its bar; made by :meth:`label`, so that it can be translated.
    order : sections with a lower number stand higher.
    layout_file : its .ui file in Resources/UI.
    opened : whether it is open when the module is opened for the first time.
    widget : the widget made from the .ui file; ui : its named children as attributes.
    """

    order: ClassVar[int]
    layout_file: ClassVar[str]
    opened: ClassVar[bool] = False

    def __init__(self, panel: Panel) -> None:
        self.panel = panel
        self.widget: qt.QWidget = slicer.util.loadUI(str(panel.resources / "UI" / self.layout_file))
        self.widget.setMRMLScene(slicer.mrmlScene)
        self.ui = slicer.util.childWidgetVariables(self.widget)

    @staticmethod
    def label() -> str:
        """The section's title in the user's language."""
        raise NotImplementedError

    def setup(self) -> None:
        """Connect the widgets; called once, when all sections exist."""

    def enter(self) -> None:
        """The module has become visible."""

    def leave(self) -> None:
        """The module is no longer visible."""

    def scene_closing(self) -> None:
        """The scene is about to be emptied: forget its nodes."""

    def scene_closed(self) -> None:
        """The scene has been emptied (or another one has been loaded)."""

    def cleanup(self) -> None:
        """The module ends: let go of everything."""


def find_sections() -> list[type[Section]]:
    """The classes of all sections, in their order."""
    found = []
    for module in pkgutil.iter_modules(__path__):
        if not module.name.startswith("_"):
            found.append(importlib.import_module(f"{__name__}.{module.name}").PanelSection)
    return sorted(found, key=lambda section: section.order)
