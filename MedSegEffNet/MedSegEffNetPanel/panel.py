"""The panel: what its sections share, and the bars that open and close them."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import ctk
import qt

from MedSegEffNetPanel import steps
from MedSegEffNetPanel.curation import Curation
from MedSegEffNetPanel.environment import Environment
from MedSegEffNetPanel.jobs import JobQueue
from MedSegEffNetPanel.parameters import Parameters
from MedSegEffNetPanel.run_folders import new_folder, runs_folder, tidy
from MedSegEffNetPanel.sections import Section, find_sections
from MedSegEffNetPanel.settings import Settings
from MedSegEffNetPanel.signals import Signal


class Panel:
    """Builds the sections into a layout and hands them what they share.

    Attributes
    ----------
    settings : the machine's settings. parameters : the scene's (the module's parameter node).
    environment : the Python that jobs run with. jobs : the queue of background processes.
    curation : the curated data set that is open. models_changed : emitted when models were installed or removed.
    """

    def __init__(self, layout: qt.QLayout, resources: Path) -> None:
        self.resources = resources
        self.settings = Settings()
        self.parameters = Parameters()
        self.environment = Environment(self.settings)
        self.jobs = JobQueue(self.environment.interpreter, self.environment)
        self.curation = Curation(self.settings)
        self.models_changed = Signal()
        self._ended = False
        self._tidying = steps.run(tidy(runs_folder()), done=lambda nothing: None, failed=_raise)
        self.sections: list[Section] = []
        self._bars: dict[type[Section], ctk.ctkCollapsibleButton] = {}
        for kind in find_sections():
            self._add(kind, layout)
        layout.addStretch(1)
        for section in self.sections:
            section.setup()

    def _add(self, kind: type[Section], layout: qt.QLayout) -> None:
        section = kind(self)
        bar = ctk.ctkCollapsibleButton()
        bar.text = kind.label()
        bar.objectName = f"{kind.__module__.rpartition('.')[2]}Bar"
        inside = qt.QVBoxLayout(bar)
        inside.setContentsMargins(0, 0, 0, 0)  # the section has its own
        inside.addWidget(section.widget)
        bar.collapsed = not kind.opened
        layout.addWidget(bar)
        self.sections.append(section)
        self._bars[kind] = bar

    def section(self, name: str) -> Any:
        """The section in the file ``name`` of the package ``sections``."""
        return next(section for section in self.sections if type(section).__module__.rpartition(".")[2] == name)

    def new_run(self, name: str) -> Path:
        """A new folder for the run of a job called ``name``, in the user's own folder (a short path, for Windows)."""
        return new_folder(runs_folder(), name)

    def show(self, name: str) -> None:
        """Open the section in the file ``name`` and bring it into view."""
        bar = self._bars[type(self.section(name))]
        bar.collapsed = False
        qt.QTimer.singleShot(0, functools.partial(self._bring_into_view, bar))  # when it has its height

    def _bring_into_view(self, widget: qt.QWidget) -> None:
        if self._ended:  # the widgets are gone
            return
        area = widget.parentWidget()
        while area is not None and not area.inherits("QScrollArea"):
            area = area.parentWidget()
        if area is not None:
            area.ensureWidgetVisible(widget)

    def enter(self) -> None:
        """The module has become visible."""
        for section in self.sections:
            section.enter()

    def leave(self) -> None:
        """The module is no longer visible."""
        for section in self.sections:
            section.leave()

    def scene_closing(self) -> None:
        """The scene is about to be emptied."""
        for section in self.sections:
            section.scene_closing()

    def scene_closed(self) -> None:
        """The scene has been emptied."""
        self.parameters = Parameters()
        for section in self.sections:
            section.scene_closed()

    def cleanup(self) -> None:
        """The module ends; detached jobs run on and are found again by their folders."""
        self._ended = True
        self._tidying.cancel()
        for section in self.sections:
            section.cleanup()
        self.jobs.cleanup()


def _raise(error: Exception) -> None:
    raise error
